#!/usr/bin/env python3
"""Runs unmodified client libraries, and schemathesis, against servers of their own.

Usage: tests/clients/run.py QUIPU [SUITE...]
  QUIPU_TEST_SEED=n                 repeats the random tests
  QUIPU_DIFFERENTIAL_CASES=n        how many random collections are compared (60)
  QUIPU_OPENAPI_EXAMPLES=n          how many requests are drawn for each operation (40)
Needs tools/setup_clients. Ends with a table of the suites and what answers 501, and with status 1
if anything failed.
"""
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEPS = ROOT / ".deps" / "clients"


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def python(environment):
    return str(DEPS / environment / "bin" / "python")


def from_unittest(text, status):
    """The counts of a unittest program's last words. One that ends otherwise has failed once."""
    ran = re.findall(r"^Ran (\d+) tests? in", text, re.M)
    last = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", text, re.M)
    if not ran or not last:
        return Counts(failed=1)
    parts = dict(re.findall(r"([a-z ]+)=(\d+)", last[-1].replace(", ", ",")))
    failed = sum(int(parts.get(name, 0)) for name in ("failures", "errors", "unexpected successes"))
    skipped = int(parts.get("skipped", 0))
    failed = max(failed, 1 if status else 0)
    return Counts(max(int(ran[-1]) - failed - skipped, 0), failed, skipped)


def from_junit(path, status):
    if not path.exists():
        return Counts(failed=1)
    counts = Counts()
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            counts.failed += 1
        elif "skipped" in kinds:
            counts.skipped += 1
        else:
            counts.passed += 1
    if status and not counts.failed:
        counts.failed = 1
    return counts


def run_unittest(*programs):
    total = Counts()
    for program in programs:
        print(f"== {program}", flush=True)
        done = subprocess.Popen([python("venv"), "-W", "ignore::UserWarning", str(ROOT / program)],
                                cwd=ROOT, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        lines = []
        for line in done.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        one = from_unittest("".join(lines), done.wait())
        for name in ("passed", "failed", "skipped"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return total


def run_junit(command):
    """`command` with REPORT in it, which is where it writes its JUnit file."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        command = [part.replace("REPORT", str(report)) for part in command]
        print("==", " ".join(command[1:]), flush=True)
        done = subprocess.run(command, cwd=ROOT, check=False)
        return from_junit(report, done.returncode)


def langchain(program):
    return lambda: run_junit([
        python("langchain"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore",
        "-o", "asyncio_mode=auto",
        "--junitxml", "REPORT", f"tests/clients/langchain/{program}"])


SUITES = {
    "qdrant-client": lambda: run_unittest("tests/clients/test_qdrant_client.py"),
    "qdrant-client's local mode, compared": lambda: run_unittest(
        *sorted(str(path.relative_to(ROOT))
                for path in (HERE / "differential").glob("test_*.py"))),
    "langchain-qdrant": langchain("test_use.py"),
    "langchain-tests (standard)": langchain("test_standard.py"),
    "schemathesis": lambda: run_junit([
        python("schemathesis"), "tests/clients/openapi_suite.py", "REPORT"]),
}


def unbuilt():
    """What docs/qdrant.md says answers 501; test_qdrant_client.py holds it to the server."""
    page = (ROOT / "docs" / "qdrant.md").read_text()
    part = page.split("## What answers 501")[1].split("\n## ")[0]
    reason = ""
    for request, why in re.findall(r"^\| (.+?) \| (.+?) \|$", part, re.M):
        if request in ("request", "---"):
            continue
        reason = reason if why in ("the same", "as above") and reason else why
        yield request.replace("`", ""), reason


def main():
    os.environ["QUIPU_EXECUTABLE"] = str(pathlib.Path(sys.argv[1]).resolve())
    chosen = sys.argv[2:] or list(SUITES)
    results = {}
    for name in chosen:
        begun = time.monotonic()
        results[name] = SUITES[name]()
        results[name].seconds = time.monotonic() - begun
    print("\nWhat answers 501, and why:")
    for request, why in unbuilt():
        print(f"  {request}: {why}")
    width = max(map(len, [*results, "suite"]))
    print(f"\n{'suite':{width}}  passed  failed  skipped  seconds")
    for name, counts in results.items():
        print(f"{name:{width}}  {counts.passed:6}  {counts.failed:6}  {counts.skipped:7}"
              f"  {counts.seconds:7.1f}")
    return 1 if any(counts.failed for counts in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
