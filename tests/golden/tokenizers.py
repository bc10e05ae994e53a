"""Token ids against reference answers: every case and every line, BOS, special tokens and ends of turns, for each vocabulary.

    python3 tests/golden/tokenizers.py --ids PROGRAM [--weir WEIR] --goldens FOLDER [NAME=MODEL.gguf ...]

PROGRAM is tokenizer_ids (tests/tokenizer/ids_tool.c); with WEIR the lines go through `weir tokenize` too, with --bos and --special. FOLDER/tokenizers holds
ggml-vocab-NAME.gguf with .inp and .out (cases separated by a line __ggml_vocab_test__) and lines/lines.txt with lines/NAME.ids. A NAME=MODEL pair
adds a model that lies elsewhere. A missing file is a failure.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

import common

# For each vocabulary: the id that texts begin with by the model's own rule (None: nothing), ids of special tokens, and the ids that end a
# turn. From tokenizer_config.json and generation_config.json of the models: openai-community/gpt2, meta-llama/Meta-Llama-3-8B-Instruct,
# meta-llama/Llama-2-7b-hf, microsoft/Phi-3-mini-4k-instruct, microsoft/phi-4, microsoft/Phi-4-mini-instruct, Qwen/Qwen2-7B-Instruct,
# HuggingFaceTB/SmolLM2-135M-Instruct, google/gemma-3-270m. The <|endoftext|> of phi-4 and SmolLM2 ends documents, and is an end here too.
RULES = {
    "gpt-2": (None, {"<|endoftext|>": 50256}, [50256]),
    "llama-bpe": (128000, {"<|begin_of_text|>": 128000, "<|start_header_id|>": 128006, "<|end_header_id|>": 128007, "<|eot_id|>": 128009},
                  [128001, 128009]),
    "llama-spm": (1, {"<s>": 1, "</s>": 2}, [2]),
    "phi-3": (1, {"<s>": 1, "<|user|>": 32010, "<|assistant|>": 32001, "<|system|>": 32006, "<|end|>": 32007, "<|endoftext|>": 32000},
              [32000, 32007]),
    "phi-4": (None, {"<|im_start|>": 100264, "<|im_sep|>": 100266, "<|im_end|>": 100265, "<|endoftext|>": 100257}, [100257, 100265]),
    "phi-4-mini": (None, {"<|user|>": 200021, "<|assistant|>": 200019, "<|system|>": 200022, "<|end|>": 200020, "<|tool|>": 200023,
                          "<|/tool|>": 200024, "<|endoftext|>": 199999}, [199999, 200020]),
    "qwen2": (None, {"<|im_start|>": 151644, "<|im_end|>": 151645, "<|endoftext|>": 151643}, [151643, 151645]),
    "smollm2": (None, {"<|im_start|>": 1, "<|im_end|>": 2, "<|endoftext|>": 0}, [0, 2]),
    "gemma3-270m-q4_k_m": (2, {"<bos>": 2, "<eos>": 1, "<start_of_turn>": 105, "<end_of_turn>": 106}, [1, 106]),
}
VOCABULARIES = ["gpt-2", "llama-bpe", "llama-spm", "phi-3", "phi-4", "phi-4-mini", "qwen2"]


def rows_of(text):
    """Rows of ids; an empty last row (some files end in one) stands for nothing."""
    rows = [row.split() for row in text.split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def output(words, text):
    done = subprocess.run([str(word) for word in words], input=text, capture_output=True)
    if done.returncode != 0:
        raise common.Failure(done.stderr.decode(errors="replace").strip())
    return done.stdout.decode()


def compare(what, expected, found):
    """(rows, wrong rows); prints the first wrong one."""
    if not expected:
        raise common.Failure(f"{what}: no ids are expected")
    wrong = [i for i in range(max(len(expected), len(found))) if expected[i:i + 1] != found[i:i + 1]]
    if wrong:
        i = wrong[0]
        print(f"{what}, row {i + 1}\n  expected {expected[i:i + 1]}\n  found    {found[i:i + 1]}")
    return len(expected), len(wrong)


class Checks:
    """Each check gives (rows, wrong rows)."""

    def __init__(self, options):
        self.ids, self.weir, self.folder = options.ids, options.weir, Path(options.goldens) / "tokenizers"

    def file(self, path):
        if not Path(path).is_file():
            raise common.Failure(f"{path} is missing")
        return Path(path).read_bytes()

    def cases(self, name, model):
        found = rows_of(output([self.ids, model, "--cases"], self.file(f"{model}.inp")))
        return compare(f"{name} cases", rows_of(self.file(f"{model}.out").decode()), found)

    def expected_lines(self, name):
        return rows_of(self.file(self.folder / "lines" / f"{name}.ids").decode())

    def lines(self, name, model):
        text = self.file(self.folder / "lines" / "lines.txt")
        return compare(f"{name} lines", self.expected_lines(name), rows_of(output([self.ids, model, "--lines"], text)))

    def program(self, name, model):
        """`weir tokenize`: no line spells a special token, so --special changes nothing; --bos puts BOS before lines that are not empty."""
        text = self.file(self.folder / "lines" / "lines.txt")
        expected, total, wrong = self.expected_lines(name), 0, 0
        bos = [] if RULES[name][0] is None else [str(RULES[name][0])]
        for words, lead in (([], []), (["--special"], []), (["--bos"], bos)):
            found = rows_of(output([self.weir, "tokenize", "-m", model, "--lines", *words], text))
            rows = compare(f"{name} weir tokenize {' '.join(words)}", [lead + row if row else row for row in expected], found)
            total, wrong = total + rows[0], wrong + rows[1]
        return total, wrong

    def specials(self, name, model):
        """Spelled in a text they are themselves with --special, and never without."""
        wanted = RULES[name][1]
        text = "".join(wanted).encode()
        ids = [str(i) for i in wanted.values()]
        rows, wrong = compare(f"{name} special tokens", [ids], rows_of(output([self.ids, model, "--special"], text)))
        spelled = set(output([self.ids, model], text).split()) & set(ids)
        if spelled:
            print(f"{name}: text of a user becomes {sorted(spelled)}")
        return rows + 1, wrong + bool(spelled)

    def ends(self, name, model):
        return compare(f"{name} ends of turns", [[str(i) for i in RULES[name][2]]], rows_of(output([self.ids, model, "--ends"], b"")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ids", required=True, help="the program tokenizer_ids")
    parser.add_argument("--weir", help="the program to test as well")
    parser.add_argument("--goldens", default=os.environ.get("WEIR_GOLDENS"), required="WEIR_GOLDENS" not in os.environ)
    parser.add_argument("models", nargs="*", metavar="NAME=MODEL.gguf")
    options = parser.parse_args()
    checks = Checks(options)
    models = [(name, checks.folder / f"ggml-vocab-{name}.gguf") for name in VOCABULARIES]
    runs = [(name, model, checks.cases) for name, model in models]
    for name, model in models + [tuple(pair.split("=", 1)) for pair in options.models]:
        runs += [(name, model, check) for check in (checks.lines, checks.specials, checks.ends)]
        runs += [(name, model, checks.program)] if options.weir else []
    table, failed = [], 0
    for name, model, check in runs:
        try:
            rows, wrong = check(name, model)
        except common.Failure as failure:
            rows, wrong = 0, str(failure)
        failed += bool(wrong)
        table.append([f"{name} {check.__name__}", rows, wrong])
    common.print_table(["check", "rows", "wrong"], table)
    return common.finish("tokenizers", len(runs) - failed, failed)


if __name__ == "__main__":
    sys.exit(main())
