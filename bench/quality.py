#!/usr/bin/env python3
"""Measures answers on public data sets: tunes, evaluates and prints Markdown tables (docs/quality.md holds them).

    WEIR_DATA=DIR bench/quality.py --weir build/cli/weir -m MODEL.gguf [-m MODEL2.gguf] [--sets support18,scitldr] [--work DIR]

DIR holds a folder a data set, each with JSON Lines files (`id`, `text`, `label`; `lang` where there are several languages) and
labels.json. Rows are bounded: --train rows of the training part and --test rows of the test part, drawn with a fixed seed and
the shares of the labels, so that a run on one model takes minutes. Tasks, rows, profiles and results are left in the --work
folder; what is there already is not done again.

  zero-shot   weir eval --zero-shot on --zero-rows of the test rows
  floor       n-grams alone, learned from the same training rows: no language model (weir eval prints it)
  tuned       weir tune on the training rows, weir eval on the test rows
  scitldr     weir decide with a `summarize` question; ROUGE-L (F1 of the longest common subsequence of lower-case words, the
              best of the references) beside that of the text's first sentence
"""
import argparse
import json
import os
import random
import re
import subprocess
import time
from pathlib import Path

SEED = 20260101


def read_rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def drawn(rows, count):
    """`count` of the rows, every label (and language) with its share of them, in the order of the file."""
    if len(rows) <= count:
        return rows
    groups = {}
    for i, row in enumerate(rows):
        groups.setdefault((row.get("lang"), str(row.get("label"))), []).append(i)
    order = []
    for key in sorted(groups, key=str):
        random.Random(f"{SEED} {key}").shuffle(groups[key])
        order += [((at + 0.5) / len(groups[key]), str(key), i) for at, i in enumerate(groups[key])]
    return [rows[i] for i in sorted(i for _, _, i in sorted(order)[:count])]


# ---- the data sets as tasks ----

def names(values):
    return {value: None for value in values}


def flat(groups):
    return [name for group in groups.values() for name in group]


SETS = {
    "support18": dict(instructions="Sort the customer's message into the category that fits best.",
                      labels=lambda found: {x["label"]: x["description"] for x in found}),
    "banking77": dict(instructions="Sort the customer's message into the intent that fits best.", labels=names),
    "clinc150": dict(instructions="Sort the user's request into the intent that fits best.", rename={"oos": "none_of_these"},
                     train=["train.jsonl", "valid.jsonl"], keep=["none_of_these"],  # so few rows are out of scope that all of them are taken
                     labels=lambda found: names(x for x in flat(found) if x != "oos"), none_of_these=True),
    "tweeteval_sentiment": dict(instructions="Say which sentiment the tweet expresses.", labels=names),
    "sib200": dict(instructions="Say which topic the sentence is about.", labels=names),
    "nlupp": dict(instructions="Say which intents the message has.", field="intents", multi=True,
                  labels=lambda found: {name: about["description"] for name, about in found["intents"].items()}),
    "xsid": dict(instructions="Sort the user's request into the intent that fits best.", train=["valid.jsonl"],
                 labels=lambda found: names(found["intents"])),
}


def write_task(path, name, settings, labels):
    lines = [f"task: {name}", f"instructions: {json.dumps(settings['instructions'])}", "type: choice"]
    if settings.get("multi"):
        lines.append("multi: true")
    if settings.get("none_of_these"):
        lines.append("none_of_these: true")
    lines.append("labels:")
    lines += [f"  {json.dumps(label)}: {json.dumps(text) if text else ''}".rstrip() for label, text in labels.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def labelled(rows, settings):
    rename = settings.get("rename", {})
    field = settings.get("field", "label")
    return [{key: row[key] for key in ("id", "text", "lang") if key in row} |
            {"label": row[field] if isinstance(row[field], list) else rename.get(row[field], row[field])} for row in rows]


# ---- running ----

class Bench:
    def __init__(self, args):
        self.args = args
        self.data = Path(os.environ["WEIR_DATA"])

    def weir(self, *words):
        begun = time.time()
        done = subprocess.run(["nice", str(self.args.weir), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        if done.returncode:
            raise SystemExit(f"weir {' '.join(map(str, words))}: exit status {done.returncode}\n{done.stderr}")
        return done.stdout, time.time() - begun

    def folder(self, model, name):
        folder = self.args.work / Path(model).stem / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def once(self, path, make):
        """The JSON in `path`, made when it is not there."""
        if not path.exists():
            made = make()
            path.write_text(json.dumps(made, indent=1) + "\n")
        return json.loads(path.read_text())

    def evaluate(self, task, model, rows, *options):
        return json.loads(self.weir("eval", "-q", "-t", task, "-m", model, "--json", "-", *options, rows)[0])

    def classification(self, model, name):
        settings, folder = SETS[name], self.folder(model, name)
        source = self.data / name
        found = json.loads((source / "labels.json").read_text())
        task = write_task(folder / "task.yaml", name, settings, settings["labels"](found))
        train = [row for part in settings.get("train", ["train.jsonl"]) for row in labelled(read_rows(source / part), settings)]
        test = labelled(read_rows(source / "test.jsonl"), settings)
        languages = sorted({row["lang"] for row in test if "lang" in row})
        kept = [row for row in train if row["label"] in settings.get("keep", ())]
        train = kept + drawn([row for row in train if row["label"] not in settings.get("keep", ())], self.args.train)
        few = self.args.zero_rows // (6 if settings.get("multi") else 1)  # a prompt for each label
        zero_rows, test = drawn(test, few), drawn(test, self.args.test)
        train_path = write_rows(folder / "train.jsonl", train)
        profile = folder / "profile"

        def tune():
            seconds = self.weir("tune", "-q", "-t", task, "-m", model, "-o", profile, train_path)[1]
            return {"rows": len(train), "seconds": seconds}

        result = {"set": name}
        steps = ["--calibration"] if name in ("support18", "tweeteval_sentiment", "sib200") else []
        result["zero"] = self.once(folder / "zero.json", lambda: self.evaluate(
            task, model, write_rows(folder / "zero.jsonl", zero_rows), "--zero-shot", *steps))
        result["tune"] = self.once(folder / "tune.json", tune)
        result["train"] = result["tune"]["rows"]
        result["tuned"] = self.once(folder / "tuned.json", lambda: self.evaluate(
            task, model, write_rows(folder / "test.jsonl", test), "-p", profile))
        result["languages"] = {}
        for language in languages:
            of = write_rows(folder / f"test.{language}.jsonl", [row for row in test if row["lang"] == language])
            zero_of = write_rows(folder / f"zero.{language}.jsonl", [row for row in zero_rows if row["lang"] == language])
            result["languages"][language] = {
                "tuned": self.once(folder / f"tuned.{language}.json", lambda: self.evaluate(task, model, of, "-p", profile)),
                "zero": self.once(folder / f"zero.{language}.json",
                                  lambda: self.evaluate(task, model, zero_of, "--zero-shot"))}
        return result

    def summaries(self, model):
        folder = self.folder(model, "scitldr")
        rows = drawn(read_rows(self.data / "scitldr" / "test.jsonl"), self.args.summaries)
        task = folder / "task.yaml"
        task.write_text("task: scitldr\ninstructions: Summarize the abstract of a scientific paper in one short sentence.\n"
                        "type: summarize\nmax_tokens: 48\n")

        def decide():
            out, seconds = self.weir("decide", "-q", "-t", task, "-m", model, write_rows(folder / "test.jsonl", rows))
            return {"seconds": seconds, "answers": [json.loads(line)["value"] for line in out.splitlines()]}

        done = self.once(folder / "answers.json", decide)
        ours = [rouge_of(answer, row) for answer, row in zip(done["answers"], rows)]
        first = [rouge_of(first_sentence(row["text"]), row) for row in rows]
        clipped = [rouge_of(first_sentence(answer), row) for answer, row in zip(done["answers"], rows)]
        return {"set": "scitldr", "rows": len(rows), "seconds": done["seconds"], "model": ours, "first": first,
                "model_first": clipped}


# ---- ROUGE-L ----

def words_of(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def rouge_l(answer, reference):
    a, b = words_of(answer), words_of(reference)
    row = [0] * (len(b) + 1)
    for x in a:
        previous = 0
        for j, y in enumerate(b):
            previous, row[j + 1] = row[j + 1], previous + 1 if x == y else max(row[j], row[j + 1])
    common = row[-1]
    return 2 * common / (len(a) + len(b)) if a and b else 0.0


def rouge_of(answer, row):
    return max(rouge_l(answer, reference) for reference in row["summaries"])


def first_sentence(text):
    return re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]


def bootstrap(values, draws=2000):
    """Mean and its 95 % interval over draws of the rows."""
    dice = random.Random(SEED)
    means = sorted(sum(dice.choices(values, k=len(values))) / len(values) for _ in range(draws))
    return sum(values) / len(values), means[int(0.025 * draws)], means[int(0.975 * draws)]


# ---- tables ----

def share(figures):
    return f"{100 * figures['value']:.1f} % [{100 * figures['low']:.1f}, {100 * figures['high']:.1f}]"


def floor_of(tuned):
    """The n-gram head's figures; the same as the tuned ones where the profile answers with it."""
    return tuned["accuracy"].get("floor", tuned["accuracy"]["local"])


def table(title, rows):
    print(f"\n{title}\n\n" + "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:])))


def covered(tuned):
    return f"{100 * next(c['coverage'] for c in tuned['coverage'] if c['max_error'] == 0.05):.1f} %"


def print_sets(model, results):
    rows = [["data set", "labels", "training rows", "zero-shot (rows)", "floor: n-grams", "tuned [95 %]", "head", "rows", "ECE",
             "answered at 5 % error"]]
    for r in results:
        zero, tuned = r["zero"], r["tuned"]
        rows.append([r["set"], len(tuned["classes"]), r["train"], f"{share(zero['accuracy']['local'])} ({zero['rows']})",
                     share(floor_of(tuned)), share(tuned["accuracy"]["local"]), tuned["head"], tuned["rows"],
                     f"{tuned['ece']:.3f}", covered(tuned)])
    table(model, rows)


def print_multi(model, result):
    rows = [["answered from", "exact match [95 %]", "micro F1", "macro F1", "mean ECE of the labels", "rows"]]
    zero, tuned = result["zero"], result["tuned"]
    rows.append(["zero-shot", share(zero["accuracy"]["local"]), f"{zero['micro_f1']:.3f}", f"{zero['macro_f1']:.3f}", f"{zero['ece']:.3f}",
                 zero["rows"]])
    if "floor" in tuned["accuracy"]:
        rows.append(["floor: n-grams", share(tuned["accuracy"]["floor"]), f"{tuned['floor_micro_f1']:.3f}",
                     f"{tuned['floor_macro_f1']:.3f}", "", tuned["rows"]])
    rows.append([f"tuned ({tuned['head']})", share(tuned["accuracy"]["local"]), f"{tuned['micro_f1']:.3f}", f"{tuned['macro_f1']:.3f}",
                 f"{tuned['ece']:.3f}", tuned["rows"]])
    table(f"{model}, {result['set']}: independent labels ({len(tuned['classes'])}, {result['train']} training rows)", rows)


def print_calibration(model, result):
    rows = [["step", "accuracy [95 %]", "change [95 %]", "ECE", "log-loss", "order flips"]]
    for step in result["zero"]["calibration"]:
        change = " ".join(f"{100 * step[key]:+.1f}" for key in ("difference", "difference_low", "difference_high"))
        first, low, high = change.split()
        rows.append([step["step"], share(step["accuracy"]), f"{first} [{low}, {high}]", f"{step['ece']:.3f}", f"{step['nll']:.3f}",
                     f"{100 * step['order_flips']:.1f} %"])
    table(f"{model}, {result['set']}: calibration without labels, {result['zero']['rows']} rows", rows)


def print_languages(model, result):
    rows = [["language", "zero-shot (rows)", "floor: n-grams", "tuned [95 %]", "rows", "ECE"]]
    for language, found in result["languages"].items():
        zero, tuned = found["zero"], found["tuned"]
        rows.append([language, f"{share(zero['accuracy']['local'])} ({zero['rows']})", share(floor_of(tuned)),
                     share(tuned["accuracy"]["local"]), tuned["rows"], f"{tuned['ece']:.3f}"])
    table(f"{model}, {result['set']} ({result['train']} training rows in all languages together)", rows)


def print_out_of_scope(model, result):
    rows = [["answered", "in-scope accuracy", "out-of-scope found (recall)", "precision of none_of_these", "F1"]]
    for name in ("zero", "tuned"):
        found = result[name]
        out = found["classes"]["none_of_these"]
        inside = [c for label, c in found["classes"].items() if label != "none_of_these"]
        right, count = sum(c["correct"] for c in inside), sum(c["support"] for c in inside)
        rows.append([f"{'zero-shot' if name == 'zero' else 'tuned'}, {found['rows']} rows", f"{100 * right / count:.1f} % of {count}",
                     f"{100 * out['recall']:.1f} % of {out['support']}", f"{100 * out['precision']:.1f} % of {out['predicted']}",
                     f"{out['f1']:.3f}"])
    table(f"{model}, {result['set']}: none_of_these", rows)


def print_summaries(model, result):
    rows = [["summary", "ROUGE-L F1 [95 %]", "rows"]]
    for name, key in (("the text's first sentence (floor)", "first"), ("the model's", "model"),
                      ("the model's, its first sentence only", "model_first")):
        mean, low, high = bootstrap(result[key])
        rows.append([name, f"{mean:.3f} [{low:.3f}, {high:.3f}]", result["rows"]])
    table(f"{model}, scitldr ({result['seconds'] / result['rows']:.1f} s a row)", rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, default=Path(__file__).resolve().parent.parent / "build/cli/weir")
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--sets", default=",".join([*SETS, "scitldr"]))
    parser.add_argument("--work", type=Path, default=Path("quality"))
    parser.add_argument("--train", type=int, default=1800)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--zero-rows", type=int, default=300)
    parser.add_argument("--summaries", type=int, default=60)
    args = parser.parse_args()
    bench = Bench(args)
    for model in args.model:
        results = [bench.classification(model, name) for name in args.sets.split(",") if name in SETS]
        single = [result for result in results if not result["tuned"].get("multi")]
        if single:
            print_sets(Path(model).stem, single)
        for result in results:
            if result["tuned"].get("multi"):
                print_multi(Path(model).stem, result)
            if "calibration" in result["zero"]:
                print_calibration(Path(model).stem, result)
            if result["languages"]:
                print_languages(Path(model).stem, result)
            if "none_of_these" in result["tuned"]["classes"]:
                print_out_of_scope(Path(model).stem, result)
        if "scitldr" in args.sets.split(","):
            print_summaries(Path(model).stem, bench.summaries(model))


if __name__ == "__main__":
    main()
