"""`weir template` against reference renderings: every case of every template, byte for byte.

    python3 tests/golden/templates.py --weir PROGRAM --goldens FOLDER

FOLDER/templates holds cases.json (message lists with variables), NAME.jinja and NAME.json: what jinja2 gave for each case with bos_token "<s>",
eos_token "</s>" and the time 2026-07-26 12:00, or the error. Where the template itself raised, weir must refuse with the same words and
print nothing.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import common

# An extension of the training tools that the environment of the reference did not load; weir renders its body.
UNKNOWN_TAG = "unknown tag 'generation'"


def render(weir, template, request):
    return subprocess.run([weir, "template", "--template", template, "--bos", "<s>", "--eos", "</s>", "--now", "2026-07-26T12:00:00"],
                          input=json.dumps(request, ensure_ascii=False).encode(), capture_output=True)


def difference(done, golden):
    """What is wrong, or None."""
    found, complaint = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace").strip()
    if "text" in golden:
        if done.returncode == 0 and done.stdout == golden["text"].encode() and not complaint:
            return None
        return f"expected {golden['text']!r}\n  found    {found!r} {complaint}"
    said = golden["error"].split(": ", 1)[1]
    if UNKNOWN_TAG in said and done.returncode == 0:
        return None
    if done.returncode != 0 and not found and complaint.endswith(said):
        return None
    return f"expected the error {said!r}\n  found    status {done.returncode}, {found!r} {complaint}"


def main():
    options = common.arguments(__doc__.split("\n")[0]).parse_args()
    cases = {case["name"]: case for case in common.load_json(options.goldens, "templates/cases.json")}
    passed = failed = 0
    for path in sorted((Path(options.goldens) / "templates").glob("*.jinja")):
        for golden in common.load_json(options.goldens, f"templates/{path.stem}.json"):
            wrong = difference(render(os.path.abspath(options.weir), path, cases[golden["case"]]), golden)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"{path.name}, case {golden['case']}:\n  {wrong}")
    return common.finish("templates", passed, failed)


if __name__ == "__main__":
    sys.exit(main())
