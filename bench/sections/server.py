"""The server as a process: start, memory, size, search over REST."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import time

from bench.harness import ann, machine
from bench.sections.durable import engine_bench

READY = (b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
PATIENCE_S = 60


class ServerFailed(Exception):
    """The server did not start, or did not end well."""


class Server:
    """`quipu serve` on a free port of loopback; ready when the constructor returns.

    `settings` are environment variables (QUIPU_...) besides.
    """

    def __init__(self, context, data_dir, settings=None):
        self.port = machine.free_port()
        self.log = context.work / "server.log"
        command = [str(context.bin / "quipu"), "--data", str(data_dir), "serve",
                   "--port", str(self.port)]
        # A configuration of this machine's user is not what is measured.
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("QUIPU_") and name != "XDG_CONFIG_HOME"}
        # The port that gRPC takes by itself, the next one, may be somebody else's.
        environment |= {"HOME": str(context.work), "QUIPU_MODELS": str(context.models),
                        "QUIPU_SERVER_GRPC_PORT": "0"}
        environment |= settings or {}
        with open(self.log, "wb") as log:
            start = time.monotonic()
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.ready_s = self._wait_ready(start)
        self.pid = self._process.pid

    def _wait_ready(self, start):
        while time.monotonic() < start + PATIENCE_S:
            if self._process.poll() is not None:
                raise ServerFailed(f"quipu serve ended with {self._process.returncode}: "
                                   f"{self.log.read_text(errors='replace')[-500:]}")
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.connect(("127.0.0.1", self.port))
                probe.sendall(READY)
                if probe.recv(4096).startswith(b"HTTP/1.1 200"):
                    return time.monotonic() - start
            time.sleep(0.0005)
        self._process.kill()
        raise ServerFailed(f"not ready within {PATIENCE_S} s")

    def ask(self, method, target, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request(method, target, body and json.dumps(body),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise ServerFailed("did not end within a minute of SIGTERM") from None
        if code != 0:
            raise ServerFailed(f"ended with {code} after SIGTERM: "
                               f"{self.log.read_text(errors='replace')[-500:]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def start(context):
    """Times from spawning the process to its first 200 on /health/ready; kinds interleaved."""
    times = {"new": [], "warm": [], "cold": []}
    resident = []
    how = ""
    for _ in range(context.rounds):
        with context.folder("empty") as folder:
            for kind, found in times.items():  # "new" makes the folder that the others open
                if kind == "cold":
                    how = machine.evict([folder, context.bin])
                with Server(context, folder) as server:
                    found.append(server.ready_s * 1e3)
                    if kind == "warm":
                        time.sleep(1)  # until it has settled
                        resident.append({field: machine.status_kb(server.pid, field) / 1024
                                         for field in ("VmRSS", "RssAnon", "RssFile")})
                        if server.ask("GET", "/health/ready")[0] != 200:
                            raise ServerFailed("not ready any more a second after its start")
    for kind, what in (("cold", f"empty data folder, {how}"), ("warm", "empty data folder"),
                       ("new", "no data folder yet")):
        each = times[kind]
        context.table.add(f"start_{kind}_ms", statistics.median(each), "ms",
                          f"`quipu serve` to the first 200 on /health/ready; {what}; {len(each)} "
                          f"runs ({min(each):.0f} to {max(each):.0f})", ("<=", 150))
    median = {field: statistics.median(each[field] for each in resident)
              for field in resident[0]}
    context.table.add("resident_empty_mb", median["VmRSS"], "MiB",
                      f"a second after start, no model loaded; {median['RssAnon']:.0f} anonymous, "
                      f"{median['RssFile']:.0f} of files", ("<=", 64))


def size(context):
    """Stripped bytes of what is ours, and of all that an installation holds."""
    ours = [context.bin / "quipu"] + sorted(context.bin.glob("*.so"))
    stripped = 0
    with context.folder("stripped") as folder:
        folder.mkdir()
        for path in ours:
            subprocess.run(["strip", "-o", folder / path.name, path], check=True)
            stripped += (folder / path.name).stat().st_size
    context.table.add("stripped_size_mb", stripped / 2**20, "MiB",
                      "stripped: " + ", ".join(path.name for path in ours), ("<=", 16))
    shared = {path.resolve() for each in ours for path in needed_libraries(each)
              if not path.resolve().is_relative_to(context.bin)}
    runtime = runtime_libraries(context)
    system = sum(path.stat().st_size for path in shared - runtime)
    model = sum(path.stat().st_size for path in runtime)
    context.table.add("installed_size_mb", (stripped + system + model) / 2**20, "MiB",
                      f"with OpenVINO ({len(runtime)} libraries, {model / 2**20:.0f} MiB) and the "
                      f"{len(shared - runtime)} shared libraries of Debian ({system / 2**20:.0f} "
                      "MiB); without the model's weights")


def needed_libraries(path):
    """The shared libraries that the loader takes for `path`."""
    said = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    for line in said.splitlines():
        parts = line.split(" => ")
        if len(parts) == 2 and parts[1].startswith("/"):
            yield pathlib.Path(parts[1].split(" (")[0])


def runtime_libraries(context):
    """The model runtime's files: those below .deps that the embedding worker maps once loaded."""
    from bench.harness.worker import Worker
    from bench.sections.embed import MODEL
    with Worker("embed", [str(context.bin / "quipu_bench_embed")]) as worker:
        worker.ask("load", models=str(context.models), model=MODEL, threads=1)
        maps = pathlib.Path(f"/proc/{worker.pid}/maps").read_text(encoding="utf-8")
    paths = {pathlib.Path(line.split(maxsplit=5)[5]).resolve() for line in maps.splitlines()
             if line.count("/") and ".so" in line}
    found = {path for path in paths if path.is_relative_to(context.models.parent)}
    if not found:
        raise ServerFailed("the embedding worker loaded no library of the model runtime")
    return found


def rest(context):
    """Search over REST: one connection's latency, then sixteen connections' throughput."""
    truth = context.truth()
    with context.folder("rest") as folder:
        engine_bench(context, "load", dir=folder, base=context.data / "base.npy",
                     points=context.points, batch=1000, queries=context.data / "queries.npy")
        # Searching is measured, not remembering.
        with Server(context, folder, {"QUIPU_ENGINE_QUERY_CACHE_ENTRIES": "0"}) as server:
            effort, recall = least_effort(context, server, truth)
            runs = {1: [], 16: []}
            for _ in range(context.rounds):
                for connections, found in runs.items():
                    cpu = machine.cpu_seconds(server.pid)
                    reply = client(context, server, effort, connections, context.queries)
                    reply["server_cpu_s"] = machine.cpu_seconds(server.pid) - cpu
                    check = ann.recall(reply["ids"], truth, context.k)
                    if check < 0.95:
                        raise ann.WrongAnswer(f"recall over REST fell to {check:.4f}")
                    found.append(reply)
            probe = [reply["latency_ns"] for reply in runs[1]]
    detail = (f"wall, POST search with a vector, {context.k} hits with payload, one keep-alive "
              f"connection, ef {effort}, recall@10 {recall:.4f}, {context.queries:,} queries, "
              f"{context.rounds} rounds")
    for name, q in (("p50", 0.50), ("p99", 0.99)):
        context.table.add(f"rest_search_{name}_us",
                          statistics.median(ann.quantile(each, q) for each in probe) / 1e3, "µs",
                          detail)
    rates = [context.queries / reply["wall_ns"] * 1e9 for reply in runs[16]]
    cpu_us = statistics.median(reply["server_cpu_s"] / context.queries * 1e6 for reply in runs[16])
    client_us = statistics.median(reply["cpu_ns"] / context.queries / 1e3 for reply in runs[16])
    context.table.add("rest_search_per_s", statistics.median(rates), "requests/s",
                      f"16 connections, the client on the same cores; {cpu_us:.0f} µs CPU of the "
                      f"server and {client_us:.0f} of the client a request")


def client(context, server, effort, connections, count):
    done = subprocess.run(
        [str(context.bin / "quipu_load_client"), "--port", str(server.port), "--target",
         "/v1/collections/bench/search", "--queries", str(context.data / "queries.npy"),
         "--count", str(count), "--connections", str(connections), "--k", str(context.k),
         "--ef", str(effort)], check=False, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise ServerFailed(f"load client: {done.stderr.strip()[-500:]}")
    reply = json.loads(done.stdout)
    if reply["status"] != {"200": count}:
        raise ServerFailed(f"{count} requests were answered {reply['status']}")
    return reply


def least_effort(context, server, truth):
    """The least effort of the sweep whose recall over REST is at least 0.95."""
    for effort in ann.EFFORTS:
        recall = ann.recall(client(context, server, effort, 1, context.queries)["ids"], truth,
                            context.k)
        if recall >= 0.95:
            return effort, recall
    raise ann.WrongAnswer(f"recall over REST ends at {recall:.4f}")
