"""Hybrid search: dense and words fused, against the sum of its parts; the fusion is recomputed."""
import numpy

from bench.harness import ann
from bench.queries import data, measure

PREFETCH = 100
RRF_K = 60
FILTER = {"must": [{"key": "n", "range": {"gte": 300_000, "lt": 400_000}}]}
ANALYZER = {"language": "english"}


def dense_part(vector, **more):
    return {"query": vector, "using": "", "limit": PREFETCH, **more}


def words_part(text, **more):
    return {"query": {"nearest": {"text": text}}, "using": "words", "limit": PREFETCH, **more}


def fused(vector, text, limit, **more):
    return {"prefetch": [dense_part(vector), words_part(text)],
            "query": {"rrf": {"k": RRF_K}}, "limit": limit, **more}


def queries_of(context):
    """[(text, vector)] of glosses that are not in the collection."""
    vectors = numpy.load(context.data / "queries.npy")[:context.queries]
    texts = (context.data / "queries.txt").read_text(encoding="utf-8").splitlines()
    return list(zip(texts, vectors.astype(float).round(7).tolist()))


def open_glosses(context, worker, work_dir, **more):
    """100,000 glosses with vectors, words and payloads."""
    config = {"vectors": [{"name": "", "dim": 384, **more.pop("vector", {})}],
              "words": [{"name": "words", "analyzer": ANALYZER}],
              "payload_indexes": [{"key": "n", "type": "integer"}]}
    worker.ask("open", work_dir=work_dir, threads=2, config=config, **more)
    folder = data.path("payload", context.scale, "")
    return worker.ask("load", rows=context.points, texts=str(context.data / "base.txt"),
                      payloads=str(folder / "payloads.jsonl"),
                      vectors=str(context.data / "base.npy"))


VARIANTS = {
    "plain": ({}, {}),
    "filter": ({"filter": FILTER}, {}),
    "filter_and_payload": ({"filter": FILTER}, {"payload": True, "text": True}),
}


def hybrid(context):
    asked = queries_of(context)
    with context.folder("hybrid") as work_dir, measure.start(context, "quipu_bench_query") as ours:
        work_dir.mkdir()
        open_glosses(context, ours, str(work_dir))
        for name, (stage, answer) in VARIANTS.items():
            jobs = {
                "dense": [{"op": "query", "query": dense_part(vector, **stage)}
                          for _, vector in asked],
                "words": [{"op": "query", "query": words_part(text, **stage)}
                          for text, _ in asked],
                "fused": [{"op": "query", "query": fused(vector, text, context.k, **stage),
                           **answer} for text, vector in asked],
            }
            if answer:  # what it costs to give the payload back, beside the ids alone
                jobs["bare"] = [{"op": "query", "query": fused(vector, text, context.k, **stage)}
                                for text, vector in asked]
            measure_variant(context, ours, name, jobs)


def measure_variant(context, ours, name, jobs):
    # A part, another part, a fusion, and so on, each of another query: asked list by list, the
    # parts would find their views in the caches, which a fusion's two views push out for each
    # other; and of one query, who comes last would find what the others have read.
    file = measure.write_requests(context, "hybrid", interleaved(list(jobs.values())))
    times = measure.Times()
    for number in range(-1, context.rounds):
        reply = ours.ask("run", requests=file)
        if number >= 0:
            times.add(reply)
    answers = {part: rotated(reply["answers"][place::len(jobs)], place, len(jobs), back=True)
               for place, part in enumerate(jobs)}
    check(context, answers)
    chosen = {part: range(place, len(reply["answers"]), len(jobs))
              for place, part in enumerate(jobs)}
    p50 = {part: times.quantile(0.5, each) for part, each in chosen.items()}
    payload = max(0.0, p50["fused"] - p50["bare"]) if "bare" in p50 else 0.0
    parts = p50["dense"] + p50["words"] + payload
    context.table.add(f"hybrid_{name}_p50_us", p50["fused"], "µs",
                      f"wall, RRF (k {RRF_K}) of {PREFETCH} by vector and {PREFETCH} by words, top "
                      f"{context.k}, {context.points:,} glosses, {len(jobs['fused']):,} queries, "
                      f"{context.rounds} rounds; p99 {times.quantile(0.99, chosen['fused']):.0f}; "
                      "every fusion recomputed")
    context.table.add(f"hybrid_{name}_overhead", p50["fused"] / parts, "×",
                      f"p50 / (dense {p50['dense']:.0f} + words {p50['words']:.0f}"
                      + (f" + payload {payload:.0f}" if payload else "") + " µs), each alone")


def rotated(values, place, places, back=False):
    """The values from the one on that is `place` of `places` along; `back` undoes it."""
    begin = len(values) * place // places
    begin = len(values) - begin if back else begin
    return values[begin:] + values[:begin]


def interleaved(lists):
    """The first of each list, the second of each, ...; the lists begin at different places."""
    shifted = [rotated(each, place, len(lists)) for place, each in enumerate(lists)]
    return [value for together in zip(*shifted, strict=True) for value in together]


def fuse(dense_ids, words_ids):
    """{id: score} by reciprocal ranks."""
    scores = {}
    for ids in (dense_ids, words_ids):
        for rank, point in enumerate(ids):
            scores[point] = scores.get(point, 0) + 1 / (RRF_K + rank)
    return scores


def check(context, answers):
    for dense_answer, words_answer, answer in zip(answers["dense"], answers["words"],
                                                  answers["fused"], strict=True):
        scores = fuse(dense_answer["ids"], words_answer["ids"])
        best = sorted(scores.values(), reverse=True)[:context.k]
        if len(answer["ids"]) != context.k or len(set(answer["ids"])) != context.k:
            raise ann.WrongAnswer(f"a hybrid search gave {len(answer['ids'])} hits")
        for point, score, right in zip(answer["ids"], answer["scores"], best, strict=True):
            if abs(score - right) > 1e-6 or abs(scores.get(point, 0) - score) > 1e-6:
                raise ann.WrongAnswer(f"a fused score is {score}, {right} by hand")
