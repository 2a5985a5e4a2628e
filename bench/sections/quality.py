"""Retrieval quality on manual pages: NAME lines as queries, the pages' other text as collection."""
import math
import statistics

import numpy

from bench.harness import ann
from bench.queries import data, manuals, measure

HITS = 100  # passages, from which the pages are taken
SHOWN = 10
RESAMPLES = 2_000
RERANKER = "manuals-reranker"
RERANKED = 30       # passages that the cross-encoder reads for a query
RERANKED_EVERY = 3  # of the queries: it reads 0.2 s a query
ANALYZER = {"language": "english"}


def methods():
    """name -> (text, vector) -> the query."""
    def dense(_, vector):
        return {"query": vector, "using": ""}

    def words(using):
        return lambda text, _: {"query": {"nearest": {"text": text}}, "using": using}

    def fused(fusion):
        return lambda text, vector: {
            "prefetch": [{**dense(text, vector), "limit": HITS},
                         {**words("words")(text, vector), "limit": HITS}], "query": fusion}

    def diverse(diversity, inner=None):
        def make(text, vector):
            query = {"query": {"nearest": vector, "mmr": {"diversity": diversity,
                                                         "candidates_limit": HITS}}, "using": ""}
            if inner:
                query["prefetch"] = {**inner(text, vector), "limit": HITS}
            return query
        return make

    def reranked(inner):
        return lambda text, vector: {
            "prefetch": {**inner(text, vector), "limit": RERANKED},
            "query": {"rerank": {"text": text, "model": RERANKER}}}

    rrf = fused({"rrf": {"k": 60}})
    dbsf = fused({"fusion": "dbsf"})
    return {
        "words": words("words"),
        "words_unstemmed": words("plain"),
        "dense": dense,
        "hybrid_rrf": rrf,
        "hybrid_rrf_k2": fused({"rrf": {"k": 2}}),
        "hybrid_dbsf": dbsf,
        "hybrid_weighted": fused({"weighted": {"weights": [0.5, 0.5]}}),
        "hybrid_weighted_7_3": fused({"weighted": {"weights": [0.7, 0.3]}}),
        "dense_mmr_0.1": diverse(0.1),
        "hybrid_mmr_0.1": diverse(0.1, rrf),
        "hybrid_mmr_0.5": diverse(0.5, rrf),
        "dense_rerank": reranked(dense),
        "hybrid_dbsf_rerank": reranked(dbsf),
    }


def quality(context):
    folder = manuals.FOLDER
    passages = data.read_json_lines(folder / "passages.jsonl")
    queries = data.read_json_lines(folder / "queries.jsonl")
    vectors = numpy.load(folder / "queries.npy").astype(float).round(7).tolist()
    chosen = range(0, len(queries), 10 if context.scale < 1 else 1)
    models = context.deps / "models"
    asked = methods()
    if not (models / RERANKER / "model.safetensors").exists():
        context.table.fail("quality_rerank",
                           f"{models / RERANKER} is not there: run 'make bench-setup'")
        asked = {name: make for name, make in asked.items() if not name.endswith("_rerank")}
    found = {}
    with context.folder("quality") as work_dir, \
            measure.start(context, "quipu_bench_query") as ours:
        work_dir.mkdir()
        ours.ask("open", work_dir=str(work_dir), threads=2, models=str(models), config={
            "vectors": [{"name": "", "dim": 384}],
            "words": [{"name": "words", "analyzer": ANALYZER}, {"name": "plain"}]})
        ours.ask("load", rows=len(passages), texts=str(folder / "passages.txt"),
                 payloads=str(folder / "payloads.jsonl"), vectors=str(folder / "passages.npy"))
        for name, make in asked.items():
            indices = chosen[::RERANKED_EVERY] if name.endswith("_rerank") else chosen
            file = measure.write_requests(context, f"quality-{name}", [
                {"op": "query", "query": {**make(queries[index]["text"], vectors[index]),
                                          "limit": HITS, "params": {"exact": True}}}
                for index in indices])
            reply = ours.ask("run", requests=file)
            found[name] = {
                index: judge([passages[row]["title"] for row in answer["ids"]],
                             queries[index]["right"])
                for index, answer in zip(indices, reply["answers"], strict=True)}
            if not any(answer["ids"] for answer in reply["answers"]):
                raise ann.WrongAnswer(f"{name} finds nothing")
    titles = len({passage["title"] for passage in passages})
    report(context, found, f"{titles:,} pages in {len(passages):,} passages of at most "
           f"{manuals.PASSAGE_WORDS} words, {len(chosen):,} NAME lines as queries")


def judge(titles, right):
    """(nDCG@10, recall@10, reciprocal rank) of pages by their best passage; relevance is 0 or 1."""
    pages = list(dict.fromkeys(titles))[:SHOWN]
    gains = [1 / math.log2(rank + 2) for rank, title in enumerate(pages) if title in right]
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(SHOWN, len(right))))
    first = next((rank for rank, title in enumerate(pages) if title in right), None)
    return (sum(gains) / ideal, len(gains) / len(right),
            0.0 if first is None else 1 / (first + 1))


def interval(values, draws):
    """The middle 95 % of the means of resamples."""
    means = numpy.array(values)[draws].mean(axis=1)
    return numpy.quantile(means, [0.025, 0.975])


MEASURES = ("nDCG@10", "recall@10", "MRR@10")


def report(context, found, about):
    """`found` has each method's judgements by query; reranking has judged only some queries."""
    draws = {}  # by the number of queries: the same for all methods, so that differences are paired

    def resamples(count):
        if count not in draws:
            random = numpy.random.Generator(numpy.random.PCG64(5)).random((RESAMPLES, count))
            draws[count] = (random * count).astype(numpy.int64)
        return draws[count]

    lines = ["", "## Retrieval quality", "", f"{about}; mean and 95 % interval of {RESAMPLES:,} "
             "bootstrap resamples. Reranked are the first "
             f"{RERANKED} passages of every third query, by a cross-encoder that was trained on other "
             "packages' pages (bench/queries/reranker.py); its rows are compared over these queries.",
             "",
             "| method | " + " | ".join(MEASURES) + " | nDCG@10 against dense | against RRF |",
             "| --- |" + " --- |" * 5]

    def against(name, other):
        each = found[name]
        if name == other:
            return "–"
        difference = [judged[0] - found[other][index][0] for index, judged in each.items()]
        low, high = interval(difference, resamples(len(difference)))
        return f"{statistics.fmean(difference):+.3f} ({low:+.3f} to {high:+.3f})"

    for name, each in found.items():
        cells = []
        for number in range(3):
            values = [judged[number] for judged in each.values()]
            low, high = interval(values, resamples(len(values)))
            cells.append(f"{statistics.fmean(values):.3f} ({low:.3f} to {high:.3f})")
        lines.append(f"| {name} | " + " | ".join(cells) +
                     f" | {against(name, 'dense')} | {against(name, 'hybrid_rrf')} |")
        context.table.add(f"quality_{name}_ndcg",
                          statistics.fmean(judged[0] for judged in each.values()), "nDCG@10",
                          f"{about}; over {len(each):,} queries; " + ", ".join(
                              f"{measured} {cell}" for measured, cell in zip(MEASURES, cells)))
    context.tables.append("\n".join(lines) + "\n")

    def mean(name, indices):
        return statistics.fmean(found[name][index][0] for index in indices)

    every = list(found["dense"])
    context.table.add("quality_hybrid_vs_best_part",
                      mean("hybrid_rrf", every) / max(mean("words", every), mean("dense", every)),
                      "×", "nDCG@10 of RRF with its defaults / the better of words and dense",
                      (">=", 1))
    some = list(found.get("hybrid_dbsf_rerank", {}))
    if not some:
        return
    context.table.add("quality_rerank_vs_hybrid",
                      mean("hybrid_dbsf_rerank", some) / mean("hybrid_dbsf", some), "×",
                      f"nDCG@10 of DBSF reranked / DBSF, over {len(some):,} queries", (">=", 1))
