"""Any sparse vectors: ours against Qdrant Edge, both against an exact scan."""
import contextlib
import json
import statistics

import numpy

from bench.harness import ann
from bench.queries import bm25, data, measure

CHECKED = 100
PEERS = {"quipu": "quipu_bench_query",
         "qdrant_edge": ["qdrant-edge", "qdrant_edge_worker.py"]}


class Scan:
    """All weights by dimension; a query's scores are sums over its dimensions, in float64."""

    def __init__(self, file, rows):
        self.rows = rows
        dimensions, owners, weights = [], [], []
        with open(file, encoding="utf-8") as lines:
            for row, line in enumerate(lines):
                vector = json.loads(line)
                dimensions += vector["indices"]
                weights += vector["values"]
                owners += [row] * len(vector["indices"])
        dimensions = numpy.array(dimensions)
        order = numpy.argsort(dimensions, kind="stable")
        self._owners = numpy.array(owners)[order]
        # As float32, which is what every engine keeps.
        self._weights = numpy.array(weights, dtype=numpy.float32)[order].astype(numpy.float64)
        self._starts = numpy.searchsorted(dimensions[order], numpy.arange(data.DIMENSIONS + 1))
        self.postings = len(dimensions)

    def scores(self, query):
        total = numpy.zeros(self.rows)
        for dimension, weight in zip(query["indices"], query["values"]):
            part = slice(self._starts[dimension], self._starts[dimension + 1])
            total[self._owners[part]] += numpy.float32(weight) * self._weights[part]
        return total


def sparse(context):
    folder = data.path("sparse", context.scale, "")
    count = data.scaled(data.SPARSE, context.scale)
    queries = data.read_json_lines(folder / "queries.jsonl")
    ours = measure.write_requests(context, "sparse", [
        {"op": "query", "query": {"query": query, "using": "sparse", "limit": context.k}}
        for query in queries])
    vectors = str(folder / "vectors.jsonl")
    built = {}

    def load(name, worker, work_dir):
        built[name] = load_one(name, worker, vectors, count, work_dir)

    with contextlib.ExitStack() as ends:
        workers = measure.start_all(context, ends, "sparse", PEERS, load)
        times = {name: measure.Times() for name in workers}
        answers = dict.fromkeys(workers)
        for number in range(-1, context.rounds):
            for name, worker in workers.items():
                reply = worker.ask("run", requests=ours)
                answers[name] = [answer["ids"] for answer in reply["answers"]]
                if number >= 0:
                    times[name].add(reply)
    report(context, folder, queries, built, times, answers)


def load_one(name, worker, vectors, count, work_dir):
    if name != "quipu":
        return worker.ask("load", payloads=None, rows=count, work_dir=work_dir, vectors=vectors)
    worker.ask("open", work_dir=work_dir, threads=1,
               config={"vectors": [{"name": "sparse", "sparse": True}]})
    return worker.ask("load", rows=count, sparse=vectors)


def report(context, folder, queries, built, times, answers):
    scan = Scan(folder / "vectors.jsonl", data.scaled(data.SPARSE, context.scale))
    step = max(1, len(queries) // CHECKED)
    for name, given in answers.items():
        shares = [bm25.share_right(given[index], scan.scores(queries[index]), context.k)
                  for index in range(0, len(queries), step)]
        context.table.add(f"sparse_{name}_right", statistics.fmean(shares), "ratio",
                          f"of the best {context.k} by exact scan, {len(shares)} queries",
                          (">=", 1) if name == "quipu" else None)
        cpu = times[name].means_cpu()
        loaded = built[name]
        memory = ""
        if name == "quipu":
            view = next(view for view in loaded["views"] if view["kind"] == "sparse")
            memory = f"; {view['memory_bytes'] / scan.postings:.2f} bytes a weight in memory"
        context.table.add(f"sparse_{name}_us", statistics.median(cpu), "µs CPU",
                          f"a query of 10 to 38 weights, top {context.k}, {scan.rows:,} vectors of "
                          f"30 to 120 ({scan.postings:,} weights), one thread, {len(queries)} "
                          f"queries, {len(cpu)} rounds ({measure.spread(cpu)}); p50 "
                          f"{times[name].quantile(0.5):.0f}, p99 {times[name].quantile(0.99):.0f} "
                          f"µs wall; loaded in {loaded['wall_ns'] / 1e9:.1f} s{memory}; "
                          f"{loaded.get('about', '')}")
    if "qdrant_edge" in times:
        ratio, low, high = ann.ratio(times["qdrant_edge"].means_cpu(),
                                     times["quipu"].means_cpu())
        context.table.add("sparse_vs_qdrant_edge", ratio, "×",
                          f"its CPU time / ours, above 1 we are faster; median of {context.rounds} "
                          f"interleaved rounds ({low:.2f} to {high:.2f})")
