"""weir run on a tiny model and the simulated frontier: what is kept, what is sent, what it costs, and that nothing is lost.
Run by ctest: test_run.py WEIR. WEIR_KILLS=1000 kills a run that often (default 5)."""
import json
import os
import random
import signal
import resource
import subprocess
import sys
import time
import unittest
from pathlib import Path

import gguf_file as gguf
from program import DONE, REFUSED, ROW_ERRORS, WEIR, ProgramTest
from test_certify import TASK, WORDS

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "frontier"))
import running  # noqa: E402

# Prices that make every call visible: a token of input or output costs a micro-dollar.
TIERS = """
tiers:
  - {{name: local, kind: gguf, model: m.gguf}}
  - {{name: frontier, kind: openai, model: gpt-test, url: '{url}/v1', key: {{env: RUN_KEY}}, price: {{input: 1, output: 1}},
     max_tokens: 64, concurrency: {concurrency}, timeout_ms: {timeout_ms}}}
"""


def rows(count, seed):
    """Texts of a's and b's; the more a's, the more often glad. No two are the same."""
    rng, made, seen = random.Random(seed), [], set()
    while len(made) < count:
        label = rng.choice(["glad", "sad"])
        text = " ".join(rng.choice(["aa", "aaa", "ab", "a"] if rng.random() < (0.72 if label == "glad" else 0.28)
                                   else ["bb", "bbb", "ba", "b"]) for _ in range(14))
        if text not in seen:
            seen.add(text)
            made.append({"id": len(made), "text": text, "label": label})
    return made


def jsonl(made):
    return "".join(json.dumps(row) + "\n" for row in made)


class Cascade(ProgramTest):
    """A tuned tiny model, rows of which a quarter is passed on, and a simulated frontier."""
    tuned = None  # the profile's bytes

    def setUp(self):
        super().setUp()
        self.model = self.path("m.gguf", gguf.llama(WORDS, ctx=2048))
        self.bare = self.path("bare.yaml", TASK)
        self.profile = self.folder / "p.profile"
        if Cascade.tuned is None:  # model, task and rows are the same for every test
            self.weir("tune", "-q", "-t", self.bare, "-m", self.model, "-o", self.profile, self.path("train.jsonl", jsonl(rows(200, 1))))
            Cascade.tuned = self.profile.read_bytes()
        self.profile.write_bytes(Cascade.tuned)
        self.made = rows(60, 2)
        self.source = self.path("in.jsonl", jsonl(self.made))
        self.ledger = self.folder / "ledger.sqlite"
        self.out = self.folder / "out.jsonl"
        sure = sorted(a["probability"] for a in self.local_answers())
        self.threshold = (sure[14] + sure[15]) / 2  # a quarter of the rows lies below
        self.assertLess(sure[14], sure[15])

    def start(self, *options):
        frontier = running.Running(self.source, "--latency-ms", 5, *options)
        self.frontier = frontier.__enter__()
        self.addCleanup(frontier.__exit__)

    def write_task(self, gate="accept: {threshold}, check_share: 0", budget="usd_per_run: 1.00", privacy="egress: allow", concurrency=8,
                   timeout_ms=5000):
        url = self.frontier.url if hasattr(self, "frontier") else "http://127.0.0.1:9"
        tiers = TIERS.format(url=url, concurrency=concurrency, timeout_ms=timeout_ms)
        gate = gate.replace("{threshold}", repr(self.threshold))
        text = f"{TASK}{tiers}gate: {{{gate}}}\nbudget: {{{budget}}}\nprivacy: {{{privacy}}}\n"
        self.task = self.path("t.yaml", text)

    def words(self, *options, source=None):
        return ["run", "-q", "-t", self.task, "-m", self.model, "-p", self.profile, "--ledger", self.ledger, "-o", self.out, *options,
                source or self.source]

    def answers(self, *options, status=DONE, source=None):
        done = self.weir(*self.words(*options, source=source), status=status, RUN_KEY=running.KEY)
        self.complaints = done.stderr.decode()
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def summary(self, *options, status=DONE):
        path = self.folder / "s.json"
        found = self.answers("--summary", path, *options, status=status)
        return found, json.loads(path.read_text())

    def calls(self):
        log = self.frontier.get("/_log")
        return len(log if isinstance(log, list) else log["requests"])

    def money(self):
        """The ledger is whole, and all its money adds up."""
        self.assertEqual(self.weir("ledger", "check", "--ledger", self.ledger).stdout, b"good\n")

    def shown(self, row):
        """What the ledger has of a row."""
        return json.loads(self.weir("ledger", "show", "--json", row, "--ledger", self.ledger).stdout)

    def local_answers(self):
        done = self.weir("classify", "-q", "-t", self.bare, "-m", self.model, "-p", self.profile, self.source)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Run(Cascade):
    def test_every_row_once_in_order(self):
        self.start()
        self.write_task()
        found, summary = self.summary()
        self.assertEqual([a["id"] for a in found], [str(row["id"]) for row in self.made])
        escalated = [a for a in found if "escalated" in a]
        self.assertGreater(len(escalated), 0)
        self.assertLess(len(escalated), 60)
        for answer in found:
            if "escalated" in answer:
                self.assertEqual(answer["tier"], "frontier")
                self.assertEqual(answer["escalated"], {"from": "local", "reason": "below_threshold"})
                self.assertEqual((answer["attempts"], answer["accepted"]), (1, True))
                self.assertGreater(answer["cost_usd_e6"], 0)
            else:
                self.assertEqual((answer["tier"], answer["attempts"], answer["cost_usd_e6"]), ("local", 0, 0))
                self.assertGreaterEqual(answer["probability"], self.threshold)
        self.assertEqual(summary["local"] + summary["escalated"] + summary["abstained"] + summary["errors"], 60)
        self.assertEqual(summary["escalated"], len(escalated))
        self.assertEqual(summary["cost_usd_e6"], sum(a["cost_usd_e6"] for a in found))
        self.assertLessEqual(summary["cost_usd_e6"], summary["budget_usd_e6"])
        right = sum(a["value"] == row["label"] for a, row in zip(found, self.made))
        self.assertAlmostEqual(summary["accuracy"]["cascade"]["value"], right / 60, places=12)
        self.assertEqual(self.calls(), len(escalated))
        self.money()
        kept = self.shown(escalated[0]["id"])["decisions"]
        self.assertEqual([(d["tier"], d["prompt_version"]) for d in kept], [("local", "local 1"), ("frontier", "form 1")])
        self.assertEqual(kept[-1]["value"], escalated[0]["value"])

    def test_lists_of_labels_are_kept(self):
        self.task = self.path("many.yaml", "task: many\ninstructions: Which apply?\ntype: choice\nmulti: true\nlabels: [a, b, ab]\n"
                                           "gate: {accept: all}\nprivacy: {egress: allow}\n")
        self.profile = self.path("many.profile")
        labelled = [{"id": i, "text": row["text"], "label": [label for label in ("a", "b", "ab") if label in row["text"].split()]}
                    for i, row in enumerate(rows(100, 3))]
        self.weir("tune", "-q", "-t", self.task, "-m", self.model, "-o", self.profile, self.path("many.jsonl", jsonl(labelled)))
        found = self.answers()
        self.assertGreater(len({tuple(a["value"]) for a in found}), 2)
        for answer in found[:10]:
            self.assertEqual(self.shown(answer["id"])["decisions"][0]["value"], "\n".join(answer["value"]))

    def test_a_finished_run_is_repeated_for_nothing(self):
        self.start()
        self.write_task()
        first = self.answers()
        calls = self.calls()
        self.assertEqual(self.answers(), first)
        self.assertEqual(self.calls(), calls)
        found, summary = self.summary()
        self.assertEqual((found, summary["resumed"]), (first, 60))
        self.answers("--new")
        self.assertEqual(self.calls(), 2 * calls)

    def test_text_and_csv(self):
        self.start()
        self.write_task()
        expected = [(a["value"], a["tier"]) for a in self.answers()]
        text = self.path("in.txt", "".join(row["text"] + "\n" for row in self.made))
        self.assertEqual([(a["value"], a["tier"]) for a in self.answers(source=text)], expected)
        csv = self.path("in.csv", "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in self.made))
        self.assertEqual([(a["value"], a["tier"]) for a in self.answers(source=csv)], expected)

    def test_more_rows_join(self):
        self.start()
        self.write_task()
        first = self.answers()
        more = rows(10, 3)
        for i, row in enumerate(more):
            row["id"] = f"more-{i}"
        self.path("in.jsonl", jsonl(self.made + more))
        found = self.answers()
        self.assertEqual(found[:60], first)
        self.assertEqual(len(found), 70)

    def test_a_short_budget_goes_where_it_is_worth_most(self):
        self.start()
        self.write_task()
        free = self.answers()
        wanted = [a for a in free if "escalated" in a]
        budget = 2300  # a call is reserved with up to 2,000 and costs less than 100
        self.write_task(budget=f"usd_per_run: {budget / 1e6:.6f}")
        found, summary = self.summary()
        self.assertLessEqual(summary["cost_usd_e6"], budget)
        self.assertGreater(summary["escalated"], 0)
        self.assertEqual(summary["escalated"] + summary["abstained"], len(wanted))
        left_out = [a for a in found if not a["accepted"]]
        self.assertTrue(left_out)
        local = {a["id"]: a["probability"] for a in self.local_answers()}
        wanted_locally = [{"probability": local[a["id"]]} for a in wanted]
        self.assertEqual({a["reason"] for a in left_out}, {"abstained_budget_run"})
        self.assertEqual(summary["unaffordable"], len(left_out))
        self.assertGreaterEqual(summary["least_worth"], 1 - max(a["probability"] for a in wanted_locally) - 1e-9)
        # The local probability of what was bought is not known from its line; classify tells it.
        bought = [local[a["id"]] for a in found if a["accepted"] and "escalated" in a]
        self.assertLessEqual(max(bought), min(a["probability"] for a in left_out) + 0.05)

    def test_no_budget_at_all_sends_nothing(self):
        self.start()
        for policy, word, queued in (("abstain", "abstained", 0), ("queue", "queued", 1)):
            self.write_task(budget=f"usd_per_run: 0.00, when_exhausted: {policy}")
            found, summary = self.summary()
            reasons = {a["reason"] for a in found if not a["accepted"]}
            self.assertEqual(reasons, {f"{word}_budget_run"})
            self.assertEqual(summary["queued"] > 0, bool(queued))
            self.assertEqual((summary["escalated"], summary["cost_usd_e6"], self.calls()), (0, 0, 0))

    def test_never_over_budget_with_256_at_once(self):
        self.start()
        self.source = self.path("many.jsonl", jsonl([row | {"id": i} for i, row in enumerate(rows(400, 5))]))
        self.write_task(gate="accept: all, always_escalate: [glad, sad], check_share: 0", budget="usd_per_run: 0.05", concurrency=256)
        found, summary = self.summary()
        self.assertLessEqual(summary["cost_usd_e6"], 50000)
        self.assertEqual(summary["cost_usd_e6"], sum(a["cost_usd_e6"] for a in found))
        self.assertGreater(summary["escalated"], 20)
        self.assertEqual(summary["rows"], 400)

    def test_labels_that_must_go_or_stay(self):
        self.start()
        self.write_task(gate="accept: {threshold}, always_escalate: [glad], never_escalate: [sad], check_share: 0")
        local = {a["id"]: a["value"] for a in self.local_answers()}
        for answer in self.answers():
            if local[answer["id"]] == "glad":
                self.assertEqual(answer["escalated"]["reason"], "always_escalate")
            else:
                self.assertNotIn("escalated", answer)
                self.assertIn(answer["reason"], ("threshold", "abstained_never_escalate"))
        sent = json.dumps(self.frontier.get("/_log"))
        for row in self.made:
            if local[str(row["id"])] == "sad" and row["text"] not in [r["text"] for r in self.made if local[str(r["id"])] == "glad"]:
                self.assertNotIn(row["text"], sent)

    def test_a_share_is_checked(self):
        self.start()
        self.write_task(gate="accept: all, check_share: 0.5")
        found, summary = self.summary()
        self.assertEqual(summary["local"], 60)
        self.assertTrue(15 < summary["checked"] < 45, summary["checked"])
        self.assertEqual(self.calls(), summary["checked"])
        self.assertGreater(summary["check_agreed"], 0)
        self.assertEqual(sum(a["attempts"] for a in found), summary["checked"])

    def test_long_texts_go_straight_up(self):
        self.start()
        self.write_task(gate="accept: all, check_share: 0, max_local_tokens: 20")
        found = self.answers()
        reasons = {a["escalated"]["reason"] for a in found if "escalated" in a}
        self.assertEqual(reasons, {"too_long"})

    def test_dry_run_and_plan_send_nothing(self):
        self.start()
        self.write_task()
        found = self.answers("--dry-run")
        self.assertIn("abstained_dry_run", {a["reason"] for a in found})
        self.weir("run", "-t", self.task, "-m", self.model, "-p", self.profile, "--dry-run", "-o", self.out, self.source,
                  RUN_KEY=running.KEY)
        done = self.weir("run", "-q", "-t", self.task, "-m", self.model, "-p", self.profile, "--plan", self.source, RUN_KEY=running.KEY)
        for part in ("rows", "passed on to the next tier", "cost at most", "budget of a run"):
            self.assertIn(part, done.stdout.decode())
        self.assertEqual(self.calls(), 0)
        self.assertFalse(self.ledger.exists())

    def test_error_rows_are_rows(self):
        self.start()
        self.write_task()
        text = "nonsense\n" + jsonl(self.made[:5]) + json.dumps({"id": "empty", "text": ""}) + "\n"
        found = self.answers(source=self.path("bad.jsonl", text), status=ROW_ERRORS)
        self.assertEqual(len(found), 7)
        self.assertIn("error", found[0])
        again = self.answers(source=self.folder / "bad.jsonl", status=ROW_ERRORS)
        self.assertEqual(again, found)

    def test_every_fault_ends_in_a_clear_state(self):
        self.start()
        expected = {"never": "timeout", "500": "unavailable", "529": "unavailable", "wrong_json": "bad_reply", "wrong_shape": "wrong_shape", "hangup": None,
                    "cut": None, "length": "length", "refusal": "refused", "html": None, "no_usage": None,
                    "wrong_usage": None, "redirect": None}
        self.source = self.path("few.jsonl", jsonl(self.made[:12]))
        for fault, outcome in expected.items():
            with self.subTest(fault=fault):
                self.frontier.set_faults(fault)
                self.write_task(gate="accept: {threshold}, check_share: 0, always_escalate: [glad]", timeout_ms=1500, concurrency=16)
                self.task.write_text(self.task.read_text() + f"# {fault}\n")
                done = subprocess.run([WEIR, *map(str, self.words("--summary", self.folder / "s.json"))], capture_output=True,
                                      timeout=100, env=os.environ | {"RUN_KEY": running.KEY})
                if fault == "redirect":
                    self.assertIn(done.returncode, (DONE, REFUSED), done.stderr)
                    continue
                self.assertEqual(done.returncode, DONE, done.stderr)
                summary = json.loads((self.folder / "s.json").read_text())
                self.assertEqual(summary["rows"], 12)
                found = [json.loads(line) for line in self.out.read_text().splitlines()]
                reasons = {a["reason"] for a in found if not a["accepted"]}
                if outcome:
                    self.assertEqual(reasons - {"abstained_down"}, {f"abstained_{outcome}"})
                self.assertEqual(summary["over_calls"] > 0, fault == "wrong_usage")
                if fault == "wrong_usage":
                    self.assertIn(b"more than was reserved", done.stderr)
                if fault == "no_usage":
                    self.assertGreater(summary["cost_usd_e6"], 0)
                self.money()

    def test_when_down_queues_and_goes_on(self):
        self.start("--fault", "500")
        self.source = self.path("few.jsonl", jsonl(self.made[:12]))
        self.write_task(gate="accept: {threshold}, check_share: 0, always_escalate: [glad], when_down: queue", timeout_ms=800)
        found, summary = self.summary()
        self.assertGreater(summary["queued"], 0)
        self.frontier.set_faults()
        found, summary = self.summary()
        self.assertEqual(summary["queued"], 0)
        self.assertEqual(len([a for a in found if "escalated" in a and a["accepted"]]), summary["escalated"])
        self.assertGreater(summary["escalated"], 0)

    def test_a_wrong_key_ends_the_run(self):
        self.start()
        self.write_task()
        done = self.weir(*self.words(), status=REFUSED, RUN_KEY="not-the-key-7731")
        self.assertIn(b"tier frontier", done.stderr)
        self.assertNotIn(b"7731", done.stderr)
        self.assertFalse(self.out.exists())
        self.assertNotIn(b"7731", self.ledger.read_bytes())
        self.assertEqual(len(self.answers()), 60)

    def test_policy(self):
        self.write_task()
        text = self.task.read_text()
        far = text.replace("url: 'http://127.0.0.1:9/v1', ", "")
        for egress, says in (("redacted", b"redacted"), ("never", b"never")):
            self.path("t.yaml", far.replace("egress: allow", f"egress: {egress}"))
            done = self.weir(*self.words(), status=REFUSED, RUN_KEY="k")
            self.assertIn(b"leaves this host", done.stderr)
            self.assertIn(says, done.stderr)

    def test_never_on_this_host_claims_no_sandbox(self):
        self.start()
        self.write_task(privacy="egress: never")
        self.answers()
        self.assertIn("no sandbox is claimed", self.complaints)

    def test_never_gets_no_socket(self):
        self.path("never.yaml", TASK + "gate: {accept: all}\nprivacy: {egress: never}\n")
        for command in ("run", "classify"):
            words = [WEIR, command, "-q", "-t", self.folder / "never.yaml", "-m", self.model, "-p", self.profile, "-"]
            words += ["--ledger", self.ledger] if command == "run" else []
            process = subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            mode = "0"
            for _ in range(500):  # until it has read its task
                text = Path(f"/proc/{process.pid}/status").read_text()
                mode = text.partition("Seccomp:")[2].split()[0]
                if mode != "0" or process.poll() is not None:
                    break
                time.sleep(0.01)
            out, complaint = process.communicate(jsonl(self.made[:3]).encode(), timeout=60)
            if process.returncode == REFUSED:
                self.assertIn(b"built without libseccomp", complaint)
                continue
            self.assertEqual((process.returncode, mode), (DONE, "2"), complaint)  # 2: a filter is on, proc_pid_status(5)
            self.assertEqual(len(out.splitlines()), 3)

    def test_every_kind_of_tier_answers(self):
        self.start("--accuracy", 1)
        self.source = self.path("few.jsonl", jsonl(self.made[:20]))
        for kind, base in (("openai", "/v1"), ("anthropic", ""), ("decisions", "/v1"), ("systemone", "")):
            with self.subTest(kind=kind):
                self.write_task()
                text = self.task.read_text().replace("kind: openai", f"kind: {kind}").replace("/v1'", f"{base}'")
                if kind in ("decisions", "systemone"):
                    text = text.replace("max_tokens: 64, ", "")
                self.path("t.yaml", text)
                found = self.answers()
                sent = [(a, row) for a, row in zip(found, self.made) if "escalated" in a]
                self.assertGreater(len(sent), 0)
                for answer, row in sent:
                    self.assertEqual((answer["value"], answer["accepted"]), (row["label"], True), answer)

    def test_three_tiers(self):
        """What the second tier is not sure of, or cannot answer, goes to the third."""
        self.start("--accuracy", 1)
        self.write_task()
        third = f"  - {{name: third, kind: anthropic, model: m3, url: '{self.frontier.url}', key: {{env: RUN_KEY}}, price: {{input: 1, output: 1}}}}\n"
        text = self.task.read_text().replace("gate:", third + "gate:").replace("max_tokens: 64", "max_tokens: 64, logprobs: true")
        self.path("t.yaml", text.replace(f"accept: {self.threshold!r}", "accept: 0.93"))
        found = self.answers()
        tiers = {a["tier"] for a in found}
        self.assertEqual(tiers, {"local", "frontier", "third"})
        for answer in found:
            self.assertTrue(answer["accepted"])
            if answer["tier"] == "third":
                self.assertEqual(answer["attempts"], 2)
            if answer["tier"] == "frontier":
                self.assertGreaterEqual(answer["probability"], 0.93)
        self.money()

    def test_a_full_disk_is_told_and_mended(self):
        self.start()
        self.source = self.path("many.jsonl", jsonl(rows(200, 7)))
        self.write_task()

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes beyond it fail instead, as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (200000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

        done = subprocess.run([WEIR, *map(str, self.words())], preexec_fn=small_files, capture_output=True, timeout=100,
                              env=os.environ | {"RUN_KEY": running.KEY})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, rb"^weir: .")
        self.assertFalse(self.out.exists())
        found, summary = self.summary()
        self.assertEqual(len(found), 200)
        self.assertLessEqual(summary["cost_usd_e6"], summary["budget_usd_e6"])
        self.money()

    def test_a_ledger_that_cannot_be_written(self):
        self.start()
        self.write_task()
        self.ledger = self.folder
        done = self.weir(*self.words(), status=1, RUN_KEY=running.KEY)
        self.assertIn(str(self.folder).encode(), done.stderr)
        self.assertEqual(self.calls(), 0)

    def test_certified_needs_a_certificate_that_fits(self):
        self.write_task(gate="accept: certified")
        done = self.weir(*self.words(), status=REFUSED, RUN_KEY="k")
        self.assertIn(b"no certificate", done.stderr)

    def test_another_process_waits_for_the_ledger(self):
        self.start("--latency-ms", 400)
        self.write_task(concurrency=1)
        first = subprocess.Popen([WEIR, *map(str, self.words())], env=os.environ | {"RUN_KEY": running.KEY}, stderr=subprocess.DEVNULL)
        time.sleep(1.0)
        self.weir(*self.words("-o", self.folder / "other.jsonl"), status=REFUSED, RUN_KEY=running.KEY)
        self.assertEqual(first.wait(timeout=100), DONE)

    def test_killed_at_any_moment(self):
        """Kills the run again and again; in the end every row stands once in the output and the budget held."""
        kills, seed = int(os.environ.get("WEIR_KILLS", "5")), int(os.environ.get("WEIR_SEED", "1"))
        rng = random.Random(seed)
        self.start("--latency-ms", 20)
        many = [row | {"id": i} for i, row in enumerate(rows(300, 6))]
        self.source = self.path("many.jsonl", jsonl(many))
        limit = 400000
        done = 0
        while done < kills:
            # A task of its own for each series, so that there is always something left to kill.
            self.write_task(gate="accept: {threshold}7, check_share: 0.1", budget=f"usd_per_run: {limit / 1e6:.6f}, usd_per_day: 100.0", concurrency=4)
            self.task.write_text(self.task.read_text() + f"# series {done}\n")
            status = None
            while status is None and done < kills:
                process = subprocess.Popen([WEIR, *map(str, self.words("--summary", self.folder / "s.json"))],
                                           env=os.environ | {"RUN_KEY": running.KEY}, stderr=subprocess.PIPE)
                try:
                    status = process.wait(timeout=rng.uniform(0.02, 0.8))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    done += 1
                complaint = process.stderr.read()
                process.stderr.close()
                self.assertIn(status, (None, DONE), f"seed {seed}, kill {done}: {complaint}")
            found, summary = self.summary()
            self.assertEqual([a["id"] for a in found], [str(row["id"]) for row in many], f"seed {seed}, kill {done}")
            self.assertEqual(summary["rows"], 300)
            self.assertLessEqual(summary["cost_usd_e6"], limit, f"seed {seed}, kill {done}")
            self.assertEqual(summary["cost_usd_e6"], sum(a.get("cost_usd_e6", 0) for a in found))
            self.money()


if __name__ == "__main__":
    unittest.main()
