"""Compares the logits of every position with reference answers, for each small model and CPU level.

    python3 tests/golden/logits.py --weir build/cli/weir --goldens FOLDER --levels ref,avx2

FOLDER/logits/manifest.json lists the cases. Measure: RMS of the difference over the standard deviation of the reference.
  - float32 weights: at most 1e-5 (agreement to rounding). llama.cpp's Gemma models are not exact, so weir is held to that bound against
    reference.py (rows "... exact") and to a wider one against llama.cpp;
  - quantised weights (named quant-*): at most 1.15 times llama.cpp's own distance from the same reference, which is
    float32 arithmetic over the dequantised weights.
Cases of architectures that weir does not read yet are named and neither passed nor failed.
"""
import math
import struct
import sys
from pathlib import Path

import common
import reference

SUPPORTED = ("llama", "gemma2", "gemma3", "phi3", "qwen2", "qwen3")  # architectures weir reads
FLOAT_BOUND = 1e-5
# Architectures for which llama.cpp's answers are not exact, with our exact model and the bound against llama.cpp. llama.cpp's CPU code reads
# gelu from a table of 16-bit floats: its gemma3 answers are 4.4e-4 from exact arithmetic, its gemma2 answers 3.4e-4
# (docs/models/gemma3.md, gemma2.md). The bounds still show that reference.py is the right model: in gemma3 a window one key off, a
# wrong rotary base, no linear scaling or another layer pattern give 0.04 to 0.5 (gelu's erf form only 5.1e-4); in gemma2 a window one
# key off or the other layers local give 0.2 to 0.8, no cap on the scores 8.5e-4.
EXACT = {"gemma2": (reference.Gemma2, 6e-4), "gemma3": (reference.Gemma3, 1e-3)}
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


def targets(folder, case, family):
    """What a case is compared with: (name, expected logits, bound)."""
    name = case["logits"].removesuffix(".f32")
    golden = common.floats(folder / case["logits"])
    if name.startswith("quant-"):
        return [(name, golden, QUANT_FACTOR * case["llama_cpp_rel_rms"])]
    if family not in EXACT:
        return [(name, golden, FLOAT_BOUND)]
    model, table_bound = EXACT[family]
    exact = model(folder / case["model"]).logits(case["tokens"])
    return [(f"{name} exact", exact, FLOAT_BOUND), (f"{name} llama.cpp", golden, table_bound)]


def compare(found, expected):
    """Relative RMS difference; NaN, which no bound admits, when there is nothing to compare."""
    if len(found) != len(expected):
        return math.nan
    return common.rms_difference(found, expected) / common.deviation(expected)


def check(options, folder, case, expectations, level):
    """The rows of the table for one case at one level, each with whether it passed."""
    peer = f"{case['llama_cpp_rel_rms']:.2e}" if "llama_cpp_rel_rms" in case else "-"
    try:
        found = common.logits(options.weir, level, folder / case["model"], case["tokens"], case["n_ctx"])
    except common.Failure as failure:
        print(f"{case['logits']} at {level}: {failure}")
        found = []
    results = []
    for name, expected, bound in expectations:
        if found and len(found) != len(expected):
            print(f"{name} at {level}: {len(found)} logits, expected {len(expected)}")
        error = compare(found, expected)
        passed = error <= bound  # false for NaN
        results.append(([name, level, f"{error:.2e}", f"{bound:.2e}", peer, "ok" if passed else "FAILED"], passed))
    return results


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
        expectations = targets(folder, case, family)
        for level in options.levels.split(","):
            for row, good in check(options, folder, case, expectations, level):
                rows.append(row)
                passed, failed = passed + good, failed + (not good)
    common.print_table(["case", "level", "relative RMS", "bound", "llama.cpp", ""], rows)
    for family, names in sorted(uncovered.items()):
        print(f"not covered yet: architecture {family}: {', '.join(names)}")
    return common.finish("logits", passed, failed)


if __name__ == "__main__":
    sys.exit(main())
