"""Sweeps of nearest-neighbour peers: recall against cost, interleaved, interpolated."""
import statistics

EFFORTS = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 320,
           448, 640]


class WrongAnswer(Exception):
    """A benchmark's result is empty, short, repeated or too far from the exact one."""


def recall(answers, truth, k):
    """Mean share of the k exact neighbours that were found. Raises WrongAnswer on short answers."""
    if not answers or len(answers) > len(truth):
        raise WrongAnswer(f"{len(answers)} answers for {len(truth)} queries")
    found = 0
    for number, ids in enumerate(answers):
        if len(ids) != k:
            raise WrongAnswer(f"query {number} was answered {len(ids)} of {k} rows")
        if len(set(ids)) != k:
            raise WrongAnswer(f"query {number} was answered the same row twice")
        found += len(set(ids).intersection(int(row) for row in truth[number][:k]))
    return found / (k * len(answers))


def quantile(values, q):
    """The nearest-rank quantile."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-int(q * 1000) * len(ordered) // 1000) - 1))]


class Point:
    """One peer at one effort: its recall, and what every round measured."""

    def __init__(self, effort, found):
        self.effort = effort
        self.recall = found
        self.cpu_us = []
        self.p50_us = []
        self.p99_us = []
        self.p99_cpu_us = []

    def add(self, reply, count):
        self.cpu_us.append(reply["cpu_ns"] / count / 1e3)
        if reply["wall_ns"]:
            self.p50_us.append(quantile(reply["wall_ns"], 0.50) / 1e3)
            self.p99_us.append(quantile(reply["wall_ns"], 0.99) / 1e3)
            self.p99_cpu_us.append(quantile(reply["cpu_each_ns"], 0.99) / 1e3)


def efforts_of_interest(worker, job, truth, floor=0.90, ceiling=0.993):
    """Runs each effort once, unmeasured: it warms the peer up and finds the range that matters."""
    points = []
    for effort in EFFORTS:
        worker.ask("set", ef=effort)
        reply = worker.ask("run", **job)
        points.append(Point(effort, recall(reply["ids"], truth, job["k"])))
        if points[-1].recall >= ceiling:
            break
    while len(points) > 2 and points[1].recall < floor:
        points.pop(0)
    return points


def sweep(workers, job, truth, rounds):
    """Measures every worker at its efforts; neighbours in time are different peers at like recall.

    workers  name -> Worker with a built index
    job      queries (path), count, k
    Returns name -> [Point], by ascending effort.
    """
    points = {name: efforts_of_interest(worker, job, truth) for name, worker in workers.items()}
    for _ in range(rounds):
        for step in range(max(len(each) for each in points.values())):
            for name, worker in workers.items():
                if step >= len(points[name]):
                    continue
                point = points[name][step]
                worker.ask("set", ef=point.effort)
                reply = worker.ask("run", **job)
                now = recall(reply["ids"], truth, job["k"])
                if abs(now - point.recall) > 0.005:
                    raise WrongAnswer(f"{name} at effort {point.effort}: recall went from "
                                      f"{point.recall:.4f} to {now:.4f}")
                point.add(reply, job["count"])
    return points


def cost_at(points, target, round_index):
    """CPU microseconds for one query at recall `target` in one round, between the two efforts
    around it; None if the peer does not reach it. A peer that is above it at its least effort
    costs what that effort costs."""
    below = None
    for point in points:
        if point.recall >= target:
            if below is None:
                return point.cpu_us[round_index]
            share = (target - below.recall) / (point.recall - below.recall)
            low, high = below.cpu_us[round_index], point.cpu_us[round_index]
            return low + share * (high - low)
        below = point
    return None


def costs_at(points, target):
    """cost_at() of every round, or None."""
    costs = [cost_at(points, target, i) for i in range(len(points[0].cpu_us))]
    return None if None in costs else costs


def first_at(points, target):
    """The point of least effort whose recall is at least `target`, or None."""
    return next((point for point in points if point.recall >= target), None)


def ratio(theirs, ours):
    """(median, lowest, highest) over the rounds of theirs / ours; above 1 we are faster."""
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    return statistics.median(each), min(each), max(each)
