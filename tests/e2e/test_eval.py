"""eval on a tiny model: its figures against what classify answers. Run by ctest: test_eval.py WEIR."""
import json
import unittest

import gguf_file as gguf
from program import DONE, FAILED, REFUSED, ROW_ERRORS, USAGE, ProgramTest
from test_certify import TASK, WORDS, rows


class Eval(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS, ctx=2048))
        self.task = self.path("t.yaml", TASK)
        self.profile = self.path("p.profile")
        self.weir("tune", "-q", "-t", self.task, "-m", self.model, "-o", self.profile, self.jsonl("train.jsonl", rows(120, 1)))

    def jsonl(self, name, made):
        return self.path(name, "".join(json.dumps(row) + "\n" for row in made))

    def run_on(self, command, source, *options, status=DONE):
        return self.weir(command, "-q", "-t", self.task, "-m", self.model, *options, source, status=status)

    def evaluated(self, source, *options, status=DONE):
        return json.loads(self.run_on("eval", source, "--json", "-", *options, status=status).stdout)

    def test_figures_are_those_of_the_answers(self):
        made = rows(60, 2, wrong=0.2)
        source = self.jsonl("in.jsonl", made)
        for options in (["-p", self.profile], []):
            answers = [json.loads(line) for line in self.run_on("classify", source, *options).stdout.splitlines()]
            found = self.evaluated(source, *options)
            right = [a["value"] == row["label"] for a, row in zip(answers, made)]
            self.assertAlmostEqual(found["accuracy"]["local"]["value"], sum(right) / 60, places=12)
            self.assertLess(found["accuracy"]["local"]["low"], sum(right) / 60)
            names = ["glad", "sad"]
            counted = [[sum(row["label"] == g and a["value"] == p for a, row in zip(answers, made)) for p in names] for g in names]
            self.assertEqual(found["confusion"], counted)
            for k, name in enumerate(names):
                self.assertEqual(found["classes"][name]["support"], sum(counted[k]))
            self.assertEqual(sum(b["rows"] for b in found["reliability"]), 60)
            gap = sum(b["rows"] / 60 * abs(b["accuracy"] - b["mean_probability"]) for b in found["reliability"])
            self.assertAlmostEqual(gap, found["ece"], places=12)
            majority = max(names, key=lambda n: sum(row["label"] == n for row in made))
            share = sum(row["label"] == majority for row in made) / 60
            self.assertAlmostEqual(found["accuracy"]["majority"]["value"], share, places=12)
            self.assertEqual("floor" in found["accuracy"], bool(options) and found["head"] != "ngram")
            other = found["accuracy"][found["paired"]["against"]]["value"]
            self.assertAlmostEqual(found["paired"]["difference"], found["accuracy"]["local"]["value"] - other, places=12)
            self.assertEqual([c["max_error"] for c in found["coverage"]], [0.01, 0.02, 0.05, 0.1])

    def test_calibration_steps(self):
        made = rows(40, 4, wrong=0.2)
        source = self.jsonl("in.jsonl", made)
        zero = self.evaluated(source)
        for options, names in ((["-p", self.profile], 8), ([], 6)):
            found = self.evaluated(source, "--calibration", *options)
            steps = found["calibration"]
            self.assertEqual(len(steps), names)
            self.assertEqual(steps[0]["step"], "zero-shot")
            self.assertEqual(steps[0]["difference"], 0)
            self.assertIn("2 rotations", steps[3]["step"])  # as many as there are labels
            self.assertAlmostEqual(steps[1]["accuracy"]["value"], zero["accuracy"]["local"]["value"], places=12)
            self.assertAlmostEqual(steps[1]["nll"], zero["nll"], places=9)
            for step in steps:
                self.assertTrue(0 <= step["order_flips"] <= 1)
                self.assertAlmostEqual(step["accuracy"]["value"] - steps[0]["accuracy"]["value"], step["difference"], places=12)
            for step in steps[3:6]:  # all rotations forwards and all backwards are the same two orders
                self.assertEqual(step["order_flips"], 0)
            if options:
                self.assertEqual(steps[7]["nll"], found["nll"])
                self.assertEqual(steps[7]["order_flips"], 0)
                self.assertEqual(steps[6]["accuracy"], steps[7]["accuracy"])  # a temperature moves no answer
        own = self.evaluated(source, "--zero-shot", "--prior", source)
        self.assertAlmostEqual(steps[2]["nll"], own["nll"], places=9)
        none = self.evaluated(source, "--prior", "none")
        self.assertAlmostEqual(steps[0]["nll"], none["nll"], places=9)
        table = self.run_on("eval", source, "--calibration", "--rotations", "1").stdout.decode()
        for part in ("ORDER FLIPS", "divided by the rows' own prior", "1 rotations"):
            self.assertIn(part, table)
        self.run_on("eval", source, "--rotations", "2", status=USAGE)
        self.run_on("eval", source, "--calibration", "--rotations", "3", status=FAILED)
        self.run_on("eval", source, "--prior", self.path("empty.jsonl", ""), status=FAILED)

    def test_tables(self):
        source = self.jsonl("in.jsonl", rows(30, 3) + [{"text": "aa"}])
        out = self.folder / "e.json"
        done = self.run_on("eval", source, "-p", self.profile, "--json", out).stdout.decode()
        for part in ("30 rows with a label, 0 unreadable", "1 without a label", "most frequent label", "Most frequent mistakes", "glad"):
            self.assertIn(part, done)
        self.assertEqual(json.loads(out.read_text())["unlabelled"], 1)

    def test_unreadable_rows_are_wrong(self):
        made = rows(30, 4)
        source = self.path("bad.jsonl", "nonsense\n" + "".join(json.dumps(row) + "\n" for row in made))
        whole = self.evaluated(self.jsonl("in.jsonl", made), "-p", self.profile)
        found = self.evaluated(source, "-p", self.profile, status=ROW_ERRORS)
        self.assertEqual((found["rows"], found["errors"]), (31, 1))
        self.assertAlmostEqual(found["accuracy"]["local"]["value"], whole["accuracy"]["local"]["value"] * 30 / 31, places=12)

    def test_requirements(self):
        source = self.jsonl("in.jsonl", rows(40, 5))
        self.run_on("eval", source, "-p", self.profile, "--require", "accuracy>=0.5", "--require", "ece<1")
        done = self.run_on("eval", source, "-p", self.profile, "--require", "accuracy>1", "--require", "ece<=1", status=FAILED)
        self.assertIn(b"required accuracy>1, found accuracy", done.stderr)
        for wrong in ("accuracy", "accuracy=1", "accuracy>=x", "luck>=1", ">=1", "accuracy>=nan", "accuracy>>1"):
            self.run_on("eval", source, "--require", wrong, status=USAGE)

    def test_what_cannot_be_measured(self):
        self.run_on("eval", self.path("none.txt", "aa\nbb\n"), status=FAILED)
        self.run_on("eval", self.jsonl("in.jsonl", [{"text": "a", "label": "gald"}]), status=REFUSED)


if __name__ == "__main__":
    unittest.main()
