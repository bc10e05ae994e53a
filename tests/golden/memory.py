"""Compares the memory that weir inspect --memory predicts with the most that weir bench had resident, for real models.

    python3 tests/golden/memory.py --weir build/cli/weir [--levels avx2,avx512vnni] [--ctx 256,1024] MODEL.gguf ...

One line a case; fails when one is more than a tenth off, or when a model that is given too little memory is not refused."""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TOLERANCE = 0.10
REFUSED = 4


def run(weir, level, *words):
    environment = dict(os.environ, WEIR_CPU=level) if level else None
    return subprocess.run([weir, *map(str, words)], capture_output=True, text=True, env=environment)


def numbers(weir, level, *words):
    done = run(weir, level, *words)
    if done.returncode:
        raise SystemExit(f"memory: weir {' '.join(map(str, words))}: {done.stderr}")
    return json.loads(done.stdout)


def check(weir, level, model, ctx, kv):
    """True when the prediction holds."""
    predicted = numbers(weir, level, "inspect", "--memory", "--json", "--ctx", ctx, "--kv", kv, model)
    measured = numbers(weir, level, "bench", "-m", model, "-p", ctx, "-n", 0, "-r", 1, "--kv", kv, "--memory", "--json")
    off = predicted["total_bytes"] / measured["peak_rss_bytes"] - 1
    print(f"{Path(model).name} ctx {ctx} {kv} {measured['cpu_level']}: predicted {predicted['total_bytes'] / 1e6:.1f} MB, "
          f"measured {measured['peak_rss_bytes'] / 1e6:.1f} MB ({100 * off:+.1f} %), "
          f"loaded in {measured['load_s']:.1f} s")
    limit = predicted["total_bytes"] - predicted["process_bytes"] - predicted["tokenizer_bytes"] - 1000000
    done = run(weir, level, "bench", "-m", model, "-p", ctx, "-n", 0, "--kv", kv, "--memory-limit", limit)
    if done.returncode != REFUSED or "are missing" not in done.stderr:
        print(f"memory: {model}: expected a refusal at {limit} bytes, found status {done.returncode}: {done.stderr}")
        return False
    return abs(off) <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--levels", default="")
    parser.add_argument("--ctx", default="256,1024")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    good = True
    for model in args.models:
        for level in [level for level in args.levels.split(",") if level != "ref"] or [""]:
            for ctx in map(int, args.ctx.split(",")):
                for kv in ("f16", "q8_0"):
                    good &= check(args.weir, level, model, ctx, kv)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
