"""weir eval across tiers, on the tiny model and the simulated frontier. Run by ctest: test_eval_tiers.py WEIR."""
import json
import unittest

from program import DONE, FAILED, REFUSED
from test_run import Cascade, running


class EvalTiers(Cascade):
    def words(self, *options, source=None):
        return ["eval", "-q", "-t", self.task, "-m", self.model, "-p", self.profile, "--ledger", self.ledger, *options,
                source or self.source]

    def evaluated(self, *options, status=DONE):
        return json.loads(self.weir(*self.words("--json", "-", *options), status=status, RUN_KEY=running.KEY).stdout)

    def test_sides_agree_with_each_other_and_with_run(self):
        self.start("--accuracy", 0.9)
        self.write_task()
        found = self.evaluated()
        self.assertEqual(self.calls(), 60)
        self.assertEqual(found["local"] + found["escalated"] + found["abstained"] + found["errors"], 60)
        self.assertEqual((found["local"], found["escalated"]), (45, 15))
        curve = found["curve"]
        self.assertAlmostEqual(curve[0]["accuracy"], found["accuracy"]["local"]["value"], places=12)
        self.assertAlmostEqual(curve[-1]["accuracy"], found["accuracy"]["frontier"]["value"], places=12)
        self.assertEqual(curve[-1]["cost_usd_e6"], found["frontier_only_cost_usd_e6"])
        self.assertEqual([p["kept"] for p in curve], [60 - 6 * i for i in range(11)])
        for other in ("local", "frontier"):
            difference = found["accuracy"]["cascade"]["value"] - found["accuracy"][other]["value"]
            self.assertAlmostEqual(found[f"cascade_to_{other}"]["difference"], difference, places=12)
        ran = self.folder / "s.json"
        self.weir("run", "-q", "-t", self.task, "-m", self.model, "-p", self.profile, "--ledger", self.ledger, "--summary", ran,
                  "-o", self.out, self.source, RUN_KEY=running.KEY)
        ran = json.loads(ran.read_text())
        self.assertEqual([ran[k] for k in ("local", "escalated", "cost_usd_e6")], [found[k] for k in ("local", "escalated", "cost_usd_e6")])
        self.assertEqual(ran["accuracy"]["cascade"], found["accuracy"]["cascade"])

    def test_the_second_time_costs_nothing(self):
        self.start()
        self.write_task()
        first = self.evaluated()
        again = self.evaluated()
        self.assertEqual(self.calls(), 60)
        self.assertEqual((first["frontier_answers_cached"], again["frontier_answers_cached"]), (0, 60))
        self.assertEqual(first["accuracy"], again["accuracy"])

    def test_volume_and_the_budget_of_a_day(self):
        self.start()
        self.write_task(budget="usd_per_run: 1.00, usd_per_day: 0.10")
        found = self.evaluated("--volume", 1000)
        row = found["tiers"]["frontier"]["usd_per_row"]
        self.assertAlmostEqual(found["tiers"]["frontier"]["usd_per_day"], 1000 * row, places=9)
        self.assertEqual(found["abstained"], 0)
        scarce = self.evaluated("--volume", 10000)  # 0.10 $ a day for 2,500 calls of about 0.000075 $
        self.assertGreater(scarce["abstained"], 0)
        self.assertLessEqual(scarce["tiers"]["cascade"]["usd_per_day"], 0.10)

    def test_local_sends_nothing(self):
        self.start()
        self.write_task()
        found = self.evaluated("--local")
        self.assertEqual(self.calls(), 0)
        self.assertNotIn("frontier", found["accuracy"])

    def test_tables_and_requirements(self):
        self.start()
        self.write_task()
        done = self.weir(*self.words("--require", "accuracy>=0.1"), RUN_KEY=running.KEY).stdout.decode()
        for part in ("Tiers on the same rows", "Cascade against frontier", "Operating point", "PASSED ON"):
            self.assertIn(part, done)
        self.weir(*self.words("--require", "cascade_accuracy>=1.01"), status=FAILED, RUN_KEY=running.KEY)

    def test_a_forbidden_tier_is_refused(self):
        self.write_task()
        text = self.task.read_text().replace("url: 'http://127.0.0.1:9/v1', ", "").replace("egress: allow", "egress: never")
        self.path("t.yaml", text)
        self.weir(*self.words(), status=REFUSED, RUN_KEY="k")


if __name__ == "__main__":
    unittest.main()
