"""Random schemas and instances: weir constrain against python-jsonschema.

    tests/constrain/differ.py --weir build/cli/weir --vocabulary FILE.gguf [--schemas 400] [--seed N]

Needs PyPI or Debian jsonschema. Schemas and instances come from one small set of names, words and numbers, so that they meet often.
A served schema must accept exactly the instances that jsonschema calls valid; refused ones are counted. The seed is printed.
"""
import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema

NAMES = ["a", "b", "ab", "c d", "\u00e9"]
WORDS = ["", "a", "ab", "b c", "aab", "\u00e9t\u00e9", "\U0001f600", "x\"y\\z", "2024-02-29"]
NUMBERS = [0, 1, -1, 2, 3, 7, 12, 1.5, -0.25, 100, 2.0, 123456789012345678901234567890]
PATTERNS = ["^a", "b$", "^[ab]*$", "a.*b", "^[A-Za-z0-9_]+$", "^.{1,3}$"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, values, low=0, high=3):
        return self.random.sample(values, min(len(values), self.random.randint(low, high)))

    def value(self, depth=0):
        kind = self.random.randrange(7 if depth < 3 else 5)
        if kind == 0:
            return self.random.choice([None, True, False])
        if kind in (1, 2):
            return self.random.choice(NUMBERS)
        if kind in (3, 4):
            return self.random.choice(WORDS)
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {name: self.value(depth + 1) for name in self.some(NAMES, 0, 4)}

    def schema(self, depth=0):
        if self.random.random() < 0.05:
            return self.random.random() < 0.8
        schema = {}
        for part in self.some([self.scalar, self.number, self.string, self.array, self.object, self.logic], 1, 2):
            part(schema, depth)
        return schema

    def scalar(self, schema, depth):
        kind = self.random.randrange(4)
        types = ["null", "boolean", "integer", "number", "string", "array", "object"]
        if kind == 0:
            schema["enum"] = [self.value(2) for _ in range(self.random.randint(1, 4))]
        elif kind == 1:
            schema["const"] = self.value(1)
        else:
            schema["type"] = self.random.choice(types) if kind == 2 else self.some(types, 1, 4)

    def number(self, schema, depth):
        for name in self.some(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], 1, 2):
            schema[name] = self.random.choice(NUMBERS)
        if self.random.random() < 0.3:
            schema["multipleOf"] = self.random.choice([1, 2, 3, 7, 0.5, 0.25])

    def string(self, schema, depth):
        if self.random.random() < 0.5:
            schema["pattern"] = self.random.choice(PATTERNS)
        for name in self.some(["minLength", "maxLength"], 0, 2):
            schema[name] = self.random.randrange(5)

    def array(self, schema, depth):
        if depth > 2:
            return
        if self.random.random() < 0.5:
            schema["items"] = self.schema(depth + 1)
        if self.random.random() < 0.3:
            schema["prefixItems"] = [self.schema(depth + 1) for _ in range(self.random.randint(1, 2))]
        if self.random.random() < 0.2:
            schema["contains"] = self.schema(depth + 1)
            for name in self.some(["minContains", "maxContains"]):
                schema[name] = self.random.randrange(3)
        for name in self.some(["minItems", "maxItems"], 0, 2):
            schema[name] = self.random.randrange(4)

    def object(self, schema, depth):
        if depth > 2:
            return
        schema["properties"] = {name: self.schema(depth + 1) for name in self.some(NAMES, 0, 3)}
        if self.random.random() < 0.6:
            schema["required"] = self.some(NAMES, 0, 2)
        if self.random.random() < 0.3:
            schema["additionalProperties"] = self.schema(depth + 1)
        if self.random.random() < 0.2:
            schema["patternProperties"] = {self.random.choice(PATTERNS): self.schema(depth + 1)}
        if self.random.random() < 0.15:
            schema["propertyNames"] = {"maxLength": self.random.randint(1, 2)}
        if self.random.random() < 0.2:
            schema["dependentRequired"] = {self.random.choice(NAMES): self.some(NAMES, 1, 2)}
        for name in self.some(["minProperties", "maxProperties"], 0, 1):
            schema[name] = self.random.randrange(4)

    def logic(self, schema, depth):
        if depth > 1:
            return
        kind = self.random.choice(["allOf", "anyOf", "oneOf", "not", "if"])
        if kind == "not":
            schema["not"] = self.schema(depth + 1)
        elif kind == "if":
            for name in ["if", *self.some(["then", "else"], 1, 2)]:
                schema[name] = self.schema(depth + 1)
        else:
            schema[kind] = [self.schema(depth + 1) for _ in range(self.random.randint(1, 3))]


def make_row(maker, number):
    schema = maker.schema()
    validator = jsonschema.Draft202012Validator(schema)
    row = {"id": f"{number}", "schema": schema, "valid": [], "invalid": []}
    for _ in range(20):
        data = maker.value()
        if validator.is_valid(data):
            row["valid"].append(data)
        else:
            row["invalid"].append({"why": "generated", "data": data})
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--schemas", type=int, default=400)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    maker = Maker(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        rows, notes = Path(folder) / "rows.jsonl", Path(folder) / "notes.tsv"
        rows.write_text("".join(json.dumps(make_row(maker, i)) + "\n" for i in range(args.schemas)))
        out = subprocess.run([args.weir, "constrain", "-m", args.vocabulary, "--suite", rows, "--json", "--verbose", notes],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        counts = json.loads(out)
        print(out.strip())
        schemas = {row["id"]: row["schema"] for row in map(json.loads, rows.read_text().splitlines())}
        for line in notes.read_text().splitlines():
            number, what, text = line.split("\t")
            if what in ("valid rejected", "invalid accepted"):
                print(f"{what}: {text} by {json.dumps(schemas[number])}", file=sys.stderr)
    return 1 if counts["valid_rejected"] or counts["invalid_accepted"] else 0


if __name__ == "__main__":
    sys.exit(main())
