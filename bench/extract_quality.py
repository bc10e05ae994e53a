#!/usr/bin/env python3
"""Measures extraction on two public data sets and prints Markdown tables (docs/quality.md holds them).

    WEIR_DATA=DIR bench/extract_quality.py --weir build/cli/weir -m MODEL.gguf [-m MODEL2.gguf] [--rows 300] [--work DIR]

DIR holds restaurant8k/ and snips/ with train.jsonl and test.jsonl (`id`, `text`, `slots`: a list of {field, value}; snips also
`label`, the intent). --rows test rows are drawn with a fixed seed; zero-shot, so nothing is learned from the others.

  fields      every value is a string of at most 60 characters that the schema lets be null. restaurant8k: its five fields. snips:
              one schema an intent, its fields only; the intent is given
  F1          micro-averaged over fields: a value counts when it is the gold value, character by character; null is no value.
              95 % intervals: bootstrap over rows, 2,000 resamples, fixed seed
  shape       answers that jsonschema (Draft 2020-12) accepts under the schema, of those given
  errors      rows without an answer (not ended within 1,000 tokens): all their values count as missed
  floor       no model: for each field the longest value of the training rows that stands in the text as words
  null        no model: no field at all
"""
import argparse
import json
import os
import random
import re
import subprocess
import tempfile
import time
from pathlib import Path

import jsonschema

SEED = 20260101
RESAMPLES = 2000
FIELDS = {"people": "how many people the table is for", "date": "the day of the visit", "time": "the time of the visit",
          "first_name": "the guest's first name", "last_name": "the guest's last name"}


def read_rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def schema_of(fields):
    properties = {name: {"type": ["string", "null"], "maxLength": 60} | ({"description": words} if words else {})
                  for name, words in fields.items()}
    return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}


def tasks(data, name, rows):
    """(what it is called, schema, instructions, rows) for each schema of the data set."""
    if name == "restaurant8k":
        return [(name, schema_of(FIELDS), "Find what the guest says about booking a table in a restaurant.", rows)]
    intents = json.loads((data / name / "labels.json").read_text())
    return [(f"{name}-{intent}", schema_of(dict.fromkeys(fields)), f"Find the details of the request ({intent}).",
             [row for row in rows if row["label"] == intent]) for intent, fields in intents.items()]


def gold(row):
    return {slot["field"]: slot["value"] for slot in row["slots"]}


def found(value):
    return {field: text for field, text in value.items() if text is not None}


def ask(weir, model, work, name, schema, instructions, rows):
    """The answers of weir decide, in order, and the seconds it took with the model loaded."""
    (work / f"{name}.schema.json").write_text(json.dumps(schema))
    task = work / f"{name}.yaml"
    task.write_text(f"task: {name}\ninstructions: {json.dumps(instructions)}\ntype: extract\nschema: {name}.schema.json\nmax_tokens: 1000\n")
    source = work / f"{name}.jsonl"
    source.write_text("".join(json.dumps({"id": row["id"], "text": row["text"]}) + "\n" for row in rows))
    start = time.monotonic()
    done = subprocess.run([weir, "decide", "-q", "-t", task, "-m", model, source], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - start


def dictionary(train):
    """field: its values in the training rows, the longest first, lower case."""
    values = {}
    for row in train:
        for slot in row["slots"]:
            values.setdefault(slot["field"], set()).add(slot["value"].lower())
    return {field: sorted(known, key=lambda value: (-len(value), value)) for field, known in values.items()}


def look_up(known, text):
    lower = text.lower()
    for value in known:
        at = lower.find(value)
        if at >= 0 and re.search(r"(?<!\w)" + re.escape(value) + r"(?!\w)", lower):
            at = re.search(r"(?<!\w)" + re.escape(value) + r"(?!\w)", lower).start()
            return text[at:at + len(value)]
    return None


def f1(counts):
    right, given, there = (sum(column) for column in zip(*counts))
    return 2 * right / (given + there) if given + there else 1.0


def count(answers, rows):
    """(right, given, in the gold) of each row."""
    return [(sum(gold(row).get(field) == text for field, text in answer.items()), len(answer), len(row["slots"]))
            for answer, row in zip(answers, rows)]


def interval(counts):
    rng = random.Random(SEED)
    values = sorted(f1(rng.choices(counts, k=len(counts))) for _ in range(RESAMPLES))
    return values[int(0.025 * RESAMPLES)], values[int(0.975 * RESAMPLES) - 1]


def percent(counts):
    low, high = interval(counts)
    right, given, there = (sum(column) for column in zip(*counts))
    return (f"{100 * f1(counts):.1f} % [{100 * low:.1f}, {100 * high:.1f}]",
            f"{100 * right / given:.1f} %" if given else "–", f"{100 * right / there:.1f} %" if there else "–")


def calibration_error(pairs):
    """Expected calibration error, 15 equal bins, of (probability, is right)."""
    bins = {}
    for p, right in pairs:
        bins.setdefault(min(int(p * 15), 14), []).append((p, right))
    return sum(abs(sum(p for p, _ in b) - sum(r for _, r in b)) for b in bins.values()) / len(pairs)


def line(*cells):
    print("| " + " | ".join(cells) + " |")


def measure(args, data, name, work):
    rng = random.Random(SEED)
    rows = read_rows(data / name / "test.jsonl")
    rows = [rows[i] for i in sorted(rng.sample(range(len(rows)), min(args.rows, len(rows))))]
    plan = tasks(data, name, rows)
    ordered = [row for _, _, _, part in plan for row in part]
    print(f"\n{name}, {len(ordered)} test rows, {sum(len(row['slots']) for row in ordered)} values:\n")
    line("answered by", "exact-match F1", "precision", "recall", "shape valid", "errors", "ECE of fields", "rows/s")
    line(*["---"] * 8)
    for model in args.model:
        answers, pairs, valid, given, seconds = [], [], 0, 0, 0
        for task, schema, instructions, part in plan:
            if not part:
                continue
            done, took = ask(args.weir, model, work, task, schema, instructions, part)
            seconds += took
            checker = jsonschema.Draft202012Validator(schema)
            given += sum("value" in answer for answer in done)
            valid += sum("value" in answer and checker.is_valid(answer["value"]) for answer in done)
            answers += [found(answer.get("value", {})) for answer in done]
            pairs += [(field["probability"], field["value"] == gold(row).get(key)) for answer, row in zip(done, part)
                      for key, field in answer.get("fields", {}).items()]
        line(Path(model).stem, *percent(count(answers, ordered)), f"{valid} of {given}", str(len(ordered) - given), f"{calibration_error(pairs):.3f}", f"{len(ordered) / seconds:.1f}")
    known = dictionary(read_rows(data / name / "train.jsonl"))
    fields = {id(row): schema["properties"] for _, schema, _, part in plan for row in part}
    floor = [{field: text for field in fields[id(row)] if (text := look_up(known.get(field, []), row["text"]))} for row in ordered]
    line("floor: dictionary of the training rows", *percent(count(floor, ordered)), "–", "–", "–", "–")
    line("floor: null", *percent(count([{}] * len(ordered), ordered)), "–", "–", "–", "–")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/cli/weir")
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--sets", default="restaurant8k,snips")
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    data = Path(os.environ["WEIR_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        for name in args.sets.split(","):
            measure(args, data, name, work)


if __name__ == "__main__":
    main()
