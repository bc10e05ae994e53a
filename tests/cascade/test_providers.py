"""Providers against the simulated frontier: every kind, every fault, limits, secrets. Run by ctest: test_providers.py ASK."""
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "frontier"))
from running import KEY, Running  # noqa: E402

ASK = sys.argv.pop(1)
LABELS = ["card", "money", "rate"]
ROWS = [{"text": f"message number {i} about {LABELS[i % 3]}s", "label": LABELS[i % 3]} for i in range(200)]
SECRET = "sk-secret-0123456789abcdef"
KINDS = {"openai": "/v1", "anthropic": "", "decisions": "/v1", "systemone": ""}
MODELS = {"openai": "gpt-6-sol", "anthropic": "claude-sonnet-4-6", "decisions": "gpt-6-luna", "systemone": "jev-latest"}
HEAD = "task: t\ninstructions: Sort the message.\ntype: choice\nlabels: [card, money, rate]\n"


class ProviderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.gold = self.folder / "gold.jsonl"
        self.gold.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def start(self, *options):
        frontier = Running(self.gold, "--accuracy", 1, "--latency-ms", 0, *options)
        frontier.__enter__()
        self.addCleanup(frontier.__exit__)
        return frontier

    def tier(self, base, kind="openai", **more):
        """A tier's line; values are YAML."""
        fields = {"name": "far", "kind": kind, "model": MODELS[kind], "url": base + KINDS[kind], "key": "{env: THE_KEY}", **more}
        return "tiers:\n  - {" + ", ".join(f"{k}: {v}" for k, v in fields.items() if v is not None) + "}\n"

    def run_ask(self, task, texts, *options, key=KEY, env=None):
        path = self.folder / "t.yaml"
        path.write_text(task)
        done = subprocess.run([ASK, *map(str, options), str(path), "0"], input="".join(t + "\n" for t in texts).encode(),
                              capture_output=True, env={**os.environ, "THE_KEY": key, **(env or {})}, timeout=120)
        self.assertNotIn(key.encode(), done.stdout + done.stderr)
        return done

    def ask(self, task, texts, *options, **more):
        """Replies in the order of the lines."""
        done = self.run_ask(task, texts, *options, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return sorted(map(json.loads, done.stdout.splitlines()), key=lambda reply: reply["line"])

    def refused(self, task, *parts, **more):
        done = self.run_ask(task, ["x"], **more)
        self.assertEqual(done.returncode, 1)
        for part in parts:
            self.assertIn(part, done.stderr.decode())

    def one(self, frontier, kind="openai", *options, stream=None, **more):
        return self.ask(HEAD + self.tier(frontier.url, kind, stream=stream, **more), [ROWS[4]["text"]], *options)[0]


class Answers(ProviderTest):
    def test_every_kind_answers(self):
        frontier = self.start()
        for kind, stream in (("openai", None), ("openai", "true"), ("anthropic", None), ("anthropic", "true"), ("decisions", None),
                             ("systemone", None)):
            reply = self.one(frontier, kind, stream=stream)
            self.assertEqual((reply["outcome"], reply["billing"], reply["attempts"]), ("answered", "known", 1), reply)
            self.assertEqual(reply["answers"][0]["value"], ROWS[4]["label"])
            self.assertTrue(0 < reply["cost"] <= reply["cost_max"], reply)
            if kind in ("decisions", "systemone"):
                probabilities = reply["answers"][0]["probabilities"]
                self.assertAlmostEqual(sum(probabilities.values()), 1, places=6)
                self.assertEqual(reply["answers"][0]["probability"], max(probabilities.values()))

    def test_costs_are_those_of_the_price(self):
        reply = self.one(self.start(), "anthropic", price="{input: 2, output: 7.5}")
        usage = reply["usage"]
        exact = usage["input"] * 2000000 + usage["output"] * 7500000
        self.assertEqual(reply["cost"], -(-exact // 1000000))

    def test_log_probabilities_are_the_confidence(self):
        reply = self.one(self.start(), "openai", logprobs="true")
        self.assertTrue(1 / 3 <= reply["answers"][0]["probability"] < 1, reply)
        self.assertEqual(self.one(self.start(), "openai")["answers"][0]["probability"], -1)

    def test_several_questions_at_once(self):
        frontier = self.start()
        task = ("task: t\ninstructions: Judge the message.\nquestions:\n  kind: {type: choice, labels: [card, money, rate]}\n"
                "  urgent: {type: yesno}\n  mood: {type: score, levels: [calm, cross, furious]}\n"
                "  'an odd name!': {type: choice, multi: true, labels: [card, money]}\n")
        for kind in KINDS:
            reply = self.ask(task + self.tier(frontier.url, kind), [ROWS[4]["text"]])[0]
            if kind in ("openai", "anthropic"):  # the simulation has no list for `multi`: it leaves it empty, which is an answer
                self.assertEqual(reply["answers"][3]["chosen"], [])
            self.assertEqual(reply["outcome"], "answered", reply)
            self.assertEqual([a["question"] for a in reply["answers"]], ["kind", "urgent", "mood", "an odd name!"])
            self.assertEqual(reply["answers"][0]["value"], ROWS[4]["label"])
            self.assertIn(reply["answers"][1]["value"], ("yes", "no"))
            self.assertIn(reply["answers"][2]["value"], ("calm", "cross", "furious"))
        self.assertEqual(self.ask(task + self.tier(frontier.url), ["x"], "--question", 1)[0]["answers"][0]["question"], "urgent")

    def test_extract_is_checked_against_its_schema(self):
        frontier = self.start()
        schema = {"type": "object", "properties": {"name": {"type": "string"}, "amount": {"type": "number", "minimum": 3}}, "required": ["name"]}
        closed = {"type": "object", "properties": {"name": {"type": "string"}, "list": {"type": "array", "items": {"$ref": "#/$defs/day"}}},
                  "required": ["name", "list"], "additionalProperties": False, "$defs": {"day": {"type": "string", "format": "date"}}}
        task = "task: t\ninstructions: Read out the fields.\ntype: extract\nschema: s.json\n"
        for shape in (schema, closed):
            (self.folder / "s.json").write_text(json.dumps(shape))
            for kind, stream in (("openai", None), ("anthropic", None), ("anthropic", "true")):
                reply = self.ask(task + self.tier(frontier.url, kind, stream=stream), ["anything"])[0]
                self.assertEqual(reply["outcome"], "answered", reply)
                self.assertEqual(json.loads(reply["answers"][0]["value"])["name"], "x")
        bodies = [json.loads(entry["body"]) for entry in frontier.get("/_log")]
        self.assertTrue(bodies[1]["tools"] and bodies[3]["response_format"]["json_schema"]["strict"])
        self.assertFalse(bodies[0]["response_format"]["json_schema"]["strict"])
        self.assertIn("output_config", bodies[4])
        frontier.set_faults("wrong_shape")
        self.assertEqual(self.ask(task + self.tier(frontier.url), ["anything"])[0]["outcome"], "wrong_shape")
        self.refused(task + self.tier(frontier.url, "decisions"), "question t is of type extract, which this kind of tier cannot answer")

    def test_strict_outputs_are_asked_for_only_where_providers_take_the_schema(self):
        frontier = self.start()
        task = "task: t\ninstructions: Read out the fields.\ntype: extract\nschema: s.json\n" + self.tier(frontier.url)
        string, closed = {"type": "string"}, {"additionalProperties": False}
        def thing(of, **more):
            return {"type": "object", "properties": {"a": of}, "required": ["a"], **closed, **more}
        cases = [(thing(string), True), (thing({"type": ["string", "null"]}), True), (thing({"enum": [1, "x"]}), True),
                 (thing(thing(string)), True), (thing({"anyOf": [string, {"type": "null"}]}), True), (thing(string, title="T"), True),
                 (thing({"type": "string", "minLength": 1}), False), (thing({"type": "string", "format": "uri"}), False),
                 (thing({"type": "object", "properties": {"b": string}}), False), (thing({"type": "array", "minItems": 2}), False),
                 (thing(string, required=[]), False), (thing({"anyOf": [{"type": "integer", "minimum": 1}, string]}), False),
                 (thing({"$ref": "#/$defs/x"}, **{"$defs": {"x": {"type": "string", "pattern": "^a$"}}}), False),
                 ({"anyOf": [thing(string)]}, False), (thing({"type": "string", "default": "x"}), False)]
        for schema, is_strict in cases:
            (self.folder / "s.json").write_text(json.dumps(schema))
            self.ask(task, ["x"])
            body = json.loads(frontier.get("/_log")[-1]["body"])
            self.assertEqual(body["response_format"]["json_schema"]["strict"], is_strict, schema)

    def test_a_schema_that_cannot_be_enforced_is_refused_unless_the_task_is_lenient(self):
        frontier = self.start()
        (self.folder / "s.json").write_text('{"type": "object", "properties": {"name": {"type": "string", "pattern": "(?<=a)b"}}}')
        task = "task: t\ninstructions: Read out the fields.\ntype: extract\nschema: s.json\n"
        self.refused(task + self.tier(frontier.url), "question t", "s.json", "pattern")
        self.assertEqual(self.ask(task + "lenient: true\n" + self.tier(frontier.url), ["x"])[0]["outcome"], "answered")

    def test_words(self):
        frontier = self.start()
        task = "task: t\ninstructions: Summarize.\ntype: summarize\ntemplate: 'In short, {{ text }}'\n"
        for kind in ("openai", "anthropic"):
            reply = self.ask(task + self.tier(frontier.url, kind), [ROWS[4]["text"]])[0]
            self.assertEqual((reply["outcome"], reply["answers"][0]["label"]), ("answered", -1), reply)
            self.assertTrue(reply["answers"][0]["value"])
        self.assertIn(f"In short, {ROWS[4]['text']}", frontier.get("/_log")[0]["body"])


class Faults(ProviderTest):
    """Each ends in a clear state: (outcome, billing, attempts, may_repeat)."""

    EXPECTED = {
        "never": ("timeout", "unknown", 1, True),
        "500": ("unavailable", "none", 3, False),
        "502": ("unavailable", "none", 3, False),
        "503": ("unavailable", "none", 3, False),
        "504": ("unavailable", "none", 3, False),
        "529": ("unavailable", "none", 3, False),
        "html": ("unavailable", "none", 3, False),
        "hangup": ("cut", "unknown", 1, True),
        "cut": ("cut", "unknown", 1, True),
        "wrong_json": ("bad_reply", "unknown", 1, True),
        "wrong_shape": ("wrong_shape", "known", 1, True),
        "no_usage": ("answered", "unknown", 1, False),
        "length": ("length", "known", 1, False),
        "refusal": ("refused", "known", 1, False),
        "redirect": ("forbidden", "none", 1, False),
        "429::30": ("limited", "none", 1, False),
    }
    # what a format cannot do: typed answers have no length, System One cannot decline, and cut or wrong JSON of a stream differ
    ABSENT = {("decisions", "length"), ("systemone", "length"), ("systemone", "refusal")}

    def check(self, kind, stream):
        frontier = self.start()
        for fault, expected in self.EXPECTED.items():
            if (kind, fault) in self.ABSENT or (stream and fault == "wrong_json"):
                continue
            frontier.set_faults(fault)
            deadline = 400 if fault == "never" else 20000
            reply = self.one(frontier, kind, "--attempts", 3, "--backoff-ms", 5, "--deadline-ms", deadline, stream=stream)
            found = (reply["outcome"], reply["billing"], reply["attempts"], reply["may_repeat"])
            self.assertEqual(found, expected, f"{kind} {stream} {fault}: {reply}")
            self.assertEqual(bool(reply["text"]), reply["outcome"] != "answered", reply)
            if reply["billing"] == "none":
                self.assertEqual(reply["cost"], 0)
            if reply["billing"] == "unknown":
                self.assertEqual(reply["cost"], reply["cost_max"])
        frontier.set_faults()
        self.assertEqual(self.one(frontier, kind, stream=stream)["outcome"], "answered")

    def test_openai(self):
        self.check("openai", None)

    def test_openai_stream(self):
        self.check("openai", "true")

    def test_anthropic(self):
        self.check("anthropic", None)

    def test_anthropic_stream(self):
        self.check("anthropic", "true")

    def test_decisions(self):
        self.check("decisions", None)

    def test_systemone(self):
        self.check("systemone", None)

    def test_slow_is_no_fault(self):
        self.assertEqual(self.one(self.start("--fault", "slow:1:0.3"))["outcome"], "answered")

    def test_wrong_usage_is_told_as_it_is(self):
        reply = self.one(self.start("--fault", "wrong_usage"))
        self.assertEqual((reply["outcome"], reply["billing"]), ("answered", "known"))
        self.assertGreater(reply["cost"], reply["cost_max"])

    def test_what_passes_is_tried_again(self):
        for script in ("500,503", "429=0,529", "html,502"):
            frontier = self.start("--fault", f"script:{script}")
            reply = self.one(frontier, "openai", "--backoff-ms", 5)
            self.assertEqual((reply["outcome"], reply["attempts"], reply["billing"]), ("answered", 3, "known"), reply)
            self.assertLessEqual(reply["cost"], reply["cost_max"])  # failed attempts cost nothing

    def test_retry_after_is_waited_for(self):
        started = time.monotonic()
        reply = self.one(self.start("--fault", "script:429=1"), "openai", "--backoff-ms", 1)
        self.assertEqual((reply["outcome"], reply["attempts"]), ("answered", 2))
        self.assertGreaterEqual(time.monotonic() - started, 1)

    def test_a_wait_beyond_the_deadline_ends_at_once(self):
        reply = self.one(self.start("--fault", "429::3600"), "openai", "--deadline-ms", 5000)
        self.assertEqual((reply["outcome"], reply["attempts"]), ("limited", 1))
        self.assertLess(reply["latency_ms"], 5000)

    def test_a_wrong_shape_is_asked_for_again_with_the_error(self):
        for kind in KINDS:
            frontier = self.start("--fault", "script:wrong_shape")
            replies = self.ask(HEAD + self.tier(frontier.url, kind), [ROWS[4]["text"]], "--repeat")
            first, second = sorted(replies, key=lambda r: r["attempts"])
            self.assertEqual((first["outcome"], first["may_repeat"]), ("wrong_shape", True))
            self.assertEqual((second["outcome"], second["attempts"]), ("answered", 2), second)
            self.assertLessEqual(second["cost"], second["cost_max"])
            if kind in ("openai", "anthropic"):
                turns = json.loads(frontier.get("/_log")[1]["body"])["messages"]
                self.assertEqual([t["role"] for t in turns][-3:], ["user", "assistant", "user"])
                self.assertIn("does not fit", turns[-1]["content"])

    def test_a_second_wrong_shape_is_a_failure(self):
        frontier = self.start("--fault", "wrong_shape")
        replies = self.ask(HEAD + self.tier(frontier.url), [ROWS[4]["text"]], "--repeat")
        self.assertEqual([(r["outcome"], r["n"] if "n" in r else len(r["answers"])) for r in replies], [("wrong_shape", 0)] * 2)
        self.assertFalse(replies[-1]["may_repeat"] and replies[0]["may_repeat"])
        self.assertEqual(len(frontier.get("/_log")), 2)

    def test_what_may_have_been_billed_is_sent_once(self):
        """Also on a kept connection, where libcurl by itself would send a request anew."""
        for kind in ("openai", "anthropic"):
            frontier = self.start("--fault", "script:ok,hangup,ok")
            replies = self.ask(HEAD + self.tier(frontier.url, kind, concurrency=1), [row["text"] for row in ROWS[:3]])
            self.assertEqual([r["outcome"] for r in replies], ["answered", "cut", "answered"])
            self.assertEqual(len(frontier.get("/_log")), 3)

    def test_the_circuit_opens_and_closes(self):
        frontier = self.start("--fault", "script:" + ",".join(["500"] * 3))
        task = HEAD + self.tier(frontier.url, concurrency=1)
        replies = self.ask(task, [row["text"] for row in ROWS[:6]], "--attempts", 1, "--breaker", "3:60000")
        self.assertEqual([r["outcome"] for r in replies], ["unavailable"] * 3 + ["down"] * 3)
        self.assertEqual(len(frontier.get("/_log")), 3)  # left alone
        self.assertEqual({r["billing"] for r in replies}, {"none"})
        frontier.set_faults("script:" + ",".join(["500"] * 3))
        replies = self.ask(task, [row["text"] for row in ROWS[:6]], "--attempts", 9, "--backoff-ms", 300, "--breaker", "3:1")
        self.assertEqual([r["outcome"] for r in replies], ["answered"] * 6)  # tried again after a moment

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        reply = self.ask(HEAD + self.tier(f"http://127.0.0.1:{port}"), ["x"], "--attempts", 2, "--backoff-ms", 5)[0]
        self.assertEqual((reply["outcome"], reply["billing"], reply["attempts"]), ("unreachable", "none", 2), reply)

    def test_cancel(self):
        frontier = self.start("--fault", "never")
        replies = self.ask(HEAD + self.tier(frontier.url, concurrency=2), ["a", "b", "c"], "--cancel-after-ms", 300)
        self.assertEqual([r["outcome"] for r in replies], ["cancelled"] * 3)
        self.assertEqual(sorted(r["billing"] for r in replies), ["none", "unknown", "unknown"])


class Limits(ProviderTest):
    def test_sixty_four_at_once(self):
        frontier = self.start("--latency-ms", 200)
        replies = self.ask(HEAD + self.tier(frontier.url, concurrency=64), [row["text"] for row in ROWS])
        self.assertEqual([r["answers"][0]["value"] for r in replies], [row["label"] for row in ROWS])

    def test_bursts_of_429_are_waited_out(self):
        frontier = self.start("--per-minute", 1200)
        frontier.set_faults("429:0.2:0")
        replies = self.ask(HEAD + self.tier(frontier.url, concurrency=32), [row["text"] for row in ROWS], "--backoff-ms", 50,
                           "--attempts", 20)
        self.assertEqual({r["outcome"] for r in replies}, {"answered"})
        self.assertGreater(sum(r["attempts"] for r in replies), len(ROWS))

    def test_requests_per_minute_are_not_exceeded(self):
        frontier = self.start()
        task = HEAD + self.tier(frontier.url, requests_per_minute=5)
        replies = self.ask(task, [row["text"] for row in ROWS[:7]], "--cancel-after-ms", 700)
        self.assertEqual(sorted(r["outcome"] for r in replies), ["answered"] * 5 + ["cancelled"] * 2)
        self.assertEqual(len(frontier.get("/_log")), 5)

    def test_tokens_per_minute_are_not_exceeded(self):
        frontier = self.start()
        task = HEAD + self.tier(frontier.url, tokens_per_minute=1000, max_tokens=100, concurrency=1)
        replies = self.ask(task, [row["text"] for row in ROWS[:40]], "--cancel-after-ms", 700)
        tokens = sum(sum(r["usage"].values()) for r in replies)
        self.assertTrue(500 < tokens <= 1000, tokens)
        self.assertIn("cancelled", {r["outcome"] for r in replies})


class Secrets(ProviderTest):
    def test_a_wrong_key(self):
        frontier = self.start()
        for kind in KINDS:
            done = self.run_ask(HEAD + self.tier(frontier.url, kind), ["x"], key=SECRET)
            reply = json.loads(done.stdout)
            self.assertEqual((reply["outcome"], reply["billing"], reply["attempts"]), ("unauthorised", "none", 1))

    def test_where_keys_come_from(self):
        frontier = self.start()
        path = self.folder / "key"
        path.write_text(KEY + "\n")
        path.chmod(0o600)
        for key in ("{file: key}", f"{{file: {path}}}", "{credential: key}"):
            reply = self.ask(HEAD + self.tier(frontier.url, key=key), [ROWS[0]["text"]], env={"CREDENTIALS_DIRECTORY": str(self.folder)})[0]
            self.assertEqual(reply["outcome"], "answered", reply)
        path.chmod(0o640)
        self.refused(HEAD + self.tier(frontier.url, key="{file: key}"), "others may read the key (mode 640)")
        self.refused(HEAD + self.tier(frontier.url, key="{file: absent}"), "absent: No such file")
        self.refused(HEAD + self.tier(frontier.url, key="{env: NO_SUCH_VARIABLE}"), "no key: set NO_SUCH_VARIABLE")
        self.refused(HEAD + self.tier(frontier.url, key="{credential: key}"), "CREDENTIALS_DIRECTORY is not set", env={"CREDENTIALS_DIRECTORY": ""})
        path.chmod(0o600)
        path.write_text("two words")
        self.refused(HEAD + self.tier(frontier.url, key="{file: key}"), "printable characters without blanks", "not shown")

    def test_a_server_of_ones_own_needs_no_key(self):
        frontier = self.start()
        self.ask(HEAD + self.tier(frontier.url, key=None), ["x"])
        self.assertNotIn("authorization", frontier.get("/_log")[0]["headers"])

    def test_credentials_do_not_follow_a_redirect(self):
        other, frontier = self.start(), self.start()
        frontier.set_faults(f"redirect:1:{other.url}/v1/chat/completions")
        self.assertEqual(self.one(frontier)["outcome"], "forbidden")
        self.assertEqual(other.get("/_log"), [])


class Addresses(ProviderTest):
    def test_rules(self):
        for url, text in (("http://example.org", "http is spoken only to this host"), ("ftp://127.0.0.1", "expected https, found ftp"),
                          ("https://user:pw@example.org", "may hold no user name, password"), ("https://example.org/?a=b#", "no user name"),
                          ("http://127.0.0.1.example.org", "http is spoken only to this host"), ("not an address", "is not an http address")):
            self.refused(HEAD + self.tier("", url=f'"{url}"'), text)
        done = self.run_ask(HEAD + self.tier("https://example.org"), ["x"], "--loopback-only")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"only this host may be asked", done.stderr)

    def test_a_proxy_is_not_asked_about_this_host(self):
        frontier, proxy = self.start(), self.start()
        env = {name: proxy.url for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        reply = self.ask(HEAD + self.tier(frontier.url), [ROWS[0]["text"]], env=env)[0]
        self.assertEqual(reply["outcome"], "answered", reply)
        self.assertEqual(proxy.get("/_log"), [])

    def test_a_price_is_needed(self):
        self.refused(HEAD + self.tier("https://example.org", model="gpt-99"), "no price is known for model gpt-99")
        frontier = self.start()
        free = self.one(frontier, "openai", model="qwen3", price="{input: 0, output: 0}")
        self.assertEqual((free["outcome"], free["cost"], free["cost_max"]), ("answered", 0, 0))
        prices = self.folder / "prices.json"
        prices.write_text('{"date": "2026-01-01", "unit": "US dollars per million tokens", "prices": '
                          '[{"kind": "openai", "model": "gpt-99", "input": 1, "output": 1}]}')
        reply = self.one(frontier, "openai", "--prices", prices, model="gpt-99")
        self.assertEqual(reply["cost"], sum(reply["usage"].values()))


class Raw:
    """A server on loopback that gives one answer, as it is, to every request, and counts connections."""

    def __init__(self, answer):
        self.answer, self.connections, self.requests = answer, 0, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def before_answer(self):
        """Called for each request."""

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            while line := lines.readline():
                size = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                self.requests.append(lines.read(size))
                self.before_answer()
                try:
                    connection.sendall(self.answer)
                except OSError:
                    return
                if b"content-length" not in self.answer[:200]:
                    return

    def close(self):
        self.server.close()


def whole(body, status="200 OK", content_type="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def chat(content, reason="stop", **more):
    return {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": reason, **more}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


class Together(Raw):
    """Answers no request before 64 have come, and counts those that wait."""

    def __init__(self, answer):
        self.barrier, self.lock, self.waiting, self.most = threading.Barrier(64, timeout=60), threading.Lock(), 0, 0
        super().__init__(answer)

    def before_answer(self):
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        self.barrier.wait()
        with self.lock:
            self.waiting -= 1


class Strangers(ProviderTest):
    """Replies that no provider should send."""

    def reply(self, answer, *options, kind="openai", text="an ordinary text of some length", **more):
        server = Raw(answer)
        self.addCleanup(server.close)
        self.server = server
        return self.ask(HEAD + self.tier(server.url, kind, **more), [text], *options)[0]

    def test_connections_are_kept(self):
        self.reply(whole(chat('{"t": "card"}')))
        task = HEAD + self.tier(self.server.url, concurrency=1)
        replies = self.ask(task, ["a", "b", "c", "d"])
        self.assertEqual({r["outcome"] for r in replies}, {"answered"})
        self.assertEqual(self.server.connections, 2)  # one for each program

    def test_sixty_four_requests_are_on_their_way_at_once_and_no_more(self):
        server = Together(whole(chat('{"t": "card"}')))
        self.addCleanup(server.close)
        replies = self.ask(HEAD + self.tier(server.url, concurrency=64, timeout_ms=60000), [f"text {i}" for i in range(192)])
        self.assertEqual({r["outcome"] for r in replies}, {"answered"})
        self.assertEqual((server.most, server.connections), (64, 64))

    def test_shapes(self):
        for content in ("card", '{"t": "cards"}', '{"t": 1}', '{"t": "card", "u": 1}', '{"T": "card"}', '["card"]', '{"t": "card"} card',
                        '{"t": "card", "t": "card"}', "", '{"t": ["card"]}', "null"):
            reply = self.reply(whole(chat(content)))
            self.assertEqual((reply["outcome"], reply["billing"], reply["answers"]), ("wrong_shape", "known", []), content)
            self.assertTrue(reply["text"], content)
        self.assertEqual(self.reply(whole(chat(' {"t" : "c\\u0061rd"}\n')))["answers"][0]["value"], "card")

    def test_bodies(self):
        for body in (b"<html>", b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"\xff\xfe", b'{"choices": [{"message": {"content": "x"}}]}',
                     b"[" * 100000):
            reply = self.reply(whole(body))
            self.assertEqual((reply["outcome"], reply["billing"], reply["cost"]), ("bad_reply", "unknown", reply["cost_max"]), body[:40])

    def test_other_statuses_of_success_are_no_answers(self):
        for status in ("201 Created", "202 Accepted", "206 Partial Content"):
            reply = self.reply(whole(chat('{"t": "card"}'), status))
            self.assertEqual((reply["outcome"], reply["billing"], reply["may_repeat"]), ("bad_reply", "unknown", True), status)

    def test_usage(self):
        for usage in (None, {}, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": 1.5, "completion_tokens": 1},
                      {"prompt_tokens": 10**30, "completion_tokens": 1}, {"prompt_tokens": "7", "completion_tokens": 1}, {"prompt_tokens": 7},
                      {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}):
            reply = self.reply(whole({**chat('{"t": "card"}'), "usage": usage}))
            self.assertEqual((reply["outcome"], reply["billing"], reply["cost"]), ("answered", "unknown", reply["cost_max"]), usage)
        usage = {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}}
        reply = self.reply(whole({**chat('{"t": "card"}'), "usage": usage}))
        self.assertEqual(reply["usage"], {"input": 10, "cached": 60, "cache_write": 30, "output": 1})
        self.assertEqual(reply["cost"], -(-(10 * 2000000 + 60 * 200000 + 30 * 2500000 + 10000000) // 1000000))

    def test_log_probabilities_come_in_pieces(self):
        pieces = [('{"', 0.9), ('t":"', 0.9), ("ca", 0.5), ('rd"}', 0.4)]
        def entry(text, p):
            return {"token": text, "bytes": list(text.encode()), "logprob": math.log(p), "top_logprobs": []}
        logprobs = {"content": [entry(*piece) for piece in pieces]}
        reply = self.reply(whole(chat('{"t":"card"}', logprobs=logprobs)), logprobs="true")
        self.assertAlmostEqual(reply["answers"][0]["probability"], 0.2, places=12)
        events = [{"choices": [{"delta": {"content": text}, "logprobs": {"content": [entry(text, p)]}}]} for text, p in pieces]
        events += [{"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": chat("")["usage"]}]
        stream = "".join(f"data: {json.dumps(e)}\r\n\r\n" for e in events) + "data: [DONE]\r\n\r\n"
        reply = self.reply(whole(stream.encode(), content_type="text/event-stream; charset=utf-8"), logprobs="true", stream="true")
        self.assertEqual((reply["outcome"], reply["billing"]), ("answered", "known"), reply)
        self.assertAlmostEqual(reply["answers"][0]["probability"], 0.2, places=12)
        other = {"content": [entry("something else", 0.9)]}
        self.assertEqual(self.reply(whole(chat('{"t":"card"}', logprobs=other)), logprobs="true")["answers"][0]["probability"], -1)

    def test_a_stream_that_ends_in_an_error(self):
        start = b'event: message_start\ndata: {"message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}\n\n'
        for end in (b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n', b"", b"event: ping\ndata: {}\n\n"):
            reply = self.reply(whole(start + end, content_type="text/event-stream"), kind="anthropic", stream="true")
            self.assertEqual((reply["outcome"], reply["may_repeat"]), ("cut", True), reply)
        reply = self.reply(whole(start + b"event: x\ndata: {\n\n", content_type="text/event-stream"), kind="anthropic", stream="true")
        self.assertEqual(reply["outcome"], "bad_reply")

    def test_a_server_that_does_not_stream_when_asked_to(self):
        self.assertEqual(self.reply(whole(chat('{"t": "card"}')), stream="true")["outcome"], "answered")

    def test_sizes_are_bounded(self):
        for answer in (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (17 << 20), b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (3 << 20)):
            reply = self.reply(answer, "--attempts", 1)
            self.assertIn(reply["outcome"], ("too_large", "cut"), reply)  # libcurl has a limit for headers of its own
            self.assertEqual(reply["billing"], "unknown")

    def test_errors_do_not_repeat_keys_or_texts(self):
        text = "My account number is 1234567890123456, please help"
        for message, shown in ((f"Incorrect API key provided: {SECRET}", False), (f"cannot parse {text}", False),
                               ("account number is 12345678", False), ("no such model: gpt-99", True), ("a\x1b[31mred\nline", True)):
            server = Raw(whole({"error": {"message": message, "code": "bad"}}, "400 Bad Request"))
            self.addCleanup(server.close)
            reply = json.loads(self.run_ask(HEAD + self.tier(server.url), [text], key=SECRET).stdout)
            self.assertEqual((reply["outcome"], reply["status"], reply["billing"]), ("rejected", 400, "none"))
            self.assertNotIn("1234567890", reply["text"])
            self.assertEqual(reply["text"].endswith(message[-4:]), shown, reply["text"])
            self.assertTrue(reply["text"].isprintable())

    def test_money_that_is_spent_is_not_waited_for(self):
        reply = self.reply(whole({"error": {"message": "no money", "code": "insufficient_quota"}}, "429 Too Many Requests"))
        self.assertEqual((reply["outcome"], reply["attempts"]), ("limited", 1))


class Tls(ProviderTest):
    def setUp(self):
        super().setUp()
        self.cert, self.private = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.private, "-out", self.cert],
                       check=True, capture_output=True)

    def test_a_certificate_is_needed_that_is_trusted(self):
        frontier = self.start("--cert", self.cert, "--key", self.private)
        task = HEAD + self.tier(frontier.url)
        reply = self.ask(task, [ROWS[0]["text"]])[0]
        self.assertEqual((reply["outcome"], reply["billing"], reply["attempts"]), ("untrusted", "none", 1), reply)
        reply = self.ask(task, [ROWS[0]["text"]], "--ca", self.cert)[0]
        self.assertEqual(reply["outcome"], "answered", reply)
        other = HEAD + self.tier(frontier.url.replace("127.0.0.1", "127.0.0.2"))
        self.assertIn(self.ask(other, ["x"], "--ca", self.cert, "--attempts", 1)[0]["outcome"], ("untrusted", "unreachable"))

    def test_tls_is_not_spoken_by_a_plain_server(self):
        frontier = self.start()
        reply = self.ask(HEAD + self.tier(frontier.url.replace("http:", "https:")), ["x"], "--deadline-ms", 300)[0]
        self.assertEqual((reply["outcome"], reply["billing"]), ("unreachable", "none"), reply)


if __name__ == "__main__":
    unittest.main()
