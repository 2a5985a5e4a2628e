#!/usr/bin/env python3
"""Goal: tools/setup says what it could not get, never unpacks what is not pinned, and is quick.

Method: a copy of tools/setup in a folder of its own, with stand-ins for the programs that would
change the machine or use the network (dpkg-query, apt-get, sudo, id, python3) first in PATH.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEEDED = "g++\ncmake\n"
CHECKS = "codespell\n"
CLIENT_SHA256 = "5d" * 32


class Setup(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "setup", self.root / "tools" / "setup")
        (self.root / "tools/packages.txt").write_text("# a comment\n" + NEEDED)
        (self.root / "tools/packages-check.txt").write_text(CHECKS)
        (self.root / "tools/requirements-test.txt").write_text("")
        (self.root / "tools/requirements-clients.txt").write_text(
            f"qdrant-client==1.2.3 \\\n    --hash=sha256:{CLIENT_SHA256}\n")
        # What the build needs is there, but in the tests that say otherwise.
        self.protos = self.root / ".deps/qdrant-proto"
        self.protos.mkdir(parents=True)
        (self.protos / "qdrant.proto").write_text("")
        (self.protos / ".wheel").write_text(CLIENT_SHA256 + "\n")
        (self.root / "bin").mkdir()
        self.installed("g++", "cmake", "codespell")
        self.program("apt-get", 'echo "apt-get $*" >>"$(dirname "$0")/../apt.log"; exit 100')
        self.program("sudo", "exit 1")
        self.program("id", "echo 1000")
        self.program("uname", "echo x86_64")
        self.program("python3", "exit 1")

    def tearDown(self):
        self.folder.cleanup()

    def program(self, name, script):
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def installed(self, *names):
        lines = "".join(f"ii  {name}:amd64\\n" for name in names)
        self.program("dpkg-query", f"printf '{lines}'; exit 1")

    def run_setup(self, *arguments, **environment):
        env = {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "HOME": str(self.root)}
        env.update(environment)
        done = subprocess.run([str(self.root / "tools/setup"), *arguments], env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def test_a_needed_package_that_cannot_be_got_is_an_error_that_names_it(self):
        self.installed("g++", "codespell")
        status, output = self.run_setup()
        self.assertEqual(status, 1, output)
        self.assertIn("apt-get install -y --no-install-recommends cmake", output)
        self.assertIn("could not get what the build needs: cmake", output)
        self.assertFalse((self.root / "apt.log").exists())  # It had no right to try.

    def test_root_installs_what_is_missing_and_only_that(self):
        self.installed("g++")
        self.program("id", "echo 0")
        status, output = self.run_setup()
        self.assertEqual(status, 1, output)
        log = (self.root / "apt.log").read_text()
        self.assertIn("update", log)
        self.assertIn("install -y -q --no-install-recommends cmake codespell\n", log)
        self.assertNotIn("g++", log)
        # All at once failed: then one by one, so that one bad name does not cost the others.
        self.assertIn("install -y -q --no-install-recommends cmake\n", log)

    def test_a_package_for_checks_may_be_missing(self):
        self.installed("g++", "cmake")
        status, output = self.run_setup()
        self.assertEqual(status, 0, output)
        self.assertIn("packages codespell: the checks that need them are left out", output)

    def test_without_a_network_it_goes_on_and_says_what_is_missing(self):
        status, output = self.run_setup()
        self.assertEqual(status, 0, output)
        for text in ("Python environment", "OpenVINO 2026", "model all-MiniLM-L6-v2"):
            self.assertIn(text, output.split("could not get:")[1])
        started = time.monotonic()
        status, output = self.run_setup()
        self.assertEqual(status, 0, output)
        self.assertIn("nothing to do, but", output)
        self.assertLess(time.monotonic() - started, 5)

    def test_definitions_that_cannot_be_got_are_an_error_that_names_them(self):
        for gap in ("none", "of another version"):
            if gap == "none":
                shutil.rmtree(self.protos)
            else:
                self.protos.mkdir()
                (self.protos / "qdrant.proto").write_text("")
                (self.protos / ".wheel").write_text("6e" * 32 + "\n")
            status, output = self.run_setup()
            self.assertEqual(status, 1, output)
            self.assertIn("could not get what the build needs: qdrant-client 1.2.3", output)

    def test_in_ci_a_gap_is_an_error(self):
        for _ in range(2):  # The second time from the stamp.
            status, output = self.run_setup(CI="true")
            self.assertEqual(status, 1, output)
            self.assertIn("OpenVINO", output)

    def test_again_forgets_the_stamp(self):
        self.run_setup()
        _, output = self.run_setup("--again")
        self.assertIn("could not get:", output)

    def test_a_change_of_the_lists_is_noticed(self):
        self.run_setup()
        (self.root / "tools/packages.txt").write_text(NEEDED + "unknown-package\n")
        status, output = self.run_setup()
        self.assertEqual(status, 1, output)
        self.assertIn("unknown-package", output)

    def test_a_wheel_other_than_the_pinned_one_is_not_unpacked(self):
        # A pip that answers every download with a file of its own.
        self.program("python3", """
            while [[ $# -gt 0 ]]; do
              if [[ $1 == -d ]]; then echo forged >"$2/some.whl"; exit 0; fi
              shift
            done
            exit 1""")
        status, output = self.run_setup()
        self.assertEqual(status, 0, output)
        self.assertIn("some.whl is not the wheel that is pinned", output)
        self.assertFalse((self.root / ".deps/openvino").exists())
        self.assertFalse((self.root / ".deps/models").exists())

    def test_an_unknown_argument_is_refused(self):
        status, output = self.run_setup("--agian")
        self.assertEqual(status, 2)
        self.assertIn("--agian", output)

    def test_the_lists_are_sorted_and_without_duplicates(self):
        for name in ("packages.txt", "packages-check.txt"):
            lines = [line for line in (ROOT / "tools" / name).read_text().splitlines()
                     if line and not line.startswith("#")]
            self.assertEqual(lines, sorted(set(lines)), name)


if __name__ == "__main__":
    unittest.main()
