"""What the golden checks share: running weir at a CPU level, reading its numbers, measures, a table.

Standard library only, so that it runs on any machine with Python 3."""
import argparse
import array
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--weir", required=True, help="the program to test")
    parser.add_argument("--goldens", default=os.environ.get("WEIR_GOLDENS"), help="folder of reference answers (WEIR_GOLDENS)")
    parser.add_argument("--levels", default="ref", help="CPU levels, separated by commas")
    return parser


def run_weir(weir, level, *words, text=None):
    """Standard output of one call; Failure with everything that is known when it fails."""
    environment = dict(os.environ, WEIR_CPU=level)
    done = subprocess.run([weir, *words], input=text, capture_output=True, env=environment)
    if done.returncode != 0:
        command = " ".join(str(word) for word in words)[:200]
        raise Failure(f"weir {command}: exit status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


class Failure(Exception):
    """weir did not answer; the message says why."""


def logits(weir, level, model, ids, ctx):
    """The logits of every position: float32, row after row of the vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.f32"
        run_weir(weir, level, "logits", "-m", model, "--ids", " ".join(map(str, ids)), "--ctx", str(ctx), "--kv", "f32",
                 "-o", out)
        return floats(out)


def floats(path):
    """The little-endian float32 values of a file."""
    values = array.array("f")
    values.frombytes(Path(path).read_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    return values


def deviation(values):
    """Standard deviation of all values (population)."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


def rms_difference(a, b):
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b)) / len(a))


def mean_nll(values, ids):
    """Mean negative log-likelihood of ids[1:], each predicted from the position before it. values: [len(ids), n_vocab]."""
    n_vocab = len(values) // len(ids)
    total = 0.0
    for position, target in enumerate(ids[1:]):
        row = values[position * n_vocab:(position + 1) * n_vocab]
        top = max(row)
        total += top + math.log(math.fsum(math.exp(v - top) for v in row)) - row[target]
    return total / (len(ids) - 1)


def load_json(goldens, name):
    """A missing fixture is a failure, not a skip."""
    if not goldens:
        raise SystemExit("golden: name the folder of reference answers by --goldens or WEIR_GOLDENS")
    path = Path(goldens) / name
    if not path.is_file():
        raise SystemExit(f"golden: {path} is missing")
    return json.loads(path.read_text(encoding="utf-8"))


def print_table(header, rows):
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def finish(what, passed, failed):
    """Prints the closing line and returns the exit status; nothing checked is a failure too."""
    print(f"{what}: {passed} passed, {failed} failed")
    return 0 if passed and not failed else 1
