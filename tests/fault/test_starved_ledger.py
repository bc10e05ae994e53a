"""weir ledger and weir feedback, when one allocation fails anywhere in them or in SQLite: the same output as ever, or status 1 and a word about memory; the
ledger is whole afterwards. Run by ctest: test_starved_ledger.py WEIR PRELOAD.so MAKE_LEDGER."""
import os
import random
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

PRELOAD, MAKE_LEDGER = (Path(sys.argv.pop(2)).resolve() for _ in range(2))
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
from program import DONE, FAILED, WEIR, ProgramTest  # noqa: E402

SAMPLE = 25


class StarvedLedger(ProgramTest):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("STARVE_SEED", "1"))
        self.made = self.folder / "made"
        self.made.mkdir()
        subprocess.run([MAKE_LEDGER, str(self.made)], capture_output=True, timeout=60)
        self.assertIn(b"for ever", self.weir("ledger", "retention", "--rows", "0", "--ledger", self.made / "ledger.db").stdout)

    def run_starved(self, words, **environment):
        """On a copy of the ledger."""
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self.made, work)
        done = subprocess.run([WEIR, *words, "--ledger", str(work / "ledger.db")], capture_output=True, timeout=120,
                              env=os.environ | {"LD_PRELOAD": str(PRELOAD)} | environment)
        return done.returncode, done.stdout, done.stderr

    def check(self, *words, compares=True):
        count = self.folder / "count"
        status, expected, errors = self.run_starved(words, WEIR_FAIL_COUNT=str(count))
        self.assertEqual((status, errors), (DONE, b""))
        total = int(count.read_text())
        self.assertGreater(total, 100)
        every = range(1, total + 1)
        for nth in every if os.environ.get("STARVE_ALL") else random.Random(self.seed).sample(every, SAMPLE):
            where = f"{words}: allocation {nth} of {total} (STARVE_SEED={self.seed})"
            status, out, errors = self.run_starved(words, WEIR_FAIL_NTH=str(nth))
            self.assertIn(status, (DONE, FAILED), f"{where}: {errors}")
            if status == FAILED:
                self.assertRegex(errors, rb"(?i)memory", where)
            elif compares:
                self.assertEqual(out, expected, where)
            self.assertEqual(self.weir("ledger", "check", "--ledger", self.folder / "work" / "ledger.db").stdout, b"good\n", where)

    def test_report(self):
        self.check("ledger", "report", "--json")
        self.check("ledger", "report", compares=False)  # libsmartcols' tables lose a heading instead
        self.check("ledger", "report", "--csv")

    def test_show(self):
        self.check("ledger", "show", "--json", "5")
        self.check("ledger", "show", "5", compares=False)

    def test_change(self):
        self.check("ledger", "forget", "5")
        self.check("feedback", "5", "a", "-t", "sort", "--text", "text 5")


if __name__ == "__main__":
    unittest.main()
