#!/usr/bin/env python3
"""Wrong input of every kind against the real executable: each a clear error, and nothing is lost.

Usage: tests/cli/bad_input_test.py QUIPU [unittest's arguments]

The kinds are listed in CASES (over REST) and in the methods of BadStartTest (before or beside a
server). Each error must name the field, the value or the limit that it is about. After all of them
the points that were written before are there, and the server still writes.
"""
import http.client
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

QUIPU = sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/bin/quipu"
TIMEOUT_S = 120
DIM = 4
POINTS = 20
C = "/v1/collections/notes"
JSON = "application/json"


def point(number, **changes):
    return {"id": number, "vector": [1.0, 2.0, 3.0, float(number)],
            "payload": {"number": number}} | changes


# What is wrong: method, path, body (text or a value), status, what the answer must say.
CASES = {
    "wrong dimension of a point":
        ("PUT", f"{C}/points", {"points": [point(99, vector=[1, 2, 3])]}, 422,
         ["points[0].vector", "3", "4"]),
    "wrong dimension of a query":
        ("POST", f"{C}/search", {"vector": [1, 2, 3, 4, 5], "k": 3}, 422, ["vector", "5", "4"]),
    "one bad point among good ones":
        ("PUT", f"{C}/points", {"points": [point(98), point(99, vector=[1])]}, 422,
         ["points[1].vector", "1", "4"]),
    "NaN, which JSON does not have":
        ("PUT", f"{C}/points", '{"points": [{"id": 99, "vector": [1, NaN, 3, 4]}]}', 400, ["JSON"]),
    "a number beyond float32":
        ("PUT", f"{C}/points", '{"points": [{"id": 99, "vector": [1, 1e39, 3, 4]}]}', 422,
         ["points[0].vector"]),
    "a vector without direction in a cosine collection":
        ("PUT", f"{C}/points", {"points": [point(99, vector=[0, 0, 0, 0])]}, 422,
         ["points[0].vector"]),
    "an unknown collection":
        ("POST", "/v1/collections/nots/search", {"vector": [1, 2, 3, 4], "k": 3}, 404, ["nots"]),
    "a collection that is there already":
        ("PUT", C, {"vectors": [{"dim": 8}]}, 409, ["notes"]),
    "a batch over the limit":
        ("PUT", f"{C}/points", {"points": [point(number) for number in range(10_001)]}, 422,
         ["points", "10001", "10000"]),
    "k over the limit":
        ("POST", f"{C}/search", {"vector": [1, 2, 3, 4], "k": 1_000_000}, 422,
         ["k", "1000000", "10000"]),
    "the same id twice in a batch":
        ("PUT", f"{C}/points", {"points": [point(99), point(99)]}, 422, ["99"]),
    "malformed JSON":
        ("PUT", f"{C}/points", '{"points": [{"id": 99, "vector": [1, 2, 3, 4]}', 400, ["JSON"]),
    "an unknown field":
        ("POST", f"{C}/search", {"vector": [1, 2, 3, 4], "kk": 3}, 422, ["kk"]),
    "a value of the wrong type":
        ("POST", f"{C}/search", {"vector": "1, 2, 3, 4", "k": 3}, 422, ["vector"]),
    "an id that is none":
        ("PUT", f"{C}/points", {"points": [point(99, id="not-a-uuid")]}, 422,
         ["points[0].id", "not-a-uuid"]),
    "a missing model":
        ("PUT", "/v1/collections/other", {"vectors": [{"model": "no-such-model"}]}, 404,
         ["no-such-model"]),
    "text for a collection that has no model":
        ("POST", f"{C}/search", {"text": "where?", "k": 3}, 422, ["model"]),
    "rows for a vector that has none":
        ("PUT", f"{C}/points", {"points": [point(99, vector=[[1, 2], [3, 4]])]}, 422,
         ["points[0].vector", "rows"]),
    "a sparse vector with too few values":
        ("PUT", f"{C}/points",
         {"points": [point(99, vectors={"terms": {"indices": [1, 2], "values": [1]}})]}, 422,
         ["points[0].vectors.terms", "2 indices", "1 values"]),
    "a vector that the collection does not have":
        ("PUT", f"{C}/points", {"points": [point(99, vectors={"terms": [1]})]}, 404, ["terms"]),
    "an unknown language":
        ("PATCH", C, {"add_words": [{"name": "w", "analyzer": {"language": "klingon"}}]}, 422,
         ["add_words[0].analyzer", "klingon"]),
    "words that are not there":
        ("PATCH", C, {"drop_words": ["title"]}, 404, ["title"]),
    "an unknown kind of payload index":
        ("PATCH", C, {"add_payload_indexes": [{"key": "number", "kind": "int"}]}, 422,
         ["add_payload_indexes[0].kind", "int", "integer"]),
    "a hybrid search without words":
        ("POST", f"{C}/search", {"text": "where?", "hybrid": {}}, 422, ["notes", "no words"]),
    "a filter with a misspelt condition":
        ("POST", f"{C}/points:delete", {"filter": {"must": [{"key": "number", "rnge": {}}]}}, 422,
         ["filter.must[0]", "rnge", "range"]),
    "a delete that says neither which points nor a filter":
        ("POST", f"{C}/points:delete", {}, 422, ["ids", "filter"]),
    "a patch by filter that changes nothing":
        ("POST", f"{C}/points:patch", {"filter": {}, "patch": {}}, 422, ["patch", "set_payload"]),
    "a path that is none":
        ("POST", f"{C}/points:scroll", {"with_payload": ["a..b"]}, 422, ["with_payload[0]"]),
    "an unknown member of a query":
        ("POST", f"{C}/query", {"query": [1, 2, 3, 4], "limt": 3}, 422, ["limt", "limit"]),
    "a fusion of nothing":
        ("POST", f"{C}/query", {"query": {"fusion": "rrf"}}, 422, ["query", "prefetches"]),
    "a mistake inside a batch of queries":
        ("POST", f"{C}/query", {"queries": [{}, {"prefetch": {"limit": 10_001}}]}, 422,
         ["queries[1].prefetch", "10001", "10000"]),
    "a query of another dimension":
        ("POST", f"{C}/query", {"query": [1, 2]}, 422, ["2", "4"]),
    "groups without a key":
        ("POST", f"{C}/query/groups", {"query": [1, 2, 3, 4]}, 422, ["group_by"]),
    "a facet over the limit":
        ("POST", f"{C}/facet", {"key": "number", "limit": 10_001}, 422,
         ["limit", "10001", "10000"]),
    "a matrix of one point":
        ("POST", f"{C}/matrix", {"sample": 1}, 422, ["sample", "1", "2"]),
    "no body":
        ("PUT", f"{C}/points", "", 400, ["body"]),
    "an unknown path":
        ("GET", "/v1/shelves", "", 404, ["/v1/shelves"]),
    "a method that the path does not have":
        ("DELETE", "/v1/collections", "", 405, ["DELETE"]),
}


class Fixture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="quipu-bad-input-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith("QUIPU_") or key == "QUIPU_MODELS"}
        self.environment["XDG_CONFIG_HOME"] = str(self.folder)

    def quipu(self, *arguments):
        return subprocess.run([QUIPU, *map(str, arguments)], env=self.environment, text=True,
                              timeout=TIMEOUT_S, capture_output=True, check=False)

    def serve(self, *arguments, **options):
        process = subprocess.Popen(
            [QUIPU, "--json", "--data", str(self.data), *arguments, "serve", "--port", "0"],
            env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **options)
        self.addCleanup(self.reap, process)
        line = process.stdout.readline()
        self.assertTrue(line, process.stderr.read() if not line else "")
        address = urllib.parse.urlsplit(json.loads(line)["url"])
        self.address = (address.hostname, address.port)
        return process

    @staticmethod
    def reap(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIMEOUT_S), 0)

    def ask(self, method, path, body=""):
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT_S)
        text = body if isinstance(body, str) else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": JSON})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    def fill(self):
        status, answer = self.ask("PUT", C, {"vectors": [{"dim": DIM, "metric": "cosine"}]})
        self.assertEqual(status, 201, answer)
        status, answer = self.ask("PUT", f"{C}/points",
                                  {"points": [point(number) for number in range(1, POINTS + 1)]})
        self.assertEqual(status, 200, answer)

    def check_nothing_lost(self, more=0):
        status, answer = self.ask("POST", f"{C}/points:scroll", {"limit": 1000})
        self.assertEqual(status, 200, answer)
        found = {each["id"]: each["payload"] for each in answer["points"]}
        for number in range(1, POINTS + 1):
            self.assertEqual(found.get(number), {"number": number})
        self.assertEqual(len(found), POINTS + more)


class BadRequestTest(Fixture):
    def test_each_is_named_and_nothing_is_lost(self):
        process = self.serve()
        self.fill()
        for what, (method, path, body, status, words) in CASES.items():
            with self.subTest(what):
                found, problem = self.ask(method, path, body)
                self.assertEqual(found, status, problem)
                self.assertEqual(problem["status"], status)
                said = json.dumps(problem)
                for word in words:
                    self.assertIn(word, said)
        self.check_nothing_lost()
        status, answer = self.ask("PUT", f"{C}/points", {"points": [point(100)]})
        self.assertEqual(status, 200, answer)
        self.stop(process)
        self.serve()
        self.check_nothing_lost(more=1)


class BadStartTest(Fixture):
    def test_an_unknown_configuration_key(self):
        config = self.folder / "quipu.toml"
        config.write_text("[server]\nprot = 7333\n", encoding="utf-8")
        outcome = self.quipu("--config", config, "--data", self.data, "serve")
        self.assertEqual(outcome.returncode, 2)
        for word in ("quipu.toml:2", "server.prot", "server.port"):
            self.assertIn(word, outcome.stderr)
        self.assertFalse(self.data.exists())

    def test_a_locked_data_folder(self):
        self.serve()
        self.fill()
        second = self.quipu("--data", self.data, "serve", "--port", 0)
        self.assertEqual(second.returncode, 4)
        self.assertIn(str(self.data), second.stderr)
        self.assertIn("in use by another Quipu process", second.stderr)
        self.check_nothing_lost()

    def test_a_damaged_data_folder(self):
        process = self.serve()
        self.fill()
        self.stop(process)
        current = next(self.data.rglob("CURRENT"))
        whole = current.read_bytes()
        current.write_bytes(b"MANIFEST-999999\n")
        outcome = self.quipu("--data", self.data, "serve", "--port", 0)
        self.assertNotEqual(outcome.returncode, 0)
        self.assertIn(str(self.data), outcome.stderr)
        current.write_bytes(whole)  # nothing else was touched by the attempt
        self.serve()
        self.check_nothing_lost()

    def test_damaged_views_are_made_again(self):
        process = self.serve()
        self.fill()
        many = 2000  # enough that closing writes a checkpoint
        status, answer = self.ask(
            "PUT", f"{C}/points", {"points": [point(1000 + number) for number in range(many)]})
        self.assertEqual(status, 200, answer)
        self.stop(process)
        files = [path for path in self.data.glob("views/**/*") if path.is_file()]
        self.assertTrue(files)
        for path in files:
            path.write_bytes(path.read_bytes()[::-1])
        self.serve()
        self.assertEqual(self.ask("POST", f"{C}/points:count", {})[1]["count"], POINTS + many)
        status, answer = self.ask("POST", f"{C}/search",
                                  {"vector": point(7)["vector"], "k": 1, "exact": True})
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["hits"][0]["id"], 7)

    def test_a_damaged_model(self):
        models = json.loads(self.quipu("--json", "model", "list").stdout)["models"]
        if not models:
            self.skipTest("no model is installed")
        copy = self.folder / "models" / "broken"
        shutil.copytree(models[0]["path"], copy)
        weights = next(copy.glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:1000])
        self.environment["QUIPU_MODELS"] = str(copy.parent)
        check = self.quipu("model", "check", "broken")
        self.assertNotEqual(check.returncode, 0)
        self.assertIn("safetensors", check.stderr + check.stdout)
        self.serve()
        status, answer = self.ask("PUT", C, {"vectors": [{"model": "broken", "dim": 384}]})
        if status == 201:
            status, answer = self.ask("PUT", f"{C}/points", {"id": 1, "text": "a text"})
        self.assertEqual(status, 503, answer)
        self.assertIn("broken/model.safetensors", json.dumps(answer))
        self.assertEqual(self.ask("GET", "/v1/collections")[0], 200)

    # The kernel refuses to let a file of the server grow: what a full disk looks like to it.
    def test_no_room_on_the_disk(self):
        process = self.serve()
        self.fill()
        self.stop(process)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        process = self.serve(preexec_fn=limit)
        refused, answer = 200, {}
        written = 0
        while refused == 200 and written < 400:
            body = {"points": [point(1000 + written, payload={"filler": "x" * 10_000})]}
            refused, answer = self.ask("PUT", f"{C}/points", body)
            written += refused == 200
        self.assertEqual(refused, 507, answer)
        self.assertGreater(written, 0)
        status, answer = self.ask("POST", f"{C}/points:get", {"ids": [1]})  # reads go on
        self.assertEqual(status, 200, answer)
        process.kill()
        process.wait(TIMEOUT_S)
        self.serve()
        self.check_nothing_lost(more=written)


if __name__ == "__main__":
    unittest.main()
