"""The simulated frontier itself: accuracy, determinism, faults, limits. Standard library only. Run by ctest."""
import http.client
import json
import socket
import tempfile
import unittest
from pathlib import Path

from running import KEY, Running

LABELS = ["card", "money", "rate"]
ROWS = [{"id": str(i), "text": f"message number {i} about {LABELS[i % 3]}s", "label": LABELS[i % 3]} for i in range(200)]
SCHEMA = {"type": "object", "properties": {"label": {"type": "string", "enum": LABELS}, "why": {"type": "string"}},
          "required": ["label"], "additionalProperties": False}


def chat(text, **more):
    return {"model": "simulated", "messages": [{"role": "system", "content": "Sort it."}, {"role": "user", "content": text}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}, **more}


class Frontier(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.gold = Path(folder.name) / "gold.jsonl"
        self.gold.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def start(self, *options):
        frontier = Running(self.gold, "--latency-ms", 0, *options)
        self.addCleanup(frontier.__exit__)
        return frontier.__enter__()

    def post(self, frontier, body, path="/v1/chat/completions", headers=None, timeout=20):
        """(status, headers, body bytes) on a connection of its own."""
        connection = http.client.HTTPConnection(frontier.url.rpartition("/")[2], timeout=timeout)
        self.addCleanup(connection.close)
        given = {"Authorization": f"Bearer {KEY}", "x-api-key": KEY, "anthropic-version": "2023-06-01", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body) if isinstance(body, dict) else body, given if headers is None else headers)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()

    def label(self, frontier, text):
        status, _, body = self.post(frontier, chat(text))
        self.assertEqual(status, 200, body)
        return json.loads(json.loads(body)["choices"][0]["message"]["content"])["label"]

    def test_accuracy_is_as_stated_and_answers_repeat(self):
        frontier = self.start("--accuracy", 0.9)
        answers = [self.label(frontier, row["text"]) for row in ROWS]
        right = sum(answer == row["label"] for answer, row in zip(answers, ROWS))
        self.assertTrue(165 <= right <= 194, right)  # 180 expected; more than three standard deviations either way
        self.assertEqual(answers[:20], [self.label(frontier, row["text"]) for row in ROWS[:20]])
        self.assertEqual([self.label(self.start("--accuracy", 1), row["text"]) for row in ROWS[:20]], [r["label"] for r in ROWS[:20]])

    def test_log_tells_what_was_asked(self):
        frontier = self.start()
        self.label(frontier, ROWS[0]["text"])
        log = frontier.get("/_log")
        self.assertEqual([(e["path"], e["done"]) for e in log], [("/v1/chat/completions", "answered")])
        self.assertIn(ROWS[0]["text"], log[0]["body"])
        self.assertNotIn(KEY, json.dumps(log))

    def test_keys(self):
        frontier = self.start()
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/decisions", "/v1/systemone"):
            status, _, body = self.post(frontier, chat("x"), path, headers={"Authorization": "Bearer wrong", "x-api-key": "wrong"})
            self.assertEqual(status, 401)
            self.assertTrue(json.loads(body))

    def test_statuses(self):
        for fault, status in (("429::7", 429), ("500", 500), ("502", 502), ("503", 503), ("504", 504), ("529", 529), ("html", 502),
                              ("redirect", 307)):
            frontier = self.start("--fault", fault)
            found, headers, _ = self.post(frontier, chat(ROWS[0]["text"]))
            self.assertEqual(found, status, fault)
            if status == 429:
                self.assertEqual(headers["retry-after"], "7")
            if status == 307:
                self.assertTrue(headers["location"].startswith("http://localhost:"))

    def test_broken_answers(self):
        frontier = self.start("--fault", "script:hangup,cut,wrong_json,wrong_shape,wrong_usage,no_usage,length,refusal,ok")
        text = ROWS[0]["text"]
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            self.post(frontier, chat(text))
        with self.assertRaises(http.client.IncompleteRead):
            self.post(frontier, chat(text))
        with self.assertRaises(ValueError):
            json.loads(self.post(frontier, chat(text))[2])
        replies = [json.loads(self.post(frontier, chat(text))[2]) for _ in range(6)]
        self.assertNotIn("label", json.loads(replies[0]["choices"][0]["message"]["content"]))
        self.assertGreater(replies[1]["usage"]["prompt_tokens"], 10**6)
        self.assertNotIn("usage", replies[2])
        self.assertEqual(replies[3]["choices"][0]["finish_reason"], "length")
        self.assertTrue(replies[4]["choices"][0]["message"]["refusal"])
        self.assertIn(json.loads(replies[5]["choices"][0]["message"]["content"])["label"], LABELS)

    def test_streams_break(self):
        frontier = self.start("--fault", "cut")
        for path, body in (("/v1/chat/completions", chat(ROWS[0]["text"], stream=True)),
                           ("/v1/messages", {"model": "m", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": ROWS[0]["text"]}]})):
            with self.assertRaises(http.client.IncompleteRead) as broken:
                self.post(frontier, body, path)
            self.assertIn(b"data: {", broken.exception.partial)

    def test_never(self):
        frontier = self.start("--fault", "never")
        with self.assertRaises(socket.timeout):
            self.post(frontier, chat("x"), timeout=0.3)

    def test_rate_limit(self):
        frontier = self.start("--per-minute", 3)
        statuses = [self.post(frontier, chat("x"))[0] for _ in range(5)]
        self.assertEqual(statuses, [200, 200, 200, 429, 429])
        self.assertGreaterEqual(int(self.post(frontier, chat("x"))[1]["retry-after"]), 1)

    def test_wrong_requests(self):
        frontier = self.start()
        for path, body in (("/v1/chat/completions", {"model": "m"}), ("/v1/chat/completions", b"{"), ("/v1/chat/completions", {"messages": []}),
                           ("/v1/messages", {"model": "m", "messages": [{"role": "user", "content": "x"}]}),
                           ("/v1/decisions", {"model": "m", "input": "x", "questions": []}),
                           ("/v1/decisions", {"model": "m", "input": "x", "questions": [{"type": "rank"}]})):
            self.assertEqual(self.post(frontier, body, path)[0], 400, body)
        self.assertEqual(self.post(frontier, {"model": "m", "state": "x", "questions": {}}, "/v1/systemone")[0], 422)
        self.assertEqual(self.post(frontier, {}, "/v1/embeddings")[0], 404)

    def test_faults_can_be_replaced(self):
        frontier = self.start("--fault", "500")
        self.assertEqual(self.post(frontier, chat("x"))[0], 500)
        frontier.set_faults()
        self.assertEqual(self.post(frontier, chat("x"))[0], 200)


if __name__ == "__main__":
    unittest.main()
