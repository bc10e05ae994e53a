"""The commands that need no engine: help, inspect, tokenize, report. Run by ctest: test_files.py WEIR."""
import json
import subprocess
import unittest

import gguf_file as gguf
from program import FAILED, REFUSED, USAGE, WEIR, ProgramTest

WORDS = ["▁", "a", "b", "▁a", "ab", "▁ab"]


class Usage(ProgramTest):
    def test_help_and_version(self):
        for words in (["--help"], ["help"], ["inspect", "--help"], ["tokenize", "--help"], ["report", "--help"]):
            self.assertIn(b"Usage: weir", self.weir(*words).stdout)
        self.assertRegex(self.weir("--version").stdout, rb"^weir \d+\.\d+\.\d+\n$")

    def test_wrong_command_lines(self):
        for words in ([], ["nonsense"], ["inspect"], ["inspect", "a", "b"], ["inspect", "--nonsense"], ["tokenize"],
                      ["tokenize", "-m"], ["tokenize", "-m", "x", "text"], ["report"], ["report", "--price-in", "x", "s"],
                      ["report", "--price-in", "-1", "s"]):
            done = self.weir(*words, status=USAGE)
            self.assertTrue(done.stderr.strip())
            self.assertEqual(done.stdout, b"")

    def test_files_that_are_missing(self):
        for words in (["inspect", "nowhere.gguf"], ["tokenize", "-m", "nowhere.gguf"], ["report", "nowhere.json"]):
            self.assertIn(b"nowhere", self.weir(*words, status=FAILED).stderr)

    def test_output_that_cannot_be_written(self):
        model = self.path("m.gguf", gguf.llama(WORDS))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([WEIR, "inspect", model], stdout=full, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"cannot write", done.stderr)


class Inspect(ProgramTest):
    def test_text(self):
        done = self.weir("inspect", self.path("m.gguf", gguf.llama(WORDS))).stdout.decode()
        for part in ("general.architecture", "string[265]", "blk.1.ffn_down.weight", "64 x 32", "KV cache at f16 128 B"):
            self.assertIn(part, done)

    def test_json(self):
        model = self.path("m.gguf", gguf.llama(WORDS))
        found = json.loads(self.weir("inspect", "--json", model).stdout)
        self.assertEqual(found["version"], 3)
        self.assertEqual(found["bytes"], model.stat().st_size)
        self.assertEqual(found["architecture"], "llama")
        tokens = next(v for v in found["metadata"] if v["key"] == "tokenizer.ggml.tokens")["value"]
        self.assertEqual((tokens["array_of"], tokens["count"]), ("string", 265))
        self.assertEqual(tokens["first"][:4], ["<unk>", "<s>", "</s>", "<0x00>"])
        self.assertIn({"name": "blk.0.attn_k.weight", "type": "F32", "shape": [32, 16], "bytes": 2048}, found["tensors"])
        self.assertEqual(found["types"]["F32"]["bytes"], sum(t["bytes"] for t in found["tensors"]))
        # 2 layers, 2 KV heads of 8, keys and values, 2 bytes
        self.assertEqual(found["memory"], {"weights_bytes": found["types"]["F32"]["bytes"],
                                           "kv_bytes_per_token_f16": 128, "ctx_train": 256})

    def test_vocabulary_only(self):
        model = self.path("v.gguf", gguf.build(gguf.vocabulary(WORDS)))
        found = json.loads(self.weir("inspect", "--json", model).stdout)
        self.assertEqual((found["tensors"], found["types"], found["memory"]), ([], {}, {"weights_bytes": 0}))
        self.assertIn(b"tokenizer.ggml.model", self.weir("inspect", model).stdout)

    def test_no_tokenizer_is_made(self):
        model = self.path("m.gguf", gguf.build([("tokenizer.ggml.model", gguf.STRING, "of-tomorrow")]))
        self.weir("inspect", model)
        self.assertIn(b"of-tomorrow", self.weir("tokenize", "-m", model, status=REFUSED).stderr)

    def test_foreign_bytes_do_not_reach_the_terminal(self):
        model = self.path("m.gguf", gguf.build([("evil", gguf.STRING, b"\x1b]0;title\x07\xff\n"),
                                                ("number", gguf.F32, float("nan")), ("huge", gguf.U64, 2**64 - 1)]))
        done = self.weir("inspect", model).stdout
        self.assertNotIn(b"\x1b", done)
        self.assertNotIn(b"\x07", done)
        found = {v["key"]: v["value"] for v in json.loads(self.weir("inspect", "--json", model).stdout)["metadata"]}
        self.assertEqual(found, {"evil": "\x1b]0;title\x07\ufffd\n", "number": "nan", "huge": str(2**64 - 1)})

    def test_every_truncation_is_an_error(self):
        whole = gguf.build([("a", gguf.STRING, "b"), ("c", gguf.U32, [1, 2])], [("t", (4,), [1.0] * 4)])
        self.weir("inspect", self.path("whole.gguf", whole))
        for size in (0, 3, 8, 20, 24, 30, len(whole) // 2, len(whole) - 17):
            done = self.weir("inspect", self.path("cut.gguf", whole[:size]), status=FAILED)
            self.assertEqual(done.stdout, b"")

    def test_metadata_that_is_nonsense(self):
        entries = [("general.architecture", gguf.STRING, "x"), ("x.block_count", gguf.U32, 2**32 - 1),
                   ("x.attention.head_count", gguf.U32, 0), ("x.embedding_length", gguf.STRING, "wide")]
        found = json.loads(self.weir("inspect", "--json", self.path("m.gguf", gguf.build(entries))).stdout)
        self.assertNotIn("kv_bytes_per_token_f16", found["memory"])


class Tokenize(ProgramTest):
    def ids(self, text, *options):
        model = self.path("v.gguf", gguf.build(gguf.vocabulary(WORDS)))
        return self.weir("tokenize", "-m", model, *options, text=text).stdout.decode()

    def test_ids(self):
        self.assertEqual(self.ids(b"ab"), "264\n")           # "▁ab"
        self.assertEqual(self.ids(b"ab", "--bos"), "1 264\n")
        self.assertEqual(self.ids(b""), "\n")

    def test_lines(self):
        self.assertEqual(self.ids(b"ab\n\na\n", "--lines"), "264\n\n262\n")
        self.assertEqual(self.ids(b"ab\n\na", "--lines", "--bos"), "1 264\n\n1 262\n")
        self.assertEqual(self.ids(b"", "--lines"), "")
        self.assertEqual(self.ids(b"\n", "--lines"), "\n")
        self.assertEqual(len(self.ids(b"a\rb\na\x0bb", "--lines").splitlines()), 2)

    def test_special(self):
        self.assertNotEqual(self.ids(b"</s>"), self.ids(b"</s>", "--special"))
        self.assertEqual(self.ids(b"</s>", "--special"), "2\n")

    def test_names_of_the_cache(self):
        folder = self.folder / "cache" / "weir" / "models"
        folder.mkdir(parents=True)
        (folder / "tiny.gguf").write_bytes(gguf.build(gguf.vocabulary(WORDS)))
        self.assertEqual(self.weir("tokenize", "-m", "tiny", text=b"ab").stdout, b"264\n")
        self.assertIn(b"weir models", self.weir("tokenize", "-m", "other", status=FAILED).stderr)


class Report(ProgramTest):
    SUMMARY = {"rows": 1000, "errors": 2, "accuracy": 0.905, "accuracy_low": 0.88, "accuracy_high": 0.92, "macro_f1": 0.9,
               "ece": 0.02, "rows_per_s": 50.5, "p50_ms": 12.25, "p99_ms": 30, "fresh_tokens_per_row": 17.5,
               "prompt_bytes_per_row": 2000, "head": "both"}

    def test_table(self):
        one = self.path("one.json", json.dumps(self.SUMMARY))
        two = self.path("two.json", json.dumps({"rows": 3, "errors": 0, "rows_per_s": 2, "p50_ms": 1, "p99_ms": 2}))
        done = self.weir("report", one, f"mine={two}").stdout.decode()
        for part in ("n-grams and hidden states", "90.5 %", "88.0 - 92.0 %", "0.020", "50.5", "12.2 ms", "17.5", "mine"):
            self.assertIn(part, done)
        # 1,000 rows of 500 tokens in at $3 and 10 out at $15 for a million
        self.assertIn("$1.65 (500 tokens in", done)
        self.assertIn("nowhere", done)

    def test_prices(self):
        one = self.path("one.json", json.dumps(self.SUMMARY))
        done = self.weir("report", "--price-in", 1, "--price-out", 2, "--prompt-tokens", 100, "--answer-tokens", 50, one)
        self.assertIn(b"$0.20 (100 tokens in and 50 out", done.stdout)

    def test_files_that_are_no_summaries(self):
        for content in ("", "[]", "{}", '{"rows": "many"}', "nonsense"):
            self.assertIn(b"bad.json", self.weir("report", self.path("bad.json", content), status=FAILED).stderr)


if __name__ == "__main__":
    unittest.main()
