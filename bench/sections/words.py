"""Words: BM25 over a million texts, ours against Tantivy and Xapian; right answers first."""
import contextlib
import json
import statistics

import numpy

from bench.harness import ann
from bench.queries import bm25, data, measure

PEERS = {
    "quipu_engine": "quipu_bench_query",
    "quipu_index": "quipu_bench_words",
    "tantivy": ["tantivy", "tantivy_worker.py"],
    "xapian": "quipu_bench_xapian",
}
KINDS = ("1", "2", "3", "4", "5", "common")
CHECKED = 60  # queries that are compared with the formula, one by one


class EnginePeer:
    """Our engine behind the two calls of a words peer."""

    def __init__(self, context, worker, queries):
        self._context = context
        self._worker = worker
        self._requests = measure.write_requests(context, "words-engine", [
            {"op": "query", "query": {"query": {"nearest": {"text": query["text"]}},
                                      "using": "text", "limit": context.k}} for query in queries])

    def build(self, texts, count, work_dir):
        self._worker.ask("open", work_dir=work_dir, threads=1,
                         config={"words": [{"name": "text"}]})
        built = self._worker.ask("load", rows=count, texts=texts)
        view = next(view for view in built["views"] if view["kind"] == "words")
        built["index_bytes"] = view["memory_bytes"]
        return built

    def run(self):
        reply = self._worker.ask("run", requests=self._requests)
        reply["ids"] = [answer["ids"] for answer in reply["answers"]]
        reply["scores"] = [answer["scores"] for answer in reply["answers"]]
        return reply


class PlainPeer:
    def __init__(self, context, worker, queries_file):
        self._context = context
        self._worker = worker
        self._queries = queries_file

    def build(self, texts, count, work_dir):
        return self._worker.ask("build", texts=texts, count=count, work_dir=work_dir)

    def run(self):
        return self._worker.ask("run", queries=self._queries, k=self._context.k)


def words(context):
    folder = data.path("words", context.scale, "")
    queries = json.loads((folder / "queries.json").read_text(encoding="ascii"))
    context.work.mkdir(parents=True, exist_ok=True)
    queries_file = context.work / "words-queries.txt"
    queries_file.write_text("".join(query["text"] + "\n" for query in queries), encoding="ascii")
    count = data.scaled(data.TEXTS, context.scale)
    peers = {}

    def build(name, worker, work_dir):
        peers[name] = (EnginePeer(context, worker, queries) if name == "quipu_engine"
                       else PlainPeer(context, worker, str(queries_file)))
        worker.built = peers[name].build(str(folder / "texts.txt"), count, work_dir)

    with contextlib.ExitStack() as ends:
        workers = measure.start_all(context, ends, "words", PEERS, build)
        times, answers = measure_all(context, {name: peers[name] for name in workers},
                                     len(queries))
    report_builds(context, workers, count, folder)
    report_right(context, folder, queries, answers)
    report_times(context, queries, times)


def measure_all(context, peers, count):
    times = {name: measure.Times() for name in peers}
    answers = dict.fromkeys(peers)
    for number in range(-1, context.rounds):  # the first warms up
        for name, peer in peers.items():
            reply = peer.run()
            if len(reply["ids"]) != count or not all(reply["ids"]):
                raise ann.WrongAnswer(f"{name} left queries without an answer")
            answers[name] = {"ids": measure.same(name, answers[name] and answers[name]["ids"],
                                                 reply["ids"]), "scores": reply["scores"]}
            if number >= 0:
                times[name].add(reply)
    return times, answers


def report_builds(context, workers, count, folder):
    postings = workers["quipu_index"].built["postings"]
    for name, worker in workers.items():
        built = worker.built
        if built["rows"] != count:
            raise ann.WrongAnswer(f"{name} holds {built['rows']} of {count} texts")
        told = {key: built[key] for key in ("segments", "version") if key in built}
        where = {"quipu_engine": "the words view in memory; texts and log are on disk beside it",
                 "quipu_index": "in memory, positions included",
                 "tantivy": "on disk, positions included",
                 "xapian": "on disk, without positions"}[name]
        context.table.add(f"words_{name}_build_s", built["wall_ns"] / 1e9, "s",
                          f"{count:,} texts, {postings:,} postings, one at a time by one writer; "
                          f"{built['cpu_ns'] / 1e9:.1f} s CPU; merged when done; {told}; texts.txt "
                          f"has SHA-256 {data.digest_of(folder / 'texts.txt')[:16]}…")
        context.table.add(f"words_{name}_bytes_per_posting", built["index_bytes"] / postings,
                          "bytes", f"{where}; {built['index_bytes'] / 1e6:.0f} MB; the process "
                          f"grew by {built['anonymous_bytes'] / 1e6:.0f} MB of anonymous memory")


def report_right(context, folder, queries, answers):
    """Every peer's best ten beside those of the formula."""
    reference = bm25.Reference(numpy.load(folder / "tokens.npy"),
                               numpy.load(folder / "offsets.npy"))
    step = max(1, len(queries) // CHECKED)
    shares = {name: [] for name in answers}
    worst = 0.0
    for index in range(0, len(queries), step):
        scores = reference.scores(queries[index]["ranks"])
        for name, given in answers.items():
            shares[name].append(bm25.share_right(given["ids"][index], scores, context.k))
        engine = answers["quipu_engine"]
        for row, score in zip(engine["ids"][index], engine["scores"][index]):
            worst = max(worst, abs(score - scores[row]) / scores[row])
    for name, each in shares.items():
        ours = name.startswith("quipu")
        context.table.add(f"words_{name}_right", statistics.fmean(each), "ratio",
                          f"of the best {context.k} by the formula (k1 {bm25.K1}, b {bm25.B}, "
                          f"float64, no index), {len(each)} queries"
                          + ("" if ours else "; it rounds lengths or has another idf"),
                          (">=", 1) if ours else None)
    context.table.add("words_score_error", worst, "relative",
                      "the engine's scores against the formula's, the largest difference",
                      ("<=", 1e-5))


def report_times(context, queries, times):
    kinds = {kind: [index for index, query in enumerate(queries) if query["kind"] == kind]
             for kind in KINDS}
    for name, each in times.items():
        cpu = each.means_cpu()
        by_kind = ", ".join(
            f"{kind}: {statistics.median(each.means_cpu(chosen)):.0f} (p50 "
            f"{each.quantile(0.5, chosen):.0f}, p99 {each.quantile(0.99, chosen):.0f} wall)"
            for kind, chosen in kinds.items())
        context.table.add(f"words_{name}_us", statistics.median(cpu), "µs CPU",
                          f"a query, top {context.k}, one thread, {len(queries):,} queries, "
                          f"{len(cpu)} rounds ({measure.spread(cpu)}); by number of words: "
                          f"{by_kind}")
        context.table.add(f"words_{name}_p50_us", each.quantile(0.5), "µs",
                          "wall time, all queries")
        context.table.add(f"words_{name}_p99_us", each.quantile(0.99), "µs",
                          "wall time, all queries")
        context.table.add(f"words_{name}_per_s", each.per_s(), "queries/s", "one thread")
    for ours in ("quipu_index", "quipu_engine"):
        for peer in ("tantivy", "xapian"):
            if peer not in times:
                continue
            ratio, low, high = ann.ratio(times[peer].means_cpu(), times[ours].means_cpu())
            details = ", ".join(
                f"{kind}: " + format(ann.ratio(times[peer].means_cpu(chosen),
                                               times[ours].means_cpu(chosen))[0], ".2f")
                for kind, chosen in kinds.items())
            context.table.add(f"words_{ours}_vs_{peer}", ratio, "×",
                              f"{peer}'s CPU time / ours, above 1 we are faster; median of "
                              f"{context.rounds} interleaved rounds ({low:.2f} to {high:.2f}); "
                              f"by number of words: {details}",
                              (">=", 1) if peer == "xapian" else None)
