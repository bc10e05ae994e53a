"""weir ledger and weir feedback. Run by ctest: test_ledger.py WEIR MAKE_LEDGER."""
import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
import unittest

MAKE_LEDGER = sys.argv.pop(2)
from program import DONE, FAILED, REFUSED, USAGE, ProgramTest  # noqa: E402

TASK = """task: sort
instructions: Sort.
type: choice
labels: [a, b, c]
"""


class Ledger(ProgramTest):
    def setUp(self):
        super().setUp()
        done = subprocess.run([MAKE_LEDGER, str(self.folder)], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, -9, done.stderr)  # it is killed with a call in flight
        self.file = self.folder / "ledger.db"

    def ledger(self, *words, status=DONE, **environment):
        return self.weir("ledger", *words, "--ledger", self.file, status=status, **environment)

    def feedback(self, *words, status=DONE):
        return self.weir("feedback", *words, "--ledger", self.file, status=status)

    def rows(self, name="messages.jsonl", prefix="text"):
        lines = [json.dumps({"id": str(i), "text": f"{prefix} {i}"}) for i in range(10)]
        return self.path(name, "\n".join(lines) + "\n")

    def texts_in_files(self):
        """The digits of the texts whose bytes are anywhere in the ledger's files."""
        return set(re.findall(rb"text (\d)", b"".join(path.read_bytes() for path in self.folder.glob("ledger.db*"))))

    # ---- report

    def recover(self):
        """Whoever writes next books the call in flight."""
        self.ledger("retention", "--rows", "0")

    def test_report(self):
        self.assertIn(b"1 calls are in flight, or their process was killed", self.ledger("report").stdout)
        self.recover()
        text = self.ledger("report").stdout.decode()
        for part in ("2026-11-23", "CLASS", "TIER", "SAVED", "keeper: a", "sort: b", "frontier", "local", "$0.001000", "10.0 ms", "810.0 ms",
                     "1 calls were in flight when their process was killed and are booked as spent: $0.001000.",
                     "1 calls cost more than was reserved for them", "tier frontier is closed", "unknown", "settled"):
            self.assertIn(part, text)
        self.assertIn("all", text)

    def test_report_json(self):
        self.recover()
        report = json.loads(self.ledger("report", "--json").stdout)
        total = report["total"][0]
        self.assertEqual((total["rows"], total["local"], total["escalated"], total["cost_usd_e6"]), (20, 16, 4, 1000))
        self.assertEqual(total["saved_usd_e6"], 19000)
        self.assertEqual({(c["end"], c["calls"], c["cost_usd_e6"], c["over"]) for c in report["calls"]},
                         {("settled", 5, 1150, 1), ("unknown", 1, 90, 0), ("lost", 1, 1000, 0)})
        self.assertEqual(sorted(r["spent_usd_e6"] for r in report["runs"]), [500, 500 + 90 + 150 + 1000])
        sort = json.loads(self.ledger("report", "--json", "-t", "sort").stdout)
        self.assertEqual(sort["total"][0]["rows"], 10)
        task = self.path("task.yaml", TASK)
        self.assertEqual(json.loads(self.ledger("report", "--json", "-t", task).stdout), sort)
        none = json.loads(self.ledger("report", "--json", "--since", "2026-11-24").stdout)
        self.assertEqual(none["total"], [])
        self.assertIn(b"No rows.", self.ledger("report", "--until", "2026-11-23T12:00:00Z").stdout)

    def test_report_csv(self):
        lines = list(csv.DictReader(io.StringIO(self.ledger("report", "--csv").stdout.decode(), newline="")))
        self.assertEqual([line["by"] for line in lines], ["day"] + ["class"] * 4 + ["tier"] * 2)
        self.assertEqual(sum(int(line["rows"]) for line in lines if line["by"] == "class"), 20)
        tiers = list(csv.DictReader(io.StringIO(self.ledger("report", "--csv", "--by", "tier").stdout.decode(), newline="")))
        self.assertEqual([(t["name"], t["rows"], t["cost_usd_e6"], t["p50_ms"]) for t in tiers],
                         [("frontier", "4", "1000", "810"), ("local", "16", "0", "10")])

    def test_a_day_ahead_of_the_clock(self):
        with sqlite3.connect(self.file) as db:
            db.execute("UPDATE calls SET day = 40000")
            db.execute("UPDATE spending SET day = 40000")
            db.execute("UPDATE settings SET value = 40000 WHERE name = 'latest_day'")
        db.close()
        self.assertIn(b"ahead of the clock", self.ledger("report").stdout)
        self.assertIn(b"Moved 7 calls", self.ledger("reset-day").stdout)
        self.assertNotIn(b"ahead of the clock", self.ledger("report").stdout)
        self.assertEqual(self.ledger("check").stdout, b"good\n")

    # ---- show

    def test_show(self):
        rows = [json.loads(line) for line in self.ledger("show", "--json", "5").stdout.splitlines()]
        self.assertEqual([row["task"] for row in rows], ["sort", "keeper"])
        self.assertEqual([row["text"] for row in rows], [None, "text 5"])
        self.assertEqual([d["verdict"] for d in rows[0]["decisions"]], ["escalated", "accepted"])
        one = json.loads(self.ledger("show", "--json", f"@{rows[1]['number']}").stdout)
        self.assertEqual(one, rows[1])
        text = self.ledger("show", "5", "-t", "keeper").stdout.decode()
        for part in ("text 5", "keeper", "escalated", "below_threshold", "$0.000250", "messages.jsonl"):
            self.assertIn(part, text)
        self.assertIn(b"77: no row", self.ledger("show", "77", status=FAILED).stderr)

    # ---- feedback

    def test_feedback(self):
        self.feedback("3", "c", "-t", "keeper")
        self.assertIn(b"--input", self.feedback("3", "c", "-t", "sort", status=REFUSED).stderr)
        self.assertIn(b"tasks or sources", self.feedback("3", "c", status=REFUSED).stderr)
        self.assertIn(b"takes one label", self.feedback("3", "a", "b", "-t", "keeper", status=REFUSED).stderr)
        self.assertIn(b"no label 'x'", self.feedback("3", "x", "-t", "keeper", status=REFUSED).stderr)
        rows = self.rows()
        self.feedback("4", "a", "-t", "sort", "--input", rows)
        self.feedback("6", "b", "-t", "sort", "--text", "text 6")
        self.feedback("4", "c", "-t", "sort", "--input", rows)  # the later one holds
        self.assertIn(b"not the one", self.feedback("4", "a", "-t", "sort", "--input", self.rows("other.jsonl", "Text"), status=REFUSED).stderr)
        self.assertIn(b"no row of id '4'", self.feedback("4", "a", "-t", "sort", "--input", self.path("few.txt", "text 4\n"), status=FAILED).stderr)
        self.feedback("99", "a", status=FAILED)
        export = self.feedback("--export", "-", "-t", "sort").stdout
        self.assertEqual([json.loads(line) for line in export.splitlines()],
                         [{"id": "6", "text": "text 6", "label": "b"}, {"id": "4", "text": "text 4", "label": "c"}])
        out = self.path("train.jsonl")
        self.feedback("--export", out, "-t", "keeper")
        self.assertEqual(json.loads(out.read_bytes()), {"id": "3", "text": "text 3", "label": "c"})
        shown = json.loads(self.ledger("show", "--json", "4", "-t", "sort").stdout)
        self.assertEqual(shown["feedback"], {"sort": "c"})

    def test_feedback_by_number(self):
        number = json.loads(self.ledger("show", "--json", "7", "-t", "sort").stdout)["number"]
        self.feedback(f"@{number}", "c", "--input", self.rows())
        self.assertIn(b'"text":"text 7"', self.feedback("--export", "-", "-t", "sort").stdout)

    def test_texts_that_are_forgotten(self):
        self.feedback("3", "c", "-t", "keeper")
        self.ledger("forget", "--bodies", "-t", "keeper")
        done = self.feedback("--export", "-", "-t", "keeper")
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"1 corrections are left out", done.stderr)

    # ---- forget, retention, check

    def test_forget(self):
        self.assertEqual(len(self.texts_in_files()), 10)
        self.assertEqual(self.ledger("forget", "5").stdout, b"Forgot 2 rows.\n")
        self.assertEqual(self.texts_in_files(), set(b"0 1 2 3 4 6 7 8 9".split()))
        self.assertEqual(self.ledger("forget", "--bodies", "-t", "keeper").stdout, b"Forgot the texts of 9 rows.\n")
        self.assertEqual(self.texts_in_files(), set())
        self.assertEqual(self.ledger("forget", "--before", "2026-11-23").stdout, b"Forgot 0 rows.\n")
        self.assertEqual(self.ledger("forget", "--before", "2026-11-24", "-t", "sort").stdout, b"Forgot 9 rows.\n")
        report = json.loads(self.ledger("report", "--json").stdout)
        self.assertEqual(report["total"][0]["rows"], 9)
        self.assertEqual(sum(c["cost_usd_e6"] for c in report["calls"]), 2240)  # money is not forgotten
        self.assertEqual(self.ledger("check").stdout, b"good\n")

    def test_retention(self):
        self.assertIn(b"Rows are kept for ever.", self.ledger("retention").stdout)
        self.assertEqual(self.ledger("retention", "--bodies", "36500").stdout, b"Rows are kept for ever.\nTexts are kept for 36500 days.\n")
        self.assertIn(b"36500 days", self.ledger("retention").stdout)

    def test_damage(self):
        self.assertEqual(self.ledger("check").stdout, b"good\n")
        with sqlite3.connect(self.file) as db:
            db.execute("UPDATE runs SET spent_usd_e6 = 0")
        db.close()
        self.assertIn(b"spent 0, its calls", self.ledger("check", status=FAILED).stderr)

    # ---- which file

    def test_default_path(self):
        state = self.folder / "state"
        (state / "weir").mkdir(parents=True)
        self.recover()
        self.file.rename(state / "weir" / "ledger.db")
        self.assertEqual(self.weir("ledger", "check", XDG_STATE_HOME=str(state)).stdout, b"good\n")
        (self.folder / ".local").mkdir()
        state.rename(self.folder / ".local" / "state")
        self.assertEqual(self.weir("ledger", "check", XDG_STATE_HOME="", HOME=str(self.folder)).stdout, b"good\n")
        self.assertIn(b"no place for the ledger", self.weir("ledger", "check", XDG_STATE_HOME="", HOME="", status=FAILED).stderr)

    def test_no_ledger(self):
        """Nothing is made by looking."""
        self.file = self.folder / "none" / "ledger.db"
        for words in (["report"], ["show", "1"], ["check"], ["forget", "1"], ["retention"], ["reset-day"]):
            self.ledger(*words, status=FAILED)
        self.feedback("1", "a", status=FAILED)
        self.assertFalse(self.file.parent.exists())

    def test_in_use(self):
        """Reports are made while another process writes; changes are refused, with its number."""
        import fcntl
        with open(f"{self.file}.lock", "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate()
            lock.write(b"4711\n")
            lock.flush()
            self.ledger("report")
            self.assertIn(b"process 4711 is writing this ledger", self.ledger("forget", "1", status=REFUSED).stderr)
            self.assertIn(b"process 4711 is writing this ledger", self.feedback("3", "c", "-t", "keeper", status=REFUSED).stderr)

    def test_command_lines(self):
        self.assertIn(b"report", self.weir("ledger", "--help").stdout)
        for words in ([], ["nonsense"], ["report", "x"], ["report", "--by", "hour"], ["report", "--json", "--csv"], ["report", "--since", "yesterday"],
                      ["report", "--since", "2026-02-30"], ["report", "--run", "0"], ["show"], ["show", "1", "2"], ["forget"], ["forget", "1", "2"],
                      ["retention", "--rows", "-1"], ["check", "x"]):
            self.weir("ledger", *words, status=USAGE)
        for words in ([], ["1"], ["--export", "-"], ["--export", "-", "-t", "x", "1", "a"], ["1", "a", "--input", "x", "--text", "y"]):
            self.weir("feedback", *words, status=USAGE)


if __name__ == "__main__":
    unittest.main()
