#!/usr/bin/env python3
"""Measures weir's JSON Schema masks beside llguidance and xgrammar on the same rows and vocabulary, one thread, in one run.

    bench/constrain_peers.py --weir build/cli/weir --vocabulary FILE.gguf --rows FILE.jsonl [--limit N] [--rounds 1] [--skip NAME]

Rows are of the shape of json_schema_bench. Needs PyPI gguf, numpy, tokenizers and llguidance==1.9.1, xgrammar==0.2.8 (one that is
missing is named and left out; xgrammar needs torch). For each valid instance, compactly and in its own order of members, every token's mask is timed until
the end or the first token that is not allowed; the first mask includes compiling. Times are wall times in microseconds: keep
the machine quiet, and compare only numbers of one run. A schema counts as served when it compiles and all its instances are judged right.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/tokenizer"))
import hf  # noqa: E402


class Vocabulary:
    """Tokens of a byte-level BPE vocabulary; texts are tokenized by weir, for all alike."""

    def __init__(self, path, weir):
        from gguf import GGUFReader
        self.path, self.weir = path, weir
        known = hf.read_vocabulary(path)
        self.json = hf.tokenizer(known).to_str()
        self.tokens = hf.token_bytes(known)
        self.eos_token_id = int(GGUFReader(path).fields["tokenizer.ggml.eos_token_id"].parts[-1][0])

    def tokenize(self, texts):
        out = subprocess.run([self.weir, "tokenize", "-m", self.path, "--lines"], input="\n".join(texts) + "\n",
                             check=True, capture_output=True, text=True).stdout
        return [[int(word) for word in line.split()] for line in out.splitlines()]


class LLGuidance:
    def __init__(self, vocabulary):
        import llguidance
        import llguidance.numpy
        self.module = llguidance
        self.tokenizer = llguidance.LLTokenizer(vocabulary.json, n_vocab=len(vocabulary.tokens),
                                                eos_token=vocabulary.eos_token_id)
        self.mask = llguidance.numpy.allocate_token_bitmask(1, self.tokenizer.vocab_size)

    def open(self, schema):
        grammar = self.module.LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False})
        matcher = self.module.LLMatcher(self.tokenizer, grammar, log_level=0)
        return None if matcher.is_error() else matcher

    def fresh(self, matcher):
        matcher.reset()
        return matcher

    def fill(self, matcher):
        self.module.numpy.fill_next_token_bitmask(matcher, self.mask, 0)

    def accept(self, matcher, token):
        return matcher.consume_token(token)

    def complete(self, matcher):
        return matcher.is_accepting()


class XGrammar:
    def __init__(self, vocabulary):
        import xgrammar
        self.module = xgrammar
        info = xgrammar.TokenizerInfo(vocabulary.tokens, vocab_type=xgrammar.VocabType.RAW,
                                      stop_token_ids=[vocabulary.eos_token_id])
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.mask = xgrammar.allocate_token_bitmask(1, len(vocabulary.tokens))

    def open(self, schema):
        compiled = self.compiler.compile_json_schema(schema, any_whitespace=False, separators=(",", ":"),
                                                     strict_mode=False)
        return self.module.GrammarMatcher(compiled, terminate_without_stop_token=True)

    def fresh(self, matcher):
        matcher.reset()
        return matcher

    def fill(self, matcher):
        matcher.fill_next_token_bitmask(self.mask)

    def accept(self, matcher, token):
        return matcher.accept_token(token)

    def complete(self, matcher):
        return matcher.is_terminated()


def judge(engine, matcher, tokens, times):
    matcher = engine.fresh(matcher)
    for token in tokens:
        start = time.perf_counter()
        engine.fill(matcher)
        times.append(1e6 * (time.perf_counter() - start))
        if not engine.accept(matcher, token):
            return False
    return engine.complete(matcher)


def measure(engine, rows):
    times, first, counts = [], [], {"served": 0, "valid": 0, "valid_rejected": 0, "invalid": 0, "invalid_accepted": 0}
    for schema, valid, invalid in rows:
        start = time.perf_counter()
        try:
            matcher = engine.open(schema)
            if matcher is None:
                continue
            engine.fill(matcher)
        except Exception:  # each library has its own kinds of refusal
            continue
        first.append(1e6 * (time.perf_counter() - start))
        counts["served"] += 1
        for tokens in valid:
            counts["valid"] += 1
            counts["valid_rejected"] += not judge(engine, matcher, tokens, times)
        for tokens in invalid:
            counts["invalid"] += 1
            counts["invalid_accepted"] += judge(engine, matcher, tokens, times)
    times = numpy.array(times or [0])
    return {**counts, "mask_us_mean": round(float(times.mean()), 3), "mask_us_p50": round(float(numpy.median(times)), 3),
            "mask_us_p99": round(float(numpy.percentile(times, 99)), 3), "masks": len(times),
            "first_mask_us_mean": round(float(numpy.mean(first or [0])), 3)}


def read_rows(path, limit, vocabulary):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")][:limit]
    texts = []
    for row in rows:
        for data in [*row["valid"], *(bad["data"] for bad in row["invalid"])]:
            texts.append(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    tokens = iter(vocabulary.tokenize(texts))
    return [(json.dumps(row["schema"]), [next(tokens) for _ in row["valid"]], [next(tokens) for _ in row["invalid"]])
            for row in rows]


def weir_counts(args):
    rows = args.rows
    if args.limit:
        rows = "-"
    command = [args.weir, "constrain", "-m", args.vocabulary, "--json", "--suite", rows if rows != "-" else "/dev/stdin"]
    text = "".join(open(args.rows, encoding="utf-8").readlines()[:args.limit]) if args.limit else None
    return json.loads(subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--skip", action="append", default=[])
    args = parser.parse_args()
    vocabulary = Vocabulary(args.vocabulary, args.weir)
    rows = read_rows(args.rows, args.limit, vocabulary)
    for _ in range(args.rounds):
        print("weir", json.dumps(weir_counts(args)), flush=True)
        for name, make in (("llguidance", LLGuidance), ("xgrammar", XGrammar)):
            if name in args.skip:
                continue
            try:
                engine = make(vocabulary)
            except ImportError as error:
                print(f"{name}: not installed ({error})", file=sys.stderr)
                continue
            print(name, json.dumps({"schemas": len(rows), **measure(engine, rows)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
