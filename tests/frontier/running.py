"""Starting the simulated frontier for a test."""
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEY = "test-key"


class Running:
    """with Running(gold, "--accuracy", 1) as frontier: frontier.url ..."""

    def __init__(self, gold, *options):
        self.words = [sys.executable, "-B", str(HERE / "frontier.py"), "--gold", str(gold), *map(str, options)]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the frontier did not start: {line!r}")
        self.url = line.split()[-1]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=20) as reply:
            return json.load(reply)

    def set_faults(self, *faults):
        request = urllib.request.Request(self.url + "/_faults", json.dumps({"faults": faults}).encode(), method="POST")
        urllib.request.urlopen(request, timeout=20).close()
