"""What the simulated frontier knows: gold labels, an accuracy, a latency. The same text always gets the same answer.

It sees requests as a real model would: instructions, a text somewhere in them, and a schema or a list of choices. It finds the longest
gold text that the request contains, and answers its label, or in the stated share of texts another one of the choices.
"""
import hashlib
import json
import math
import random

CHARS_PER_TOKEN = 4  # of English text, roughly


def tokens_of(text):
    return max(1, (len(text) + CHARS_PER_TOKEN - 1) // CHARS_PER_TOKEN)


class Brain:
    def __init__(self, gold_paths, accuracy=0.96, latency_ms=800.0, seed=1):
        self.gold = {}
        for path in gold_paths:
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    if "label" in row:
                        self.gold[row["text"]] = row["label"]
        self.texts = sorted(self.gold, key=len, reverse=True)
        self.accuracy, self.latency_ms, self.seed = accuracy, latency_ms, seed

    def _random(self, *parts):
        digest = hashlib.sha256("\x00".join([str(self.seed), *map(str, parts)]).encode()).digest()
        return random.Random(int.from_bytes(digest[:8], "big"))

    def latency_s(self, text, attempt):
        """Log-normal around the median: sigma 0.35 puts the 99th percentile at 2.3 times it."""
        return self.latency_ms / 1000 * math.exp(0.35 * self._random("latency", text, attempt).gauss(0, 1))

    def find(self, prompt):
        """The gold text in the prompt, or None."""
        if prompt in self.gold:
            return prompt
        return next((text for text in self.texts if text and text in prompt), None)

    def choose(self, prompt, choices):
        """(choice, probabilities of all choices). Unknown texts get a choice at random."""
        if not choices:
            return None, {}
        text = self.find(prompt)
        draw = self._random("answer", text if text is not None else prompt)
        gold = self.gold.get(text)
        right = draw.random() < self.accuracy
        if gold in choices and right:
            choice = gold
        else:
            others = [c for c in choices if c != gold] or list(choices)
            choice = draw.choice(others)
        sure = min(0.999, max(1.0 / len(choices), draw.betavariate(12, 1.2) if right else draw.betavariate(4, 3)))
        rest = (1 - sure) / (len(choices) - 1) if len(choices) > 1 else 0
        return choice, {c: sure if c == choice else rest for c in choices}

    def fill(self, schema, prompt, root=None):
        """An instance of a JSON Schema: enumerations are the questions, everything else is made as small as the schema allows."""
        root = root or schema
        while "$ref" in schema:
            target = root
            for part in schema["$ref"].lstrip("#/").split("/"):
                target = target[part]
            schema = target
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.fill(schema[key][0], prompt, root)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.choose(prompt, schema["enum"])[0]
        kind = schema.get("type", "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return {name: self.fill(part, prompt, root) for name, part in schema.get("properties", {}).items()
                    if name in schema.get("required", schema.get("properties", {}))}
        if kind == "array":
            return [self.fill(schema.get("items", {}), prompt, root) for _ in range(schema.get("minItems", 0))]
        if kind in ("number", "integer"):
            return schema.get("minimum", 0.9 if kind == "number" else 0)
        return {"boolean": False, "null": None}.get(kind, "x" * max(schema.get("minLength", 0), 1))

    def plain(self, prompt):
        """An answer without a schema: the label of the text, or one line about it."""
        text = self.find(prompt)
        if text is None:
            return "I cannot tell."
        labels = sorted(set(self.gold.values()))
        named = [label for label in labels if label in prompt]
        return self.choose(prompt, named or labels)[0]
