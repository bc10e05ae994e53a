"""A program built without libcurl says so. Run by ctest: test_no_curl.py WEIR."""
import unittest

from program import REFUSED, ProgramTest


class NoCurl(ProgramTest):
    def test_pull(self):
        self.assertIn(b"built without libcurl", self.weir("pull", "phi-4", status=REFUSED).stderr)


if __name__ == "__main__":
    unittest.main()
