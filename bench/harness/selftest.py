#!/usr/bin/env python3
"""Tests of the harness: a benchmark that cannot fail measures nothing.

Usage: python3 -m unittest bench.harness.selftest     (from the root)
"""
import sys
import unittest

from bench.harness import ann, rows
from bench.harness.worker import Worker, WorkerError

# A peer that knows `at` of the ten neighbours of every query at effort `ef`, as its argument says.
FAKE = r"""
import json, sys
behaviour = sys.argv[1]
ef = 10
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "set":
        ef = request["ef"]
        print("{}", flush=True)
    elif behaviour == "dies":
        sys.exit(3)
    elif behaviour == "silent":
        pass
    elif behaviour == "refuses":
        print(json.dumps({"error": "no such index"}), flush=True)
    else:
        right = min(10, ef // 4)
        ids = list(range(right)) + list(range(100, 110 - right))
        if behaviour == "empty":
            ids = []
        if behaviour == "repeats":
            ids = [0] * 10
        print(json.dumps({"ids": [ids] * request["count"], "cpu_ns": 1000 * ef * request["count"],
                          "wall_ns": [1000 * ef] * request["count"],
                          "cpu_each_ns": [1000 * ef] * request["count"]}), flush=True)
"""
JOB = {"queries": "", "count": 4, "k": 10}
TRUTH = [list(range(20))] * 4


def fake(behaviour):
    return Worker(behaviour, [sys.executable, "-c", FAKE, behaviour])


class Harness(unittest.TestCase):
    def test_recall_counts_only_the_first_k_of_the_truth(self):
        self.assertEqual(ann.recall([list(range(10))], [list(range(5)) + list(range(50, 60))], 10),
                         0.5)

    def test_wrong_answers_are_refused(self):
        for answers in ([], [[]], [list(range(9))], [[1] * 10], [list(range(10))] * 9):
            with self.assertRaises(ann.WrongAnswer):
                ann.recall(answers, TRUTH, 10)

    def test_quantile_is_the_nearest_rank(self):
        values = list(range(1, 101))
        self.assertEqual(ann.quantile(values, 0.50), 50)
        self.assertEqual(ann.quantile(values, 0.99), 99)
        self.assertEqual(ann.quantile([7], 0.99), 7)

    def test_a_sweep_finds_the_cost_at_a_recall(self):
        with fake("good") as a, fake("good") as b:
            points = ann.sweep({"a": a, "b": b}, JOB, TRUTH, rounds=3)
        # Recall 0.9 at effort 36 is not in the sweep; 0.8 is at 32 and 1.0 at 40.
        self.assertEqual([(p.effort, p.recall) for p in points["a"]][-2:], [(32, 0.8), (40, 1.0)])
        for cost in ann.costs_at(points["a"], 0.95):
            self.assertAlmostEqual(cost, 38)
        self.assertEqual(ann.first_at(points["a"], 0.95).effort, 40)
        self.assertEqual(ann.first_at(points["a"], 0.95).p99_us, [40] * 3)
        self.assertEqual(ann.ratio(ann.costs_at(points["b"], 0.95),
                                   ann.costs_at(points["a"], 0.95)), (1, 1, 1))

    def test_a_recall_out_of_reach_has_no_cost(self):
        point = ann.Point(10, 0.4)
        point.cpu_us = [1.0]
        self.assertIsNone(ann.costs_at([point], 0.95))
        self.assertIsNone(ann.first_at([point], 0.95))

    def test_a_peer_that_answers_nothing_or_twice_the_same_fails_the_sweep(self):
        for behaviour in ("empty", "repeats"):
            with fake(behaviour) as peer, self.assertRaises(ann.WrongAnswer):
                ann.sweep({"peer": peer}, JOB, TRUTH, rounds=1)

    def test_a_peer_that_dies_refuses_or_hangs_is_an_error(self):
        for behaviour, message in (("dies", "exit status 3"), ("refuses", "no such index"),
                                   ("silent", "no answer")):
            with fake(behaviour) as peer, self.assertRaisesRegex(WorkerError, message):
                peer.ask("run", timeout_s=0.5 if behaviour == "silent" else 20, **JOB)

    def test_rows_hold_only_with_a_value_that_meets_its_target(self):
        table = rows.Rows()
        table.add("fast", 9.0, "ms", "", ("<=", 10))
        self.assertTrue(table.hold)
        table.add("slow", 11.0, "ms", "", ("<=", 10))
        table.add("absent", None, "ms", "", ("<=", 10))
        table.fail("broken", "an answer was empty")
        self.assertEqual([row["holds"] for row in table.rows], [True, False, False, False])
        self.assertFalse(table.hold)
        self.assertFalse(rows.Rows().hold)
        self.assertIn("| `slow` | 11 ms | <= 10 | **no** |", rows.page(table.rows, {}))


if __name__ == "__main__":
    unittest.main()
