"""What weir sends, against the request types of the official clients: test_sdk_requests.py ASK.

Needs the packages openai, anthropic and typesafe-sdk; run by .ci/run, not by ctest.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import anthropic.types.message_create_params as messages
import openai.types.chat.completion_create_params as chat
import openai.types.decision_create_params as decisions
import typesafe_sdk._schemas.models as systemone
from pydantic import TypeAdapter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "frontier"))
from running import KEY, Running  # noqa: E402

ASK = sys.argv.pop(1)
LABELLED = ("task: t\ninstructions: Judge the message.\nquestions:\n  kind: {type: choice, labels: {card: about cards, money: ''}}\n"
            "  urgent: {type: yesno, labels: {yes: it is, no: it is not}}\n  mood: {type: score, levels: {calm: quiet, cross: ''}}\n"
            "  'odd name!': {type: choice, multi: true, labels: [a, b]}\n")
EXTRACT = "task: t\ninstructions: Read out the fields.\ntype: extract\nschema: s.json\n"
WORDS = "task: t\ninstructions: Summarize.\ntype: summarize\n"
OPEN = {"type": "object", "properties": {"name": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["name"], "additionalProperties": False}
MODELS = {"openai": "gpt-6-sol", "anthropic": "claude-sonnet-4-6", "decisions": "gpt-6-luna", "systemone": "jev-latest"}
PATHS = {"openai": "/v1", "anthropic": "", "decisions": "/v1", "systemone": ""}


def type_of(path, body):
    if path == "/v1/messages":
        return messages.MessageCreateParamsStreaming if body.get("stream") else messages.MessageCreateParamsNonStreaming
    if path == "/v1/chat/completions":
        return chat.CompletionCreateParamsStreaming if body.get("stream") else chat.CompletionCreateParamsNonStreaming
    return {"/v1/decisions": decisions.DecisionCreateParams, "/v1/systemone": systemone.SystemOneRequest}[path]


class Requests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "gold.jsonl").write_text('{"text": "hello there", "label": "card"}\n')

    def bodies(self, task, kind, options="", schema=None, faults=(), repeat=()):
        (self.folder / "s.json").write_text(json.dumps(schema))
        with Running(self.folder / "gold.jsonl", "--latency-ms", 0) as frontier:
            frontier.set_faults(*faults)
            path = self.folder / "t.yaml"
            path.write_text(f"{task}tiers:\n  - {{name: far, kind: {kind}, model: {MODELS[kind]}, key: {{env: THE_KEY}}, "
                            f"url: '{frontier.url}{PATHS[kind]}'{options}}}\n")
            subprocess.run([ASK, *repeat, path, "0"], input=b"hello there\n", check=True, capture_output=True, env={**os.environ, "THE_KEY": KEY})
            return [(entry["path"], json.loads(entry["body"])) for entry in frontier.get("/_log")]

    def check(self, *arguments, count=1, **more):
        found = self.bodies(*arguments, **more)
        self.assertEqual(len(found), count)
        for path, body in found:
            known = TypeAdapter(type_of(path, body)).validate_python(body)
            if isinstance(known, dict):  # a typed dictionary drops what it does not know
                self.assertEqual(set(body) - set(known), set())

    def test_every_kind(self):
        for kind in MODELS:
            self.check(LABELLED, kind)

    def test_options(self):
        self.check(LABELLED, "openai", ", stream: true, logprobs: true, effort: low")
        self.check(LABELLED, "anthropic", ", stream: true, effort: low")

    def test_other_questions(self):
        for kind in ("openai", "anthropic"):
            self.check(EXTRACT, kind, schema=OPEN)
            self.check(EXTRACT, kind, schema=CLOSED)
            self.check(WORDS, kind)

    def test_asking_again(self):
        for kind in ("openai", "anthropic"):
            self.check(LABELLED, kind, faults=["script:wrong_shape"], repeat=["--repeat"], count=2)


if __name__ == "__main__":
    unittest.main()
