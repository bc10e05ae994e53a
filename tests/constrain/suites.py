"""Runs `weir constrain --suite` over two public collections and holds the counts against what was reached.

    tests/constrain/suites.py --weir build/cli/weir --data FOLDER --vocabulary FILE.gguf

FOLDER holds json_schema_bench/test.jsonl and json_schema_test_suite/test.jsonl. Fails when a valid instance is rejected or an
invalid one accepted (bench: valid ones up to 0.1 %), or when fewer schemas are served than before.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

# name, file, arguments, share of schemas served at least, share of valid instances rejected at most
SUITES = [
    ("bench", "json_schema_bench/test.jsonl", [], 0.98, 0.001),
    ("test suite", "json_schema_test_suite/test.jsonl", ["--suite-format", "tests"], 0.87, 0.0),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--vocabulary", required=True)
    args = parser.parse_args()
    good = True
    for name, file, extra, served, rejected in SUITES:
        command = [args.weir, "constrain", "-m", args.vocabulary, "--suite", str(args.data / file), "--json", *extra]
        counts = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(name, json.dumps(counts))
        wrong = []
        if counts["served"] < served * counts["schemas"]:
            wrong.append(f"served {counts['served']} of {counts['schemas']}, expected {served:.0%}")
        if counts["valid_rejected"] > rejected * counts["valid_total"]:
            wrong.append(f"rejected {counts['valid_rejected']} of {counts['valid_total']} valid instances")
        if counts["invalid_accepted"]:
            wrong.append(f"accepted {counts['invalid_accepted']} of {counts['invalid_total']} invalid instances")
        for what in wrong:
            print(f"{name}: {what}", file=sys.stderr)
        good = good and not wrong
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
