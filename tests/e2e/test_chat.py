"""weir chat through a pipe and on a terminal, on a tiny model of random weights.

Run by ctest: test_chat.py WEIR MODEL LONG_MODEL EDITS. LONG_MODEL has a context that takes long to fill; EDITS is 1 when the
program was built with libedit."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
import unittest

import gguf_file as gguf
from program import FAILED, ROW_ERRORS, USAGE, WEIR, ProgramTest

MODEL, LONG_MODEL, EDITS = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1) == "1"
NO_END = ["--logit-bias", "266=-inf"]  # the tiny model's <|im_end|>
PATIENCE = 60  # seconds until something that must come is given up


class Pipe(ProgramTest):
    def chat(self, *lines, options=(), status=0):
        words = ["chat", "-m", MODEL, "--temp", 0, "-n", 12, *NO_END, *options]
        return self.weir(*words, text="".join(line + "\n" for line in lines).encode(), status=status)

    def answer(self, *words, model=MODEL):
        done = self.weir("generate", "-m", model, "--chat", "-n", 12, *NO_END, "--json", *words)
        return json.loads(done.stdout)["text"]

    def test_a_line_is_a_message(self):
        answer = self.answer("-p", "the car").encode()
        done = self.chat("the car", "", "   ")
        self.assertEqual(done.stdout, answer + b"\n")  # nothing else: no prompt, no banner
        self.assertIn(b"cut at 12 tokens", done.stderr)
        several = self.chat("the\\", "car", "/reset", "//the car")
        expected = [self.answer("-p", "the\ncar"), self.answer("-p", "/the car")]
        self.assertEqual(several.stdout.decode(), "".join(text + "\n" for text in expected))
        self.assertEqual(self.chat("the car", options=["--system", "Be in."]).stdout.decode(),
                         self.answer("-p", "the car", "--system", "Be in.") + "\n")

    def numbers(self, output):
        """Of every /stats in the output: context, messages, kept, read, written."""
        return [tuple(map(int, found)) for found in re.findall(
            rb"context: (\d+) of.*?messages: (\d+)\nlast answer: (\d+) tokens kept, (\d+) read in [\d.]+ s, (\d+) written", output, re.S)]

    def test_only_new_tokens_are_evaluated(self):
        done = self.chat("the car", "/stats", "in the", "/stats", "/regen", "/stats", "again", "/stats", "/reset", "other", "/stats")
        first, second, again, third, reset = self.numbers(done.stdout)
        self.assertEqual((first[1], first[2], first[4]), (2, 0, 12))
        self.assertEqual(first[0], first[3] + 11)  # the last token that was written is not evaluated yet
        self.assertEqual(second[2], first[0])      # everything that the session held
        self.assertEqual(second[0], second[2] + second[3] + 11)
        self.assertEqual((again[2], again[3]), (second[2] + second[3] - 1, 1))  # one token, for its logits
        self.assertEqual(third[2], again[0])
        self.assertEqual((reset[1], reset[2]), (2, self.common_start()))

    def common_start(self):
        """Tokens that any two conversations with a user's message begin with: <|im_start|>user and a line feed."""
        return len(self.weir("tokenize", "-m", MODEL, "--special", text=b"<|im_start|>user\n").stdout.split())

    def test_seed_counts_up(self):
        options = ["--temp", 1, "--seed", 41]
        done = self.chat("a", "/reset", "a", "/stats", options=options)
        self.assertIn(b"seed 43", done.stdout)
        self.assertEqual(self.chat("a", "/reset", "/seed 42", "a", options=options).stdout.split(b"\n")[:2],
                         done.stdout.split(b"\n")[:2])

    def test_commands_change_the_conversation(self):
        saved = self.folder / "talk.json"
        done = self.chat("/system Be in.", "the car", "a", "/undo", f"/save {saved}", "/system", "/show")
        talk = json.loads(saved.read_text())
        self.assertEqual([m["role"] for m in talk["messages"]], ["system", "user", "assistant"])
        self.assertEqual(talk["messages"][1]["content"], "the car")
        self.assertEqual(talk["messages"][2]["content"], self.answer("-p", "the car", "--system", "Be in."))
        self.assertIn(b"\nBe in.\n", done.stdout)
        self.assertIn(b"\nuser: the car\n", done.stdout)
        done = self.chat(f"/load {saved}", "/system -", "/show", "/reset", "/show", "/temp 1.5", "/max 7", "/stats")
        self.assertNotIn(b"system", done.stdout)
        self.assertEqual(done.stdout.count(b"user: "), 1)
        self.assertIn(b"temperature 1.5", done.stdout)
        self.assertIn(b"at most 7 tokens", done.stdout)
        self.assertIn(b"/regen", self.chat("/help").stdout)
        self.assertEqual(self.chat("/quit", "never read").stdout, b"")

    def test_commands_that_fail_are_told(self):
        bad = {"messages.json": '{"messages": [{"role": "user"}]}', "list.json": "[]", "cut.json": '{"messages": ['}
        files = [f"/load {self.path(name, content)}" for name, content in bad.items()]
        for line in ("/nonsense", "/temp hot", "/temp -1", "/seed x", "/max -1", "/quit now", "/regen", "/undo", "/save", "/load",
                     "/load nowhere.json", f"/save {self.folder}/no/where", *files):
            done = self.chat(line, status=ROW_ERRORS)
            self.assertRegex(done.stderr, b"^weir: .", line)
            self.assertEqual(done.stdout, b"")

    def test_a_full_context_is_said(self):
        done = self.chat("the car", "in the", "/show", options=["-c", 70, "-n", 0], status=ROW_ERRORS)
        self.assertIn(b"the context of 70 tokens is full: the answer ends here", done.stderr)
        self.assertIn(b"leaves no room for an answer in a context of 70: nothing was asked", done.stderr)
        self.assertNotIn(b"user: in the", done.stdout)  # taken back
        self.assertIn(b"user: the car", done.stdout)

    def test_what_cannot_be_asked(self):
        done = self.weir("chat", "-m", MODEL, text=b"a\xff\n", status=ROW_ERRORS)
        self.assertIn(b"not UTF-8", done.stderr)
        base = self.path("base.gguf", gguf.llama(["▁", "a"]))
        self.assertIn(b"no chat template", self.weir("chat", "-m", base, status=FAILED).stderr)
        self.weir("chat", status=USAGE)
        self.weir("chat", "-m", MODEL, "-n", "x", status=USAGE)


class Terminal(ProgramTest):
    def setUp(self):
        super().setUp()
        self.master = None

    def start(self, *words, columns=80):
        """Runs weir chat on a terminal of its own."""
        state = self.folder / "state"
        environment = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", XDG_STATE_HOME=str(state), HOME=str(self.folder))
        master, slave = pty.openpty()
        mode = termios.tcgetattr(slave)
        mode[3] |= termios.NOFLSH  # else Ctrl-C drops what was not read yet, which may be the answer to it
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        self.resize(master, columns)
        self.program = subprocess.Popen([WEIR, "chat", *map(str, words)], stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.master, self.seen = master, b""
        self.addCleanup(self.end)
        self.wait(b">")

    def end(self):
        if self.master is None:
            return
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self.master)
        self.master = None

    def resize(self, master, columns):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self, seconds):
        """What the terminal shows within that time; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data
        return bool(data)

    def wait(self, text):
        """Waits for the text; forgets it and all before it, and returns that."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            if time.monotonic() > deadline or not self.read(1):
                self.fail(f"no {text!r} in {self.seen[-2000:]!r}")
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def wait_end(self, status=0):
        deadline = time.monotonic() + PATIENCE
        while self.read(1):
            self.assertLess(time.monotonic(), deadline, "weir chat does not end")
        self.assertEqual(self.program.wait(PATIENCE), status, self.seen[-500:])
        self.end()

    def test_ask_and_leave(self):
        expected = self.weir("generate", "-m", MODEL, "--chat", "-p", "the car", "-n", 8, "--json", *NO_END)
        self.start("-m", MODEL, "--temp", 0, "-n", 8, *NO_END)
        self.type("the car\n")
        shown = self.wait(b"cut at 8 tokens")
        text = json.loads(expected.stdout)["text"]
        visible = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", "\ufffd", text).replace("\n", "\r\n")
        self.assertIn(visible.encode(), shown)
        self.wait(b"> ")
        self.type("/quit\n")
        self.wait_end()

    def test_an_answer_is_interrupted(self):
        self.start("-m", LONG_MODEL, "--temp", 1, "-n", 0, "-j", 1, *NO_END)
        self.type("the car\n")
        self.wait(b"\r\n")  # the line's own end; the answer follows
        while len(self.seen) < 20:
            self.assertTrue(self.read(PATIENCE))
        self.type("\x03")
        self.wait(b"interrupted; what was said so far stays")
        self.wait(b"> ")
        self.type("/stats\n")
        shown = self.wait(b"at most")
        self.assertIn(b"messages: 2", shown)
        self.wait(b"> ")
        self.type("/quit\n")
        self.wait_end()

    def test_an_end_typed_during_an_answer(self):
        self.start("-m", LONG_MODEL, "--temp", 1, "-n", 300, "-j", 1, *NO_END)
        self.type("the car\n")
        self.wait(b"\r\n")  # the answer follows
        while len(self.seen) < 20:
            self.assertTrue(self.read(PATIENCE))
        self.type("\x04")
        self.wait(b"cut at 300 tokens")
        self.wait_end()

    def test_a_window_that_never_rests(self):
        self.start("-m", LONG_MODEL, "--temp", 1, "-n", 300, "-j", 1, *NO_END)
        self.type("the car\n/quit\n")
        for _ in range(200):
            self.program.send_signal(signal.SIGWINCH)
            self.read(0.002)
        self.wait_end()

    def test_interrupts_at_the_prompt(self):
        self.start("-m", MODEL)
        self.type("\x03")
        self.wait(b"Ctrl-C again")
        self.wait(b"> ")
        self.type("/help\n")
        self.wait(b"slash.")
        self.wait(b"> ")
        self.type("\x03")  # what was before does not count
        self.wait(b"Ctrl-C again")
        self.wait(b"> ")
        self.type("\x03")
        self.wait_end()

    def test_any_width(self):
        for columns in (1, 2, 7, 20, 132, 1000):
            self.start("-m", MODEL, "--temp", 0, "-n", 4, *NO_END, columns=columns)
            self.type("the car in the car in the car in the car\n")
            self.wait(b"ut at 4" if columns >= 7 else b"4")
            self.resize(self.master, 50)
            self.program.send_signal(signal.SIGWINCH)
            self.type("/quit\n")
            self.wait_end()


def load_tests(loader, tests, pattern):
    """Line editing is tested where there is some: elsewhere these tests do not exist."""
    suite = unittest.TestSuite()
    for case in (Pipe, Terminal) + ((Editing,) if EDITS else ()):
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


class Editing(Terminal):
    def stats(self):
        self.type("/stats\n")
        shown = self.wait(b"at most")
        self.wait(b"> ")
        return shown

    def test_a_line_is_edited(self):
        self.start("-m", MODEL)
        self.type("/temp 5\x7f7\n")  # backspace
        self.wait(b"\n")
        self.assertIn(b"temperature 7", self.stats())
        self.type("emp 3\x01/t\n")  # to the beginning of the line
        self.wait(b"\n")
        self.assertIn(b"temperature 3", self.stats())
        self.type("/temp 2é\x7f\n")  # a character, not a byte
        self.wait(b"\n")
        self.assertIn(b"temperature 2,", self.stats())
        self.type("/temp 9\x03")  # given up
        self.wait(b"> ")
        self.assertIn(b"temperature 2,", self.stats())
        self.assertNotIn(b"Ctrl-C again", self.seen)
        self.type("/quit\n")
        self.wait_end()

    def test_half_a_character_takes_nothing_with_it(self):
        self.start("-m", MODEL)
        self.type(b"/temp 2\xc3\n")
        self.wait(b"is not a temperature")
        self.wait(b"> ")
        self.type(b"/temp 3\n")
        self.wait(b"\n")
        self.assertIn(b"temperature 3", self.stats())
        self.type("/quit\n")
        self.wait_end()

    def test_lines_are_kept(self):
        self.start("-m", MODEL)
        self.type("/temp 4\n")
        self.wait(b"\n")
        self.type("/quit\n")
        self.wait_end()
        history = self.folder / "state/weir/chat_history"
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(history.parent.stat().st_mode), 0o700)
        self.assertEqual(list(history.parent.iterdir()), [history])
        self.start("-m", MODEL)
        self.type("\x1b[A\x1b[A\n")  # up, past /quit
        self.wait(b"\n")
        self.assertIn(b"temperature 4", self.stats())
        self.type("/quit\n")
        self.wait_end()

    def test_a_folder_that_cannot_be(self):
        self.path("state", "a file in the way")
        self.start("-m", MODEL)
        self.type("/quit\n")
        self.wait(b"the lines typed could not be kept")
        self.wait_end()


if __name__ == "__main__":
    unittest.main()
