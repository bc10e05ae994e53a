"""Token ids against reference answers: every case and every line, for each vocabulary.

    python3 tests/golden/tokenizers.py --ids PROGRAM --goldens FOLDER [NAME=MODEL.gguf ...]

PROGRAM is tokenizer_ids (tests/tokenizer/ids_tool.c). FOLDER/tokenizers holds ggml-vocab-NAME.gguf with .inp and .out (cases separated by
a line __ggml_vocab_test__) and lines/lines.txt with lines/NAME.ids. A NAME=MODEL pair adds the lines of a model that lies elsewhere.
A missing file is a failure.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

import common

VOCABULARIES = ["gpt-2", "llama-bpe", "llama-spm", "phi-3", "phi-4", "phi-4-mini", "qwen2"]


def expected_ids(path):
    """Rows of ids; an empty last row (some files end in one) stands for nothing."""
    rows = [row.split() for row in path.read_text().split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def found_ids(program, model, mode, text_path):
    done = subprocess.run([program, model, mode], stdin=open(text_path, "rb"), capture_output=True)
    if done.returncode != 0:
        raise common.Failure(done.stderr.decode(errors="replace").strip())
    rows = [row.split() for row in done.stdout.decode().split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def compare(program, model, mode, text_path, ids_path):
    """(rows, wrong rows); prints the first wrong one."""
    for path in (model, text_path, ids_path):
        if not Path(path).is_file():
            raise common.Failure(f"{path} is missing")
    expected, found = expected_ids(ids_path), found_ids(program, model, mode, text_path)
    if not expected:
        raise common.Failure(f"{ids_path} has no ids")
    wrong = [i for i in range(max(len(expected), len(found))) if expected[i:i + 1] != found[i:i + 1]]
    if wrong:
        i = wrong[0]
        print(f"{ids_path}:{i + 1}\n  expected {expected[i:i + 1]}\n  found    {found[i:i + 1]}")
    return len(expected), len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ids", required=True, help="the program tokenizer_ids")
    parser.add_argument("--goldens", default=os.environ.get("WEIR_GOLDENS"), required="WEIR_GOLDENS" not in os.environ)
    parser.add_argument("models", nargs="*", metavar="NAME=MODEL.gguf")
    options = parser.parse_args()
    folder = Path(options.goldens) / "tokenizers"
    lines = folder / "lines"
    checks = []
    for name in VOCABULARIES:
        model = folder / f"ggml-vocab-{name}.gguf"
        checks.append((f"{name} cases", model, "--cases", f"{model}.inp", Path(f"{model}.out")))
        checks.append((f"{name} lines", model, "--lines", lines / "lines.txt", lines / f"{name}.ids"))
    for pair in options.models:
        name, _, model = pair.partition("=")
        checks.append((f"{name} lines", model, "--lines", lines / "lines.txt", lines / f"{name}.ids"))
    table, failed = [], 0
    for what, *check in checks:
        try:
            rows, wrong = compare(options.ids, *check)
        except common.Failure as failure:
            rows, wrong = 0, str(failure)
        failed += bool(wrong)
        table.append([what, rows, wrong])
    common.print_table(["check", "rows", "wrong"], table)
    return common.finish("tokenizers", len(checks) - failed, failed)


if __name__ == "__main__":
    sys.exit(main())
