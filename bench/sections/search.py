"""Search in process: ours against hnswlib and rabitqlib, recall beside every speed."""
import contextlib
import os
import statistics

from bench.harness import ann
from bench.harness.worker import Worker

PEERS = {
    "quipu_dense": ["{bin}/quipu_bench_ann_dense"],
    "quipu_engine": ["{bin}/quipu_bench_ann_engine"],
    "hnswlib": ["{bin}/quipu_bench_ann_hnswlib"],
    "symphonyqg": ["{deps}/rabitqlib/venv/bin/python", "{root}/ann/rabitq_worker.py", "symqg"],
    "rabitq_hnsw": ["{deps}/rabitqlib/venv/bin/python", "{root}/ann/rabitq_worker.py", "hnsw"],
}
TARGETS = (0.95, 0.99)


def in_process(context):
    with contextlib.ExitStack() as ends:  # workers before their folders
        workers = {}
        for name, command in PEERS.items():
            folder = ends.enter_context(context.folder(name))
            folder.mkdir()
            workers[name] = ends.enter_context(start(context, name, command))
            build(context, name, workers[name], folder)
        truth = context.truth()
        job = {"queries": str(context.data / "queries.npy"), "count": context.queries,
               "k": context.k}
        measured = ann.sweep(workers, job, truth, context.rounds)
    for name, points in measured.items():
        report_costs(context, name, points)
    report_latency(context, measured)
    report_ratios(context, measured)


def start(context, name, command):
    root = context.deps.parent.parent / "bench"
    return Worker(name, [part.format(bin=context.bin, deps=context.deps, root=root)
                         for part in command])


def build(context, name, worker, folder):
    built = worker.ask("build", base=str(context.data / "base.npy"), rows=context.points,
                       threads=os.cpu_count(), m=16, ef_construction=200, work_dir=str(folder))
    if built["rows"] != context.points:
        raise ann.WrongAnswer(f"{name} built {built['rows']} of {context.points} rows")
    context.table.add(f"build_{name}_cpu_s", built["cpu_ns"] / 1e9, "s",
                      f"{context.points:,} × 384, M 16, ef_construction 200; "
                      f"{built['wall_ns'] / 1e9:.0f} s on {os.cpu_count()} threads; "
                      f"{built['anonymous_bytes'] / 1e6:.0f} MB anonymous when done")


def report_costs(context, name, points):
    for target in TARGETS:
        costs = ann.costs_at(points, target)
        row = f"search_{name}_us_at_{target:.2f}"
        if costs is None:
            best = max(point.recall for point in points)
            if name.startswith("quipu"):
                context.table.fail(row, f"its recall ends at {best:.4f}")
            continue
        ladder = ", ".join(f"ef {p.effort}: {p.recall:.4f} in {statistics.median(p.cpu_us):.0f}"
                           for p in points)
        context.table.add(row, statistics.median(costs), "µs CPU",
                          f"recall@10, one thread, {context.queries:,} queries, "
                          f"{len(costs)} rounds ({min(costs):.0f} to {max(costs):.0f}); {ladder}")


def report_latency(context, measured):
    """Wall time of single searches through the engine, at its least effort with recall 0.95."""
    found = {name: ann.first_at(measured[name], 0.95) for name in ("quipu_engine", "hnswlib")}
    for name, point in found.items():
        if point is None:
            raise ann.WrongAnswer(f"{name} does not reach recall 0.95")
    ours, theirs = found["quipu_engine"], found["hnswlib"]
    for key in ("p50_us", "p99_us"):
        context.table.add(
            f"search_{key}", statistics.median(getattr(ours, key)), "µs",
            f"wall, Engine::search, ef {ours.effort}, recall@10 {ours.recall:.4f}, p99 of CPU time "
            f"{statistics.median(ours.p99_cpu_us):.0f}; hnswlib "
            f"{statistics.median(getattr(theirs, key)):.0f} at ef {theirs.effort}, recall@10 "
            f"{theirs.recall:.4f}, p99 of CPU time {statistics.median(theirs.p99_cpu_us):.0f}")


def report_ratios(context, measured):
    for name in ("quipu_dense", "quipu_engine"):
        for target in TARGETS:
            for peer in ("hnswlib", "symphonyqg", "rabitq_hnsw"):
                ours = ann.costs_at(measured[name], target)
                theirs = ann.costs_at(measured[peer], target)
                if ours is None or theirs is None:
                    continue
                ratio, low, high = ann.ratio(theirs, ours)
                required = (">=", 1) if peer == "hnswlib" and target == 0.95 else None
                context.table.add(f"search_{name}_vs_{peer}_at_{target:.2f}", ratio, "×",
                                  f"{peer}'s CPU time / ours, above 1 we are faster; median of "
                                  f"{len(ours)} interleaved rounds ({low:.2f} to {high:.2f})",
                                  required)
