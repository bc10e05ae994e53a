"""weir generate on the tiny model, whose weights are random. Run by ctest: test_generate.py WEIR MODEL."""
import json
import math
import sys
import unittest

import gguf_file as gguf
from program import FAILED, USAGE, ProgramTest

MODEL = sys.argv.pop(1)
NO_END = ["--logit-bias", "266=-inf"]  # the tiny model's <|im_end|>


class Generate(ProgramTest):
    def generate(self, *words, **options):
        done = self.weir("generate", "-m", MODEL, "-c", 400, *words, **options)
        return done.stdout

    def objects(self, *words, **options):
        return [json.loads(line) for line in self.generate("--json", *words, **options).splitlines()]

    def object(self, *words, **options):
        (found,) = self.objects(*words, **options)
        return found

    def test_text_and_json_agree(self):
        words = ["-p", "the car", "-n", 20, *NO_END]
        found = self.object(*words)
        self.assertEqual(self.generate(*words), found["text"].encode() + b"\n")
        self.assertEqual(len(found["ids"]), 20)
        self.assertEqual(len(found["logprobs"]), 20)
        self.assertTrue(all(value < 0 for value in found["logprobs"]))
        self.assertAlmostEqual(found["confidence"], math.exp(sum(found["logprobs"]) / 20), places=12)
        self.assertEqual(found["finish_reason"], "length")
        self.assertEqual(found["prompt_tokens"], 3)  # the| c|ar, by the tiny vocabulary's merges
        self.assertGreater(found["tokens_per_s"], 0)
        self.assertNotIn("top_logprobs", found)

    def test_seed_decides(self):
        words = ["-p", "the car", "-n", 20, "--temp", 2, *NO_END]
        first = self.object(*words, "--seed", 7)
        for threads in (1, 3):
            again = self.object(*words, "--seed", 7, "-j", threads)
            self.assertEqual((again["ids"], again["logprobs"]), (first["ids"], first["logprobs"]))
        self.assertNotEqual(self.object(*words, "--seed", 8)["ids"], first["ids"])
        big = self.object(*words, "--seed", 2**53)
        self.assertEqual(big["seed"], 2**53)

    def test_several_at_once(self):
        words = ["-p", "the car", "-n", 12, "--temp", 1.5, *NO_END]
        together = self.objects(*words, "--seed", 5, "--count", 4)
        self.assertEqual([found["seed"] for found in together], [5, 6, 7, 8])
        for found in together:
            alone = self.object(*words, "--seed", found["seed"])
            self.assertEqual((found["text"], found["ids"], found["logprobs"]), (alone["text"], alone["ids"], alone["logprobs"]))
        self.weir("generate", "-m", MODEL, "-p", "x", "--count", 2, status=USAGE)

    def test_top_logprobs(self):
        found = self.object("-p", "the car", "-n", 5, "--logprobs", 3)
        for i, top in enumerate(found["top_logprobs"]):
            self.assertEqual(len(top), 3)
            self.assertEqual(top[0]["id"], found["ids"][i])  # greedy
            self.assertEqual(top[0]["logprob"], found["logprobs"][i])
            self.assertGreaterEqual(top[0]["logprob"], top[1]["logprob"])

    def test_stop_strings(self):
        words = ["-p", "the car", "-n", 20, "--temp", 2, *NO_END]
        whole = self.object(*words)["text"]
        stop = whole[6:9]
        found = self.object(*words, "--stop", "never there", "--stop", stop)
        self.assertEqual(found["text"], whole[:whole.index(stop)])
        self.assertEqual(found["finish_reason"], "stop")
        self.assertEqual(self.generate(*words, "--stop", stop), found["text"].encode() + b"\n")

    def test_context_full_is_said(self):
        found = json.loads(self.weir("generate", "-m", MODEL, "-c", 16, "-p", "abcdefgh", "-n", 0, "--json", *NO_END).stdout)
        self.assertEqual((found["finish_reason"], len(found["ids"])), ("context", 16 - 8 + 1))
        done = self.weir("generate", "-m", MODEL, "-c", 16, "-p", "a" * 17, status=FAILED)
        self.assertIn(b"17 more do not fit a context of 16", done.stderr)

    def test_prompts(self):
        prompt = self.path("prompt.txt", "the car")
        expected = self.generate("-p", "the car", "-n", 5)
        self.assertEqual(self.generate("--prompt-file", prompt, "-n", 5), expected)
        self.assertEqual(self.generate("--prompt-file", "-", "-n", 5, text=b"the car"), expected)
        spelled = self.object("-p", "<|im_start|>", "-n", 1)["prompt_tokens"]
        self.assertEqual(self.object("-p", "<|im_start|>", "--special", "-n", 1)["prompt_tokens"], 1)
        self.assertGreater(spelled, 5)
        self.assertIn(b"empty", self.weir("generate", "-m", MODEL, "-p", "", status=FAILED).stderr)

    def test_chat(self):
        rendered = "<|im_start|>system\nBe in.<|im_end|>\n<|im_start|>user\nthe car<|im_end|>\n<|im_start|>assistant\n"
        expected = self.object("-p", rendered, "--special", "-n", 8)
        found = self.object("-p", "the car", "--chat", "--system", "Be in.", "-n", 8)
        self.assertEqual((found["ids"], found["prompt_tokens"]), (expected["ids"], expected["prompt_tokens"]))
        injected = self.object("-p", "<|im_end|>", "--chat", "-n", 1)["prompt_tokens"]
        self.assertEqual(injected, self.object("-p", "x" * len("<|im_end|>"), "--chat", "-n", 1)["prompt_tokens"])
        base = self.path("base.gguf", gguf.llama(["▁", "a"]))
        self.assertIn(b"no chat template", self.weir("generate", "-m", base, "-p", "a", "--chat", status=FAILED).stderr)

    def test_usage(self):
        for words in ([], ["-p", "a", "--prompt-file", "b"], ["-p", "a", "--temp", "hot"], ["-p", "a", "-n", "-1"],
                      ["-p", "a", "--logprobs", 3], ["-p", "a", "--system", "b"], ["-p", "a", "--chat", "--special"],
                      ["-p", "a", "--logit-bias", "7"], ["-p", "a", "--stop", ""], ["-p", "a", "--seed", "-1"],
                      ["-p", "a", "--seed", 2**53 + 1]):
            self.weir("generate", "-m", MODEL, *words, status=USAGE)
        self.weir("generate", "-p", "a", status=USAGE)
        for words in (["--top-p", 0], ["--min-p", 1], ["--temp", -1], ["--logit-bias", "99999=1"]):
            self.weir("generate", "-m", MODEL, "-p", "a", *words, status=FAILED)


if __name__ == "__main__":
    unittest.main()
