"""What the tests of the program share: a folder of their own, running weir, its exit statuses."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

DONE, FAILED, USAGE, ROW_ERRORS, REFUSED = range(5)
WEIR = sys.argv.pop(1) if len(sys.argv) > 1 else "build/cli/weir"


class ProgramTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def path(self, name, content=None):
        """A path in the test's folder; with content, the file is written."""
        path = self.folder / name
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def weir(self, *words, status=DONE, text=b"", **environment):
        """Runs weir and checks its exit status; the finished process, whose stdout and stderr are bytes."""
        done = subprocess.run([WEIR, *map(str, words)], input=text, capture_output=True, timeout=120,
                              env=os.environ | {"XDG_CACHE_HOME": str(self.folder / "cache")} | environment)
        if done.returncode != status:
            self.fail(f"weir {' '.join(map(str, words))}: exit status {done.returncode}, expected {status}\n"
                      f"{done.stderr.decode(errors='replace')}")
        if status in (FAILED, REFUSED):
            self.assertRegex(done.stderr, rb"^weir: .")
        return done
