#!/usr/bin/env python3
"""Kills a real server with SIGKILL at random moments under concurrent writers, and looks at what is
left.

Usage: tests/crash/kill_server.py QUIPU

Promise: everything that a `sync` collection acknowledged is there after the kill, nothing is half
there, and deletes stay deleted. Each writer keeps its own record of what was acknowledged and of
what was under way; ids belong to one writer, so the order is known. The folder is used again by the
next round, so recovery starts from what crashes left before. QUIPU_CRASH_ROUNDS rounds (5), with
$QUIPU_TEST_SEED or a random seed, which is printed.
"""
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

QUIPU = sys.argv[1] if len(sys.argv) > 1 else "build/release/bin/quipu"
ROUNDS = int(os.environ.get("QUIPU_CRASH_ROUNDS", "5"))
SEED = int(os.environ.get("QUIPU_TEST_SEED", random.randrange(10**9)))
WRITERS = 8
IDS_PER_WRITER = 40
DIM = 16
POINTS = "/v1/collections/things/points"


class Server:
    """One process of `quipu serve` on a port of its own."""

    def __init__(self, data, environment):
        self.process = subprocess.Popen(
            [QUIPU, "--json", "--data", str(data), "serve", "--port", "0"], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the server did not start")
        self.port = urllib.parse.urlsplit(json.loads(line)["url"]).port

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        status = self.process.wait(60)
        self.process.stdout.close()
        assert status == -signal.SIGKILL, f"the server ended with {status} before it was killed"

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()


class Client:
    """A kept-alive connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
        return json.loads(text) if text else None


def vector_of(value):
    source = random.Random(value)
    return [round(source.uniform(-1, 1), 4) for _ in range(DIM)]


class Writer(threading.Thread):
    """Writes until the server dies; knows what was acknowledged and what was under way."""

    def __init__(self, number, known, values):
        super().__init__()
        self.number = number
        self.known = known      # id: the value acknowledged last, or None
        self.pending = {}       # id: the value that was under way, or None for a delete
        self.values = values    # never repeats over all rounds
        self.acknowledged = 0
        self.error = None

    def begin(self, port, seed):
        self.port = port
        self.random = random.Random(seed)
        self.start()

    def run(self):
        try:
            client = Client(self.port)
            while True:
                self.write(client)
        except (OSError, http.client.HTTPException):
            pass  # the server is gone
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def write(self, client):
        count = 10 if self.random.random() < 0.15 else 1
        first = self.number * IDS_PER_WRITER
        ids = self.random.sample(range(first, first + IDS_PER_WRITER), count)
        if self.random.random() < 0.25:
            self.pending = {point: None for point in ids}
            client.call("POST", POINTS + ":delete", {"ids": ids})
        else:
            self.pending = {point: next(self.values) for point in ids}
            client.call("PUT", POINTS, {"points": [
                {"id": point, "vector": vector_of(value), "payload": {"value": value}}
                for point, value in self.pending.items()]})
        self.known.update(self.pending)
        self.pending = {}
        self.acknowledged += 1


def counter(start):
    """Numbers for one writer, which no other writer uses."""
    while True:
        start += WRITERS
        yield start


def check(client, writers):
    """Everything acknowledged is there, and nothing else but what was under way."""
    problems = []
    held = {}
    for writer in writers:
        ids = list(range(writer.number * IDS_PER_WRITER, (writer.number + 1) * IDS_PER_WRITER))
        found = {point["id"]: point for point in
                 client.call("POST", POINTS + ":get", {"ids": ids, "with_vector": True})["points"]}
        for point in ids:
            there = found.get(point)
            value = there["payload"]["value"] if there else None
            allowed = [writer.known.get(point)]
            if point in writer.pending:
                allowed.append(writer.pending[point])
            if value not in allowed:
                problems.append(f"point {point} has {value}; acknowledged or under way: {allowed}")
            elif there and any(abs(a - b) > 1e-6 for a, b in
                               zip(there["vector"], vector_of(value), strict=True)):
                problems.append(f"point {point} has the vector of another write")
            writer.known[point] = value
            if there:
                held[point] = value
        writer.pending = {}
    count = client.call("POST", POINTS + ":count", {})["count"]
    if count != len(held):
        problems.append(f"{count} points are counted and {len(held)} are there")
    for point, value in list(held.items())[:40]:
        hits = client.call("POST", "/v1/collections/things/search",
                           {"vector": vector_of(value), "k": 1, "exact": True})["hits"]
        if not hits or hits[0]["id"] != point:
            problems.append(f"the view does not find point {point}")
    return problems


def main():
    print(f"QUIPU_TEST_SEED={SEED}", flush=True)
    source = random.Random(SEED)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("QUIPU_")}
    knowns = [{} for _ in range(WRITERS)]
    values = [counter(number) for number in range(WRITERS)]
    total = 0
    with tempfile.TemporaryDirectory(prefix="quipu-kill-") as folder:
        environment["XDG_CONFIG_HOME"] = folder
        data = pathlib.Path(folder) / "data"
        server = Server(data, environment)
        Client(server.port).call("PUT", "/v1/collections/things",
                                 {"vectors": [{"dim": DIM, "metric": "euclidean"}]})
        for round_number in range(ROUNDS):
            writers = [Writer(n, knowns[n], values[n]) for n in range(WRITERS)]
            for writer in writers:
                writer.begin(server.port, source.random())
            time.sleep(source.uniform(0.1, 0.8))  # the moment of the kill, not a wait for anything
            server.kill()
            for writer in writers:
                writer.join()
                if writer.error:
                    raise writer.error
            total += sum(writer.acknowledged for writer in writers)
            server = Server(data, environment)
            problems = check(Client(server.port), writers)
            if problems:
                server.stop()
                print("\n".join(problems[:20]))
                print(f"round {round_number} failed")
                return 1
        server.stop()
    if total < ROUNDS:
        print(f"only {total} writes were acknowledged in {ROUNDS} rounds: this proves nothing")
        return 1
    print(f"{ROUNDS} kills, {total} writes acknowledged, none lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
