"""Compares the logits of every position with reference answers, for each small model and CPU level.

    python3 tests/golden/logits.py --weir build/cli/weir --goldens FOLDER --levels ref,avx2

FOLDER/logits/manifest.json lists the cases. Measure: RMS of the difference over the standard deviation of the reference.
  - float32 weights: at most 1e-5 (agreement to rounding);
  - quantised weights (named quant-*): at most 1.15 times llama.cpp's own distance from the same reference, which is
    float32 arithmetic over the dequantised weights.
Cases of architectures that weir does not read yet are named and neither passed nor failed.
"""
import struct
import sys
from pathlib import Path

import common

SUPPORTED = ("llama", "gemma3")  # architectures weir reads
FLOAT_BOUND = 1e-5
QUANT_FACTOR = 1.15


def architecture(path):
    """general.architecture of a GGUF file: key (u64 length, bytes), value type 8 (string), u64 length, bytes."""
    data = path.read_bytes()[:1 << 16]
    key = b"general.architecture"
    at = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key)
    value_type, size = struct.unpack_from("<IQ", data, at)
    if value_type != 8:
        raise SystemExit(f"golden: {path}: general.architecture is not a string")
    return data[at + 12:at + 12 + size].decode()


def check(options, folder, case, level):
    """One row of the table, and whether the case passed."""
    name = case["logits"].removesuffix(".f32")
    bound = QUANT_FACTOR * case["llama_cpp_rel_rms"] if name.startswith("quant-") else FLOAT_BOUND
    peer = f"{case['llama_cpp_rel_rms']:.2e}" if "llama_cpp_rel_rms" in case else "-"
    expected = common.floats(folder / case["logits"])
    try:
        found = common.logits(options.weir, level, folder / case["model"], case["tokens"], case["n_ctx"])
    except common.Failure as failure:
        print(f"{name} at {level}: {failure}")
        return [name, level, "-", f"{bound:.2e}", peer, "FAILED"], False
    if len(found) != len(expected):
        print(f"{name} at {level}: {len(found)} logits, expected {len(expected)}")
        return [name, level, "-", f"{bound:.2e}", peer, "FAILED"], False
    error = common.rms_difference(found, expected) / common.deviation(expected)
    passed = error <= bound  # false for NaN
    return [name, level, f"{error:.2e}", f"{bound:.2e}", peer, "ok" if passed else "FAILED"], passed


def main():
    options = common.arguments(__doc__.splitlines()[0]).parse_args()
    cases = common.load_json(options.goldens, "logits/manifest.json")["cases"]
    folder = Path(options.goldens) / "logits"
    rows, passed, failed, uncovered = [], 0, 0, {}
    for case in cases:
        family = architecture(folder / case["model"])
        if family not in SUPPORTED:
            uncovered.setdefault(family, []).append(case["logits"].removesuffix(".f32"))
            continue
        for level in options.levels.split(","):
            row, good = check(options, folder, case, level)
            rows.append(row)
            passed, failed = passed + good, failed + (not good)
    common.print_table(["case", "level", "relative RMS", "bound", "llama.cpp", ""], rows)
    for family, names in sorted(uncovered.items()):
        print(f"not covered yet: architecture {family}: {', '.join(names)}")
    return common.finish("logits", passed, failed)


if __name__ == "__main__":
    sys.exit(main())
