#!/usr/bin/env python3
"""Goal: the server keeps to its own OpenAPI document, whatever it is sent.
Method: schemathesis draws requests from /openapi.json, well-formed and not, at the limits and
beyond, against a server with a collection to find. No 5xx (what is not built is not in the
document), no status, type or body that the document does not declare, no broken request taken.

Usage: tests/clients/openapi_suite.py REPORT
  REPORT                         gets JUnit's XML
  QUIPU_TEST_SEED=n              repeats a run
  QUIPU_OPENAPI_EXAMPLES=n       requests of each kind for each operation (40)
"""
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

import server_process

SEED = int(os.environ.get("QUIPU_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
EXAMPLES = os.environ.get("QUIPU_OPENAPI_EXAMPLES", "40")
SECONDS_MAX = 100  # of each pass
# Left out: it copies all data for every request that is well.
LEFT_OUT = ["/v1/snapshots"]
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance",
          "negative_data_rejection", "unsupported_method", "allow_header_conformance"]
# Of methods that a path does not have, PATCH is not tried: PATCH /v1/memory/records/{id} is of the
# design, not built, and so answers the one 5xx that is meant.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = ["4xx"]

[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE"]
"""
# The collection and the point that every drawn path means, so that requests get past "not found".
# Only for requests that are well: a wrong path would be made a right one.
FOUND = """
[parameters]
"path.collection" = "contract"
"path.id" = 1
"""
PASSES = {"positive": FOUND + CONFIG, "negative": CONFIG}
COLLECTION = {
    "vectors": [{"dim": 4}, {"name": "terms", "kind": "sparse", "idf": True},
                {"name": "rows", "kind": "multi", "dim": 2}],
    "words": [{"name": "words", "analyzer": {"language": "english"}}],
    "payload_indexes": [{"key": "page", "kind": "integer"}]}
POINTS = {"points": [
    {"id": i, "vector": [1, i, 0, 1], "text": "a green hill" if i % 2 else "a blue sea",
     "vectors": {"terms": {"indices": [1, i + 2], "values": [1, 0.5]}, "rows": [[1, 0], [0, i]]},
     "payload": {"page": i, "lang": ["de", "fr"], "at": "2024-05-01T10:00:00Z"}}
    for i in range(1, 40)]}


def call(url, method, path, body):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path} answered {answer.status}: {text}")


def run_pass(url, mode, config, report):
    """schemathesis' exit status. Adds its cases to the report."""
    print(f"== {mode} requests", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "schemathesis.toml").write_text(config)
        program = pathlib.Path(sys.executable).with_name("schemathesis")
        command = [program, "--config-file", folder / "schemathesis.toml", "run",
                   url + "/openapi.json", "--mode", mode, "--seed", SEED,
                   "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing",
                   "--checks", ",".join(CHECKS), "--continue-on-failure",
                   "--max-time", SECONDS_MAX, "--warnings", "off",
                   "--report-junit-path", folder / "report.xml"]
        for path in LEFT_OUT:
            command += ["--exclude-path", path]
        status = subprocess.run(list(map(str, command)), cwd=folder, check=False).returncode
        if not (folder / "report.xml").exists():
            return status or 1
        cases = xml.etree.ElementTree.parse(folder / "report.xml").getroot()
    if report.exists():
        cases.extend(xml.etree.ElementTree.parse(report).getroot())
    xml.etree.ElementTree.ElementTree(cases).write(report)
    return status


def main():
    report = pathlib.Path(sys.argv[1]).resolve()
    print(f"QUIPU_TEST_SEED={SEED}", flush=True)
    server = server_process.Server()
    try:
        call(server.url, "PUT", "/v1/collections/contract", COLLECTION)
        call(server.url, "PUT", "/v1/collections/contract/points", POINTS)
        return max(run_pass(server.url, mode, config, report) for mode, config in PASSES.items())
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
