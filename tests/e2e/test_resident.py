"""The prediction of weir inspect --memory against the most that weir bench has resident."""
import json
import os
import unittest

import gguf_file as gguf
from program import ProgramTest

WORDS = ["▁a", "▁card", "card", "late", "▁is"]
CTX = 64 if os.environ.get("WEIR_CPU") == "ref" else 512  # the reference is slow
TOLERANCE = 0.10


class Resident(ProgramTest):
    def test_prediction_within_a_tenth(self):
        """64 layers: 10 MB of float weights and, at 512 tokens, 17 MB of keys and values; weights held twice would show."""
        model = self.path("m.gguf", gguf.llama(WORDS, layers=64, width=64, heads=4, kv_heads=4, ff=128, ctx=1024))
        for kv in ("f32", "q8_0"):
            predicted = json.loads(self.weir("inspect", "--memory", "--json", "--ctx", CTX, "--kv", kv, "--threads", 2,
                                             model).stdout)
            measured = json.loads(self.weir("bench", "-m", model, "-p", CTX, "-n", 0, "-r", 1, "--kv", kv, "-t", 2,
                                            "--memory", "--json").stdout)["peak_rss_bytes"]
            ratio = predicted["total_bytes"] / measured
            self.assertLess(abs(ratio - 1), TOLERANCE, f"{kv}: predicted {predicted}, measured {measured}")


if __name__ == "__main__":
    unittest.main()
