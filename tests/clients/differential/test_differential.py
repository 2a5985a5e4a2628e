#!/usr/bin/env python3
"""Goal: over Qdrant's REST API and over its gRPC, Quipu answers what Qdrant's client answers by itself.
Method: random histories of writes and random queries, done by the server through the unmodified
client and by the same client's local mode. Answers must be equal, scores within 1e-4, equal scores
in any order; what one of them refuses the other must refuse. What differs by intent is listed in
deviations.py, and is not generated.

QUIPU_TEST_SEED repeats a run, QUIPU_DIFFERENTIAL_CASES is the number of collections (60); gRPC has a
quarter of them.
"""
import math
import os
import pathlib
import random
import secrets
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import grpc  # noqa: E402
from qdrant_client import models  # noqa: E402
from qdrant_client.http.exceptions import UnexpectedResponse  # noqa: E402

import support  # noqa: E402
from differential import compare, deviations, generate, queries, writes  # noqa: E402

SEED = int(os.environ.get("QUIPU_TEST_SEED") or secrets.randbelow(2**32))
CASES = int(os.environ.get("QUIPU_DIFFERENTIAL_CASES", "60"))
ONLY = os.environ.get("QUIPU_DIFFERENTIAL_ONLY")  # one case's number
WRITES, QUERIES = 14, 30
EVERYTHING = 10_000
# The statuses of what is wrong in a request.
MISTAKES = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND,
            grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION}


class Refused:
    """What stands for an answer that was an error."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        return f"refused: {self.error!r:.200} {self.error!s:.500}"


class Pair:
    """The server and the oracle."""

    def __init__(self, ours, oracle, name):
        self.ours, self.oracle, self.name = ours, oracle, name

    def __call__(self, ask):
        """ask(client, name) of both; equal refusals give None."""
        theirs = self.attempt(self.oracle, ask)
        ours = self.attempt(self.ours, ask)
        if isinstance(theirs, Refused) and isinstance(theirs.error, TypeError):
            return None  # numpy stumbled over an empty collection: no judgement
        if isinstance(ours, Refused) != isinstance(theirs, Refused):
            raise compare.Difference(f"ours {ours!r:.1500}\nthe oracle's {theirs!r:.1500}")
        return None if isinstance(ours, Refused) else (ours, theirs)

    def attempt(self, client, ask):
        try:
            return ask(client, self.name)
        except UnexpectedResponse as error:
            if error.status_code >= 500:
                raise compare.Difference(f"a failure of the server: {error}") from error
            return Refused(error)
        except grpc.RpcError as error:
            if error.code() not in MISTAKES:
                raise compare.Difference(f"a failure of the server: {error}") from error
            return Refused(error)
        except (ValueError, KeyError, AssertionError, TypeError, IndexError) as error:
            if client is self.ours:
                raise
            return Refused(error)


class DifferentialTest(unittest.TestCase):
    server = None
    prefer_grpc = False
    cases = CASES

    @classmethod
    def setUpClass(cls):
        print(f"QUIPU_TEST_SEED={SEED}", flush=True)
        cls.server = support.Server()
        cls.ours = cls.server.client(cls.prefer_grpc)
        compare.EMPTY_IS_NONE = cls.prefer_grpc
        cls.compared = 0
        cls.undecided = 0

    @classmethod
    def tearDownClass(cls):
        cls.ours.close()
        cls.server.close()

    def test_deviations_are_few_and_reasoned(self):
        self.assertLessEqual(len(deviations.DEVIATIONS), 15)
        for deviation in deviations.DEVIATIONS:
            self.assertTrue(deviation.what and deviation.source, deviation)

    def test_random_histories(self):
        numbers = [int(ONLY)] if ONLY else range(self.cases)
        for number in numbers:
            with self.subTest(seed=SEED, case=number):
                self.run_case(random.Random(f"{SEED}/{number}"))
        print(f"{self.compared} answers compared in {len(numbers)} collections, of which "
              f"{self.undecided} hung on a float's last bits", flush=True)
        self.assertLessEqual(self.undecided, 1 + self.compared // 1000)
        self.assertGreater(self.compared, 30 * len(numbers))

    def run_case(self, rng):
        collection = generate.Collection(rng)
        both = Pair(self.ours, support.local_client(), "case")
        self.ours.delete_collection("case")
        for client in (both.ours, both.oracle):
            client.create_collection("case", **collection.arguments)
        for step in range(WRITES):
            kind, write = writes.random_write(rng, collection)
            with self.step(f"write {step}, {kind}"):
                both(write)
                self.check_state(both)
            if rng.random() < 0.3:
                self.change_index(rng)
        for step in range(QUERIES):
            kind = rng.choice([self.query, self.query, self.query, self.page, self.count,
                               self.facet, self.groups, self.ordered])
            with self.step(f"query {step}, {kind.__name__}"):
                kind(rng, collection, both)
        both.oracle.close()

    def change_index(self, rng):
        """Indexes of payload keys come and go, and may change no answer."""
        key = rng.choice(["", "", "inner.", "items[]."]) + rng.choice(list(generate.INDEXES))
        if rng.random() < 0.25:
            self.ours.delete_payload_index("case", key)
        else:
            self.ours.create_payload_index("case", key, generate.INDEXES[key.split(".")[-1]])

    class step:
        """Names the step in the message of a difference."""

        def __init__(self, name):
            self.name = name

        def __enter__(self):
            return self

        def __exit__(self, kind, error, trace):
            if isinstance(error, compare.Difference):
                raise AssertionError(f"{self.name}: {error}") from error

    def same(self, check, *arguments):
        type(self).compared += 1
        check(*arguments)

    def check_state(self, both):
        ours, theirs = both(lambda client, name: client.scroll(name, limit=EVERYTHING,
                                                               with_vectors=True))
        self.same(compare.check_records, ours[0], theirs[0])

    def query(self, rng, collection, both):
        arguments = queries.random_query(rng, collection)
        limit, offset = rng.randrange(1, 15), rng.choice([0, 0, 0, 3])
        answers = both(lambda client, name: client.query_points(
            name, limit=limit if client is both.ours else EVERYTHING,
            offset=offset if client is both.ours else 0, **arguments).points)
        if answers is None:
            return
        try:
            self.same(compare.check_hits, answers[0], answers[1], limit, offset)
        except compare.Difference as error:
            if self.hangs_on_rounding(arguments.get("prefetch", []), both):
                type(self).undecided += 1
                return
            raise compare.Difference(f"{error}\nof {arguments}\nlimit {limit}, offset {offset}") \
                from error

    def hangs_on_rounding(self, prefetches, both):
        """Whether two scores of a prefetch are equal but for the last bits of a float: then either
        may come first, and the ranks that a fusion counts, or what a limit cuts off, differ."""
        for prefetch in prefetches if isinstance(prefetches, list) else [prefetches]:
            if prefetch.prefetch and self.hangs_on_rounding(prefetch.prefetch, both):
                return True
            whole = both.oracle.query_points(
                both.name, query=prefetch.query, using=prefetch.using, limit=EVERYTHING,
                with_payload=False).points
            if any(math.isclose(a.score, b.score, rel_tol=2e-6, abs_tol=1e-6)
                   for a, b in zip(whole, whole[1:])):
                return True
        return False

    def page(self, rng, collection, both):
        arguments = {"scroll_filter": generate.maybe_filter(rng, collection),
                     "limit": rng.randrange(1, 12), "with_payload": queries.selection(rng),
                     "with_vectors": queries.vectors(rng, collection)}
        if rng.random() < 0.4:
            arguments["offset"] = generate.point_id(rng)
        answers = both(lambda client, name: client.scroll(name, **arguments))
        if answers is None:
            return
        (ours, our_next), (theirs, their_next) = answers
        try:
            self.same(compare.check_records, ours, theirs)
        except compare.Difference as error:
            raise compare.Difference(f"{error}\nof {arguments}") from error
        if our_next != their_next:
            raise compare.Difference(f"next {our_next} against {their_next} of {arguments}")

    def count(self, rng, collection, both):
        wanted = generate.maybe_filter(rng, collection, 0.9)
        answers = both(lambda client, name: client.count(name, count_filter=wanted).count)
        if answers is not None:
            self.same(self.equal, *answers, wanted)

    def facet(self, rng, collection, both):
        key = generate.key_path(rng, rng.choice(["tag", "count", "flag", "text", "kind"]))
        wanted, limit = generate.maybe_filter(rng, collection), rng.randrange(1, 12)
        answers = both(lambda client, name: client.facet(
            name, key, facet_filter=wanted, exact=True,
            limit=limit if client is both.ours else EVERYTHING).hits)
        if answers is not None:
            plain = [[(type(hit.value).__name__, hit.value, hit.count) for hit in hits]
                     for hits in answers]
            self.same(self.same_facet, *plain, limit, (key, wanted))

    def same_facet(self, ours, whole, limit, of):
        """Equal counts in any order between kinds of values, which the server never mixes."""
        self.equal([hit[2] for hit in ours], [hit[2] for hit in whole[:limit]], of)
        if not set(ours) <= set(whole) or len(set(ours)) != len(ours):
            raise compare.Difference(f"{ours} against {whole} of {of}")
        for before, after in zip(ours, ours[1:]):
            if before[0] == after[0] and before[2] == after[2] and before[1] > after[1]:
                raise compare.Difference(f"order of {before} and {after} in {ours}")

    @staticmethod
    def equal(ours, theirs, of):
        if ours != theirs:
            raise compare.Difference(f"{ours} against {theirs} of {of}")

    def groups(self, rng, collection, both):
        using = queries.usable(rng, collection)
        arguments = {"query": queries.nearest(rng, collection, using), "using": using or None,
                     "group_by": generate.key_path(rng, "kind"),
                     "group_size": rng.randrange(1, 4), "with_payload": True,
                     "query_filter": generate.maybe_filter(rng, collection, 0.3),
                     "search_params": queries.EXACT}
        limit = rng.randrange(1, 8)
        answers = both(lambda client, name: client.query_points_groups(
            name, limit=limit if client is both.ours else EVERYTHING, **arguments).groups)
        if answers is not None:
            self.same(self.same_groups, *answers, limit, arguments)

    @staticmethod
    def same_groups(ours, whole, limit, of):
        shown = (f"{[(g.id, [(h.id, h.score) for h in g.hits]) for g in ours]} against "
                 f"{[(g.id, [(h.id, h.score) for h in g.hits]) for g in whole]} of {of}")
        if len(ours) != min(limit, len(whole)):
            raise compare.Difference(f"{len(ours)} groups: {shown}")
        by_id = {group.id: group for group in whole}
        for mine, other in zip(ours, whole):
            same = by_id.get(mine.id)
            if same is None or not compare.close(mine.hits[0].score, other.hits[0].score):
                raise compare.Difference(f"group {mine.id}: {shown}")
            compare.check_hits(mine.hits, same.hits, of["group_size"])

    def ordered(self, rng, collection, both):
        key = generate.key_path(rng, rng.choice(["count", "weight", "when"]))
        order = models.OrderBy(key=key, direction=rng.choice([None, *models.Direction]))
        if rng.random() < 0.3 and key.rstrip("[]").endswith(("count", "weight")):
            order.start_from = rng.choice([rng.randrange(-2, 6), round(rng.uniform(-2, 5), 1)])
        wanted, limit = generate.maybe_filter(rng, collection), rng.randrange(1, 15)
        answers = both(lambda client, name: client.scroll(
            name, order_by=order, scroll_filter=wanted,
            limit=limit if client is both.ours else EVERYTHING)[0])
        if answers is not None:
            self.same(self.same_order, *answers, limit, (order, wanted))

    @staticmethod
    def same_order(ours, whole, limit, of):
        shown = (f"{[(p.id, p.order_value) for p in ours]} against "
                 f"{[(p.id, p.order_value) for p in whole]} of {of}")
        if [p.order_value for p in ours] != [p.order_value for p in whole[:limit]]:
            raise compare.Difference(shown)
        known = {(point.id, point.order_value) for point in whole}
        if not {(point.id, point.order_value) for point in ours} <= known:
            raise compare.Difference(shown)


class GrpcDifferentialTest(DifferentialTest):
    prefer_grpc = True
    cases = max(CASES // 4, 1)


if __name__ == "__main__":
    unittest.main()
