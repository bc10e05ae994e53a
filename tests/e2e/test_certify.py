"""certify, and classify --accept, on a tiny model: thresholds from rows whose labels the n-grams can tell.
Run by ctest: test_certify.py WEIR."""
import json
import random
import unittest

import gguf_file as gguf
from program import DONE, FAILED, REFUSED, USAGE, ProgramTest

WORDS = ["▁", "a", "b", "▁a", "ab", "▁ab", "A", "B", "C", "▁A", "▁B", "▁C"]
TASK = """
task: mood
instructions: How does the writer feel?
type: choice
labels: {glad: Happy, sad: Unhappy}
"""


def rows(count, seed, wrong=0.0):
    """Texts mostly of a's are glad, mostly of b's sad, but for a share of wrong labels."""
    rng = random.Random(seed)
    made = []
    for i in range(count):
        label = rng.choice(["glad", "sad"])
        text = " ".join(rng.choice(["aa", "aaa", "ab"] if label == "glad" else ["bb", "bbb", "ba"]) for _ in range(8))
        if rng.random() < wrong:
            label = "sad" if label == "glad" else "glad"
        made.append({"id": i, "text": f"{text} {'ab'[i % 2]}" + "ab"[i // 2 % 2] * (i % 7), "label": label})
    return made


class Certify(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS, ctx=2048))
        self.task = self.path("t.yaml", TASK)
        self.profile = self.path("p.profile")
        self.train = rows(120, 1)
        self.weir("tune", "-q", "-t", self.task, "-m", self.model, "-o", self.profile, self.jsonl("train.jsonl", self.train))

    def jsonl(self, name, made):
        return self.path(name, "".join(json.dumps(row) + "\n" for row in made))

    def run_on(self, command, made, *options, status=DONE):
        return self.weir(command, "-q", "-t", self.task, "-m", self.model, "-p", self.profile, *options,
                         self.jsonl("in.jsonl", made), status=status)

    def answers(self, made, *options):
        return [json.loads(line) for line in self.run_on("classify", made, *options).stdout.splitlines()]

    def test_certify_then_accept(self):
        self.run_on("classify", rows(3, 2), "--accept", "certified", status=REFUSED)
        done = self.run_on("certify", rows(200, 3) + self.train[:5])
        self.assertRegex(done.stdout, rb"Fresh rows: \d+ \(left out: [1-9]\d* that tuning has seen, 0 without a label, 0 unreadable")
        self.assertIn(b"certified", done.stdout)
        summary = self.folder / "s.json"
        fresh = rows(80, 4)
        answers = self.answers(fresh, "--accept", "certified", "--details", summary)
        for answer in answers:
            self.assertEqual(answer["reason"], "certified" if answer["accepted"] else "abstained_below_threshold")
        accepted = [answer["accepted"] for answer in answers]
        self.assertTrue(any(accepted))
        found = json.loads(summary.read_text())
        self.assertEqual(found["accepted"], sum(accepted))
        self.assertEqual(found["coverage"], sum(accepted) / 80)
        wrong = sum(a["accepted"] and a["value"] != row["label"] for a, row in zip(answers, fresh))
        self.assertEqual(found["accepted_error"], wrong / sum(accepted))
        # another head has another certificate, which is not there
        head = next(head for head in ("ngram", "hidden", "both") if head != found["head"])
        self.run_on("classify", fresh, "--accept", "certified", "--head", head, status=REFUSED)

    def test_a_plain_threshold(self):
        answers = self.answers(rows(40, 5), "--accept", "0.9")
        for answer in answers:
            self.assertEqual(answer["accepted"], answer["probability"] >= 0.9)
            self.assertEqual(answer["reason"], "threshold" if answer["accepted"] else "abstained_below_threshold")
        self.assertEqual({a["reason"] for a in self.answers(rows(2, 5))}, {"no_gate"})
        for rule in ("1.5", "-1", "nan", "most", "0.5x"):
            self.run_on("classify", rows(1, 5), "--accept", rule, status=USAGE)

    def test_per_class(self):
        before = self.profile.read_bytes()
        out = self.folder / "certified.profile"
        done = self.run_on("certify", rows(300, 6), "--per-class", "--simultaneous", "-o", out)
        self.assertIn(b"for all labels together", done.stdout)
        self.assertEqual(self.profile.read_bytes(), before)
        self.profile = out
        self.assertTrue(any(answer["accepted"] for answer in self.answers(rows(20, 7), "--accept", "certified")))
        again = self.run_on("certify", rows(300, 6), "--max-error", "0.1")
        self.assertIn(b"certified on these rows before", again.stderr)

    def test_what_cannot_be_certified(self):
        before = self.profile.read_bytes()
        few = self.run_on("certify", rows(20, 8), status=REFUSED)
        self.assertRegex(few.stdout, rb"not certified: about \d+ rows more")
        noisy = self.run_on("certify", rows(200, 9, wrong=0.3), status=REFUSED)
        self.assertIn(b"nothing could be certified; the profile is left as it was", noisy.stderr)
        self.assertEqual(self.profile.read_bytes(), before)
        self.run_on("certify", self.train, status=FAILED)
        self.run_on("certify", [{"text": "a", "label": "gald"}], status=REFUSED)
        for options in (["--max-error", "0"], ["--max-error", "1"], ["--confidence", "x"], ["--simultaneous"]):
            self.run_on("certify", rows(1, 1), *options, status=USAGE)


if __name__ == "__main__":
    unittest.main()
