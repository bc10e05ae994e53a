"""weir template: the prompt on standard output and nothing else, or an error that says where. Run by ctest: test_template.py WEIR."""
import datetime
import json
import os
import unittest
from pathlib import Path

import gguf_file as gguf
from program import DONE, FAILED, REFUSED, USAGE, ProgramTest

FIXTURES = Path(__file__).parent.parent / "data" / "task" / "templates"
CHATML = ("{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
HI = b'{"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": true}'


class Render(ProgramTest):
    def test_every_case_of_the_fixtures(self):
        cases = {case["name"]: case for case in json.loads((FIXTURES / "cases.json").read_text())}
        checked = 0
        for path in sorted(FIXTURES.glob("*.jinja")):
            for golden in json.loads(path.with_suffix(".json").read_text()):
                with self.subTest(template=path.stem, case=golden["case"]):
                    done = self.weir("template", "--template", path, "--bos", "<s>", "--eos", "</s>", "--now", "2026-07-26T12:00:00",
                                     text=json.dumps(cases[golden["case"]]).encode(), status=DONE if "text" in golden else REFUSED)
                    self.assertEqual(done.stdout.decode(), golden.get("text", ""))
                    self.assertEqual(done.stderr == b"", "text" in golden)
                    checked += 1
        self.assertGreater(checked, 40)

    def model(self, *entries):
        words = ["▁", "a", "b", "▁a", "ab", "▁ab"]
        return self.path("m.gguf", gguf.build(gguf.vocabulary(words) + list(entries)))

    def test_a_model_gives_its_template_and_tokens(self):
        model = self.model(("tokenizer.chat_template", gguf.STRING, CHATML))
        prompt = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        self.assertEqual(self.weir("template", "-m", model, text=HI).stdout.decode(), "<s>" + prompt)
        self.assertEqual(self.weir("template", "-m", model, "--bos", "[B]", text=HI).stdout.decode(), "[B]" + prompt)
        self.assertEqual(self.weir("template", "--template", self.path("t.jinja", CHATML), text=HI).stdout.decode(), prompt)

    def test_a_model_without_template(self):
        done = self.weir("template", "-m", self.model(), text=HI, status=FAILED)
        self.assertIn(b"has no chat template", done.stderr)
        self.assertEqual(done.stdout, b"")

    def test_variables_reach_the_template(self):
        source = self.path("t.jinja", "{{ a.b[1] }}|{{ n }}|{{ x is none }}|{{ '\\u00e9' in s }}")
        text = '{"a": {"b": [0, "é"]}, "n": 1e3, "x": null, "s": "caf\\u00e9\\u0000"}'.encode()
        self.assertEqual(self.weir("template", "--template", source, text=text).stdout.decode(), "é|1000.0|True|True")

    def test_no_output_is_an_answer_too(self):
        self.assertEqual(self.weir("template", "--template", self.path("t.jinja", "{# #}"), text=b"{}").stdout, b"")


class Time(ProgramTest):
    def now(self, *words):
        source = self.path("t.jinja", "{{ strftime_now('%Y-%m-%d %H:%M:%S %a %j') }}")
        return self.weir("template", "--template", source, *words, text=b"{}").stdout.decode()

    def test_given(self):
        self.assertEqual(self.now("--now", "2024-02-29T23:59:58"), "2024-02-29 23:59:58 Thu 060")
        self.assertEqual(self.now("--now", "2026-07-26T12:00:00"), "2026-07-26 12:00:00 Sun 207")

    def test_the_local_time_is_the_default(self):
        os.environ["TZ"] = "UTC-11:30"  # half a day from anywhere the clock could be mistaken for
        self.addCleanup(os.environ.pop, "TZ")
        zone = datetime.timezone(datetime.timedelta(hours=11, minutes=30))
        before = datetime.datetime.now(zone).strftime("%Y-%m-%d %H:%M:%S")
        found = self.now()[:19]
        after = datetime.datetime.now(zone).strftime("%Y-%m-%d %H:%M:%S")
        self.assertTrue(before <= found <= after, f"{before} <= {found} <= {after}")


class Refused(ProgramTest):
    def fails(self, source, text, status, message):
        done = self.weir("template", "--template", self.path("t.jinja", source), text=text, status=status)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(done.stderr.decode(), f"weir: {message}\n")

    def test_templates(self):
        self.fails("a\n é{{ x | wordwrap }}", b"{}", REFUSED, "chat template, line 2, column 10: the filter `wordwrap` is not supported")
        self.fails("{{ raise_exception('only ' ~ 'two') }}", b"{}", REFUSED, "chat template, line 1, column 4: only two")
        self.fails("a{{ b", b"{}", FAILED, "chat template, line 1, column 2: a tag is not closed")
        self.fails("{{ b.c }}", b"{}", FAILED, "chat template, line 1, column 6: 'b' is undefined")

    def test_requests(self):
        self.fails("a", b"[]", FAILED, "request: expected an object, found an array")
        self.fails("a", b'{"a": 1,\n "a": 2}', FAILED, "request, line 2, column 4: duplicate object key near '\"a\"'")
        for text in (b"", b"{", b"7", b'{"a": "\xff"}', b'{} {}'):
            done = self.weir("template", "--template", self.path("t.jinja", "a"), text=text, status=FAILED)
            self.assertRegex(done.stderr, rb"^weir: request, line 1, column \d+: .")
            self.assertEqual(done.stdout, b"")

    def test_command_lines(self):
        source = self.path("t.jinja", "a")
        for words in ([], ["-m"], ["--template"], ["-m", "a", "--template", source], ["--template", source, "text"],
                      *(["--template", source, "--now", now] for now in
                        ("", "now", "2026-07-26", "2026-07-26 12:00:00", "2026-07-26T12:00:00Z", "2026-02-29T12:00:00",
                         "2026-13-01T12:00:00", "2026-07-26T24:00:00", "2026-07-26T12:00:61", "+026-07-26T12:00:00"))):
            self.assertEqual(self.weir("template", *words, text=b"{}", status=USAGE).stdout, b"")

    def test_files(self):
        self.assertIn(b"nowhere", self.weir("template", "--template", "nowhere.jinja", status=FAILED).stderr)
        self.assertIn(b"nowhere", self.weir("template", "-m", "nowhere.gguf", status=FAILED).stderr)
        long = self.path("long.jinja", b"a" * (1 << 20) + b"b")
        self.assertIn(b"more than 1048576 bytes", self.weir("template", "--template", long, text=b"{}", status=FAILED).stderr)


if __name__ == "__main__":
    unittest.main()
