#!/usr/bin/env python3
"""Tests of the executable as a process: signals, streams, exit codes, completion.

Usage: tests/cli/executable_test.py QUIPU [unittest's arguments]
What can be tried inside of one process is in src/quipu/cli/cli_test.cpp.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

QUIPU = sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/bin/quipu"
TIMEOUT_S = 120


class ExecutableTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="quipu-executable-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        # The caller's own configuration, data and server stay out of it.
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith("QUIPU_") or key == "QUIPU_MODELS"}
        self.environment["XDG_CONFIG_HOME"] = str(self.folder)

    def quipu(self, *arguments, **options):
        return subprocess.run([QUIPU, *map(str, arguments)], env=self.environment, text=True,
                              timeout=TIMEOUT_S, capture_output="stdout" not in options, **options)

    def local(self, *arguments, **options):
        return self.quipu("--data", self.data, *arguments, **options)

    def start(self, *arguments, **options):
        process = subprocess.Popen([QUIPU, *map(str, arguments)], env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(self.reap, process)
        return process

    @staticmethod
    def reap(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def serve(self):
        process = self.start("--json", "--data", self.data, "serve", "--port", 0)
        line = process.stdout.readline()
        self.assertTrue(line, process.stderr.read() if not line else "")
        return process, json.loads(line)["url"]

    def test_server_says_that_it_is_ready_and_stops_gracefully(self):
        for stop in (signal.SIGTERM, signal.SIGINT):
            process, url = self.serve()
            status = self.quipu("--server", url, "--json", "status")
            self.assertEqual(status.returncode, 0, status.stderr)
            self.assertEqual(json.loads(status.stdout)["state"], "ready")
            process.send_signal(stop)
            self.assertEqual(process.wait(TIMEOUT_S), 0)
            self.assertEqual(self.quipu("--server", url, "status").returncode, 4)

    def test_a_locked_folder_is_named_with_the_way_to_its_owner(self):
        process, _ = self.serve()
        second = self.local("collection", "list")
        self.assertEqual(second.returncode, 4)
        self.assertIn("in use by another process", second.stderr)
        self.assertIn("--server", second.stderr)
        server = self.local("serve", "--port", 0)
        self.assertEqual(server.returncode, 4, server.stderr)
        self.assertIn(str(self.data), server.stderr)
        process.terminate()
        self.assertEqual(process.wait(TIMEOUT_S), 0)
        self.assertEqual(self.local("collection", "list").returncode, 0)

    def test_server_refuses_other_addresses(self):
        outcome = self.local("serve", "--address", "0.0.0.0", "--port", 0)
        self.assertNotEqual(outcome.returncode, 0)
        self.assertIn("insecure", outcome.stderr)

    def test_wrong_configuration_is_named_with_its_line(self):
        config = self.folder / "quipu.toml"
        config.write_text("[server]\n\nprot = 7333\n")
        outcome = self.quipu("--config", config, "config", "check")
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("quipu.toml:3", outcome.stderr)
        self.assertIn("server.port", outcome.stderr)
        self.assertEqual(self.quipu("--config", self.folder / "none.toml", "status").returncode, 3)

    def test_a_full_output_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            outcome = self.quipu("version", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("output", outcome.stderr)

    def test_pipes_get_no_progress(self):
        outcome = self.local("--json", "collection", "create", "c", "--dim", 3)
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        self.assertNotIn("\x1b", outcome.stdout + outcome.stderr)
        json.loads(outcome.stdout)

    def test_bash_completes_the_real_tree(self):
        script = self.quipu("completion", "bash").stdout
        script += ('\nCOMP_WORDS=(quipu collection create x --metric "")\nCOMP_CWORD=5\n_quipu\n'
                   'echo "${COMPREPLY[*]}"\n')
        words = subprocess.run(["bash", "-s"], input=script, text=True, capture_output=True,
                               timeout=TIMEOUT_S, check=True)
        self.assertEqual(words.stderr, "")
        self.assertEqual(sorted(words.stdout.split()), ["cosine", "dot", "euclidean", "manhattan"])

    def test_ctrl_c_stops_an_ingest_after_its_batch(self):
        models = json.loads(self.quipu("--json", "model", "list").stdout)["models"]
        if not models:
            self.skipTest("no model is installed")
        files = self.folder / "files"
        files.mkdir()
        for number in range(400):
            (files / f"{number}.txt").write_text(
                " ".join(f"word{number}x{i}" for i in range(300)))
        receipts = self.folder / "receipts"
        process = self.start("--data", self.data, "--json", "ingest", files, "--batch", 4,
                             "--receipts", receipts)
        while process.poll() is None and not (receipts.exists() and receipts.read_text()):
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 130, err)
        report = json.loads(out)
        self.assertTrue(report["interrupted"])
        self.assertGreater(report["chunks"], 0)
        self.assertLess(report["files"], 400)
        acknowledged = [json.loads(line)["id"] for line in receipts.read_text().splitlines()]
        self.assertEqual(len(acknowledged), report["chunks"])
        count = self.local("--json", "point", "count", "documents")
        self.assertEqual(json.loads(count.stdout)["count"], report["chunks"])


if __name__ == "__main__":
    unittest.main()
