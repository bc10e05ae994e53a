#!/usr/bin/env python3
"""Renders every NAME.jinja of this folder with jinja2 for the message lists of cases.json and writes NAME.json.

Needs jinja2 3.1. The environment is the one in which published chat templates are rendered: sandboxed, trim_blocks,
lstrip_blocks, loop controls, tojson as json.dumps(ensure_ascii=False)."""
import datetime
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import SandboxedEnvironment

NOW = datetime.datetime(2026, 7, 26, 12, 0)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def main():
    folder = pathlib.Path(__file__).parent
    env = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=NOW.strftime)
    cases = json.loads((folder / "cases.json").read_text())
    for path in sorted(folder.glob("*.jinja")):
        results = []
        for case in cases:
            variables = {key: value for key, value in case.items() if key != "name"}
            try:
                text = env.from_string(path.read_text()).render(bos_token="<s>", eos_token="</s>", **variables)
                results.append({"case": case["name"], "text": text})
            except jinja2.exceptions.TemplateError as error:
                results.append({"case": case["name"], "error": f"{type(error).__name__}: {error}"})
        path.with_suffix(".json").write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


main()
