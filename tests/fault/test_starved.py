"""The program, when one allocation fails anywhere in it or in its libraries: the same output as ever, or status 1 and a word about memory;
never a signal, never half an answer. Run by ctest: test_starved.py WEIR PRELOAD.so TINY_MODEL.gguf.

A sample of the allocations, the same in each run: a commit passes or fails. STARVE_SEED=N draws another, STARVE_ALL=1 takes all (minutes)."""
import json
import os
import random
import re
import subprocess
import sys
import unittest
from pathlib import Path

PRELOAD, MODEL = (Path(sys.argv.pop(2)).resolve() for _ in range(2))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
from program import DONE, FAILED, WEIR, ProgramTest  # noqa: E402

SAMPLE = 60
TASK = """
task: topic
instructions: What is it about?
type: choice
none_of_these: false
labels: {car: Cars, rain: The weather, tea: Drinks}
"""
TEXTS = {"car": ["the car is here", "a fast car", "an old car"], "rain": ["it rains", "rain in the train", "more rain"],
         "tea": ["tea at three", "the hot tea", "a cup of tea"]}


class Starved(ProgramTest):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("STARVE_SEED", "1"))
        self.task = self.path("t.yaml", TASK)
        rows = [{"id": f"{label}{i}", "text": text, "label": label}
                for label, texts in TEXTS.items() for i, text in enumerate(texts)]
        self.rows = self.path("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def run_starved(self, words, text, **environment):
        done = subprocess.run([WEIR, *map(str, words)], input=text, capture_output=True, timeout=120,
                              env=os.environ | {"LD_PRELOAD": str(PRELOAD), "XDG_CACHE_HOME": str(self.folder / "cache")} | environment)
        return done.returncode, re.sub(rb'"latency_ms":[^,]*,', b"", done.stdout), done.stderr

    def check(self, *words, text=b"", compares=True):
        """compares: standard output must be what it is with memory. libsmartcols' tables lose a heading instead."""
        count = self.folder / "count"
        status, expected, errors = self.run_starved(words, text, WEIR_FAIL_COUNT=str(count))
        self.assertEqual((status, errors), (DONE, b""))
        total = int(count.read_text())
        self.assertGreater(total, 20)
        every = range(1, total + 1)
        for nth in every if os.environ.get("STARVE_ALL") else random.Random(self.seed).sample(every, min(SAMPLE, total)):
            where = f"allocation {nth} of {total} (STARVE_SEED={self.seed})"
            status, out, errors = self.run_starved(words, text, WEIR_FAIL_NTH=str(nth))
            self.assertIn(status, (DONE, FAILED), f"{where}: {errors}")
            if status == FAILED:
                self.assertRegex(errors, rb"(?i)memory", where)
            elif compares:
                self.assertEqual(out, expected, where)
            self.assertEqual(list(self.folder.glob("*.tmp")), [], where)

    def test_classify(self):
        self.check("classify", "-q", "-t", self.task, "-m", MODEL, self.rows)

    def test_classify_with_a_profile(self):
        profile = self.folder / "p.profile"
        self.weir("tune", "-q", "--folds", "2", "-t", self.task, "-m", MODEL, "-o", profile, self.rows)
        self.check("classify", "-q", "-t", self.task, "-m", MODEL, "-p", profile, self.rows)

    def test_extract(self):
        self.path("s.json", json.dumps({"type": "object", "additionalProperties": False, "properties": {
            "who": {"type": "string", "maxLength": 4}, "kind": {"enum": ["car", "cart", None]}, "n": {"type": "integer", "maximum": 20}}}))
        task = self.path("e.yaml", "task: facts\ninstructions: Read.\ntype: extract\nschema: s.json\n")
        rows = self.path("few.jsonl", "".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(TEXTS["car"])))
        self.check("decide", "-q", "-t", task, "-m", MODEL, rows)

    def test_tune(self):
        self.check("tune", "-q", "--folds", "2", "-t", self.task, "-m", MODEL, "-o", self.folder / "p.profile", self.rows,
                   compares=False)

    def test_inspect(self):
        self.check("inspect", MODEL, compares=False)
        self.check("inspect", "--json", MODEL)

    def test_tokenize(self):
        self.check("tokenize", "-m", MODEL, "--special", "--lines", text=b"the car\n\n<|im_start|>")

    def test_models(self):
        folder = self.folder / "cache" / "weir" / "models"
        folder.mkdir(parents=True)
        (folder / "tiny.gguf").write_bytes(MODEL.read_bytes())
        (folder / "phi-4-mini.gguf").write_bytes(b"a")
        (folder / "phi-4-mini.json").write_text("{")
        self.check("models", compares=False)
        self.check("models", "--json")


if __name__ == "__main__":
    unittest.main()
