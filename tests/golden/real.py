"""Compares real models with reference answers: token ids, the best next tokens, the likelihood of a text.

    python3 tests/golden/real.py --weir build/cli/weir --goldens FOLDER --levels ref,avx2 real-smollm2.json=MODEL.gguf ...

For each case of FOLDER/real-*.json: the token ids are equal; the best next token is equal wherever the reference's two best
logits are more than 0.3 apart (closer ones may be swapped by quantised arithmetic; the column "best token" says where they were);
the mean negative log-likelihood of the text is within 0.05; and `weir generate` puts the best next token first too. The relative
RMS error over the 20 best logits is printed beside llama.cpp's own over all of them.

The bound on the likelihood is a guess, not derived. Measured: at most 0.0494 (SmolLM2 Q4_1, case 4) and 0.0362 (Gemma 3 270M
Q4_K_M, case 0), the same at the levels ref, avx2 and avx512vnni. It comes from the products with quantised weights, which round
activations to 8 bits: with the same weights written as float32 (run at avx512vnni) the largest differences are 2.8e-6 and 7.6e-4,
the latter of the size that llama.cpp's gelu table explains. So a change of that rounding may cross the bound without being wrong;
compare float32 weights before widening it.
"""
import json
import sys

import common

TOP1_MARGIN = 0.3
NLL_BOUND = 0.05
CTX = 512


def check_generated(options, level, model, case):
    """What `weir generate` makes of the same text: its prompt has as many tokens, and its first token is the best one."""
    found = json.loads(common.run_weir(options.weir, level, "generate", "-m", model, "-p", case["text"], "--special", "-n", "1", "--temp", "0",
                                       "--json", "--logprobs", "2", "--ctx", str(CTX), "--kv", "f32"))
    (best, best_logit), (_, second_logit) = case["top20"][0], case["top20"][1]
    wrong = []
    if found["prompt_tokens"] != len(case["tokens"]):
        wrong.append(f"weir generate: a prompt of {found['prompt_tokens']} tokens, expected {len(case['tokens'])}")
    top = [row[0]["id"] for row in found["top_logprobs"]]
    if best_logit - second_logit > TOP1_MARGIN and (found["ids"], top) != ([best], [best]):
        wrong.append(f"weir generate: first token {found['ids']}, most probable {top}, expected {best}")
    return wrong


def check_case(options, level, model, case):
    """A list of what is wrong, and the measured cells of the table."""
    text, ids = case["text"], case["tokens"]
    found_ids = [int(word) for word in common.run_weir(
        options.weir, level, "tokenize", "-m", model, "--special", "--bos", text=text.encode()).split()]
    wrong = []
    if found_ids != ids:
        wrong.append(f"token ids {found_ids}, expected {ids}")
    values = common.logits(options.weir, level, model, ids, CTX)
    n_vocab = len(values) // len(ids)
    last = values[-n_vocab:]
    (best, best_logit), (_, second_logit) = case["top20"][0], case["top20"][1]
    found_best = max(range(n_vocab), key=last.__getitem__)
    if best_logit - second_logit > TOP1_MARGIN and found_best != best:
        wrong.append(f"best next token {found_best}, expected {best} (ahead by {best_logit - second_logit:.2f})")
    wrong += check_generated(options, level, model, case)
    best_cell = "same" if found_best == best else "differs"
    nll = common.mean_nll(values, ids)
    if not abs(nll - case["mean_nll_of_text"]) <= NLL_BOUND:
        wrong.append(f"mean NLL {nll:.4f}, expected {case['mean_nll_of_text']:.4f}")
    error = common.rms_difference([last[token] for token, _ in case["top20"]], [logit for _, logit in case["top20"]])
    cells = [best_cell, f"{nll - case['mean_nll_of_text']:+.4f}", f"{error / common.deviation(last):.3f}", f"{case['llama_cpp_rel_rms']:.3f}"]
    return wrong, cells


def main():
    parser = common.arguments(__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="GOLDEN.json=MODEL.gguf")
    options = parser.parse_args()
    rows, passed, failed = [], 0, 0
    for pair in options.models:
        golden, model = pair.split("=", 1)
        cases = common.load_json(options.goldens, golden)["cases"]
        for level in options.levels.split(","):
            for index, case in enumerate(cases):
                try:
                    wrong, cells = check_case(options, level, model, case)
                except common.Failure as failure:
                    wrong, cells = [str(failure)], ["-", "-", "-", "-"]
                for problem in wrong:
                    print(f"{golden} case {index} at {level}: {problem}")
                rows.append([golden.removesuffix(".json"), index, level, len(case["tokens"]), *cells,
                             "FAILED" if wrong else "ok"])
                passed, failed = passed + (not wrong), failed + bool(wrong)
    common.print_table(["model", "case", "level", "tokens", "best token", "NLL - reference", "rel. RMS top 20", "llama.cpp, all", ""], rows)
    return common.finish("real models", passed, failed)


if __name__ == "__main__":
    sys.exit(main())
