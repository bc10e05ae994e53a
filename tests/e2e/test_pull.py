"""weir pull against a hub on loopback that redirects, cuts, corrupts and lies. Run by ctest: test_pull.py WEIR."""
import hashlib
import json
import os
import signal
import subprocess
import threading
import unittest

import gguf_file as gguf
from fake_hub import COMMIT, Hub
from program import DONE, FAILED, REFUSED, USAGE, WEIR, ProgramTest

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"
REPO = "owner/tiny-GGUF"
FILE = "tiny-Q8_0.gguf"
MODEL = gguf.llama(["▁", "a", "b"], seed=1)
OTHER = gguf.llama(["▁", "a", "b"], seed=2)


class PullTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.hub.repos[REPO] = {"README.md": b"a page", FILE: MODEL}
        self.models = self.folder / "cache" / "weir" / "models"

    def environment(self, **more):
        clean = {k: "" for k in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HOME", "HF_TOKEN_PATH")}
        return dict(clean, HF_ENDPOINT=self.hub.endpoint, **more)

    def pull(self, *words, status=DONE, model=f"hf:{REPO}", **environment):
        done = self.weir("pull", "--retry-wait", "0", model, *words, status=status, **self.environment(**environment))
        self.assertNotIn(TOKEN, done.stdout.decode() + done.stderr.decode())
        self.assertNotIn("verysecret", done.stderr.decode())
        return done

    def start(self, *words):
        """A pull that runs on."""
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.folder / "cache"), **self.environment())
        return subprocess.Popen([WEIR, "pull", f"hf:{REPO}", *words], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def fails(self, *parts, status=FAILED, words=(), **more):
        """A pull that fails with a text that has all parts."""
        text = self.pull(*words, status=status, **more).stderr.decode()
        for part in parts:
            self.assertIn(part, text)
        return text

    def installed(self, name="tiny-Q8_0"):
        path = self.models / f"{name}.gguf"
        return path.read_bytes() if path.exists() else None

    def parts(self):
        return sorted(p.name for p in self.models.glob("*.part")) if self.models.exists() else []

    def files(self):
        """What lies in the folder, less locks."""
        return sorted(p.name for p in self.models.iterdir() if not p.name.endswith(".lock")) if self.models.exists() else []


class Installing(PullTest):
    def test_a_file_of_a_repository(self):
        done = self.pull()
        path = self.models / "tiny-Q8_0.gguf"
        self.assertEqual(done.stdout.decode(), f"{path}\n")
        self.assertEqual(self.installed(), MODEL)
        self.assertEqual(self.files(), ["tiny-Q8_0.gguf", "tiny-Q8_0.json"])
        record = json.loads((self.models / "tiny-Q8_0.json").read_text())
        self.assertEqual((record["source"], record["revision"]), (f"hf:{REPO}", COMMIT))
        self.assertEqual(record["files"], [{"source": FILE, "sha256": hashlib.sha256(MODEL).hexdigest(), "size": len(MODEL)}])
        self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        # by name, everywhere
        self.assertEqual(self.weir("tokenize", "-m", "tiny-Q8_0", text=b"a").stdout, b"259 260\n")
        self.assertIn(b"good", self.weir("verify", "tiny-Q8_0").stdout)
        self.assertEqual(json.loads(self.weir("inspect", "--json", "tiny-Q8_0").stdout)["file"], str(path))
        listed = json.loads(self.weir("models", "--json").stdout)["installed"]
        self.assertEqual([(m["name"], m["bytes"], m["source"]) for m in listed], [("tiny-Q8_0", len(MODEL), f"hf:{REPO}")])

    def test_a_named_file_and_a_name_of_ones_own(self):
        self.hub.repos[REPO]["folder/other file.gguf"] = OTHER
        self.pull(model=f"hf:{REPO}:folder/other file.gguf")
        self.assertEqual(self.installed("other-file"), OTHER)
        done = self.pull("--as", "mine", "--json", model=f"hf:{REPO}:{FILE}")
        self.assertEqual(json.loads(done.stdout)["path"], str(self.models / "mine.gguf"))
        self.assertEqual(self.installed("mine"), MODEL)

    def test_a_model_of_the_catalogue(self):
        self.hub.repos["unsloth/Phi-4-mini-instruct-GGUF"] = {
            "Phi-4-mini-instruct-Q4_K_M.gguf": MODEL, "Phi-4-mini-instruct-Q8_0.gguf": OTHER, "Phi-4-mini-instruct-F16.gguf": MODEL}
        self.pull(model="phi-4-mini")
        self.assertEqual(self.installed("phi-4-mini"), MODEL)
        self.pull("--quant", "q8_0", model="phi-4-mini")
        self.assertEqual(self.installed("phi-4-mini-q8_0"), OTHER)
        listed = {m["name"]: m for m in json.loads(self.weir("models", "--json").stdout)["models"]}
        self.assertEqual(listed["phi-4-mini"]["installed"], ["phi-4-mini", "phi-4-mini-q8_0"])
        self.assertEqual(listed["phi-4"]["installed"], [])

    def test_twice_downloads_once(self):
        self.pull()
        self.assertTrue(json.loads(self.pull("--json").stdout)["was_installed"])
        self.assertEqual(self.hub.ranges(), [None])

    def test_a_split_model(self):
        names = [f"big-Q4_K_M-{i:05d}-of-00003.gguf" for i in (1, 2, 3)]
        parts = dict(zip(names, gguf.llama_parts(["▁", "a"], 3)))
        self.hub.repos[REPO] = {"big-Q8_0.gguf": OTHER, **parts}
        self.hub.faults = [{}, {"cut": 100}]
        done = self.pull("--quant", "Q4_K_M")
        self.assertEqual(done.stdout.decode(), f"{self.models}/{names[0]}\n")
        self.assertEqual(self.files(), [*names, "big-Q4_K_M.json"])
        for name, data in parts.items():
            self.assertEqual((self.models / name).read_bytes(), data)
        self.assertEqual(self.weir("verify", "big-Q4_K_M").stdout.count(b"good"), 3)
        self.assertEqual(self.weir("models").stdout.count(b"big-Q4_K_M-00001"), 1)
        self.assertEqual(self.weir("tokenize", "-m", "big-Q4_K_M", text=b"a").stdout, b"259 260\n")
        self.weir("logits", "-m", "big-Q4_K_M", "--ids", "1 260", "-o", self.folder / "out.f32")
        self.assertTrue(json.loads(self.pull("--quant", "Q4_K_M", "--json").stdout)["was_installed"])
        (self.models / names[1]).unlink()
        self.assertIn(b"found none", self.weir("verify", "big-Q4_K_M", status=FAILED).stderr)

    def test_parts_that_are_no_model_together(self):
        first, _, third = gguf.llama_parts(["▁", "a"], 3)
        self.hub.repos[REPO] = {"m-00001-of-00002.gguf": first, "m-00002-of-00002.gguf": third}
        self.fails("m-0000")
        self.assertEqual(self.files(), [])

    def test_a_split_model_with_a_part_missing(self):
        self.hub.repos[REPO] = {"big-00001-of-00002.gguf": MODEL}
        self.fails("expected 2 parts", "big-00002-of-00002.gguf")
        self.assertEqual(self.files(), [])

    def test_choosing(self):
        self.hub.repos[REPO] = {f"tiny-{q}.gguf": MODEL + b"\0" * 32 for q in ("F16", "Q8_0", "Q4_K_S", "Q2_K")}
        self.hub.repos[REPO] |= {"mmproj-tiny-Q4_K_M.gguf": OTHER, "tiny-Q4_K_M.imatrix.gguf": OTHER}
        self.pull()
        self.assertIsNotNone(self.installed("tiny-Q4_K_S"))
        self.fails("no file of the type asked for", "tiny-Q2_K.gguf", words=["--quant", "Q6_K"])
        self.hub.repos[REPO] = {"a-Q4_0.gguf": MODEL, "b-Q4_0.gguf": OTHER}
        self.fails("several files fit", "a-Q4_0.gguf, b-Q4_0.gguf")
        self.hub.repos[REPO] = {"a.gguf": MODEL, "b.gguf": OTHER}
        self.fails("name one", "a.gguf, b.gguf")
        self.hub.repos[REPO] = {"README.md": b""}
        self.fails("no GGUF model")

    def test_pages_of_the_list(self):
        self.hub.repos[REPO] = {f"x{i}.txt": b"" for i in range(7)} | {FILE: MODEL}
        self.hub.page_size = 2
        self.pull()
        self.assertEqual(self.installed(), MODEL)

    def test_a_renamed_repository(self):
        self.hub.repos["old/name"] = self.hub.repos[REPO]
        self.hub.renamed["old/name"] = REPO
        self.pull(model="hf:old/name")
        self.assertEqual(self.installed(), MODEL)

    def test_a_new_version_replaces_the_old_and_a_failure_does_not(self):
        self.pull()
        self.hub.repos[REPO][FILE] = OTHER
        self.hub.faults = [{"corrupt": 5000}]
        self.fails("SHA-256: expected", hashlib.sha256(OTHER).hexdigest())
        self.assertEqual(self.installed(), MODEL)
        self.weir("verify", "tiny-Q8_0")
        self.pull()
        self.assertEqual(self.installed(), OTHER)
        self.weir("verify", "tiny-Q8_0")

    def test_a_file_that_was_there(self):
        self.models.mkdir(parents=True)
        (self.models / "tiny-Q8_0.gguf").write_bytes(b"mine")
        self.fails("is there without a record", "--as", status=REFUSED)
        self.assertEqual(self.installed(), b"mine")
        (self.models / "tiny-Q8_0.gguf").write_bytes(MODEL)
        self.pull()
        self.assertEqual(self.hub.ranges(), [])
        self.weir("verify", "tiny-Q8_0")

    def test_a_damaged_record(self):
        self.pull()
        (self.models / "tiny-Q8_0.json").write_text("{")
        self.fails("tiny-Q8_0.json: not valid JSON", "remove this record")
        self.weir("tokenize", "-m", "tiny-Q8_0", text=b"a")
        listed = json.loads(self.weir("models", "--json").stdout)["installed"]
        self.assertEqual([(m["name"], m["recorded"]) for m in listed], [("tiny-Q8_0", False)])
        self.assertIn("not valid JSON", listed[0]["problem"])
        self.assertIn(b"not valid JSON", self.weir("models").stdout)
        (self.models / "tiny-Q8_0.json").unlink()
        self.pull()
        self.weir("verify", "tiny-Q8_0")

    def test_a_name_that_another_repository_has(self):
        self.pull()
        self.hub.repos["else/where"] = {FILE: OTHER}
        self.fails(f"installed from hf:{REPO}", "--as", status=REFUSED, model="hf:else/where")
        self.assertEqual(self.installed(), MODEL)

    def test_command_lines(self):
        for words in ([], ["a", "b"], ["--retries", "x", "a"], ["--stall", "0", "a"], ["--retry-wait", "-1", "a"]):
            self.weir("pull", *words, status=USAGE)
        for model, part in (("nonsense", "not in the catalogue"), ("hf:owner", "OWNER/REPO"), ("hf:../../etc", "OWNER/REPO"),
                            ("hf:owner/..", "OWNER/REPO"), ("hf:a/b/c", "OWNER/REPO"), ("hf:a/b:../x.gguf", "path inside"),
                            ("hf:a/b:/etc/x.gguf", "path inside"), ("hf:a/b:x.txt", "404")):
            self.fails(part, model=model)
        self.fails("file type", words=["--quant", "../x"])
        self.fails("letters, digits", words=["--as", "../x"])
        self.fails("give one of them", words=["--quant", "Q8_0"], model=f"hf:{REPO}:{FILE}")
        self.assertEqual(self.hub.ranges(), [])


class Tokens(PullTest):
    def test_goes_to_the_hub_and_nowhere_else(self):
        self.hub.token = TOKEN
        self.hub.page_size = 1
        self.pull(HF_TOKEN=TOKEN)
        self.assertEqual(self.installed(), MODEL)
        for role, _, path, headers in self.hub.log:
            self.assertEqual(headers.get("Authorization"), f"Bearer {TOKEN}" if role == "hub" else None, path)
        self.assertEqual({role for role, *_ in self.hub.log}, {"hub", "storage"})

    def test_where_it_is_looked_for(self):
        self.hub.token = TOKEN
        file = self.path("token", TOKEN + "\n")
        file.chmod(0o600)
        done = self.pull(HF_TOKEN_PATH=str(file))
        self.assertNotIn(b"warning", done.stderr)
        file.chmod(0o644)
        self.assertIn(b"warning: ", self.pull(HF_TOKEN_PATH=str(file)).stderr)
        home = self.path("home")
        home.mkdir()
        self.path("home/token", TOKEN).chmod(0o600)
        self.pull(HF_HOME=str(home))
        self.pull(HUGGING_FACE_HUB_TOKEN=TOKEN)
        self.fails("status 401", status=REFUSED, HF_TOKEN=TOKEN, HF_HUB_DISABLE_IMPLICIT_TOKEN="1")

    def test_a_gated_repository(self):
        self.hub.token = TOKEN
        self.fails("status 401", "needs a token", "HF_TOKEN", status=REFUSED)
        text = self.fails("status 403", "another token", status=REFUSED, HF_TOKEN="hf_wrong0123456789")
        self.assertNotIn("hf_wrong0123456789", text)
        self.assertEqual(self.files(), [])

    def test_one_that_is_no_header_value(self):
        for bad in (f"{TOKEN}\nX-Evil: 1", "two words", "ünïcode"):
            text = self.fails("the token: expected", HF_TOKEN=bad)
            self.assertNotIn("X-Evil", text)
        self.assertEqual(self.hub.log, [])


class Cuts(PullTest):
    def test_goes_on_after_cuts(self):
        self.hub.faults = [{"cut": 1000}, {"cut": 2000}]
        text = self.pull().stderr.decode()
        self.assertEqual(self.installed(), MODEL)
        self.assertEqual(self.hub.ranges(), [None, "bytes=1000-", "bytes=3000-"])
        conditions = [h.get("If-Range") for *_, h in self.hub.requests("storage")]
        self.assertEqual(conditions, [None, '"e1"', '"e1"'])
        self.assertIn("trying again", text)

    def test_a_body_that_ends_early_without_a_word(self):
        self.hub.faults = [{"chunked": True, "cut": 700}]
        self.assertIn(b"the body ended after 700", self.pull().stderr)
        self.assertEqual(self.installed(), MODEL)
        self.assertEqual(self.hub.ranges(), [None, "bytes=700-"])

    def test_gives_up_and_keeps_what_came(self):
        self.pull("--as", "old")
        before = self.installed("old")
        self.hub.repos[REPO][FILE] = OTHER
        self.hub.faults = [{"cut": 500}, {"cut": 500}, {"cut": 500}]
        self.fails("gave up after 3 attempts", words=["--as", "old", "--retries", "2"])
        self.assertEqual(self.installed("old"), before)
        self.assertEqual((self.models / "old.gguf.part").stat().st_size, 1500)
        self.hub.log.clear()
        self.pull("--as", "old")
        self.assertEqual(self.hub.ranges(), ["bytes=1500-"])
        self.assertEqual(self.installed("old"), OTHER)
        self.assertEqual(self.parts(), [])

    def test_kill_in_the_middle(self):
        release = threading.Event()
        self.addCleanup(release.set)
        half = len(MODEL) // 2
        self.hub.faults = [{"cut": half, "wait": release}]
        with self.start("--quiet") as process:
            part = self.models / "tiny-Q8_0.gguf.part"
            for _ in range(600):
                if part.exists() and part.stat().st_size == half:
                    break
                threading.Event().wait(0.05)
            process.send_signal(signal.SIGKILL)
        self.assertEqual(part.stat().st_size, half)
        self.assertIsNone(self.installed())
        release.set()
        self.hub.log.clear()
        self.pull()
        self.assertEqual(self.hub.ranges(), [f"bytes={half}-"])
        self.assertEqual(self.installed(), MODEL)

    def test_what_is_left_of_another_version_is_thrown_away(self):
        self.hub.faults = [{"cut": 500}]
        self.fails("gave up after 1 attempts", words=["--retries", "0"])
        self.hub.repos[REPO][FILE] = OTHER
        self.hub.log.clear()
        self.pull()
        self.assertEqual(self.hub.ranges(), [None])
        self.assertEqual(self.installed(), OTHER)

    def test_a_part_or_its_note_tampered_with(self):
        for name, content in ((".part", b"GGUF" + b"x" * 996), (".part", b"x" * (len(MODEL) + 1)), (".part.json", b"{nonsense")):
            self.hub.faults = [{"cut": 1000}]
            self.fails("gave up", words=["--retries", "0", "--as", "t"])
            (self.models / f"t.gguf{name}").write_bytes(content)
            self.pull("--as", "t")
            self.assertEqual(self.installed("t"), MODEL)
            for path in self.models.glob("t.*"):
                path.unlink()

    def test_a_stalled_transfer(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.hub.faults = [{"cut": 100, "wait": release}]
        self.pull("--stall", "1")
        self.assertEqual(self.hub.ranges(), [None, "bytes=100-"])
        self.assertEqual(self.installed(), MODEL)

    def test_no_server_at_all(self):
        self.hub.close()
        self.fails("gave up after 2 attempts", words=["--retries", "1"])


class Ranges(PullTest):
    """The second request of each case asks for bytes=1000-."""

    def resumed(self, *faults, ranges):
        self.hub.faults = [{"cut": 1000}, *faults]
        self.pull()
        self.assertEqual(self.installed(), MODEL)
        self.assertEqual(self.hub.ranges(), ranges)

    def test_ignored(self):
        self.resumed({"ignore_range": True}, ranges=[None, "bytes=1000-"])

    def test_the_content_changed_and_the_server_says_so(self):
        self.resumed({"etag": '"e2"'}, ranges=[None, "bytes=1000-"])

    def test_the_content_changed_and_the_server_does_not_look(self):
        self.resumed({"etag": '"e2"', "ignore_if_range": True}, ranges=[None, "bytes=1000-", None])

    def test_not_satisfiable(self):
        self.resumed({"status": 416, "headers": {"Content-Range": "bytes */900"}}, ranges=[None, "bytes=1000-", None])

    def test_not_satisfiable_from_the_start(self):
        self.hub.faults = [{"status": 416}]
        self.fails("status 416")

    def test_another_range_than_asked_for(self):
        self.resumed({"range_shift": 5}, ranges=[None, "bytes=1000-", None])

    def test_another_total(self):
        self.resumed({"range_total": -1}, ranges=[None, "bytes=1000-", None])

    def test_a_corrupt_piece_is_fetched_again_whole(self):
        self.hub.faults = [{"cut": 1000, "corrupt": 900}]
        self.pull()
        self.assertEqual(self.installed(), MODEL)
        self.assertEqual(self.hub.ranges(), [None, "bytes=1000-", None])

    def test_corrupt_in_one_piece(self):
        self.hub.faults = [{"corrupt": 5000}]
        self.fails(f"hf:{REPO}:{FILE}", f"SHA-256: expected {hashlib.sha256(MODEL).hexdigest()}, found ")
        self.assertEqual((self.files(), self.hub.ranges()), ([], [None]))


class Statuses(PullTest):
    def test_too_many_requests_and_overload(self):
        wait = {"Retry-After": "1"}
        self.hub.api_faults = [{"status": 429, "headers": wait}, {"status": 503}]
        self.hub.faults = [{"status": 503, "headers": wait}, {"status": 500}, {"status": 429}]
        text = self.pull().stderr.decode()
        self.assertEqual(self.installed(), MODEL)
        self.assertEqual(text.count("trying again in 1 s"), 2)
        self.assertEqual(text.count("trying again in 0 s"), 3)

    def test_the_hubs_own_limit(self):
        self.hub.api_faults = [{"status": 429, "headers": {"RateLimit": '"api";r=0;t=1'}}]
        self.assertIn(b"trying again in 1 s", self.pull().stderr)
        self.hub.api_faults = [{"status": 429, "headers": {"RateLimit": '"api";r=0;t=4000'}}]
        self.fails("asks to wait 4000 s")

    def test_a_wait_beyond_patience(self):
        self.hub.faults = [{"status": 429, "headers": {"Retry-After": "9999"}}]
        self.fails("429", "asks to wait 9999 s")

    def test_overload_that_lasts(self):
        self.hub.api_faults = [{"status": 503}] * 3
        self.fails("503", "gave up after 3 attempts", words=["--retries", "2"])

    def test_a_signed_address_that_ran_out(self):
        self.hub.faults = [{"status": 403}]
        self.pull()
        self.assertEqual(self.installed(), MODEL)

    def test_not_found(self):
        self.fails("404", "no such repository", model="hf:no/where")
        self.hub.repos[REPO]["x.gguf"] = MODEL
        self.fails("no file gone.gguf", model=f"hf:{REPO}:gone.gguf")

    def test_no_http(self):
        self.hub.api_faults = [{"raw": b"SSH-2.0-OpenSSH\r\n"}]
        self.fails(words=["--retries", "0"])


class Lies(PullTest):
    def test_content_length(self):
        for delta in (-100, 100):
            self.hub.faults = [{"length": delta}]
            self.fails("Content-Length", f"expected {len(MODEL)}", f"found {len(MODEL) + delta}")
        self.assertIsNone(self.installed())

    def test_linked_size(self):
        self.hub.resolve_headers = {"X-Linked-Size": str(len(MODEL) + 1)}
        self.fails(f"expected {len(MODEL)} bytes", f"found {len(MODEL) + 1}")
        self.hub.resolve_headers = {"X-Linked-Size": "-1"}
        self.fails("found -1")

    def test_linked_hash(self):
        self.hub.resolve_headers = {"X-Linked-ETag": f'"{"a" * 64}"'}
        self.fails("did the repository just change?")

    def test_no_commit(self):
        self.hub.resolve_headers = {"X-Repo-Commit": None}
        self.fails("X-Repo-Commit")
        self.hub.resolve_headers = {"X-Repo-Commit": "../../../../../../../../../../../../../../../etc"}
        self.fails("X-Repo-Commit")

    def test_no_hash_at_all(self):
        self.hub.resolve_headers = {"X-Linked-ETag": '"1111111111111111111111111111111111111111"'}
        entries = self.hub.entries(REPO)
        for entry in entries:
            entry.pop("lfs", None)
        self.hub.tree_text = json.dumps(entries).encode()
        self.fails("tells no SHA-256", status=REFUSED)

    def test_an_endless_body(self):
        self.hub.faults = [{"endless": True}]
        self.fails(f"expected {len(MODEL)} bytes, found more")
        self.assertEqual(self.files(), [])

    def test_a_compressed_body(self):
        self.hub.faults = [{"headers": {"Content-Encoding": "gzip"}}]
        self.fails("Content-Encoding: expected none, found gzip")

    def test_no_model_at_all(self):
        self.hub.repos[REPO][FILE] = b"<html>sign in</html>" * 100
        self.fails("expected a GGUF file")
        self.hub.repos[REPO][FILE] = MODEL[:len(MODEL) // 2]
        self.fails("within the file")
        self.assertEqual(self.files(), [])

    def test_more_than_the_disk_holds(self):
        self.hub.sizes[FILE] = 1 << 49
        self.fails(f"{(1 << 49) + (64 << 20)} bytes free")
        self.assertEqual((self.files(), self.hub.ranges()), ([], []))

    def test_headers_without_end(self):
        self.hub.api_faults = [{"raw": b"HTTP/1.1 200 OK\r\n" + b"X-A: %s\r\n" % (b"a" * 1000) * 400}]
        self.fails(words=["--retries", "0"])


class Lists(PullTest):
    def test_names_that_leave_the_folder(self):
        for name in ("../x.gguf", "/etc/x.gguf", "a/../../x.gguf", "a//x.gguf", "./x.gguf", "a\\..\\x.gguf", "..", "", "x\n.gguf", "\x1b[2J.gguf"):
            entry = {"type": "file", "path": name, "size": 4, "lfs": {"oid": "a" * 64, "size": 4}}
            self.hub.tree_text = json.dumps([entry]).encode()
            text = self.fails("entry 0: expected a relative path inside the repository")
            self.assertNotIn("\x1b", text)
        self.assertEqual(self.files(), [])

    def test_json_that_is_not_what_it_should_be(self):
        good = {"type": "file", "path": "x.gguf", "size": 4, "lfs": {"oid": "a" * 64, "size": 4}}
        for text, part in ((b"", "JSON"), (b"{}", "array"), (b"[1]", "entry 0"), (b'["a"', "JSON"), (b"\xff", "JSON"),
                           (b'[{"type":"file","path":"a\\u0000b.gguf","size":1}]', "JSON"), (b"[" * 100000, "nested deeper"),
                           (json.dumps([good | {"size": -1, "lfs": None}]).encode(), "size"),
                           (json.dumps([good | {"lfs": {"oid": "x", "size": 4}}]).encode(), "SHA-256"),
                           (json.dumps([good | {"lfs": {"oid": "a" * 64, "size": 1e30}}]).encode(), "size")):
            self.hub.tree_text = text
            self.fails(part)
        self.assertEqual(self.files(), [])

    def test_a_list_without_end(self):
        self.hub.tree_text = b"[" + b" " * (17 << 20) + b"]"
        self.fails("at most 16777216 bytes a page")
        self.hub.tree_text = None
        self.hub.page_size, self.hub.endless_pages = 1, True
        self.fails("at most 64 pages")

    def test_a_next_page_elsewhere(self):
        self.hub.page_size, self.hub.next_page_base = 1, self.hub.storage_url
        self.fails("another host", status=REFUSED, HF_TOKEN=TOKEN)
        self.assertEqual(self.hub.requests("storage"), [])

    def test_redirects(self):
        self.hub.renamed[REPO] = REPO
        self.fails("more than 10 redirects")
        self.hub.renamed.clear()
        for target, part in (("http://example.invalid/x", "loopback"), ("ftp://127.0.0.1/x", "expected https"),
                             ("file:///etc/passwd", "not an http address"), ("http://user:pass@127.0.0.1/x", "password"),
                             ("http://127.0.0.1.example.invalid/", "loopback"), ("http://[", "not an address")):
            self.hub.resolve_headers = {"Location": target}
            self.fails(part, status=FAILED if part == "not an address" else REFUSED)
        self.hub.resolve_headers = {"Location": None}
        self.fails("without Location")


class Machine(PullTest):
    def test_endpoints_that_are_refused(self):
        for endpoint, status in (("http://example.invalid", REFUSED), ("ftp://example.invalid", REFUSED), ("file:///tmp/weir", REFUSED)):
            done = self.weir("pull", "--retries", "0", f"hf:{REPO}", status=status, HF_ENDPOINT=endpoint, HF_TOKEN=TOKEN)
            self.assertNotIn(TOKEN, done.stderr.decode())

    def test_proxies_are_not_asked_for_loopback(self):
        dead = "http://127.0.0.1:1"
        self.pull(http_proxy=dead, https_proxy=dead, all_proxy=dead, ALL_PROXY=dead, no_proxy="")
        self.assertEqual(self.installed(), MODEL)

    def test_two_pulls_of_one_name(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.hub.faults = [{"hold": release}]
        with self.start("--json") as first:
            self.assertTrue(self.hub.asked.wait(60))
            with self.start("--json") as second:
                line = second.stderr.readline()
                release.set()
                answers = [json.loads(process.communicate(timeout=60)[0]) for process in (first, second)]
        self.assertIn(b"another pull of it is running", line)
        self.assertEqual([a["was_installed"] for a in answers], [False, True])
        self.assertEqual((first.returncode, second.returncode), (DONE, DONE))
        self.assertEqual(self.hub.ranges(), [None])

    def test_a_folder_that_cannot_be_written(self):
        (self.folder / "cache").write_bytes(b"a file")
        self.fails("cannot make folder")


if __name__ == "__main__":
    unittest.main()
