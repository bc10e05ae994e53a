"""A program built without SQLite says so. Run by ctest: test_no_sqlite.py WEIR."""
import unittest

from program import REFUSED, ProgramTest


class NoSqlite(ProgramTest):
    def test_ledger(self):
        for words in (["ledger", "report"], ["ledger", "show", "1"], ["ledger", "check"], ["ledger", "forget", "1"], ["feedback", "1", "a"]):
            self.assertIn(b"built without the ledger (SQLite)", self.weir(*words, "--ledger", self.path("l.db"), status=REFUSED).stderr)
        self.assertFalse(self.path("l.db").exists())


if __name__ == "__main__":
    unittest.main()
