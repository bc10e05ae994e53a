"""classify and tune on a tiny model of random weights: what the answers look like, not how good they are.
Run by ctest: test_classify.py WEIR."""
import json
import math
import os
import random
import signal
import subprocess
import time
import unittest

import gguf_file as gguf
from program import DONE, FAILED, REFUSED, ROW_ERRORS, USAGE, WEIR, ProgramTest

WORDS = ["▁", "a", "b", "▁a", "ab", "▁ab", "A", "B", "C", "▁A", "▁B", "▁C"]
TASK = """
task: mood
instructions: How does the writer feel?
questions:
  mood:
    type: choice
    labels: {glad: Happy, sad: Unhappy, calm: Neither}
    none_of_these: false
"""
SEVERAL = """
task: several
instructions: Read it.
questions:
  mood: {type: choice, labels: {glad: Happy, sad: Unhappy}, none_of_these: false}
  urgency: {type: score, levels: [1, 2, 3]}
"""
ROWS = [{"id": "x", "text": "a b", "label": "glad"}, {"id": 7, "text": "b", "label": "sad"}, {"text": "ab ab"}]


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def without_time(answers):
    return [{k: v for k, v in answer.items() if k != "latency_ms"} for answer in answers]


class ClassifyTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS, ctx=2048))
        self.task = self.path("t.yaml", TASK)

    def classify(self, rows, *options, name="in.jsonl", status=DONE, task=None, **environment):
        """The answers, read back."""
        done = self.weir("classify", "-t", task or self.task, "-m", self.model, *options,
                         self.path(name, rows if isinstance(rows, (str, bytes)) else jsonl(rows)), status=status,
                         **environment)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Answers(ClassifyTest):
    def test_contract(self):
        answers = self.classify(ROWS)
        self.assertEqual([answer["id"] for answer in answers], ["x", "7", "line:3"])
        for answer in answers:
            self.assertEqual(list(answer), ["id", "task", "value", "probability", "probabilities", "tier", "accepted",
                                            "reason", "tokens", "latency_ms", "cost_usd_e6"])
            self.assertEqual((answer["task"], answer["tier"], answer["cost_usd_e6"]), ("mood", "local", 0))
            self.assertEqual(list(answer["probabilities"]), ["glad", "sad", "calm"])
            self.assertAlmostEqual(math.fsum(answer["probabilities"].values()), 1, places=12)
            best = max(answer["probabilities"], key=answer["probabilities"].get)
            self.assertEqual((answer["value"], answer["probability"]), (best, answer["probabilities"][best]))
            self.assertGreater(answer["tokens"]["fresh"], 0)
            self.assertGreater(answer["tokens"]["prefix"], 0)

    def test_bad_rows_are_kept_and_the_rest_goes_on(self):
        rows = '{"id":"a","text":"a"}\n{"id":"b","text":\n{"id":"c"}\n\n{"id":"d","text":"b"}\n'
        answers = self.classify(rows, status=ROW_ERRORS)
        self.assertEqual([answer["id"] for answer in answers], ["a", "line:2", "c", "d"])
        for answer, line in ((answers[1], "line 2"), (answers[2], "line 3")):
            self.assertEqual(list(answer), ["id", "task", "error"])
            self.assertEqual(answer["error"]["code"], "format")
            self.assertIn(line, answer["error"]["message"])
        good = self.classify('{"id":"a","text":"a"}\n{"id":"d","text":"b"}\n')
        self.assertEqual(without_time([answers[0], answers[3]]), without_time(good))

    def test_a_text_that_is_too_long_is_an_error_row(self):
        answers = self.classify([{"text": "a"}, {"text": "c " * 4000}], status=ROW_ERRORS)
        self.assertIn("value", answers[0])
        self.assertEqual(answers[1]["error"]["code"], "too_long")

    def test_formats_and_standard_input_agree(self):
        expected = without_time(self.classify([{"id": "line:1", "text": "a b"}, {"id": "line:2", "text": "b"}]))
        self.assertEqual(without_time(self.classify("a b\nb\n", name="in.txt")), expected)
        for fmt, text in (("jsonl", '{"text":"a b"}\n{"text":"b"}\n'), ("text", "a b\r\nb")):
            done = self.weir("classify", "-t", self.task, "-m", self.model, "--format", fmt, "-", text=text.encode())
            self.assertEqual(without_time(map(json.loads, done.stdout.splitlines())), expected)
        mine = self.classify('{"key":"line:1","body":"a b"}\n{"key":"line:2","body":"b"}', "--text-field", "body",
                             "--id-field", "key")
        self.assertEqual(without_time(mine), expected)

    def test_threads_and_company_change_nothing(self):
        rng = random.Random(5)
        rows = [{"text": "".join(rng.choice("ab ") for _ in range(rng.randint(1, 60)))} for _ in range(70)]
        many = without_time(self.classify(rows, "-j", 3))
        self.assertEqual(len(many), 70)
        self.assertEqual(without_time(self.classify(rows, "-j", 1)), many)
        alone = self.classify(rows[40:41])[0]
        self.assertEqual(alone["probabilities"], many[40]["probabilities"])

    def test_several_questions(self):
        answers = self.classify([{"text": "a"}], task=self.path("s.yaml", SEVERAL))
        self.assertNotIn("value", answers[0])
        found = answers[0]["answers"]
        self.assertEqual(list(found), ["mood", "urgency"])
        self.assertEqual([found[name]["type"] for name in found], ["choice", "score"])
        p = found["urgency"]["probabilities"]
        self.assertAlmostEqual(found["urgency"]["expectation"], p["1"] + 2 * p["2"] + 3 * p["3"], places=12)

    def test_one_score_is_repeated_at_the_top(self):
        task = self.path("one.yaml", "task: u\ninstructions: Read.\nquestions:\n  u: {type: score, levels: [1, 2]}\n")
        answer = self.classify([{"text": "a"}], task=task)[0]
        self.assertEqual(answer["answers"]["u"]["value"], answer["value"])

    def test_no_rows(self):
        self.assertEqual(self.classify(""), [])


class Files(ClassifyTest):
    def test_output_and_summary(self):
        out, summary = self.folder / "out.jsonl", self.folder / "s.json"
        self.assertEqual(self.classify(ROWS[:2], "-o", out, "--summary", summary), [])
        self.assertEqual(len(out.read_text().splitlines()), 2)
        found = json.loads(summary.read_text())
        self.assertEqual(list(found), ["rows", "errors", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece",
                                            "rows_per_s", "p50_ms", "p99_ms"])
        answers = [json.loads(line) for line in out.read_text().splitlines()]
        right = sum(a["value"] == r["label"] for a, r in zip(answers, ROWS)) / 2
        self.assertEqual((found["rows"], found["errors"], found["accuracy"]), (2, 0, right))
        self.assertIn("%", self.weir("report", summary).stdout.decode())
        self.assertEqual(list(self.folder.glob("*.tmp")), [])

    def test_error_rows_are_wrong(self):
        summary = self.folder / "s.json"
        answer = self.classify([{"text": "a b"}])[0]["value"]
        rows = jsonl([{"text": "a b", "label": answer}]) + "nonsense\n"
        self.classify(rows, "--summary", summary, status=ROW_ERRORS)
        found = json.loads(summary.read_text())
        self.assertEqual((found["rows"], found["errors"], found["accuracy"]), (2, 1, 0.5))

    def test_without_labels_there_are_no_measures(self):
        summary = self.folder / "s.json"
        self.classify([{"text": "a"}], "--summary", summary)
        self.assertNotIn("accuracy", json.loads(summary.read_text()))

    def test_a_label_that_the_task_lacks(self):
        out, summary = self.folder / "out.jsonl", self.folder / "s.json"
        rows = self.path("in.jsonl", jsonl(ROWS + [{"text": "a", "label": "gald"}]))
        done = self.weir("classify", "-t", self.task, "-m", self.model, "-o", out, "--summary", summary, rows,
                         status=REFUSED)
        self.assertIn(b"line 4: 'mood' has no label 'gald'", done.stderr)
        self.assertFalse(summary.exists())
        self.assertEqual(len(out.read_text().splitlines()), 4)

    def test_an_interrupt_leaves_nothing(self):
        out = self.folder / "out.jsonl"
        child = subprocess.Popen([WEIR, "classify", "-t", self.task, "-m", self.model, "-o", out, "-"],
                                 stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(1000):
            if list(self.folder.glob("out.jsonl.*.tmp")):
                break
            time.sleep(0.02)
        self.assertTrue(list(self.folder.glob("out.jsonl.*.tmp")))
        child.send_signal(signal.SIGTERM)
        child.stdin.close()
        self.assertEqual(child.wait(timeout=60), -signal.SIGTERM)
        self.assertEqual(list(self.folder.glob("out*")), [])

    def test_a_reader_that_leaves(self):
        rows = self.path("in.jsonl", jsonl([{"text": "a"}] * 500))
        child = subprocess.Popen([WEIR, "classify", "-t", self.task, "-m", self.model, rows], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        child.stdout.close()
        errors = child.stderr.read()
        child.stderr.close()
        self.assertEqual((child.wait(timeout=60), errors), (FAILED, b""))

    def test_usage(self):
        rows = self.path("in.jsonl", jsonl(ROWS))
        base = ["classify", "-t", self.task, "-m", self.model]
        for words in (["classify", rows], ["classify", "-t", self.task], base, [*base, rows, rows],
                      [*base, "--format", "xml", rows], [*base, "--head", "tail", rows], [*base, "-j", "0", rows],
                      [*base, "--question", "other", rows], [*base, "--head", "both", rows],
                      [*base, "--zero-shot", "-p", "p", rows], ["classify", "-t", self.task, rows]):
            self.weir(*words, status=USAGE)
        for words in ([*base, "nowhere.jsonl"], [*base, "-p", "nowhere", rows], [*base, "-o", "/no/where", rows],
                      ["classify", "-t", "nowhere.yaml", "-m", self.model, rows],
                      ["classify", "-t", self.task, "-m", "nowhere", rows]):
            self.assertEqual(self.weir(*words, status=FAILED).stdout, b"")


class Tune(ClassifyTest):
    def setUp(self):
        super().setUp()
        rng = random.Random(3)
        words = {"glad": "aab", "sad": "bba", "calm": "ab "}
        self.rows = [{"id": i, "text": "".join(rng.choice(words[label] + "ab ") for _ in range(12)), "label": label}
                     for i, label in enumerate(list(words) * 12)]
        self.train = self.path("train.jsonl", jsonl(self.rows))
        self.profile = self.folder / "mood.profile"

    def tune(self, *options, status=DONE, train=None, task=None):
        return self.weir("tune", "-t", task or self.task, "-m", self.model, "-o", self.profile, *options,
                         train or self.train, status=status)

    def test_tune_then_classify(self):
        table = self.tune().stdout.decode()
        for part in ("Cross-validated (5 folds, 36 rows", "ngram", "hidden", "both", "chosen"):
            self.assertIn(part, table)
        answers = {}
        for head in ("ngram", "hidden", "both"):
            summary = self.folder / f"{head}.json"
            answers[head] = self.classify(self.rows, "-p", self.profile, "--head", head, "--details", summary)
            found = json.loads(summary.read_text())
            self.assertEqual((found["head"], found["rows"], found["labelled"]), (head, 36, 36))
        self.assertNotEqual(without_time(answers["ngram"]), without_time(answers["hidden"]))
        self.assertEqual(sum(answer["tokens"]["fresh"] for answer in answers["ngram"]), 0)

    def test_the_tier_names_the_profile(self):
        self.tune()
        (self.folder / "sub").mkdir()
        task = self.path("sub/t.yaml", TASK + "tiers:\n  - {name: here, kind: gguf, model: tiny, profile: ../mood.profile}\n")
        tuned = self.classify(ROWS, task=task)
        self.assertEqual([answer["tier"] for answer in tuned], ["here"] * 3)
        expected = self.classify(ROWS, "-p", self.profile)
        self.assertEqual([a["probabilities"] for a in tuned], [a["probabilities"] for a in expected])
        self.assertNotEqual(self.classify(ROWS, "--zero-shot", task=task)[0]["probabilities"], tuned[0]["probabilities"])

    def test_a_profile_is_refused_elsewhere(self):
        self.tune()
        other = self.path("other.yaml", TASK.replace("Unhappy", "Sad"))
        rows = self.path("in.jsonl", jsonl(ROWS))
        for words in (["-t", other, "-m", self.model], ["-t", self.task, "-m", self.path("o.gguf", gguf.llama(WORDS, seed=2, ctx=2048))]):
            done = self.weir("classify", *words, "-p", self.profile, rows, status=REFUSED)
            self.assertEqual(done.stdout, b"")
        damaged = bytearray(self.profile.read_bytes())
        self.weir("classify", "-t", self.task, "-m", self.model, "-p", self.path("cut", bytes(damaged[:len(damaged) // 2])),
                  rows, status=FAILED)

    def test_rows_that_cannot_teach(self):
        done = self.tune(status=ROW_ERRORS, train=self.path("bad.jsonl", "nonsense\n" + jsonl(self.rows)))
        self.assertIn(b"line 1", done.stderr)
        self.profile.unlink()
        unknown = self.path("unknown.jsonl", jsonl(self.rows + [{"text": "a", "label": "gald"}]))
        self.assertIn(b"line 37: 'mood' has no label 'gald'", self.tune(status=REFUSED, train=unknown).stderr)
        self.assertIn(b"no row carries a label", self.tune(status=FAILED, train=self.path("none.txt", "a\nb\n")).stderr)
        self.assertFalse(self.profile.exists())

    def test_places_where_no_profile_can_be(self):
        for place in ("/dev/null", self.folder, self.folder / "no" / "where"):
            self.weir("tune", "-t", self.task, "-m", self.model, "-o", place, self.train, status=FAILED)
        self.assertTrue(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"))
        self.weir("tune", "-t", self.task, "-m", self.model, self.train, status=USAGE)
        self.weir("tune", "-t", self.task, "-m", self.model, "-o", self.profile, "--folds", 1, self.train, status=USAGE)


if __name__ == "__main__":
    unittest.main()
