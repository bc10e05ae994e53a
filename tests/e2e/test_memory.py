"""Memory: weir inspect --memory, and models that will not fit."""
import json
import unittest

import gguf_file as gguf
from program import FAILED, REFUSED, USAGE, ProgramTest

WORDS = ["▁a", "▁card", "card", "late", "▁is"]
PARTS = ["weights_bytes", "tiles_bytes", "kv_bytes", "scratch_bytes", "tokenizer_bytes", "process_bytes"]
TASK = "task: t\ninstructions: Sort.\ntype: choice\nlabels: [a, b]\n"


class Prediction(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS))

    def predict(self, *options):
        return json.loads(self.weir("inspect", "--memory", "--json", *options, self.model).stdout)

    def test_parts_and_sum(self):
        found = self.predict("--ctx", 100, "--kv", "q8_0", "--threads", 2)
        self.assertEqual(found["total_bytes"], sum(found[part] for part in PARTS))
        self.assertEqual((found["ctx_tokens"], found["kv_type"], found["threads"]), (100, "q8_0", 2))
        # two layers, two kv heads of 8 dimensions: a key takes 8 bytes and a scale of 2; 100 tokens take 7 blocks of 16
        self.assertEqual(found["kv_bytes"], 112 * 2 * 2 * 2 * 10)
        self.assertEqual(self.predict()["kv_bytes"], 256 * 2 * 2 * 2 * 16)
        self.assertIn("available_bytes", found)
        self.assertTrue(found["fits"])

    def test_text(self):
        text = self.weir("inspect", "--memory", self.model).stdout.decode()
        for word in ("weights", "tiles", "kv", "scratch", "total", "it fits"):
            self.assertIn(word, text)

    def test_errors(self):
        self.weir("inspect", "--memory", "--ctx", 257, self.model, status=FAILED)
        self.weir("inspect", "--memory", "--ctx", 0, self.model, status=USAGE)
        self.weir("inspect", "--memory", "--kv", "q4", self.model, status=USAGE)
        vocabulary = self.path("v.gguf", gguf.build([("general.architecture", gguf.STRING, "llama")] + gguf.vocabulary(WORDS)))
        self.weir("inspect", "--memory", vocabulary, status=FAILED)

    def test_no_tokenizer_is_built(self):
        """The vocabulary is counted by its lists, whatever they say."""
        old, new = (gguf.entry("tokenizer.ggml.model", gguf.STRING, name) for name in ("llama", "alien"))
        model = self.path("alien.gguf", gguf.llama(WORDS).replace(old, new))
        self.weir("tokenize", "-m", model, status=REFUSED)
        found = json.loads(self.weir("inspect", "--memory", "--json", model).stdout)
        self.assertGreater(found["tokenizer_bytes"], (259 + len(WORDS)) * 20)


class Refusal(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS))
        self.task = self.path("t.yaml", TASK)
        self.rows = self.path("rows.jsonl", '{"text": "card", "label": "a"}\n')

    def commands(self):
        return [("logits", "-m", self.model, "--ids", "1 2", "-o", self.folder / "o.f32"),
                ("bench", "-m", self.model, "-p", 4, "-n", 0, "-r", 1),
                ("classify", "-t", self.task, "-m", self.model, self.rows),
                ("tune", "-t", self.task, "-m", self.model, "-o", self.folder / "p", self.rows)]

    def test_every_command_refuses_and_says_how_much_is_missing(self):
        for command in self.commands():
            done = self.weir(*command, "--memory-limit", "100K", status=REFUSED)
            self.assertRegex(done.stderr.decode(), r"needs .* of memory .* 100\.0 kB are allowed: .* are missing")

    def test_force_goes_on(self):
        for command in self.commands()[:3]:
            self.weir(*command, "--memory-limit", "100K", "--force")
            self.weir(*command, "--memory-limit", "2Gi")

    def test_keys_and_values_count(self):
        model = self.path("long.gguf", gguf.llama(WORDS, layers=8, width=64, heads=4, kv_heads=4, ff=32, ctx=1 << 22))
        command = ("logits", "-m", model, "--ids", "1 2", "-o", self.folder / "o.f32", "--memory-limit", "8G")
        done = self.weir(*command, "--ctx", 1 << 22, status=REFUSED)  # 4M tokens of 8 * 2 * 64 floats
        self.assertIn("keys and values of 4194304 tokens 17.18 GB", done.stderr.decode())
        self.weir(*command, "--ctx", 1 << 22, "--kv", "q8_0")  # 4.56 GB, of which two tokens are ever touched
        self.weir(*command)  # no context asked for: 4096 tokens are counted

    def test_sizes(self):
        for size in ("", "0", "-1G", "12X", "12GB", "G", "1e99T", "nan"):
            self.weir("bench", "-m", self.model, "--memory-limit", size, status=USAGE)


if __name__ == "__main__":
    unittest.main()
