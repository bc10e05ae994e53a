"""Random conversations through `weir template` and through jinja2: the same bytes, or an error of both.

    python3 tests/task/differ.py --weir PROGRAM [--seconds N] [--seed N] TEMPLATE...      (needs PyPI jinja2; gguf for models)

TEMPLATE is a file NAME.jinja or a model NAME.gguf, whose own chat template is taken. Conversations have odd roles, orders, Unicode, line ends, JSON
values of every type, and texts that spell the template's own markup; no NUL in keys, which weir refuses to read. weir may give up on something (exit status 4, "not supported") where
jinja2 does not; that is counted, and is a failure with --complete. Prints the seed.
"""
import argparse
import collections
import datetime
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import jinja2
import jinja2.ext
from jinja2.sandbox import SandboxedEnvironment

NOW = datetime.datetime(2026, 7, 26, 12, 0)
REFUSED = 4
ROLES = ["system", "user", "assistant", "tool", "developer", "function", "model", "ipython", "", "User", "<|im_end|>", "é"]
WORDS = ["Hello", "card", "é", "中文", "🦙", "e\u0301", "\u200b", "\u202e", "\ufeff", "\u00a0", "\u2028", "\x85", "\x0b", "\x1d", "\r", "\x00", "\x1b[0m", "\t", "\n", "\r\n", "\n\n", "  ",
         "\"", "'", "\\", "\\n", "{{ x }}", "{% raw %}", "{# c #}", "%}", "}}", "<", ">", "&", "</s>", "<s>", "[INST]", "[/INST]", "<think>", "</think>",
         "<|im_start|>", "<|im_end|>", "<|end|>", "<|eot_id|>", "<end_of_turn>", "<|im", "_end|>", "42", "ß", "İ", "Ǆ", "\u0378"]


def environment():
    """The one in which published templates are rendered."""
    env = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=NOW.strftime)
    return env


def markup(source):
    """What the template writes between angle or square brackets: text that users may write too."""
    return sorted(set(re.findall(r"<[^<>\s{}]{1,30}>|\[/?[A-Z_]+\]", source))) or ["<|x|>"]


def text(rng, own):
    return "".join(rng.choice(own if rng.random() < 0.3 else WORDS) + rng.choice(["", "", " "]) for _ in range(rng.randint(0, 8)))


def value(rng, own, depth=0):
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [value(rng, own, depth + 1) for _ in range(rng.randint(0, 3))]
    if kind == 7:
        return {text(rng, own).replace("\0", "") or "k": value(rng, own, depth + 1) for _ in range(rng.randint(0, 3))}
    return [text(rng, own), rng.randint(-99, 10**9), rng.choice([0.5, -1.25, 1e22, 3.0, 1e-7]), True, False, None][kind]


def tool(rng, own):
    parameters = {"type": "object", "properties": {rng.choice(["city", "é", "a b"]): {"type": "string", "description": text(rng, own)}},
                  "required": ["city"]}
    return {"type": "function", "function": {"name": rng.choice(["find", "get_weather", "x"]), "description": text(rng, own), "parameters": parameters}}


def message(rng, own, role):
    made = {"role": role, "content": text(rng, own)}
    if role == "assistant" and rng.random() < 0.15:
        made["tool_calls"] = [{"id": "call_0001", "type": "function",
                               "function": {"name": "find", "arguments": {"city": value(rng, own, 2)}}}]
    if role == "assistant" and rng.random() < 0.1:
        made["reasoning_content"] = text(rng, own)
    if role == "tool":
        made |= {"name": "find", "tool_call_id": "call_0001"}
    if rng.random() < 0.03:
        made["content"] = rng.choice([None, [], [{"type": "text", "text": text(rng, own)}], 7])
    if rng.random() < 0.03:
        made["extra"] = value(rng, own)
    return made


def roles(rng):
    """Mostly the order that templates expect, sometimes any."""
    if rng.random() < 0.15:
        return [rng.choice(ROLES) for _ in range(rng.randint(0, 5))]
    made = ["system"] if rng.random() < 0.4 else []
    for _ in range(rng.randint(1, 3)):
        made += ["user", "assistant"]
    return made[:-1] if rng.random() < 0.8 else made


def request(rng, own):
    made = {"messages": [message(rng, own, role) for role in roles(rng)]}
    if rng.random() < 0.8:
        made["add_generation_prompt"] = rng.random() < 0.8
    if rng.random() < 0.25:
        made["tools"] = rng.choice([None, [], [tool(rng, own) for _ in range(rng.randint(1, 2))]])
    if rng.random() < 0.3:
        made["enable_thinking"] = rng.random() < 0.5
    if rng.random() < 0.1:
        made[rng.choice(["custom", "documents", "date_string", "tool_choice"])] = value(rng, own)
    return made


def by_jinja(template, made):
    """(text, None) or (None, what jinja2 or the template's own Python raised)."""
    try:
        return template.render(bos_token="<s>", eos_token="</s>", **made), None
    except Exception as error:  # noqa: BLE001: whatever a template does wrong
        return None, f"{type(error).__name__}: {error}"


def by_weir(weir, option, path, made):
    words = [weir, "template", option, path, "--bos", "<s>", "--eos", "</s>", "--now", NOW.isoformat()]
    return subprocess.run(words, input=json.dumps(made, ensure_ascii=False).encode(), capture_output=True)


class Differ:
    def __init__(self, options):
        self.options, self.env = options, environment()
        self.reasons = collections.Counter()
        self.rendered = self.refused = self.unsupported = self.failed = 0

    def compare(self, path, template, made):
        expected, error = by_jinja(template, made)
        option = "-m" if path.suffix == ".gguf" else "--template"
        done = by_weir(self.options.weir, option, path, made)
        complaint = done.stderr.decode(errors="replace").strip()
        if done.returncode == REFUSED and "not supported" in complaint and not error:
            self.unsupported += 1
            self.reasons[complaint.split(": ", 2)[-1]] += 1
            if not self.options.complete:
                return
        elif done.returncode == 0 and expected is not None and done.stdout == expected.encode(errors="surrogatepass"):
            self.rendered += 1
            return
        elif done.returncode in (1, REFUSED) and error and not done.stdout:
            self.refused += 1
            return
        self.failed += 1
        if self.failed <= 5:
            print(f"{path}: {json.dumps(made, ensure_ascii=False)}\n  jinja2 {expected!r} {error}\n  weir   {done.returncode} "
                  f"{done.stdout.decode(errors='replace')!r} {complaint}")

    def sources(self):
        for name in self.options.templates:
            path = Path(name)
            if path.suffix == ".gguf":
                import gguf
                field = gguf.GGUFReader(path).fields["tokenizer.chat_template"]
                source = bytes(field.parts[field.data[0]]).decode()
            else:
                source = path.read_text()
            try:
                yield path, source, self.env.from_string(source)
            except jinja2.exceptions.TemplateSyntaxError as error:
                print(f"{path}: left out, jinja2 does not read it: {error}")

    def run(self, rng):
        found = list(self.sources())
        end = time.monotonic() + self.options.seconds
        rounds = 0
        while found and time.monotonic() < end:
            for path, source, template in found:
                self.compare(path, template, request(rng, markup(source)))
            rounds += 1
        print(f"{len(found)} templates, {rounds} conversations each: {self.rendered} renderings equal, {self.refused} refused by both, "
              f"{self.unsupported} not supported by weir, {self.failed} wrong")
        for reason, count in self.reasons.most_common(8):
            print(f"  not supported, {count} times: {reason}")
        return 0 if self.rendered and not self.failed else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weir", required=True, help="the program to test")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--complete", action="store_true", help="what weir does not support is a failure")
    parser.add_argument("templates", nargs="+")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    return Differ(options).run(random.Random(options.seed))


if __name__ == "__main__":
    sys.exit(main())
