"""The query cache: what a hit saves, how many a Zipfian trace gives, that none is ever stale."""
import http.client
import json
import statistics
import time

import numpy

from bench.harness import ann
from bench.queries import data, measure
from bench.sections import hybrid, server

ENTRIES = 1_000  # the engine's default
ASKED = 80  # questions of each round: those of all rounds and both kinds fit into the cache
STALE_ROUNDS = 40
MODEL = {"model": "all-MiniLM-L6-v2"}


def cache(context):
    asked = hybrid.queries_of(context)
    with context.folder("cache") as work_dir:
        work_dir.mkdir()
        with measure.start(context, "quipu_bench_query") as ours:
            hybrid.open_glosses(context, ours, str(work_dir), vector=MODEL,
                                models=str(context.models), embedding_cache_bytes=0,
                                query_cache_entries=ENTRIES)
            # The runtime is loaded by the first text, which is not what is measured.
            ours.ask("run", requests=measure.write_requests(context, "cache-first", [
                {**embedded("a first text"), "fresh": True}]))
            hits(context, ours, asked)
            never_stale(context, ours, asked)
        over_rest(context, work_dir / "data", asked)
    for exponent in data.TRACE_EXPONENTS:
        trace(context, exponent)


def embedded(text):
    return {"op": "query", "payload": True, "text": True,
            "query": {"query": {"nearest": {"text": text}}, "using": "", "limit": 10}}


def fused(text, vector):
    return {"op": "query", "payload": True, "text": True,
            "query": hybrid.fused(vector, text, 10, filter=hybrid.FILTER)}


# ---------------------------------------------------------------- what a hit saves


def hits(context, ours, asked):
    rounds = min(context.rounds, 5, len(asked) // ASKED)
    kinds = {"embed_and_search": [embedded(text) for text, _ in asked],
             "hybrid_filtered": [fused(text, vector) for text, vector in asked]}
    times = {(kind, again): measure.Times() for kind in kinds for again in (False, True)}
    for number in range(rounds):
        for kind, requests in kinds.items():
            part = requests[number * ASKED:(number + 1) * ASKED]
            file = measure.write_requests(context, "cache-hits", part)
            before = ours.ask("status")
            first = ours.ask("run", requests=file)
            again = ours.ask("run", requests=file)
            after = ours.ask("status")
            if first["answers"] != again["answers"]:
                raise ann.WrongAnswer(f"{kind}: a cached answer differs from the first")
            if not all(answer["ids"] and answer["bytes"] for answer in first["answers"]):
                raise ann.WrongAnswer(f"{kind}: an answer without hits or payload")
            gained = after["cache_hits"] - before["cache_hits"]
            missed = after["cache_misses"] - before["cache_misses"]
            if (gained, missed) != (ASKED, ASKED):
                raise ann.WrongAnswer(f"{kind}: {gained} hits and {missed} misses, not {ASKED} "
                                      "of each")
            times[kind, False].add(first)
            times[kind, True].add(again)
    for kind, target in (("embed_and_search", 100), ("hybrid_filtered", 10)):
        report_hits(context, kind, times[kind, False], times[kind, True], target)


def report_hits(context, kind, first, again, target):
    each = [ann.quantile(a, 0.5) / ann.quantile(b, 0.5)
            for a, b in zip(first.wall, again.wall, strict=True)]
    context.table.add(f"cache_hit_{kind}_us", again.quantile(0.5), "µs",
                      f"p50 wall, 10 hits with payload and text, in process; p99 "
                      f"{again.quantile(0.99):.1f}; {len(each)} rounds of {ASKED}")
    context.table.add(f"cache_hit_vs_{kind}", statistics.median(each), "×",
                      f"p50 of the first answer ({first.quantile(0.5):,.0f} µs) / p50 of the "
                      f"second ({again.quantile(0.5):.1f} µs); {measure.spread(each)}; "
                      f"{context.points:,} glosses; equal answers, hits by the engine's own count",
                      (">=", target))


# ---------------------------------------------------------------- never stale


def never_stale(context, ours, asked):
    """A write makes what was kept stale at once: after each, answers equal those made anew."""
    wrong = 0
    checks = 0
    new_id = context.points + 1

    def ask(request):
        file = measure.write_requests(context, "cache-stale", [
            request, {**request, "fresh": True}])
        kept, fresh = ours.ask("run", requests=file)["answers"]
        return kept, fresh

    for text, vector in asked[-STALE_ROUNDS:]:
        request = fused(text, vector)
        before, fresh = ask(request)
        again, _ = ask(request)
        ours.ask("write", points=[{"id": new_id, "text": text, "vector": vector,
                                   "payload": {"n": 300_000}}])
        written, made_anew = ask(request)
        ours.ask("erase", ids=[new_id])
        erased, made_again = ask(request)
        checks += 5
        wrong += (before != fresh) + (again != before) + (written != made_anew)
        wrong += (written["ids"][0] != new_id) + (erased != made_again or erased != before)
    context.table.add("cache_stale_answers", wrong, "answers",
                      f"of {checks} checks: a point that must come first is written and erased "
                      "again; each cached answer is compared with one made past the cache",
                      ("<=", 0))


# ---------------------------------------------------------------- a trace


def best_possible(exponent):
    """Share of the draws that fall on the ENTRIES most frequent questions."""
    cumulated = data.zipf(data.DISTINCT, exponent)
    return cumulated[ENTRIES - 1] / cumulated[-1]


def trace(context, exponent):
    draws = numpy.load(data.path("trace", context.scale, f"draws-{exponent}.npy")).tolist()
    texts = (context.data / "base.txt").read_text(encoding="utf-8").splitlines()
    questions = [{"op": "query", "query": {"query": {"nearest": {"text": text}}, "using": "words",
                                           "limit": 10}} for text in texts[:data.DISTINCT]]
    with context.folder("trace") as work_dir, measure.start(context, "quipu_bench_query") as ours:
        work_dir.mkdir()
        ours.ask("open", work_dir=str(work_dir), threads=1, query_cache_entries=ENTRIES,
                 config={"words": [{"name": "words", "analyzer": hybrid.ANALYZER}]})
        # Hits do not depend on how much is searched: a few texts will do.
        ours.ask("load", rows=data.DISTINCT, texts=str(context.data / "base.txt"))
        fresh = ours.ask("run", requests=measure.write_requests(context, "trace-fresh", [
            {**question, "fresh": True} for question in questions]))["answers"]
        before = ours.ask("status")
        answers = ours.ask("run", requests=measure.write_requests(
            context, "trace", [questions[rank] for rank in draws]))["answers"]
        after = ours.ask("status")
    for rank, answer in zip(draws, answers, strict=True):
        if answer != fresh[rank]:
            raise ann.WrongAnswer(f"question {rank} of the trace is answered wrongly")
    gained, missed = (after[name] - before[name] for name in ("cache_hits", "cache_misses"))
    if gained + missed != len(draws):
        raise ann.WrongAnswer(f"{gained} hits and {missed} misses of {len(draws)} questions")
    # The trace is the steeper one; beside the flatter one stands what is possible at all.
    context.table.add(f"cache_hit_rate_zipf_{exponent}", gained / len(draws), "ratio",
                      f"{len(draws):,} draws of {data.DISTINCT:,} questions, s = {exponent}, cache "
                      f"of {ENTRIES:,} that is empty at first; keeping the {ENTRIES:,} most "
                      f"frequent from the start would give {best_possible(exponent):.4f}; "
                      f"{after['cache_evictions']:,} evictions, {after['cache_bytes'] / 1e6:.1f} "
                      "MB; every answer compared with one made past the cache",
                      (">=", 0.8) if exponent == 1.1 else None)


# ---------------------------------------------------------------- over REST


def over_rest(context, data_dir, asked):
    # The embedding cache stays as it is in production; these texts were not asked before.
    bodies = {"embed_and_search": [{"text": text, "k": 10} for text, _ in asked[:ASKED]],
              "hybrid_filtered": [{"text": text, "vector": vector, "k": 10, "hybrid": {},
                                   "filter": hybrid.FILTER} for text, vector in asked[:ASKED]]}
    with server.Server(context, data_dir) as running:
        for kind, requests in bodies.items():
            first, answers = ask_all(running, requests)
            again, cached = ask_all(running, requests)
            if answers != cached or not all(answers):
                raise ann.WrongAnswer(f"{kind} over REST: a cached answer differs, or is empty")
            context.table.add(f"cache_rest_hit_{kind}_us", ann.quantile(again, 0.5), "µs",
                              f"p50 wall of POST search, one keep-alive connection, a client in "
                              f"Python included; the first time {ann.quantile(first, 0.5):,.0f}: "
                              f"{ann.quantile(first, 0.5) / ann.quantile(again, 0.5):.1f} ×")


def ask_all(running, requests):
    """(microseconds of each, ids of each)."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    times, answers = [], []
    try:
        for request in requests:
            body = json.dumps(request)
            begin = time.perf_counter_ns()
            connection.request("POST", "/v1/collections/bench/search", body,
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            times.append((time.perf_counter_ns() - begin) / 1e3)
            if response.status != 200:
                raise server.ServerFailed(f"status {response.status}: {text[:200]!r}")
            answers.append([hit["id"] for hit in json.loads(text)["hits"]])
    finally:
        connection.close()
    return times, answers
