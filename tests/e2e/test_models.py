"""weir models and weir verify. Run by ctest: test_models.py WEIR."""
import json
import unittest

import gguf_file as gguf
from program import FAILED, USAGE, ProgramTest


class Models(ProgramTest):
    def test_the_catalogue(self):
        text = self.weir("models").stdout.decode()
        for part in ("phi-4-mini", "gemma-2-9b", "gemma-3-12b", "qwen2.5-7b", "qwen3-8b", "llama-3.1-8b", "smollm2-135m", "RAM", "MIT",
                     "LANGUAGES", "VERIFIED", " 1.0B "):
            self.assertIn(part, text)
        listed = json.loads(self.weir("models", "--json").stdout)
        self.assertEqual(listed["installed"], [])
        phi = next(m for m in listed["models"] if m["name"] == "phi-4-mini")
        self.assertEqual(phi["licence"], "MIT")
        self.assertIn("German", phi["languages"])
        self.assertLess(phi["ram_bytes"]["Q4_K_M"], phi["ram_bytes"]["Q8_0"])

    def test_one_of_it(self):
        text = self.weir("models", "gemma-3-270m").stdout.decode()
        for part in ("google/gemma-3-270m-it", "hf:ggml-org/gemma-3-270m-it-GGUF", "a real file", "Q4_K_M", "installed     no"):
            self.assertIn(part, text)
        self.assertEqual(len(json.loads(self.weir("models", "--json", "phi-4").stdout)["models"]), 1)
        self.assertIn(b"not in the catalogue", self.weir("models", "nonsense", status=FAILED).stderr)
        self.weir("models", "a", "b", status=USAGE)

    def test_no_home(self):
        self.assertIn(b"phi-4-mini", self.weir("models", XDG_CACHE_HOME="", HOME="").stdout)
        self.assertIn(b"XDG_CACHE_HOME", self.weir("pull", "phi-4", status=FAILED, XDG_CACHE_HOME="", HOME="").stderr)

    def test_a_file_put_there_by_hand(self):
        folder = self.folder / "cache" / "weir" / "models"
        folder.mkdir(parents=True)
        (folder / "mine.gguf").write_bytes(gguf.build(gguf.vocabulary(["a"])))
        self.assertIn(b"(no record)", self.weir("models").stdout)
        for model in ("mine", folder / "mine.gguf"):
            self.assertIn(b"no record", self.weir("verify", model, status=FAILED).stderr)

    def test_verify_command_lines(self):
        for words in ([], ["a", "b"], ["--nonsense"]):
            self.weir("verify", *words, status=USAGE)
        for model in ("nowhere", "nowhere.gguf", "../x", "", "/"):
            self.weir("verify", model, status=FAILED)


if __name__ == "__main__":
    unittest.main()
