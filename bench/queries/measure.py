"""What the sections of `make bench-query` share: requests on disk, times of interleaved rounds."""
import concurrent.futures
import json
import os
import statistics

from bench.harness import ann
from bench.harness.worker import Worker


class Missing(Exception):
    """A peer that bench/setup.sh should have installed is not there."""


def start(context, command):
    """A worker: `command` is a program below the build folder, or [environment, script, ...]."""
    if isinstance(command, str):
        program = context.bin / command
        parts = [str(program)]
    else:
        environment, script, *rest = command
        python = context.deps / environment / "venv/bin/python"
        program = python
        parts = [str(python), str(context.root / "bench/queries" / script), *rest]
    if not program.exists():
        raise Missing(f"{program} is not there: run 'make bench-setup'")
    return Worker(parts[-1] if isinstance(command, str) else command[1], parts)


def start_all(context, ends, section, commands, load):
    """Workers by name, each with a folder of its own, loaded by load(name, worker, folder), as many
    at a time as there are cores (each loads on one thread, and its CPU time is reported). One that
    is missing or fails is a row that does not hold. All end with `ends`."""
    workers = {}
    folders = {}
    for name, command in commands.items():
        folder = ends.enter_context(context.folder(f"{section}-{name}"))
        folder.mkdir()
        try:
            workers[name] = ends.enter_context(start(context, command))
            folders[name] = str(folder)
        except Missing as why:
            context.table.fail(f"{section}_{name}", str(why))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        loads = {name: pool.submit(load, name, worker, folders[name])
                 for name, worker in workers.items()}
    for name, done in loads.items():
        if done.exception() is not None:
            context.table.fail(f"{section}_{name}", f"not loaded: {done.exception()}")
            del workers[name]
    return workers


def write_requests(context, name, requests):
    """Writes requests a line each; returns the path."""
    context.work.mkdir(parents=True, exist_ok=True)
    file = context.work / f"{name}.jsonl"
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(request) + "\n" for request in requests)
    return str(file)


class Times:
    """Times of the same requests in several rounds."""

    def __init__(self):
        self.wall = []  # of each round: microseconds of each request
        self.cpu = []

    def add(self, reply):
        self.wall.append([each / 1e3 for each in reply["wall_ns"]])
        self.cpu.append([each / 1e3 for each in reply["cpu_each_ns"]])

    def means_cpu(self, chosen=None):
        """Mean CPU time of a request in each round; `chosen` are indexes of requests."""
        return [statistics.fmean(pick(each, chosen)) for each in self.cpu]

    def quantile(self, q, chosen=None):
        """The median over rounds of the quantile of wall time."""
        return statistics.median(ann.quantile(pick(each, chosen), q) for each in self.wall)

    def best(self, index):
        """The median over rounds of one request's wall time."""
        return statistics.median(each[index] for each in self.wall)

    def best_cpu(self, index):
        return statistics.median(each[index] for each in self.cpu)

    def per_s(self, chosen=None):
        return statistics.median(1e6 * len(pick(each, chosen)) / sum(pick(each, chosen))
                                 for each in self.wall)


def pick(values, chosen):
    return values if chosen is None else [values[index] for index in chosen]


def spread(values):
    return f"{min(values):.4g} to {max(values):.4g}"


def same(name, before, now):
    """A peer's answers may not change between rounds."""
    if before is not None and before != now:
        raise ann.WrongAnswer(f"{name} answered the same requests differently in another round")
    return now
