"""The simulated frontier against the official clients: what they send it understands, what it sends they accept.

Needs the packages openai, anthropic and typesafe-sdk; run by .ci/run, not by ctest.
"""
import json
import tempfile
import unittest
from pathlib import Path

import anthropic
import openai
import typesafe_sdk
from running import KEY, Running

LABELS = ["card", "money", "rate"]
ROWS = [{"text": f"message number {i} about {LABELS[i % 3]}s", "label": LABELS[i % 3]} for i in range(30)]
SCHEMA = {"type": "object", "properties": {"label": {"type": "string", "enum": LABELS}}, "required": ["label"], "additionalProperties": False}
TEXT, GOLD = ROWS[4]["text"], ROWS[4]["label"]


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        gold = Path(folder.name) / "gold.jsonl"
        gold.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        cls.frontier = Running(gold, "--accuracy", 1, "--latency-ms", 0)
        cls.frontier.__enter__()
        cls.addClassCleanup(cls.frontier.__exit__)
        cls.openai = openai.OpenAI(api_key=KEY, base_url=cls.frontier.url + "/v1", max_retries=0)
        cls.anthropic = anthropic.Anthropic(api_key=KEY, base_url=cls.frontier.url, max_retries=0)
        cls.typesafe = typesafe_sdk.TypeSafeClient(api_key=KEY, base_url=cls.frontier.url)

    def setUp(self):
        self.frontier.set_faults()


class OpenAI(Sdk):
    def ask(self, **more):
        return self.openai.chat.completions.create(model="simulated", messages=[{"role": "user", "content": f"Sort: {TEXT}"}], **more)

    def test_structured_output(self):
        wanted = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
        reply = self.ask(response_format=wanted, logprobs=True, top_logprobs=3)
        self.assertEqual(json.loads(reply.choices[0].message.content), {"label": GOLD})
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens)
        self.assertEqual(len(reply.choices[0].logprobs.content[0].top_logprobs), 3)

    def test_tool(self):
        tool = {"type": "function", "function": {"name": "sort", "parameters": SCHEMA}}
        reply = self.ask(tools=[tool], tool_choice={"type": "function", "function": {"name": "sort"}})
        self.assertEqual(json.loads(reply.choices[0].message.tool_calls[0].function.arguments), {"label": GOLD})
        self.assertEqual(reply.choices[0].finish_reason, "tool_calls")

    def test_stream(self):
        text, usage = "", None
        for chunk in self.ask(stream=True, stream_options={"include_usage": True}):
            usage = chunk.usage or usage
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
        self.assertEqual(text, GOLD)
        self.assertGreater(usage.prompt_tokens, 0)

    def test_errors(self):
        for fault, kind in (("429", openai.RateLimitError), ("500", openai.InternalServerError), ("503", openai.InternalServerError)):
            self.frontier.set_faults(fault)
            with self.assertRaises(kind):
                self.ask()
        with self.assertRaises(openai.AuthenticationError):
            self.openai.with_options(api_key="wrong").chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])

    def test_decisions(self):
        reply = self.openai.decisions.create(model="gpt-6-luna", input=TEXT, questions=[
            {"type": "choice", "name": "kind", "instructions": "Which?", "choices": [{"value": label} for label in LABELS]},
            {"type": "predicate", "name": "urgent", "instructions": "Is it urgent?"},
            {"type": "score", "name": "anger", "instructions": "How angry?", "levels": [{"label": "calm"}, {"label": "cross"}, {"label": "furious"}]}])
        choice, predicate, score = reply.answers
        self.assertEqual(choice.choice, GOLD)
        self.assertAlmostEqual(sum(p.probability for p in choice.probabilities), 1, places=9)
        self.assertTrue(0 <= predicate.probability <= 1 and 0 <= score.score <= 2)
        self.assertEqual([p.label for p in score.probabilities], ["calm", "cross", "furious"])


class Anthropic(Sdk):
    def ask(self, **more):
        return self.anthropic.messages.create(model="simulated", max_tokens=200, messages=[{"role": "user", "content": f"Sort: {TEXT}"}], **more)

    def test_tool(self):
        tool = {"name": "sort", "input_schema": SCHEMA}
        reply = self.ask(tools=[tool], tool_choice={"type": "tool", "name": "sort"})
        self.assertEqual(reply.content[0].input, {"label": GOLD})
        self.assertEqual(reply.stop_reason, "tool_use")
        self.assertGreater(reply.usage.input_tokens, 0)

    def test_text_and_stream(self):
        self.assertEqual(self.ask(system="Sort it.").content[0].text, GOLD)
        with self.anthropic.messages.stream(model="simulated", max_tokens=200, messages=[{"role": "user", "content": TEXT}]) as stream:
            self.assertEqual("".join(stream.text_stream), GOLD)
            self.assertEqual(stream.get_final_message().stop_reason, "end_turn")

    def test_errors(self):
        for fault, kind in (("429", anthropic.RateLimitError), ("529", anthropic.APIStatusError), ("500", anthropic.InternalServerError)):
            self.frontier.set_faults(fault)
            with self.assertRaises(kind):
                self.ask()
        with self.assertRaises(anthropic.AuthenticationError):
            self.anthropic.with_options(api_key="wrong").messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])


class TypeSafe(Sdk):
    def test_questions(self):
        reply = self.typesafe.system_one(state=TEXT, questions={
            "kind": typesafe_sdk.Choice(instructions="Which?", criteria={label: None for label in LABELS}),
            "urgent": typesafe_sdk.Noul(instructions="Is it urgent?"),
            "anger": typesafe_sdk.Score(instructions="How angry?", criteria=["calm", "cross", "furious"])})
        self.assertEqual(reply.answers["kind"].choice, GOLD)
        self.assertTrue(0 <= reply.answers["urgent"].noul <= 1)
        self.assertTrue(0 <= reply.answers["anger"].score <= 2)


if __name__ == "__main__":
    unittest.main()
