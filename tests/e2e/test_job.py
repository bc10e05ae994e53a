"""The main job on the tiny model: tune, classify with the profile, summary; every format, every refusal, every exit status.
Run by ctest: test_job.py WEIR TINY_MODEL.gguf, with WEIR_TEST_CSV=1 where the program reads CSV."""
import csv
import io
import json
import os
import random
import sys
import unittest
from pathlib import Path

import gguf_file as gguf
from program import DONE, FAILED, REFUSED, ROW_ERRORS, USAGE, ProgramTest

MODEL = Path(sys.argv.pop(1)).resolve()
HAS_CSV = os.environ.get("WEIR_TEST_CSV") == "1"
LABELS = ["car", "rain", "tea"]
TASK = """
task: topic
instructions: What is it about?
type: choice
none_of_these: false
labels: {car: Cars, rain: The weather, tea: Drinks}
"""
SUMMARY_KEYS = ["rows", "errors", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece", "rows_per_s", "p50_ms", "p99_ms"]
# What the CPU must say it has for a level (/proc/cpuinfo).
LEVELS = {"ref": set(), "avx2": {"avx2", "fma", "f16c"},
          "avx512vnni": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"}}


def make_rows(count, seed):
    """Rows that n-grams can tell apart, a fifth of them under a wrong label."""
    rng = random.Random(seed)
    words = {"car": ["car", "the car", "fast", "road"], "rain": ["rain", "train", "wet", "the rain"], "tea": ["tea", "cup", "hot", "the tea"]}
    rows = []
    for i in range(count):
        label = LABELS[i % 3]
        text = " ".join(rng.choice(words[label] + ["in", "the", "a"]) for _ in range(6))
        rows.append({"id": f"r{i}", "text": text, "label": rng.choice(LABELS) if rng.random() < 0.2 else label})
    return rows


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_csv(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "text", "label"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def without_time(answers):
    return [{k: v for k, v in answer.items() if k not in ("latency_ms", "id")} for answer in answers]


class Job(ProgramTest):
    def setUp(self):
        super().setUp()
        self.task = self.path("t.yaml", TASK)
        self.train, self.test = make_rows(60, 1), make_rows(40, 2)
        self.profile = self.folder / "topic.profile"

    def tune(self, *options, train=None, **how):
        return self.weir("tune", "-q", "-t", self.task, "-m", MODEL, "-o", self.profile, *options,
                         train or self.path("train.jsonl", jsonl(self.train)), **how)

    def classify(self, *words, model=MODEL, task=None, **how):
        return self.weir("classify", "-q", "-t", task or self.task, "-m", model, *words, **how)

    def answers(self, *words, **how):
        return [json.loads(line) for line in self.classify(*words, **how).stdout.splitlines()]


class Summary(Job):
    def check(self, found, answers):
        """The measures, computed anew from the answers in the same order of operations: equal to the last bit."""
        right = [answer.get("value") == row["label"] for answer, row in zip(answers, self.test)]
        self.assertEqual(list(found), SUMMARY_KEYS)
        self.assertEqual((found["rows"], found["errors"]), (len(self.test), 0))
        self.assertEqual(found["accuracy"], sum(right) / len(right))
        self.assertLess(found["accuracy_low"], found["accuracy"])
        self.assertGreater(found["accuracy_high"], found["accuracy"])
        bins = [[0, 0.0, 0] for _ in range(15)]
        for answer, good in zip(answers, right):
            at = bins[min(int(answer["probability"] * 15), 14)]
            at[0] += 1
            at[1] += answer["probability"]
            at[2] += good
        ece = sum(abs(confidence - hits) for _, confidence, hits in bins) / len(right)
        self.assertAlmostEqual(found["ece"], ece, places=12)
        f1 = []
        for label in LABELS:
            support = sum(row["label"] == label for row in self.test)
            predicted = sum(answer["value"] == label for answer in answers)
            both = sum(answer["value"] == label == row["label"] for answer, row in zip(answers, self.test))
            f1 += [2 * both / (support + predicted)] if support + predicted else []
        self.assertAlmostEqual(found["macro_f1"], sum(f1) / len(f1), places=12)
        latencies = sorted(answer["latency_ms"] for answer in answers)
        self.assertEqual((found["p50_ms"], found["p99_ms"]), (latencies[19], latencies[39]))  # nearest rank of 40
        self.assertGreater(found["rows_per_s"], 0)

    def test_tune_classify_summary(self):
        self.tune()
        summary, out = self.folder / "s.json", self.folder / "out.jsonl"
        test = self.path("test.jsonl", jsonl(self.test))
        for options in (["-p", self.profile], ["-p", self.profile, "--head", "hidden"], []):
            done = self.classify(*options, "-o", out, "--summary", summary, test)
            self.assertEqual((done.stdout, done.stderr), (b"", b""))
            answers = [json.loads(line) for line in out.read_text().splitlines()]
            self.assertEqual([answer["id"] for answer in answers], [row["id"] for row in self.test])
            self.check(json.loads(summary.read_text()), answers)
        tuned = self.answers("-p", self.profile, test)
        right = sum(answer["value"] == row["label"] for answer, row in zip(tuned, self.test))
        self.assertGreater(right, 20, "the words tell the labels apart; chance is 13 of 40")

    def test_details_say_more(self):
        details, summary = self.folder / "d.json", self.folder / "s.json"
        self.classify("--details", details, "--summary", summary, self.path("test.jsonl", jsonl(self.test)))
        found, brief = json.loads(details.read_text()), json.loads(summary.read_text())
        self.assertEqual({key: found[key] for key in brief}, brief)
        self.assertEqual(set(found) - set(brief), {"labelled", "seconds", "fresh_tokens_per_row", "prefix_tokens", "prompt_bytes_per_row",
                                                   "question", "task", "head", "threads", "cpu_level"})
        for path in (details, summary):
            self.assertIn(b"$0.00", self.weir("report", path).stdout)

    def test_without_labels_and_with_errors(self):
        summary = self.folder / "s.json"
        rows = self.path("in.jsonl", '{"text":"a car"}\nnonsense\n{"text":"tea"}\n')
        self.classify("--summary", summary, rows, status=ROW_ERRORS)
        found = json.loads(summary.read_text())
        self.assertEqual(list(found), ["rows", "errors", "rows_per_s", "p50_ms", "p99_ms"])
        self.assertEqual((found["rows"], found["errors"]), (3, 1))

    def test_tuning_twice_gives_the_same_file(self):
        self.tune("--seed", "7")
        first = self.profile.read_bytes()
        self.tune("--seed", "7", "-j", "3")
        self.assertEqual(self.profile.read_bytes(), first)


class Outputs(Job):
    def test_permissions(self):
        rows, out = self.path("in.jsonl", jsonl(self.test[:2])), self.folder / "out.jsonl"
        old = os.umask(0o027)
        self.addCleanup(os.umask, old)
        self.classify("-o", out, rows)
        self.assertEqual(out.stat().st_mode & 0o777, 0o640)
        out.chmod(0o604)
        self.classify("-o", out, rows)
        self.assertEqual(out.stat().st_mode & 0o777, 0o604)

    def test_one_place_for_two_outputs(self):
        """The last one stays, whole."""
        rows, out = self.path("in.jsonl", jsonl(self.test[:2])), self.folder / "out.jsonl"
        self.classify("-o", out, "--summary", out, rows)
        self.assertEqual(list(json.loads(out.read_text())), SUMMARY_KEYS)
        self.assertEqual(list(self.folder.glob("*.tmp")), [])


class Formats(Job):
    def same_answers(self, *sources):
        """Each: (options, standard input). All give the same answers but for ids, which are returned."""
        self.tune()
        ids, expected = [], None
        for words, text in sources:
            answers = self.answers("-p", self.profile, *words, text=text)
            expected = expected or without_time(answers)
            self.assertEqual(without_time(answers), expected)
            ids.append([answer["id"] for answer in answers])
        return ids

    def test_files_and_standard_input(self):
        texts = "".join(row["text"] + "\n" for row in self.test)
        ids = self.same_answers(([self.path("a.jsonl", jsonl(self.test))], b""), (["-"], jsonl(self.test).encode()),
                                ([self.path("a.txt", texts)], b""), (["-f", "text", "-"], texts.replace("\n", "\r\n").encode()))
        given, numbered = [row["id"] for row in self.test], [f"line:{i + 1}" for i in range(40)]
        self.assertEqual(ids, [given, given, numbered, numbered])

    def test_csv(self):
        if not HAS_CSV:
            done = self.classify(self.path("a.csv", as_csv(self.test)), status=REFUSED)
            self.assertIn(b"built without CSV support (libcsv)", done.stderr)
            return
        self.test[3]["text"] = 'tea, "hot"\nand a cup'
        table = as_csv(self.test)
        ids = self.same_answers(([self.path("a.jsonl", jsonl(self.test))], b""), ([self.path("a.csv", table)], b""),
                                (["--format", "csv", "-"], table.encode()))
        self.assertEqual(ids[1:], [ids[0]] * 2)
        summary = self.folder / "s.json"
        self.classify("-p", self.profile, "--summary", summary, self.folder / "a.csv")
        self.assertEqual(list(json.loads(summary.read_text())), SUMMARY_KEYS)
        jsonl_profile = self.profile.read_bytes()
        self.tune(train=self.path("train.csv", as_csv(self.train)))
        self.assertEqual(self.profile.read_bytes(), jsonl_profile)

    def test_tune_from_standard_input(self):
        self.tune()
        expected = self.profile.read_bytes()
        self.tune(train="-", text=jsonl(self.train).encode())
        self.assertEqual(self.profile.read_bytes(), expected)

    def test_rows_that_cannot_be_read_or_answered(self):
        self.tune()
        rows = ['{"id":"first","text":"a car"}', '{"id":"broken","text":', '{"id":"none"}', '{"id":"bytes","text":"\udcff"}',
                '{"id":"long","text":"%s"}' % ("rain " * 4000), '{"id":"last","text":"tea"}']
        source = self.path("in.jsonl", "\n".join(rows).encode("utf-8", "surrogateescape"))
        done = self.classify("-p", self.profile, source, status=ROW_ERRORS)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([answer["id"] for answer in answers], ["first", "line:2", "none", "line:4", "long", "last"])
        codes = [answer.get("error", {}).get("code") for answer in answers]
        self.assertEqual(codes, [None, "format", "format", "format", "too_long", None])
        for number, answer in enumerate(answers, 1):
            if "error" in answer:
                self.assertEqual(list(answer), ["id", "task", "error"])
                self.assertIn(f"line {number}", answer["error"]["message"])
            else:
                self.assertIn(answer["value"], LABELS)
        self.assertRegex(done.stderr, rb"^weir: 4 of 6 rows are errors; the first: line 2")


class Refusals(Job):
    def refused(self, *words, model=MODEL, task=None, says):
        out = self.folder / "out.jsonl"
        done = self.classify("-p", self.profile, "-o", out, *words, self.path("in.jsonl", jsonl(self.test)), model=model, task=task,
                             status=REFUSED)
        self.assertFalse(out.exists())
        for part in says:
            self.assertIn(part, done.stderr.decode())

    def test_another_model(self):
        self.tune()
        other = self.path("other.gguf", gguf.llama(["▁", "a"], ctx=2048))
        self.refused(model=other, says=["topic.profile", "model"])
        same_but_one_byte = bytearray(MODEL.read_bytes())
        same_but_one_byte[-40] ^= 1
        self.refused(model=self.path("flipped.gguf", bytes(same_but_one_byte)), says=["topic.profile", "model"])

    def test_another_task(self):
        self.tune()
        for change in (("Drinks", "Beverages"), ("What is it about?", "Which topic?"), ("tea:", "coffee:"),
                       ("car: Cars, rain: The weather", "rain: The weather, car: Cars"), ("none_of_these: false", "none_of_these: true")):
            self.refused(task=self.path("other.yaml", TASK.replace(*change)), says=["topic.profile", "task"])

    def test_what_does_not_matter(self):
        self.tune()
        expected = self.answers("-p", self.profile, self.path("in.jsonl", jsonl(self.test[:5])))
        task = self.path("same.yaml", "# a comment\n" + TASK + "privacy: {store_bodies: true}\n")
        found = self.answers("-p", self.profile, self.folder / "in.jsonl", task=task)
        self.assertEqual(without_time(found), without_time(expected))

    def test_a_profile_that_is_none(self):
        rows = self.path("in.jsonl", jsonl(self.test))
        self.classify("-p", MODEL, rows, status=FAILED)
        self.classify("-p", self.task, rows, status=FAILED)
        self.classify("-p", self.folder / "nowhere", rows, status=FAILED)

    def test_a_profile_without_multi_for_a_task_with_it(self):
        self.tune()
        self.refused(task=self.path("multi.yaml", TASK + "multi: true\n"), says=["topic.profile", "the profile was learned without `multi`"])


class Levels(Job):
    def test_levels(self):
        cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), ":")
        flags = set(cpu.split(":")[1].split())
        rows = self.path("in.jsonl", jsonl(self.test[:3]))
        for level, needed in LEVELS.items():
            if needed <= flags:
                details = self.folder / "d.json"
                self.classify("--details", details, rows, WEIR_CPU=level)
                self.assertEqual(json.loads(details.read_text())["cpu_level"], level)
            else:
                self.assertIn(level.encode(), self.classify(rows, status=REFUSED, WEIR_CPU=level).stderr)

    def test_unknown_levels(self):
        rows = self.path("in.jsonl", jsonl(self.test[:3]))
        for level in ("avx9", "AVX2", "ref,avx2", " ref"):
            done = self.classify(rows, status=REFUSED, WEIR_CPU=level)
            self.assertIn(level, done.stderr.decode())
            self.assertEqual(done.stdout, b"")


class Tools(Job):
    """tokenize needs the vocabulary and nothing else; inspect, logits and bench need everything else."""

    def broken_vocabulary(self):
        """The tiny model with a vocabulary that no tokenizer takes: an id beyond its end as BOS."""
        whole = MODEL.read_bytes()
        key = b"tokenizer.ggml.bos_token_id"
        at = whole.index(key) + len(key) + 4
        return self.path("broken.gguf", whole[:at] + b"\xff\xff\xff\x7f" + whole[at + 4:])

    def test_a_broken_vocabulary(self):
        model = self.broken_vocabulary()
        self.assertIn(b"bos_token_id", self.weir("tokenize", "-m", model, text=b"a", status=FAILED).stderr)
        self.classify(self.path("in.jsonl", jsonl(self.test)), model=model, status=FAILED)
        self.weir("inspect", model)
        self.weir("bench", "-m", model, "-p", 4, "-n", 2, "-r", 1)
        for kv in ("f32", "f16"):
            out, whole = self.folder / f"{kv}.f32", self.folder / f"whole-{kv}.f32"
            for path, name in ((out, model), (whole, MODEL)):
                self.weir("logits", "-m", name, "--ids", "1 2 3", "--ctx", 8, "--kv", kv, "-o", path)
            self.assertEqual(out.read_bytes(), whole.read_bytes())
        self.weir("logits", "-m", model, "--ids", "1 2 3", "--ctx", 8, "-o", out)
        self.assertEqual(out.read_bytes(), (self.folder / "f32.f32").read_bytes(), "f32 is what logits takes by itself")

    def test_tokenize_lines(self):
        """Split at LF only: a CR stays in its line, an empty line stays empty, the last line needs no LF."""
        lines = [b"the car", b"", b"a\r", b"\r", b" ", b"", b"x\x0b\x0cy\xc2\x85z\xe2\x80\xa8w"]
        done = self.weir("tokenize", "-m", MODEL, "--lines", text=b"\n".join(lines)).stdout.decode()
        self.assertTrue(done.endswith("\n"))
        found = done[:-1].split("\n")
        self.assertEqual(len(found), len(lines))
        for line, ids in zip(lines, found):
            alone = self.weir("tokenize", "-m", MODEL, text=line).stdout.decode()
            self.assertEqual(ids + "\n", alone)
            self.assertEqual(ids == "", line == b"")
        self.assertNotEqual(found[2], self.weir("tokenize", "-m", MODEL, text=b"a").stdout.decode().strip())

    def test_tokenize_flags(self):
        text = b"<|im_start|>the"
        plain, special = (self.weir("tokenize", "-m", MODEL, *flags, text=text).stdout.split() for flags in ([], ["--special"]))
        self.assertEqual(len(special), 2)  # the control token, and "the"
        self.assertGreater(len(plain), 2)
        # the model's own rule asks for no BOS, also when --bos does
        self.assertEqual(self.weir("tokenize", "-m", MODEL, "--bos", text=b"the").stdout, special[1] + b"\n")

    def test_bench(self):
        found = json.loads(self.weir("bench", "-m", MODEL, "-p", 8, "-n", 4, "-t", 2, "--json").stdout)
        self.assertEqual(list(found), ["prefill_tokens_per_s", "decode_tokens_per_s", "threads", "cpu_level", "runs"])
        self.assertEqual(found["threads"], 2)


class ExitStatuses(Job):
    """0 done, 1 failed, 2 usage, 3 done but some rows are errors, 4 refused: of classify and tune; test_files.py has the others."""

    def test_classify(self):
        rows = self.path("in.jsonl", jsonl(self.test))
        bad = self.path("bad.jsonl", "nonsense\n")
        for words, status in (([rows], DONE), ([bad], ROW_ERRORS), ([self.folder / "nowhere.jsonl"], FAILED), ([self.path("a.parquet", "")], REFUSED),
                              (["--nonsense", rows], USAGE), ([], USAGE), (["-t", "-", "-"], USAGE), (["-o", self.folder / "no" / "where", rows], FAILED)):
            with self.subTest(words=words):
                self.classify(*words, status=status)
        self.classify(rows, task=self.path("broken.yaml", "task: [\n"), status=FAILED)
        self.classify(rows, model=self.path("broken.gguf", "GGUF"), status=FAILED)
        self.classify(rows, model=self.path("future.gguf", gguf.build([("general.architecture", gguf.STRING, "mamba9")] + gguf.vocabulary([]))), status=REFUSED)
        bare = self.path("bare.gguf", gguf.build([("general.architecture", gguf.STRING, "mamba9")]))  # not even a vocabulary
        self.assertIn(b'architecture "mamba9" is not supported', self.classify(rows, model=bare, status=REFUSED).stderr)

    def test_context(self):
        rows = self.path("in.jsonl", jsonl(self.test))
        self.classify("--ctx", 100000, rows, status=FAILED)
        self.classify("--ctx", "x", rows, status=USAGE)
        self.assertIn(b"the context has 8", self.classify("--ctx", 8, rows, status=FAILED).stderr)
        self.tune("--ctx", 100000, status=FAILED)

    def test_tune(self):
        self.tune(status=DONE)
        self.tune(train=self.path("bad.jsonl", "nonsense\n" + jsonl(self.train)), status=ROW_ERRORS)
        self.tune(train=self.folder / "nowhere.jsonl", status=FAILED)
        self.tune("--folds", "x", status=USAGE)
        self.tune(train=self.path("other.jsonl", jsonl([{"text": "a", "label": "elsewhere"}])), status=REFUSED)


if __name__ == "__main__":
    unittest.main()
