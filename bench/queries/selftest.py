#!/usr/bin/env python3
"""Tests of what `make bench-query` measures by: a yardstick that cannot fail measures nothing.

Usage: .deps/bench/runner/venv/bin/python -m unittest bench.queries.selftest     (from the root)
"""
import json
import math
import pathlib
import tempfile
import unittest

import numpy

from bench.harness import ann
from bench.queries import bm25, cases, data, manuals, measure
from bench.queries.sqlite_worker import SqlitePeer
from bench.sections import filters, hybrid, quality, sparse

SCALE = 0.001


class Generated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls._data = data.DATA
        data.DATA = pathlib.Path(cls._folder.name) / "first"
        for step in data.STEPS.values():
            step(SCALE)

    @classmethod
    def tearDownClass(cls):
        data.DATA = cls._data
        cls._folder.cleanup()

    def test_the_same_seed_gives_the_same_bytes(self):
        first = {file.relative_to(data.DATA): file.read_text(encoding="ascii")
                 for file in data.DATA.rglob("*.sha256")}
        kept = data.DATA
        data.DATA = kept.with_name("second")
        try:
            for step in data.STEPS.values():
                step(SCALE)
            second = {file.relative_to(data.DATA): file.read_text(encoding="ascii")
                      for file in data.DATA.rglob("*.sha256")}
        finally:
            data.DATA = kept
        self.assertEqual(len(first), 10)
        self.assertEqual(first, second)

    def test_a_pinned_digest_that_differs_is_refused(self):
        folder = data.path("trace", 1, "")
        data.PINNED["trace/draws-1.0.npy"] = "0" * 64
        try:
            with self.assertRaisesRegex(SystemExit, "pinned"):
                data.finish(folder)
        finally:
            del data.PINNED["trace/draws-1.0.npy"]
            data.finish(folder)

    def test_texts_are_those_of_the_tokens(self):
        folder = data.path("words", SCALE, "")
        tokens, offsets = (numpy.load(folder / f"{name}.npy") for name in ("tokens", "offsets"))
        lines = (folder / "texts.txt").read_text(encoding="ascii").splitlines()
        words = data.vocabulary()
        self.assertEqual(len(set(words)), data.VOCABULARY)
        self.assertEqual(len(lines), len(offsets) - 1)
        for row in (0, 1, len(lines) - 1):
            self.assertEqual(lines[row].split(),
                             [words[rank] for rank in tokens[offsets[row]:offsets[row + 1]]])
        queries = json.loads((folder / "queries.json").read_text(encoding="ascii"))
        self.assertEqual({query["kind"] for query in queries}, {"1", "2", "3", "4", "5", "common"})
        self.assertTrue(all(len(query["text"].split()) == len(set(query["ranks"]))
                            for query in queries))

    def test_the_formula_is_bm25(self):
        tokens = numpy.array([7, 8, 8, 9, 9, 9, 8], dtype=numpy.uint32)
        reference = bm25.Reference(tokens, numpy.array([0, 3, 6, 7]))
        mean = 7 / 3
        idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))

        def part(times, length):
            return idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))

        numpy.testing.assert_allclose(reference.scores([8]), [part(2, 3), 0, part(1, 1)])

    def test_the_filters_of_sqlite_and_of_the_masks_agree(self):
        folder = data.path("payload", SCALE, "")
        columns = cases.Columns(folder / "columns.npz")
        asked = filters.Asked(columns)
        for how in ("json", "columns"):
            with tempfile.TemporaryDirectory() as work_dir:
                peer = SqlitePeer(how)
                peer.load(folder / "payloads.jsonl", columns.rows, work_dir, None)
                answers = [peer.prepare(request)() for request in asked.requests]
                peer.db.close()
            self.assertEqual(asked.check("sqlite", answers), list(range(len(asked.requests))))
            self.check_that_wrong_ones_are_refused(asked, answers)

    def check_that_wrong_ones_are_refused(self, asked, answers):
        for index, answer in enumerate(answers):
            wrong = dict(answer)
            if "count" in answer:
                wrong["count"] += 1
            elif "ids" in answer:
                wrong["ids"] = answer["ids"][:-1]
            else:
                wrong["facets"] = answer["facets"][1:] + answer["facets"][:1]
                if len({count for _, count in wrong["facets"]}) == 1:
                    continue
            with self.assertRaisesRegex(ann.WrongAnswer, "peer, "):
                asked.check("peer", answers[:index] + [wrong] + answers[index + 1:])
        with self.assertRaises(ann.WrongAnswer):
            asked.check("peer", answers[:-1])

    def test_the_sparse_scan_multiplies_and_adds(self):
        folder = data.path("sparse", SCALE, "")
        scan = sparse.Scan(folder / "vectors.jsonl", 1_000)
        vectors = data.read_json_lines(folder / "vectors.jsonl")
        query = json.loads((folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()[0])
        weights = dict(zip(query["indices"], query["values"]))
        by_hand = [sum(weights.get(index, 0) * value
                       for index, value in zip(vector["indices"], vector["values"]))
                   for vector in vectors]
        numpy.testing.assert_allclose(scan.scores(query), by_hand, atol=1e-4)
        self.assertGreater(max(by_hand), 0)

    def test_a_trace_is_as_steep_as_it_says(self):
        draws = numpy.load(data.path("trace", 1, "draws-1.1.npy"))
        self.assertEqual(len(draws), data.DRAWS)
        self.assertLess(int(draws.max()), data.DISTINCT)
        cumulated = data.zipf(data.DISTINCT, 1.1)
        self.assertAlmostEqual(float((draws < 1_000).mean()), cumulated[999] / cumulated[-1], 2)


class Judged(unittest.TestCase):
    def test_only_the_best_are_right_and_equal_scores_are_as_good(self):
        scores = numpy.array([0.0, 3.0, 2.0, 2.0, 1.0])
        self.assertEqual(bm25.share_right([1, 2], scores, 2), 1)
        self.assertEqual(bm25.share_right([1, 3], scores, 2), 1)
        self.assertEqual(bm25.share_right([1, 4], scores, 2), 0.5)
        for ids in ([1], [1, 1], []):
            with self.assertRaises(ann.WrongAnswer):
                bm25.share_right(ids, scores, 2)
        with self.assertRaises(ann.WrongAnswer):
            bm25.share_right([], numpy.zeros(5), 2)

    def test_quality_by_hand(self):
        ndcg, recall, rank = quality.judge(["a", "a", "b", "c"], ["b", "d"])
        ideal = 1 + 1 / math.log2(3)
        self.assertAlmostEqual(ndcg, (1 / math.log2(3)) / ideal)
        self.assertEqual((recall, rank), (0.5, 0.5))
        self.assertEqual(quality.judge(["a"], ["b"]), (0, 0, 0))
        self.assertEqual(quality.judge(["b", "d"], ["d", "b"])[0], 1)
        # The eleventh page is too late.
        self.assertEqual(quality.judge([str(page) for page in range(11)], ["10"]), (0, 0, 0))

    def test_an_interval_holds_the_mean(self):
        values = [0.0, 1.0] * 50
        draws = (numpy.random.Generator(numpy.random.PCG64(1)).random((500, 100)) * 100)
        low, high = quality.interval(values, draws.astype(numpy.int64))
        self.assertTrue(0.3 < low < 0.5 < high < 0.7)

    def test_lists_are_interleaved_and_found_again(self):
        lists = [[f"{name}{number}" for number in range(5)] for name in "abc"]
        mixed = hybrid.interleaved(lists)
        self.assertEqual(mixed[:6], ["a0", "b1", "c3", "a1", "b2", "c4"])
        for place, each in enumerate(lists):
            self.assertEqual(hybrid.rotated(mixed[place::3], place, 3, back=True), each)

    def test_ranks_are_fused_by_hand(self):
        scores = hybrid.fuse([5, 6], [6, 7])
        self.assertEqual(scores, {5: 1 / 60, 6: 1 / 61 + 1 / 60, 7: 1 / 61})

    def test_short_and_repeated_neighbours_are_refused(self):
        right = [[1, 2, 3]]
        self.assertAlmostEqual(filters.recall("p", {"answers": [{"ids": [1, 2, 9]}]}, right), 2 / 3)
        for ids in ([], [1, 2], [1, 1, 2]):
            with self.assertRaises(ann.WrongAnswer):
                filters.recall("p", {"answers": [{"ids": ids}]}, right)

    def test_names_and_sections_of_a_page(self):
        page = "LS(1)   \n\nNAME\n     ls - list directory contents\n\nSYNOPSIS\n     ls\n\nend\n"
        self.assertEqual(manuals.sections(page)[:2],
                         [("NAME", "ls - list directory contents"), ("SYNOPSIS", "ls")])
        self.assertEqual(manuals.name_line("ls - list directory contents"),
                         "list directory contents")
        self.assertIsNone(manuals.name_line("ls list"))
        self.assertIsNone(manuals.name_line("ls - lists"))

    def test_times_are_medians_over_rounds(self):
        times = measure.Times()
        for scale in (1, 2, 9):
            times.add({"wall_ns": [1_000 * scale, 3_000 * scale],
                       "cpu_each_ns": [1_000 * scale, 2_000 * scale]})
        self.assertEqual(times.means_cpu(), [1.5, 3, 13.5])
        self.assertEqual(times.quantile(0.99), 6)
        self.assertEqual(times.best(0), 2)
        self.assertEqual(times.best_cpu(1), 4)
        self.assertEqual(times.means_cpu([1]), [2, 4, 18])
        self.assertAlmostEqual(times.per_s(), 1e6 / 4)
        with self.assertRaises(ann.WrongAnswer):
            measure.same("peer", [1], [2])


if __name__ == "__main__":
    unittest.main()
