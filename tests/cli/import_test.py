#!/usr/bin/env python3
"""Tests of `quipu import qdrant`: a copy equals its source, and goes on after whatever cut it off.

Usage: tests/cli/import_test.py QUIPU [unittest's arguments]
The source is a second process of QUIPU, asked in Qdrant's words. Faults come from a proxy before it.
"""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

QUIPU = sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/bin/quipu"
TIMEOUT_S = 120
SEED = int(os.environ.get("QUIPU_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


class Proxy(http.server.ThreadingHTTPServer):
    """Hands requests on, but answers as `fault(proxy, request line)` says: a status, "cut", None."""
    daemon_threads = True

    def __init__(self, url, fault, api_key=None, rewrite=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = urllib.parse.urlsplit(url).netloc
        self.fault = fault
        self.api_key = api_key
        self.rewrite = rewrite  # (request line, answer's JSON): changes it in place
        self.requests = 0
        self.scrolls = 0
        self.faults = 0
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, more=()):
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server
        with server.lock:
            server.requests += 1
            server.scrolls += self.path.endswith("/scroll")
            fault = server.fault(server, self.command + " " + self.path)
            server.faults += fault is not None
        if server.api_key is not None and self.headers.get("api-key") != server.api_key:
            return self.answer(401, b'{"status":{"error":"Invalid API key"}}')
        if isinstance(fault, int):
            error = json.dumps({"status": {"error": f"made to fail with {fault}"}}).encode()
            return self.answer(fault, error, [("Retry-After", "0")])
        connection = http.client.HTTPConnection(server.target, timeout=TIMEOUT_S)
        connection.request(self.command, self.path, body or None,
                           {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if server.rewrite is not None:
            parsed = json.loads(text)
            server.rewrite(self.command + " " + self.path, parsed)
            text = json.dumps(parsed).encode()
        if fault == "cut":  # in the middle of the answer
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(OSError):  # whom it was for may be gone
                self.wfile.write(text[:len(text) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self.answer(answer.status, text)

    do_GET = do_POST = do_PUT = handle_any


class ImportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"QUIPU_TEST_SEED={SEED}", file=sys.stderr)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="quipu-import-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith("QUIPU_") or key == "QUIPU_MODELS"}
        self.environment["XDG_CONFIG_HOME"] = str(self.folder)
        self.rng = random.Random(SEED)
        self.source = self.serve("source")

    def serve(self, name):
        process = subprocess.Popen(
            [QUIPU, "--json", "--data", str(self.folder / name), "serve", "--port", "0"],
            env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.reap, process)
        line = process.stdout.readline()
        self.assertTrue(line)
        return json.loads(line)["url"]

    @staticmethod
    def reap(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def proxy(self, fault, **more):
        proxy = Proxy(self.source, fault, **more)
        self.addCleanup(proxy.close)
        return proxy

    def start_import(self, *arguments, into="here", **environment):
        command = [QUIPU, "--json", "--data", str(self.folder / into), "import", "qdrant",
                   "--progress", str(self.folder / "progress.json"), *map(str, arguments)]
        return subprocess.Popen(command, env={**self.environment, **environment}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def do_import(self, *arguments, status=0, **more):
        process = self.start_import(*arguments, **more)
        out, err = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, status, out + err)
        return json.loads(out) if out else json.loads(err)

    @staticmethod
    def call(url, method, path, body=None):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"} if body is not None else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
        return json.loads(text)["result"]

    def at_source(self, method, path, body=None):
        return self.call(self.source, method, path, body)

    def fill(self, name, count, config=None):
        """A collection with named dense, sparse and multivectors, indexes and odd payloads."""
        self.at_source("PUT", f"/collections/{name}", config or {
            "vectors": {"d": {"size": 3, "distance": "Cosine", "hnsw_config": {"m": 8}},
                        "e": {"size": 2, "distance": "Euclid", "on_disk": True},
                        "m": {"size": 2, "distance": "Dot",
                              "multivector_config": {"comparator": "max_sim"}}},
            "sparse_vectors": {"s": {"modifier": "idf"}}, "shard_number": 2,
            "optimizers_config": {"default_segment_number": 3}, "metadata": {"owner": "ä"}})
        for key, schema in [("n", "integer"), ("kind", "keyword"), ("text", {
                "type": "text", "tokenizer": "word", "lowercase": True})]:
            self.at_source("PUT", f"/collections/{name}/index?wait=true",
                           {"field_name": key, "field_schema": schema})
        for begin in range(0, count, 500):
            self.at_source("PUT", f"/collections/{name}/points?wait=true", {
                "points": [self.point(i) for i in range(begin, min(begin + 500, count))]})

    def point(self, i):
        draw = self.rng.random
        vectors = {"d": [draw() - 0.5, draw(), draw()], "e": [draw(), i],
                   "m": [[draw(), draw()] for _ in range(1 + i % 3)],
                   "s": {"indices": [i % 50, 100 + i % 7], "values": [draw(), 1.5]}}
        for name in list(vectors):
            if self.rng.random() < 0.2:
                del vectors[name]
        point_id = i if i % 3 else f"00000000-0000-4000-8000-{i:012x}"
        payload = {"n": i, "kind": self.rng.choice("abc"), "text": f"word{i} größer",
                   "deep": {"a": [1, {"b": None}], "big": 2 ** 53 + i}}
        return {"id": point_id, "vector": vectors, "payload": payload if i % 5 else {}}

    def all_points(self, url, name):
        points, offset = [], None
        while True:
            page = self.call(url, "POST", f"/collections/{name}/points/scroll",
                             {"limit": 1000, "offset": offset, "with_vector": True})
            points += page["points"]
            offset = page["next_page_offset"]
            if offset is None:
                return {str(p["id"]): p for p in points}

    def assert_copied(self, name, target=None):
        here = self.serve("here")
        target = target or name
        source, copy = self.all_points(self.source, name), self.all_points(here, target)
        self.assertEqual(sorted(source), sorted(copy))
        for key, point in source.items():
            self.assertEqual(point["payload"], copy[key]["payload"])
            self.assertEqual(sorted(point["vector"]), sorted(copy[key]["vector"]))
            for vector, values in point["vector"].items():
                self.assert_near(values, copy[key]["vector"][vector])
        one = self.at_source("GET", f"/collections/{name}")
        two = self.call(here, "GET", f"/collections/{target}")
        self.assertEqual(one["config"], two["config"])
        self.assertEqual({k: v["data_type"] for k, v in one["payload_schema"].items()},
                         {k: v["data_type"] for k, v in two["payload_schema"].items()})
        return here

    def assert_near(self, one, two):
        if isinstance(one, dict):
            self.assertEqual(one["indices"], two["indices"])
            one, two = one["values"], two["values"]
        if one and isinstance(one[0], list):
            one, two = sum(one, []), sum(two, [])
        self.assertEqual(len(one), len(two))
        for a, b in zip(one, two):  # a cosine vector is made of unit length again
            self.assertAlmostEqual(a, b, places=6)

    # ------------------------------------------------------------ what is copied

    def test_a_copy_is_as_its_source(self):
        self.fill("things", 1000)
        self.at_source("PUT", "/collections/plain", {"vectors": {"size": 2, "distance": "Dot"}})
        self.at_source("PUT", "/collections/plain/points?wait=true", {
            "points": [{"id": 1, "vector": [1, 2]}, {"id": 2, "vector": [2 ** -130, 3.4e38]}]})
        self.at_source("POST", "/collections/aliases", {"actions": [
            {"create_alias": {"alias_name": name, "collection_name": "things"}}
            for name in ("live", "other")]})
        report = self.do_import(self.source, "--batch", 37, "--as", "plain=plain-2")
        by_name = {c["name"]: c for c in report["collections"]}
        self.assertEqual(sorted(by_name), ["plain", "things"])
        self.assertEqual(by_name["things"]["points"], 1000)
        self.assertEqual(by_name["things"]["indexes"], 3)
        self.assertEqual(by_name["things"]["aliases"], 2)
        self.assertEqual(by_name["things"]["notes"], [])
        self.assertFalse((self.folder / "progress.json").exists())
        here = self.assert_copied("things")
        self.assertEqual(self.call(here, "GET", "/collections/things/aliases")["aliases"], [
            {"alias_name": name, "collection_name": "things"} for name in ("live", "other")])
        plain = self.all_points(here, "plain-2")
        self.assertEqual(plain["1"]["vector"], [1, 2])
        self.assertEqual([struct.pack("f", value) for value in plain["2"]["vector"]],
                         [struct.pack("f", value) for value in (2 ** -130, 3.4e38)])

    def test_what_is_here_already_stays_unless_it_is_added_to(self):
        self.fill("things", 20)
        self.do_import(self.source)
        refused = self.do_import(self.source, status=5)
        self.assertEqual(refused["collections"][0]["error"]["code"], "collection_exists")
        self.assertIn("--existing", refused["collections"][0]["error"]["detail"])
        (self.folder / "progress.json").unlink(missing_ok=True)
        self.at_source("PUT", "/collections/things/points?wait=true", {"points": [self.point(77)]})
        added = self.do_import(self.source, "--existing")
        self.assertEqual(added["collections"][0]["points"], 21)
        self.assert_copied("things")

    def test_an_alias_that_names_another_collection_here_is_left(self):
        self.fill("things", 3)
        self.at_source("POST", "/collections/aliases", {"actions": [
            {"create_alias": {"alias_name": "live", "collection_name": "things"}}]})
        self.do_import(self.source)
        report = self.do_import(self.source, "--as", "things=again", "--restart")
        self.assertIn("'things'", "".join(report["collections"][0]["notes"]).replace('"', "'"))
        self.assertEqual(report["collections"][0]["aliases"], 0)

    def copied_with(self, name, change):
        """The report of a copy whose source tells its configuration as `change` leaves it."""
        def rewrite(line, answer):
            if line == f"GET /collections/{name}":
                change(answer["result"])
        proxy = self.proxy(lambda *_: None, rewrite=rewrite)
        return self.do_import(proxy.url)["collections"][0]

    def test_a_configuration_as_qdrants_server_tells_it_is_taken(self):
        self.at_source("PUT", "/collections/plain", {"vectors": {"size": 2, "distance": "Dot"}})

        def change(result):
            result["config"] = {
                "params": {"vectors": {"size": 2, "distance": "Dot", "on_disk": True},
                           "shard_number": 100, "replication_factor": 2,
                           "write_consistency_factor": 1, "on_disk_payload": True,
                           "read_fan_out_factor": None, "sharding_method": "custom"},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000,
                                "max_indexing_threads": 0, "on_disk": False, "payload_m": None},
                "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000,
                                     "default_segment_number": 0, "max_segment_size": None,
                                     "memmap_threshold": None, "indexing_threshold": 10000,
                                     "flush_interval_sec": 5, "max_optimization_threads": None},
                "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0,
                               "wal_retain_closed": 1},
                "quantization_config": {"scalar": {"type": "int8", "always_ram": True}},
                "strict_mode_config": {"enabled": True, "max_query_limit": 3}}
        report = self.copied_with("plain", change)
        self.assertEqual(report["notes"], [])
        here = self.serve("here")
        config = self.call(here, "GET", "/collections/plain")["config"]
        self.assertEqual(config["params"]["shard_number"], 64)
        self.assertEqual(config["hnsw_config"]["ef_construct"], 100)
        self.assertEqual(config["optimizer_config"]["flush_interval_sec"], 5)
        self.assertEqual(config["quantization_config"]["scalar"]["type"], "int8")

    def test_options_that_are_not_known_here_are_left_out_and_said(self):
        self.fill("things", 30)

        def change(result):
            result["config"]["hnsw_config"]["of_the_future"] = 7
            result["payload_schema"]["odd"] = {"data_type": "of_the_future", "points": 3}
        report = self.copied_with("things", change)
        self.assertEqual(report["points"], 30)
        self.assertEqual(report["indexes"], 3)
        self.assertIn("of_the_future", report["notes"][0])
        self.assertIn("odd", report["notes"][1])
        points = self.all_points(self.serve("here"), "things")
        self.assertEqual(sorted(points), sorted(self.all_points(self.source, "things")))

    # ------------------------------------------------------------ faults

    def test_passing_faults_are_tried_again(self):
        self.fill("things", 400)
        rng = random.Random(SEED + 1)
        in_a_row = [0]

        def fault(_, line):  # never as many in a row as the importer tries
            drawn = rng.choice([None, None, None, 429, 503, 502, "cut"])
            drawn = drawn if in_a_row[0] < 5 else None
            in_a_row[0] = in_a_row[0] + 1 if drawn else 0
            return drawn
        proxy = self.proxy(fault)
        report = self.do_import(proxy.url, "--batch", 20)
        self.assertEqual(report["collections"][0]["points"], 400)
        self.assertGreater(proxy.faults, 3)
        self.assertEqual(report["retries"], proxy.faults)
        self.assert_copied("things")

    def test_a_copy_that_was_cut_off_goes_on_where_it_stopped(self):
        self.fill("things", 600)
        broken = [True]
        proxy = self.proxy(lambda p, line: 500 if broken[0] and p.scrolls > 5 else None)
        failed = self.do_import(proxy.url, "--batch", 50, status=1)
        self.assertIn("500", failed["collections"][0]["error"]["detail"])
        progress = json.loads((self.folder / "progress.json").read_text())
        self.assertEqual(progress["collections"][0]["points"], 250)
        # Another source, or a damaged file, is not gone on with.
        other = self.do_import(self.source, status=5)
        self.assertEqual(other["code"], "other_source")
        broken[0] = False
        before = proxy.scrolls
        report = self.do_import(proxy.url, "--batch", 50)
        self.assertEqual(report["collections"][0]["resumed"], 250)
        self.assertEqual(report["collections"][0]["points"], 600)
        self.assertEqual(proxy.scrolls - before, 7)
        self.assertFalse((self.folder / "progress.json").exists())
        self.assert_copied("things")

    def test_an_importer_that_is_killed_goes_on(self):
        self.fill("things", 600)
        process = [None]
        reached = threading.Event()

        def fault(proxy, _):
            if proxy.scrolls == 6 and not reached.is_set():
                reached.set()
                process[0].send_signal(signal.SIGKILL)
                process[0].wait(TIMEOUT_S)
                return "cut"
            return None
        proxy = self.proxy(fault)
        with proxy.lock:
            process[0] = self.start_import(proxy.url, "--batch", 50)
        process[0].communicate(timeout=TIMEOUT_S)
        self.assertTrue(reached.is_set())
        report = self.do_import(proxy.url, "--batch", 50)
        self.assertGreaterEqual(report["collections"][0]["resumed"], 200)
        self.assert_copied("things")

    def test_counts_that_differ_are_told(self):
        self.fill("things", 100)

        def fault(proxy, line):
            if "/points/scroll" in line and proxy.scrolls == 3:
                self.at_source("PUT", "/collections/things/points?wait=true",
                               {"points": [self.point(1)]})  # below the place that was reached
                self.at_source("POST", "/collections/things/points/delete?wait=true",
                               {"points": [2, 4]})
            return None
        failed = self.do_import(self.proxy(fault).url, "--batch", 20, status=5)
        self.assertEqual(failed["collections"][0]["error"]["code"], "counts_differ")

    def test_errors_say_what_is_wrong_and_keep_secrets(self):
        self.fill("things", 5)
        key = "s3cret-key-of-the-source"
        proxy = self.proxy(lambda *_: None, api_key=key)
        refused = self.do_import(proxy.url, status=6)
        self.assertIn("401", refused["detail"])
        self.assertIn("QUIPU_QDRANT_API_KEY", refused["detail"])
        wrong = self.start_import(proxy.url, QUIPU_QDRANT_API_KEY="wr0ng")
        self.assertNotIn("wr0ng", "".join(wrong.communicate(timeout=TIMEOUT_S)))
        (self.folder / "key").write_text(key + "\n")
        well = self.start_import(proxy.url, "--api-key-file", self.folder / "key")
        out = "".join(well.communicate(timeout=TIMEOUT_S))
        self.assertEqual(well.returncode, 0, out)
        self.assertNotIn(key, out)
        (self.folder / "key").write_text("two words\n")
        bad = self.do_import(proxy.url, "--api-key-file", self.folder / "key", status=2)
        self.assertNotIn("two words", json.dumps(bad))
        for arguments, status, text in [
                (("https://x",), 2, "TLS"), (("http://127.0.0.1:1",), 4, "127.0.0.1:1"),
                ((self.source, "--as", "x"), 2, "NAME=NEW"),
                ((self.source, "--collection", "none"), 3, "none")]:
            with self.subTest(arguments):
                told = self.do_import(*arguments, status=status)
                self.assertIn(text, json.dumps(told))

    def test_something_that_is_no_qdrant_is_named(self):
        proxy = self.proxy(lambda *_: 200)
        told = self.do_import(proxy.url, status=1)
        self.assertEqual(told["code"], "not_qdrant")


if __name__ == "__main__":
    unittest.main()
