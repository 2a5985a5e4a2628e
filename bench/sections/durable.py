"""Durable writes, linking, write amplification, opening: quipu_engine_bench's commands as rows."""
import json
import statistics
import subprocess

from bench.harness import ann, machine

BATCH = 100
CLIENTS = 64


class Failed(Exception):
    """A command of quipu_engine_bench ended badly; the message is what it said."""


def engine_bench(context, command, **flags):
    arguments = [str(context.bin / "quipu_engine_bench"), command]
    for name, value in flags.items():
        arguments += [f"--{name}", str(value)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=3600)
    if done.returncode != 0:
        raise Failed(f"{command}: exit status {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def durable(context):
    one_writer(context)
    many_clients(context)


def one_writer(context):
    points = context.scaled(20_000, 5_000)
    with context.folder("writer") as folder:
        reply = engine_bench(context, "writer", dir=folder, base=context.data / "base.npy",
                             points=points, batch=BATCH, rounds=max(5, points // BATCH // 10))
    rounds = reply["rounds"]
    ours = [each["points_per_s"] for each in rounds]
    bounds = [each["bound_points_per_s"] for each in rounds]
    ratio, low, high = ann.ratio(ours, bounds)
    sync_ms = statistics.median(each["sync_ms"] for each in rounds)
    cpu_us = statistics.median(each["cpu_us_per_point"] for each in rounds)
    context.table.add(
        "durable_one_writer_per_s", statistics.median(ours), "inserts/s",
        f"384 floats + 200 bytes, {BATCH} a batch, fsync before each answer, {points:,} points; "
        f"{cpu_us:.0f} µs CPU a point, linking included")
    context.table.add(
        "durable_one_writer_sync_bound_per_s", statistics.median(bounds), "inserts/s",
        f"appends of as many bytes with fdatasync after each, alternating with the writer; "
        f"one takes {sync_ms:.2f} ms")
    context.table.add("durable_one_writer_of_bound", ratio, "ratio",
                      f"the writer's rate / what syncing alone allows, median of {len(rounds)} "
                      f"rounds ({low:.2f} to {high:.2f}); near 1 where a sync takes milliseconds, "
                      "less where the disk is so fast that CPU time is the bound")


def many_clients(context):
    points = context.scaled(20_000, 5_000)
    runs = []
    for _ in range(min(3, context.rounds)):
        with context.folder("clients") as folder:
            runs.append(engine_bench(context, "clients", dir=folder, points=points,
                                     base=context.data / "base.npy", clients=CLIENTS))
    rates = [run["points_per_s"] for run in runs]
    p50, p99 = (statistics.median(run[key] for run in runs) for key in ("p50_ms", "p99_ms"))
    context.table.add(
        "durable_64_clients_per_s", statistics.median(rates), "inserts/s",
        f"{CLIENTS} threads, one point a request, {points:,} points, {len(runs)} runs "
        f"({min(rates):,.0f} to {max(rates):,.0f}); acknowledged in p50 {p50:.1f} ms, "
        f"p99 {p99:.1f} ms", (">=", 10_000))


def load_and_open(context):
    with context.folder("loaded") as folder:
        load(context, folder)
        reopen(context, folder)


def load(context, folder):
    n = context.points
    reply = engine_bench(context, "load", dir=folder, base=context.data / "base.npy", points=n,
                         batch=BATCH, queries=context.data / "queries.npy")
    table = context.table
    table.add("load_acknowledged_s", reply["acknowledged_s"], "s",
              f"{n:,} points by one writer, {BATCH} a batch, fsync each, 100 searches/s beside it: "
              f"{n / reply['acknowledged_s']:,.0f} inserts/s")
    table.add("load_linked_s", reply["linked_s"], "s",
              f"from the first write until all {n:,} are in the graph; "
              f"{reply['cpu_s']:.0f} s CPU in all")
    table.add("load_search_p99_ms", reply["p99_ms_at_largest_tail"], "ms",
              f"searches while the tail was largest (up to {reply['largest_tail']:,} rows, "
              f"{reply['searches_at_largest_tail']} searches, "
              f"p50 {reply['p50_ms_at_largest_tail']:.2f} ms), writing and linking beside them")
    user = reply["user_bytes"]
    if reply["kernel_written_bytes"] < user:
        raise Failed(f"load: the kernel wrote {reply['kernel_written_bytes']:,} bytes for "
                     f"{user:,} of the user's; is the data folder in memory?")
    table.add("write_amplification", reply["kernel_written_bytes"] / user, "ratio",
              f"bytes the kernel wrote / user bytes, log, tables, compaction and checkpoint "
              f"included; by the engine's own count {reply['engine_written_bytes'] / user:.2f}; "
              f"on disk at the end {reply['disk_bytes'] / user:.2f}")


def reopen(context, folder):
    count = min(100, context.queries)
    truth = context.truth()
    runs = {"cold": [], "warm": []}
    how = ""
    for _ in range(context.rounds):
        for kind, found in runs.items():
            if kind == "cold":
                how = machine.evict([folder, context.bin])
            reply = engine_bench(context, "open", dir=folder, count=count, k=context.k,
                                 queries=context.data / "queries.npy")
            recall = ann.recall(reply["ids"], truth, context.k)
            if recall < 0.95:
                raise ann.WrongAnswer(f"recall {recall:.3f} after opening is under 0.95")
            found.append((reply, recall))
    for kind, target in (("warm", ("<=", 150)), ("cold", None)):
        replies = [reply for reply, _ in runs[kind]]
        opened = statistics.median(reply["open_ms"] for reply in replies)
        cpu = statistics.median(reply["cpu_ms"] for reply in replies)
        anonymous = statistics.median(reply["anonymous_bytes"] for reply in replies) / 1e6
        scans = sum(reply["storage_scan"] for reply in replies)
        detail = (f"{context.points:,} × 384, Engine::open to the first answer with payload; open "
                  f"alone {opened:.0f} ms; {cpu:.0f} ms CPU; {anonymous:.0f} MB anonymous; recall "
                  f"of {count} queries {runs[kind][0][1]:.3f}; {len(replies)} runs"
                  f"{f', {scans} answered by scanning storage' if scans else ''}")
        if kind == "cold":
            detail += f"; {how}"
        context.table.add(f"open_{kind}_ms",
                          statistics.median(reply["first_answer_ms"] for reply in replies), "ms",
                          detail, target)
