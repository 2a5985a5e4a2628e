#!/usr/bin/env python3
"""Goal: tools/run_tests counts every test once, and no failure, crash or empty run as a success."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load():
    loader = importlib.machinery.SourceFileLoader("run_tests", str(ROOT / "tools" / "run_tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
run_tests = load()


def gtest_report(*cases):
    """A report with one test for each of "ok", "fail", "skip", "disabled"."""
    inside = {"ok": 'status="run" result="completed"/>', "disabled": 'status="notrun"/>',
              "fail": 'status="run"><failure message="1 is not 2"/></testcase>',
              "skip": 'status="run" result="skipped"><skipped message="no model"/></testcase>'}
    tests = "".join(f'<testcase name="t{number}" classname="C" {inside[case]}'
                    for number, case in enumerate(cases))
    return f'<?xml version="1.0"?><testsuites><testsuite name="C">{tests}</testsuite></testsuites>'


class Counting(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.reports = pathlib.Path(self.folder.name)
        self.suite = run_tests.Suite("unit")

    def tearDown(self):
        self.folder.cleanup()

    def count(self, entries, statuses):
        with contextlib.redirect_stdout(io.StringIO()):
            run_tests.count_ctest(entries, statuses, self.reports, self.suite)
        return self.suite.passed, self.suite.failed, self.suite.skipped

    def report(self, name, *cases):
        (self.reports / f"{name}.xml").write_text(gtest_report(*cases))

    def test_single_tests_of_a_program_are_counted(self):
        self.report("base_test", "ok", "ok", "skip", "disabled")
        self.assertEqual(self.count({"base": "base_test"}, {"base": "run"}), (2, 0, 2))

    def test_a_failed_test_is_counted_once(self):
        self.report("base_test", "ok", "fail")
        self.assertEqual(self.count({"base": "base_test"}, {"base": "fail"}), (1, 1, 0))
        self.assertEqual(self.suite.failures, ["base_test C.t1"])

    def test_a_program_without_a_report_counts_as_one(self):
        self.assertEqual(self.count({"a": "x", "b": "y"}, {"a": "run", "b": "fail"}), (1, 1, 0))

    def test_a_crash_after_a_report_is_a_failure(self):
        self.report("base_test", "ok")
        self.assertEqual(self.count({"base": "base_test"}, {"base": "fail"}), (1, 1, 0))

    def test_a_report_that_a_crash_cut_off_is_a_failure(self):
        (self.reports / "base_test.xml").write_text(gtest_report("ok")[:-20])
        self.assertEqual(self.count({"base": "base_test"}, {"base": "fail"}), (0, 1, 0))

    def test_entries_of_one_program_are_all_counted(self):
        self.report("crash_test", "ok")
        self.report("crash_test_1", "ok", "ok")
        entries = {"crash": "crash_test", "tear": "crash_test"}
        self.assertEqual(self.count(entries, {"crash": "run", "tear": "run"}), (3, 0, 0))

    def test_a_program_whose_name_begins_like_another_is_not_counted_twice(self):
        self.report("api_test", "ok")
        self.report("api_test_more", "ok", "ok")
        entries = {"a": "api_test", "b": "api_test_more"}
        self.assertEqual(self.count(entries, {"a": "run", "b": "run"}), (3, 0, 0))

    def test_an_entry_that_ctest_could_not_run_is_a_failure(self):
        self.assertEqual(self.count({"a": "x"}, {"a": "notrun"}), (0, 1, 0))
        self.assertEqual(self.count({"b": "y"}, {}), (0, 2, 0))

    def test_what_is_disabled_is_skipped(self):
        self.assertEqual(self.count({"a": "x"}, {"a": "disabled"}), (0, 0, 1))


class CountingUnittest(unittest.TestCase):
    def count(self, output, status):
        suite = run_tests.Suite("python")
        with contextlib.redirect_stdout(io.StringIO()):
            run_tests.count_unittest(output, status, "a_test.py", suite)
        return suite.passed, suite.failed, suite.skipped

    def test_counts(self):
        self.assertEqual(self.count("Ran 5 tests in 0.1s\n\nOK\n", 0), (5, 0, 0))
        self.assertEqual(self.count("Ran 5 tests in 0.1s\n\nOK (skipped=2)\n", 0), (3, 0, 2))
        self.assertEqual(self.count("Ran 1 test in 0.1s\n\nFAILED (failures=1)\n", 1), (0, 1, 0))
        self.assertEqual(
            self.count("Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=1)\n", 1),
            (5, 3, 1))

    def test_programs_that_tell_by_their_exit_status(self):
        for ci, status, expected in (("", 0, (1, 0, 0)), ("", 1, (0, 1, 0)), ("", 77, (0, 0, 1)),
                                     ("true", 77, (0, 1, 0)), ("true", 0, (1, 0, 0))):
            with self.subTest(ci=ci, status=status):
                suite = run_tests.Suite("python")
                with unittest.mock.patch.dict("os.environ", {"CI": ci}), \
                        contextlib.redirect_stdout(io.StringIO()):
                    run_tests.count_program("", status, "a.py", suite)
                self.assertEqual((suite.passed, suite.failed, suite.skipped), expected)

    def test_no_count_is_a_failure(self):
        self.assertEqual(self.count("", 0), (0, 1, 0))
        self.assertEqual(self.count("Traceback ...", 1), (0, 1, 0))
        self.assertEqual(self.count("Ran 3 tests in 1s\n\nOK\nSegmentation fault", -11), (0, 1, 0))


class Total(unittest.TestCase):
    def total(self, results, names=()):
        with tempfile.TemporaryDirectory() as folder:
            run_tests.RESULTS = pathlib.Path(folder)
            for name, passed, failed in results:
                (run_tests.RESULTS / f"{name}.json").write_text(json.dumps(
                    {"suite": name, "passed": passed, "failed": failed, "failures": []}))
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                status = run_tests.print_total(names)
            return status, output.getvalue().splitlines()[-1]

    def test_total(self):
        self.assertEqual(self.total([("a", 3, 0), ("b", 4, 0)]), (0, "7 passed, 0 failed"))
        self.assertEqual(self.total([("a", 3, 0), ("b", 4, 2)]), (1, "7 passed, 2 failed"))

    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.total([])[0], 1)
        self.assertEqual(self.total([("a", 3, 0)], ["a", "b"]), (1, "3 passed, 1 failed"))


class CommandLine(unittest.TestCase):
    def test_an_unknown_suite_is_refused_by_name(self):
        done = subprocess.run([sys.executable, str(ROOT / "tools" / "run_tests"), "unot"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("unot", done.stdout)


if __name__ == "__main__":
    unittest.main()
