"""Filters: counts, pages, facets over a million payloads, and filtered dense search; each answer
is compared with what a plain evaluator says."""
import contextlib
import math
import statistics

import numpy

from bench.harness import ann
from bench.queries import cases, data, measure

PEERS = {
    "sqlite_json": ["runner", "sqlite_worker.py", "json"],
    "sqlite_columns": ["runner", "sqlite_worker.py", "columns"],
    "duckdb": ["duckdb", "duckdb_worker.py"],
    "lancedb": ["lancedb", "lancedb_worker.py"],
    "qdrant_edge": ["qdrant-edge", "qdrant_edge_worker.py"],
}
PAGE = 100
FACETS = 10
PATIENCE_S = 300  # for a peer's answer
INDEXES = [{"key": key, "type": kind} for key, kind in cases.INDEXES]
# What the targets are about: payloads of any shape, as ours. The others' figures are only reported.
TARGETS = ("sqlite_json",)


class Asked:
    """The requests, and what is right."""

    def __init__(self, columns):
        self.requests = []
        self.names = []
        self._right = []
        every = cases.cases(columns)
        masks = {name: mask for name, _, mask in every}
        given = {name: chosen for name, chosen, _ in every}
        for name, chosen, mask in every:
            if not mask.any():
                raise ann.WrongAnswer(f"the filter {name} matches nothing")
            self._add(f"count {name}", {"op": "count", "filter": chosen}, int(mask.sum()))
            self._add(f"scroll {name}", {"op": "scroll", "filter": chosen, "limit": PAGE,
                                         "payload": True}, mask)
        whole = numpy.ones(columns.rows, dtype=bool)
        for key, name in (("k10", None), ("k1000", None), ("k1000", "keyword_of_10"),
                          ("k10", "integers_10%"), ("k100000", "keyword_of_1000")):
            mask = whole if name is None else masks[name]
            request = {"op": "facet", "key": key, "limit": FACETS}
            if name:
                request["filter"] = given[name]
            # All of them: which come first among equal counts is each engine's own affair.
            right = cases.facets_of(columns, key, mask, columns.rows)
            self._add(f"facet {key} of {name or 'all'}", request, right)

    def _add(self, name, request, right):
        self.names.append(name)
        self.requests.append(request)
        self._right.append(right)

    def of(self, op):
        return [index for index, name in enumerate(self.names) if name.startswith(op + " ")]

    def check(self, peer, answers):
        """Raises WrongAnswer on the first that is not right; returns the indexes answered."""
        if len(answers) != len(self.requests):
            raise ann.WrongAnswer(f"{peer} gave {len(answers)} answers to {len(self.requests)}")
        answered = []
        for index, answer in enumerate(answers):
            if "unsupported" in answer:
                continue
            problem = self._problem(peer, index, answer)
            if problem:
                raise ann.WrongAnswer(f"{peer}, {self.names[index]}: {problem}")
            answered.append(index)
        return answered

    def _problem(self, peer, index, answer):
        right = self._right[index]
        if "count" in answer:
            return "" if answer["count"] == right else f"{answer['count']}, not {right}"
        if "ids" in answer:
            ids = answer["ids"]
            if peer == "lancedb":  # pages in no order
                wanted = min(PAGE, int(right.sum()))
                good = len(set(ids)) == wanted and bool(right[ids].all())
            else:
                good = ids == numpy.flatnonzero(right)[:PAGE].tolist()
            return "" if good else f"{len(ids)} ids, not those that match"
        if peer.startswith("quipu") and answer["facets"] != right[:FACETS]:
            return f"{answer['facets'][:3]}, not {right[:3]}"
        counts = dict(right)
        good = ([count for _, count in answer["facets"]] == [count for _, count in right[:FACETS]]
                and all(counts.get(value) == count for value, count in answer["facets"]))
        return "" if good else f"{answer['facets'][:3]}, not {right[:3]}"


def filters(context):
    folder = data.path("payload", context.scale, "")
    count = data.scaled(data.POINTS, context.scale)
    asked = Asked(cases.Columns(folder / "columns.npz"))
    requests = measure.write_requests(context, "filters", asked.requests)
    payloads = str(folder / "payloads.jsonl")
    with contextlib.ExitStack() as ends:
        work_dir = ends.enter_context(context.folder("filters-quipu"))
        work_dir.mkdir()
        ours = ends.enter_context(measure.start(context, "quipu_bench_query"))
        scanned = load_ours(context, ours, payloads, count, str(work_dir), asked, requests)
        workers = {"quipu": ours, **measure.start_all(
            context, ends, "filters", PEERS,
            lambda name, worker, work_dir: report_load(context, name, worker.ask(
                "load", payloads=payloads, rows=count, work_dir=work_dir), count))}
        times = {name: measure.Times() for name in workers}
        answered = {}
        for number in range(-1, context.rounds):
            for name, worker in list(workers.items()):
                reply = worker.ask("run", requests=requests, timeout_s=PATIENCE_S)
                answered[name] = asked.check(name, reply["answers"])
                if number >= 0:
                    times[name].add(reply)
    report(context, asked, times, answered, scanned, count)


def load_ours(context, ours, payloads, count, work_dir, asked, requests):
    """Loads, asks everything once without indexes, adds them. Returns the times without."""
    ours.ask("open", work_dir=work_dir, threads=1, config={})
    loaded = ours.ask("load", rows=count, payloads=payloads)
    if loaded["rows"] != count:
        raise ann.WrongAnswer(f"the engine holds {loaded['rows']} of {count} points")
    reply = ours.ask("run", requests=requests)
    asked.check("quipu", reply["answers"])
    scanned = measure.Times()
    scanned.add(reply)
    made = ours.ask("index", payload_indexes=INDEXES)
    size = sum(view["memory_bytes"] for view in made["views"])
    context.table.add("filters_quipu_load_s", loaded["wall_ns"] / 1e9, "s",
                      f"{count:,} payloads, 1,000 a write, one writer; "
                      f"{loaded['cpu_ns'] / 1e9:.1f} s CPU; {len(INDEXES)} indexes made afterwards "
                      f"on the live collection in {made['wall_ns'] / 1e9:.1f} s "
                      f"({made['cpu_ns'] / 1e9:.1f} s CPU), {size / count:.0f} bytes a point")
    return scanned


def report_load(context, name, built, count):
    context.table.add(f"filters_{name}_load_s", built["wall_ns"] / 1e9, "s",
                      f"{count:,} payloads and indexes; {built['cpu_ns'] / 1e9:.1f} s CPU; "
                      f"{built['disk_bytes'] / 1e6:.0f} MB on disk; {built['about']}")


def geometric(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def report(context, asked, times, answered, scanned, count):
    for name, each in times.items():
        for op in ("count", "scroll", "facet"):
            chosen = [index for index in asked.of(op) if index in answered[name]]
            if not chosen:
                continue
            left_out = [asked.names[index].split(" ", 1)[1] for index in asked.of(op)
                        if index not in chosen]
            context.table.add(
                f"filters_{name}_{op}_us", geometric(each.best_cpu(i) for i in chosen), "µs CPU",
                f"geometric mean over {len(chosen)} filters, {count:,} points, all right"
                + (f"; cannot say {', '.join(left_out)}" if left_out else ""))
    for op in ("count", "scroll", "facet"):
        chosen = asked.of(op)
        context.table.add(f"filters_quipu_{op}_without_index_us",
                          geometric(scanned.best_cpu(i) for i in chosen), "µs CPU",
                          "the same before the indexes were added, one round")
        for peer in times:
            if peer != "quipu":
                report_ratio(context, asked, op, peer, times, answered[peer])
    report_table(context, asked, times, answered, scanned, count)


def report_ratio(context, asked, op, peer, times, answered):
    chosen = [index for index in asked.of(op) if index in answered]
    if not chosen:
        return
    each = {index: times[peer].best_cpu(index) / max(times["quipu"].best_cpu(index), 0.1)
            for index in chosen}
    least = min(each, key=each.get)
    context.table.add(f"filters_{op}_vs_{peer}", geometric(each.values()), "×",
                      f"{peer}'s CPU time / ours, above 1 we are faster; geometric mean over "
                      f"{len(chosen)} filters; least {each[least]:.2f} "
                      f"({asked.names[least].split(' ', 1)[1]})",
                      (">=", 1) if peer in TARGETS else None)


def report_table(context, asked, times, answered, scanned, count):
    names = list(times)
    lines = ["", f"## Filters, one by one: µs CPU, {count:,} points", "",
             "| asked | " + " | ".join(["quipu, no index", *names]) + " |",
             "| --- |" + " --- |" * (len(names) + 1)]
    for index, name in enumerate(asked.names):
        cells = [f"{scanned.best_cpu(index):,.0f}"]
        cells += [f"{times[peer].best_cpu(index):,.1f}" if index in answered[peer] else "–"
                  for peer in names]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    context.tables.append("\n".join(lines) + "\n")


# ---------------------------------------------------------------- filtered dense search

BANDS = {"all": None, "50%": 500_000, "10%": 100_000, "1%": 10_000, "0.1%": 1_000}
EFFORTS = (16, 32, 64, 128, 256, 512)
FLOOR = 0.95
DENSE_PEERS = ("lancedb", "qdrant_edge")


def band_filter(width):
    return None if width is None else {
        "must": [{"key": "n", "range": {"gte": 300_000, "lt": 300_000 + width}}]}


def truth_of(base, queries, mask, k):
    """The k exact neighbours among the rows of the mask; vectors of unit length."""
    rows = numpy.flatnonzero(mask)
    near = queries @ base[rows].T
    k = min(k, len(rows))
    best = numpy.argpartition(-near, k - 1, axis=1)[:, :k]
    return [rows[chosen].tolist() for chosen in best]


def dense(context):
    folder = data.path("payload", context.scale, "")
    columns = cases.Columns(folder / "columns.npz", context.points)
    base = numpy.load(context.data / "base.npy", mmap_mode="r")[:context.points]
    queries = numpy.load(context.data / "queries.npy")[:max(50, context.queries // 5)]
    payloads = str(folder / "payloads.jsonl")
    # Peers read the file whole, so a shorter data set is a file of its own.
    vectors = context.work / "dense-vectors.npy"
    context.work.mkdir(parents=True, exist_ok=True)
    numpy.save(vectors, base)
    with contextlib.ExitStack() as ends:
        workers = measure.start_all(
            context, ends, "dense",
            {"quipu": "quipu_bench_query", **{name: PEERS[name] for name in DENSE_PEERS}},
            lambda name, worker, work_dir: load_dense(context, name, worker, payloads, vectors,
                                                      work_dir))
        for band, width in BANDS.items():
            mask = (numpy.ones(columns.rows, dtype=bool) if width is None else
                    (columns["n"] >= 300_000) & (columns["n"] < 300_000 + width))
            measure_band(context, workers, queries, band, width, int(mask.sum()),
                         truth_of(base, queries, mask, context.k))
    vectors.unlink()


def load_dense(context, name, worker, payloads, vectors, work_dir):
    if name == "quipu":
        dim = numpy.load(vectors, mmap_mode="r").shape[1]
        worker.ask("open", work_dir=work_dir, threads=1, config={
            "vectors": [{"name": "", "dim": dim}], "payload_indexes": INDEXES})
        built = worker.ask("load", rows=context.points, payloads=payloads, vectors=str(vectors))
    else:
        built = worker.ask("load", rows=context.points, payloads=payloads, vectors=str(vectors),
                           work_dir=work_dir)
    context.table.add(f"dense_{name}_load_s", built["wall_ns"] / 1e9, "s",
                      f"{context.points:,} × 384 with payloads and indexes; "
                      f"{built['cpu_ns'] / 1e9:.1f} s CPU; {built.get('about', '')}")


def recall(name, reply, truth):
    found = 0
    for answer, right in zip(reply["answers"], truth):
        if len(set(answer["ids"])) != len(right):
            raise ann.WrongAnswer(f"{name} gave {len(answer['ids'])} of {len(right)} rows")
        found += len(set(answer["ids"]) & set(right))
    return found / sum(len(right) for right in truth)


def requests_of(context, queries, width, effort):
    chosen = band_filter(width)
    return [{"op": "query", "query": {"query": query, "limit": context.k,
                                      "params": {"hnsw_ef": effort},
                                      **({"filter": chosen} if chosen else {})}}
            for query in queries.astype(float).round(7).tolist()]


def least_effort(context, name, worker, queries, band, width, truth):
    """(effort, recall, requests) of the least effort that reaches the floor, or the last."""
    for effort in EFFORTS:
        file = measure.write_requests(context, f"dense-{name}-{band}",
                                      requests_of(context, queries, width, effort))
        found = recall(name, worker.ask("run", requests=file), truth)
        if found >= FLOOR:
            break
    return effort, found, file


def measure_band(context, workers, queries, band, width, matching, truth):
    chosen = {}
    for name, worker in workers.items():
        try:
            chosen[name] = least_effort(context, name, worker, queries, band, width, truth)
        except ann.WrongAnswer as why:
            if name == "quipu":
                raise
            context.table.add(f"dense_filter_{band}_{name}_us", 0, "µs CPU", f"no figure: {why}")
    times = {name: measure.Times() for name in chosen}
    for _ in range(context.rounds):
        for name, (_, _, file) in chosen.items():
            times[name].add(workers[name].ask("run", requests=file))
    for name, (effort, found, _) in chosen.items():
        cpu = times[name].means_cpu()
        context.table.add(f"dense_filter_{band}_{name}_us", statistics.median(cpu), "µs CPU",
                          f"recall@{context.k} {found:.4f} at ef {effort}; {matching:,} of "
                          f"{context.points:,} points match; {len(queries)} queries, one thread; "
                          f"p50 {times[name].quantile(0.5):.0f}, p99 "
                          f"{times[name].quantile(0.99):.0f} µs wall ({measure.spread(cpu)})")
    context.table.add(f"dense_filter_{band}_recall", chosen["quipu"][1], "recall",
                      f"recall@{context.k} of the engine in that row", (">=", FLOOR))
    for name in chosen:
        if name == "quipu":
            continue
        ratio, low, high = ann.ratio(times[name].means_cpu(), times["quipu"].means_cpu())
        equal = chosen[name][1] >= FLOOR
        context.table.add(f"dense_filter_{band}_vs_{name}", ratio, "×",
                          f"its CPU time / ours, above 1 we are faster ({low:.2f} to {high:.2f})"
                          + ("" if equal else f"; it reaches only recall {chosen[name][1]:.4f}"))
