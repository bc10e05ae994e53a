"""Questions whose labels are independent (`multi`), through all commands, on a tiny model: labels that the n-grams can tell.
Run by ctest: test_multi.py WEIR."""
import json
import math
import random
import unittest

import gguf_file as gguf
from program import DONE, FAILED, REFUSED, ProgramTest

WORDS = ["▁", "a", "b", "▁a", "ab", "▁ab", "A", "B", "C", "▁A", "▁B", "▁C"]
TASK = """
task: tags
instructions: What is in it?
type: choice
multi: true
labels: {a: "Some a", b: "Some b", c: Never}
"""


def rows(count, seed):
    """a is a label where the text has aaa, b where it has bbb: both, one or none."""
    rng = random.Random(seed)
    made = []
    for i in range(count):
        labels = [name for name in "ab" if rng.random() < 0.5]
        text = " ".join([name * 3 for name in labels] * 3 + [rng.choice(["ab", "ba"]) for _ in range(3)])
        made.append({"id": str(i), "text": text, "tags": labels})
    return made


class Multi(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS, ctx=2048))
        self.task = self.path("t.yaml", TASK)
        self.profile = self.path("p.profile")
        self.test = rows(40, 2)
        self.run_on("tune", rows(120, 1), "-o", self.profile)

    def run_on(self, command, made, *options, status=DONE):
        source = self.path("in.jsonl", "".join(json.dumps(row) + "\n" for row in made))
        return self.weir(command, "-q", "-t", self.task, "-m", self.model, "--label-field", "tags", *options, source, status=status)

    def answers(self, *options, command="classify"):
        return [json.loads(line) for line in self.run_on(command, self.test, *options).stdout.splitlines()]

    def check_answers(self, answers):
        for answer in answers:
            p = answer["probabilities"]
            self.assertEqual(list(p), ["a", "b", "c"])
            self.assertEqual(answer["value"], [name for name in p if p[name] >= 0.5])
            self.assertAlmostEqual(answer["probability"], math.prod(max(x, 1 - x) for x in p.values()), places=12)

    def test_answers(self):
        tuned = self.answers("-p", self.profile)
        self.check_answers(tuned)
        self.check_answers(self.answers("--zero-shot"))
        right = sum(answer["value"] == row["tags"] for answer, row in zip(tuned, self.test))
        self.assertGreater(right, 36)
        self.assertTrue(any(not answer["value"] for answer in tuned) and any(len(answer["value"]) == 2 for answer in tuned))
        for one, other in zip(tuned, self.answers("-p", self.profile, command="decide")):
            self.assertEqual((one["value"], one["probabilities"]), (other["value"], other["probabilities"]))

    def test_measures(self):
        answers = self.answers("-p", self.profile)
        exact = sum(answer["value"] == row["tags"] for answer, row in zip(answers, self.test)) / 40
        pairs = [(name in row["tags"], name in answer["value"]) for answer, row in zip(answers, self.test) for name in "abc"]
        micro = 2 * sum(g and p for g, p in pairs) / sum(g + p for g, p in pairs)
        found = json.loads(self.run_on("eval", self.test, "-p", self.profile, "--json", "-").stdout)
        self.assertTrue(found["multi"])
        self.assertNotIn("confusion", found)
        self.assertAlmostEqual(found["accuracy"]["local"]["value"], exact, places=12)
        self.assertAlmostEqual(found["micro_f1"], micro, places=12)
        self.assertEqual(found["classes"]["c"]["support"], 0)
        table = self.run_on("eval", self.test, "-p", self.profile, "--require", "micro_f1>=0.5").stdout.decode()
        self.assertIn("Micro F1", table)
        self.run_on("eval", self.test, "-p", self.profile, "--require", "micro_f1>=2", status=FAILED)
        summary = self.path("s.json")
        self.run_on("classify", self.test, "-p", self.profile, "--summary", summary)
        written = json.loads(summary.read_text())
        self.assertAlmostEqual(written["accuracy"], exact, places=12)
        self.assertAlmostEqual(written["ece"], found["ece"], places=12)
        self.assertAlmostEqual(written["macro_f1"], found["macro_f1"], places=12)

    def test_unreadable_rows_are_wrong(self):
        source = self.path("bad.jsonl", "".join(json.dumps(row) + "\n" for row in self.test) + '{"text": 1}\n')
        found = self.weir("eval", "-q", "-t", self.task, "-m", self.model, "--label-field", "tags", "-p", self.profile, "--json", "-",
                          source, status=3)
        self.assertEqual(json.loads(found.stdout)["rows"], 41)

    def test_refusals(self):
        self.assertIn(b"has no label 'd'", self.run_on("eval", [{"text": "a", "tags": ["a", "d"]}], status=REFUSED).stderr)
        self.assertIn(b"`multi`", self.run_on("certify", self.test, "-p", self.profile, status=REFUSED).stderr)
        self.assertIn(b"`multi`", self.run_on("eval", self.test, "--calibration", status=REFUSED).stderr)
        one = self.path("one.yaml", TASK.replace("multi: true\n", ""))
        source = self.path("in.jsonl", json.dumps({"text": "a", "tags": ["a"]}) + "\n")
        done = self.weir("eval", "-q", "-t", one, "-m", self.model, "--label-field", "tags", source, status=REFUSED)
        self.assertIn(b"line 1: a list of labels, but 'tags' has one (no `multi`)", done.stderr)


if __name__ == "__main__":
    unittest.main()
