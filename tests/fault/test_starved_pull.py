"""weir pull, when one allocation fails anywhere in it or in its libraries: a whole model or none, status 0 or 1, never a signal.
libcurl tells some of these failures as others ("Empty reply from server"), so the words are not checked.
Run by ctest: test_starved_pull.py WEIR PRELOAD.so."""
import os
import random
import subprocess
import sys
import unittest
from pathlib import Path

PRELOAD = Path(sys.argv.pop(2)).resolve()
sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
import gguf_file as gguf  # noqa: E402
from fake_hub import Hub  # noqa: E402
from program import DONE, FAILED, WEIR, ProgramTest  # noqa: E402

SAMPLE = 40
MODEL = gguf.llama(["a"])


class StarvedPull(ProgramTest):
    def pull(self, **environment):
        done = subprocess.run([WEIR, "pull", "-q", "--retries", "1", "--retry-wait", "0", "hf:o/r"], capture_output=True, timeout=120,
                              env=os.environ | {"LD_PRELOAD": str(PRELOAD), "HF_ENDPOINT": self.hub.endpoint,
                                                "XDG_CACHE_HOME": str(self.folder)} | environment)
        return done.returncode, done.stderr

    def test_pull(self):
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.hub.repos["o/r"] = {"t-Q8_0.gguf": MODEL}
        models = self.folder / "weir" / "models"
        count = self.folder / "count"
        self.assertEqual(self.pull(WEIR_FAIL_COUNT=str(count)), (DONE, b""))
        total = int(count.read_text())
        self.assertGreater(total, 100)
        seed = int(os.environ.get("STARVE_SEED", "1"))
        every = range(1, total + 1)
        for nth in every if os.environ.get("STARVE_ALL") else random.Random(seed).sample(every, min(SAMPLE, total)):
            where = f"allocation {nth} of {total} (STARVE_SEED={seed})"
            for path in models.iterdir():
                path.unlink()
            status, errors = self.pull(WEIR_FAIL_NTH=str(nth))
            self.assertIn(status, (DONE, FAILED), f"{where}: {errors}")
            self.assertEqual(errors == b"", status == DONE, where)
            files = {path.name for path in models.iterdir()} if models.exists() else set()
            if status == DONE or "t-Q8_0.gguf" in files:
                self.assertEqual((models / "t-Q8_0.gguf").read_bytes(), MODEL, where)
            self.assertLessEqual(files, {"t-Q8_0.gguf", "t-Q8_0.json", "t-Q8_0.gguf.part", "t-Q8_0.gguf.part.json", ".t-Q8_0.lock"}, where)


if __name__ == "__main__":
    unittest.main()
