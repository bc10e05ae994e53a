"""The commands that compute, on a tiny model of random weights: logits, bench. Run by ctest: test_engine.py WEIR."""
import array
import json
import unittest

import gguf_file as gguf
from program import FAILED, REFUSED, USAGE, ProgramTest

WORDS = ["▁", "a", "b", "▁a", "ab", "▁ab"]
N_VOCAB = 259 + len(WORDS)


class Logits(ProgramTest):
    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS))

    def logits(self, ids, *options, **environment):
        out = self.folder / "out.f32"
        self.weir("logits", "-m", self.model, "--ids", ids, "-o", out, *options, **environment)
        values = array.array("f")
        values.frombytes(out.read_bytes())
        self.assertEqual(list(self.folder.glob("*.tmp")), [])
        return values

    def test_every_position(self):
        ids = " ".join(str(3 + i % 200) for i in range(150))  # more than are held at once
        whole = self.logits(ids, "--ctx", 150)
        self.assertEqual(len(whole), 150 * N_VOCAB)
        self.assertEqual(self.logits(" ".join(ids.split()[:70]), "--ctx", 150), whole[:70 * N_VOCAB])
        self.assertEqual(len(set(whole[:N_VOCAB])), N_VOCAB)

    def test_threads_and_separators_change_nothing(self):
        expected = self.logits("1 5 9 200", "--ctx", 16)
        self.assertEqual(self.logits(" 1,5,  9\n200 ", "-j", 3), expected)
        rough = [self.logits("1 5 9 200", "--kv", kv) for kv in ("f16", "q8_0")]
        for found, bound in zip(rough, (0.01, 0.2)):
            self.assertNotEqual(found, expected)
            self.assertLess(max(abs(a - b) for a, b in zip(found, expected)), bound)
        self.assertNotEqual(rough[0], rough[1])

    def test_no_tokenizer_is_made(self):
        words = [("tokenizer.ggml.model", gguf.STRING, "of-tomorrow") if entry[0] == "tokenizer.ggml.model" else entry
                 for entry in gguf.vocabulary(WORDS)]
        self.assertEqual(words[0][2], "of-tomorrow")
        original = gguf.vocabulary
        gguf.vocabulary = lambda _: words
        self.addCleanup(setattr, gguf, "vocabulary", original)
        self.model = self.path("other.gguf", gguf.llama(WORDS))
        self.assertEqual(len(self.logits("1 2")), 2 * N_VOCAB)
        self.weir("bench", "-m", self.model, "-p", 2, "-n", 2, "-r", 1)

    def test_what_is_refused(self):
        out = self.folder / "out.f32"
        words = ["logits", "-m", self.model, "-o", out]
        for ids in ("", " ", "x", "1 x", "-1", "1;2", "99999999999"):
            self.weir(*words, "--ids", ids, status=USAGE)
        for options in (["--kv", "f8"], ["--ctx", "0"], ["--ctx", "x"], ["extra"]):
            self.weir(*words, "--ids", "1", *options, status=USAGE)
        self.weir(*words, "--ids", str(N_VOCAB), status=FAILED)
        self.weir(*words, "--ids", "1 2 3", "--ctx", 2, status=FAILED)
        self.assertIn(b"avx9", self.weir(*words, "--ids", "1", WEIR_CPU="avx9", status=REFUSED).stderr)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["m.gguf"])

    def test_outputs_that_are_no_files(self):
        self.weir("logits", "-m", self.model, "--ids", "1", "-o", "/dev/null")
        with open("/dev/null", "rb") as null:
            self.assertEqual(null.read(1), b"")
        done = self.weir("logits", "-m", self.model, "--ids", "1 2", "-o", "-")
        self.assertEqual(len(done.stdout), 2 * N_VOCAB * 4)
        self.weir("logits", "-m", self.model, "--ids", "1", "-o", self.folder / "no" / "folder", status=FAILED)
        link = self.folder / "link"
        link.symlink_to("target.f32")
        (self.folder / "target.f32").write_bytes(b"old")
        self.weir("logits", "-m", self.model, "--ids", "1", "-o", link)
        self.assertTrue(link.is_symlink())
        self.assertEqual((self.folder / "target.f32").stat().st_size, N_VOCAB * 4)


class Bench(ProgramTest):
    def test_json(self):
        model = self.path("m.gguf", gguf.llama(WORDS))
        found = json.loads(self.weir("bench", "-m", model, "-p", 20, "-n", 5, "-t", 2, "-r", 3, "--json", WEIR_CPU="ref").stdout)
        self.assertEqual(list(found), ["prefill_tokens_per_s", "decode_tokens_per_s", "threads", "cpu_level", "runs"])
        self.assertGreater(found["prefill_tokens_per_s"], 0)
        self.assertGreater(found["decode_tokens_per_s"], 0)
        self.assertEqual((found["threads"], found["cpu_level"], found["runs"]), (2, "ref", 3))

    def test_memory(self):
        model = self.path("m.gguf", gguf.llama(WORDS))
        found = json.loads(self.weir("bench", "-m", model, "-p", 20, "-n", 0, "-r", 1, "--memory", "--json").stdout)
        self.assertGreater(found["load_s"], 0)
        self.assertGreater(found["peak_rss_bytes"], 1 << 20)
        self.assertIn(b"resident", self.weir("bench", "-m", model, "-p", 4, "-n", 0, "-r", 1, "--memory").stdout)

    def test_text_and_usage(self):
        model = self.path("m.gguf", gguf.llama(WORDS))
        self.assertIn(b"tokens/s", self.weir("bench", "-m", model, "-p", 4, "-n", 0, "-r", 2).stdout)
        for options in ([], ["-m", model, "-p", 0, "-n", 0], ["-m", model, "-r", 0], ["-m", model, "-t", "many"]):
            self.weir("bench", *options, status=USAGE)


if __name__ == "__main__":
    unittest.main()
