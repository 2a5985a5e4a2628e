#!/usr/bin/env python3
"""Shows Quipu on real documents: ingest, ask, measure, kill, reopen.

Usage: demo/demo.py [--quipu PROGRAM] [--corpus FOLDER] [--keep]

Manual pages of pinned Debian packages are ingested into a server that the demo starts for itself on
a free port with a data folder of its own. Their NAME sections are left out of what is ingested and
become queries whose right page is known; demo/questions.json has ten more in plain words, which were
written before the first search was run. Then the server is killed in the middle of a second ingest, and
every point that was acknowledged before must be there after it is opened again.

Needs Python's standard library, apt-get, dpkg-deb and mandoc. Exits with 1 when a check fails.
"""
import argparse
import gzip
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

PACKAGES = ["bsdextrautils", "bsdutils", "coreutils", "cron", "debianutils", "diffutils",
            "e2fsprogs", "fdisk", "file", "findutils", "grep", "gzip", "hostname", "kmod", "less",
            "login", "mount", "passwd", "patch", "procps", "psmisc", "sed", "tar", "util-linux"]
# Longer pages are left out whole, so that the corpus stays small enough for a demo on two cores.
PAGE_BYTES_MAX = 11_000
PAGES_MIN = 220
CHUNKS_MAX = 2_500
CHUNK_TOKENS = 200
# What says nothing of a command's use, and the NAME lines that serve as queries.
SECTIONS_LEFT_OUT = ["NAME", "AUTHOR", "AUTHORS", "COPYRIGHT", "REPORTING BUGS", "AVAILABILITY",
                     "SEE ALSO", "HISTORY"]
QUESTIONS_RIGHT_MIN = 8
NAME_QUERIES_MIN = 200


class Failed(Exception):
    """Something that the demo needs is not there, or did not work."""


def say(text=""):
    print(text, flush=True)


def heading(text):
    say()
    say(f"== {text}")


# ---------------------------------------------------------------- corpus


def run_tool(command, **options):
    try:
        return subprocess.run(command, check=True, capture_output=True, **options)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed; run 'make setup'") from error
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode(errors="replace").strip()
        raise Failed(f"{' '.join(map(str, command))} failed: {message}") from error


def download(corpus):
    """The packages' files, from apt's mirror unless they are there."""
    debs = corpus / "packages"
    debs.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if not list(debs.glob(f"{name}_*.deb"))]
    if missing:
        say(f"fetching {len(missing)} packages with apt-get download")
        run_tool(["apt-get", "-o", "APT::Sandbox::User=root", "download", *missing], cwd=debs)
    return {name: sorted(debs.glob(f"{name}_*.deb"))[-1] for name in PACKAGES}


def unpack(corpus, packages):
    folder = corpus / "unpacked"
    for name, deb in packages.items():
        target = folder / name
        if (target / ".done").exists():
            continue
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        run_tool(["dpkg-deb", "-x", str(deb), str(target)])
        (target / ".done").touch()
    return folder


def rendered(roff):
    page = run_tool(["mandoc", "-T", "utf8", "-O", "width=78"], input=roff).stdout
    return re.sub(".\b", "", page.decode())


def name_line(page):
    """What the NAME section says behind its dash, or None."""
    found = re.search(r"^NAME\n(.*?)\n(?=\S)", page, re.DOTALL | re.MULTILINE)
    if not found:
        return None
    text = " ".join(found.group(1).split())
    parts = re.split(r" (?:-|--|\u2013|\u2014|\u2010|\u2212) ", text, maxsplit=1)
    return parts[1].strip() if len(parts) == 2 and len(parts[1].split()) >= 2 else None


def select_pages(unpacked, selected):
    """Copies the pages that the demo uses; returns {title: NAME line}."""
    shutil.rmtree(selected, ignore_errors=True)
    names = {}
    for package in PACKAGES:
        for path in sorted((unpacked / package / "usr/share/man").glob("man[1-8]/*.gz")):
            if path.is_symlink():
                continue
            roff = gzip.decompress(path.read_bytes())
            lines = [line for line in roff.decode(errors="replace").splitlines()
                     if line.strip() and not line.startswith((".\\\"", "'\\\""))]
            if lines and lines[0].startswith(".so "):
                continue
            page = rendered(roff)
            stem, section = path.name[:-3].rsplit(".", 1)
            title = f"{stem}({section})"
            if len(page.encode()) > PAGE_BYTES_MAX or title in names:
                continue
            target = selected / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            names[title] = name_line(page)
    return names


# ---------------------------------------------------------------- the server


class Server:
    """`quipu serve` as a child, on a free port."""

    def __init__(self, quipu, data):
        self.quipu = quipu
        start = time.monotonic()
        self.process = subprocess.Popen(
            [quipu, "--json", "--data", str(data), "serve", "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.stop()
            raise Failed(f"'{quipu} serve' said nothing within a minute, or ended")
        self.url = json.loads(line)["url"]
        self.ready_ms = (time.monotonic() - start) * 1000
        host, port = re.match(r"http://(.+):(\d+)", self.url).groups()
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def request(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        content = response.read()
        if response.status // 100 != 2:
            raise Failed(f"{method} {path}: {response.status} {content.decode(errors='replace')}")
        return json.loads(content)

    def memory_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        kb = {key: int(value) for key, value in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status,
                                                           re.MULTILINE)}
        return kb["VmRSS"] / 1024, kb["VmHWM"] / 1024

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self.process.stdout.closed:
            self.process.stdout.close()


def ingest_command(server, collection, selected, *more):
    command = [server.quipu, "--json", "--server", server.url, "--timeout", "120", "ingest",
               str(selected), "--collection", collection, "--base", str(selected),
               "--chunk-tokens", str(CHUNK_TOKENS), *more]
    for section in SECTIONS_LEFT_OUT:
        command += ["--leave-out", section]
    return command


# ---------------------------------------------------------------- steps


def quantile(values, share):
    values = sorted(values)
    return values[int(share * (len(values) - 1))]


def step_ingest(server, selected, checks):
    heading("ingest")
    done = subprocess.run(ingest_command(server, "manuals", selected), stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise Failed(f"quipu ingest ended with exit code {done.returncode}")
    report = json.loads(done.stdout)
    say(f"{report['files']} pages, {report['chunks']} chunks of at most {CHUNK_TOKENS} tokens, "
        f"{report['tokens']} tokens in {report['elapsed_s']:.1f} s: "
        f"{report['chunks_per_s']:.1f} chunks/s, "
        f"{report['tokens'] / report['elapsed_s']:.0f} tokens/s")
    for skipped in report["skipped"]:
        say(f"  skipped {skipped['source']}: {skipped['detail']}")
    checks.append((f"at least {PAGES_MIN} pages", report["files"] >= PAGES_MIN, report["files"]))
    checks.append((f"at most {CHUNKS_MAX} chunks", report["chunks"] <= CHUNKS_MAX,
                   report["chunks"]))
    checks.append(("no text was cut by the model", report["truncated"] == 0,
                   report["truncated"]))
    return report


def step_questions(server, checks):
    heading("ten questions in plain words")
    asked = json.loads((HERE / "questions.json").read_text())["questions"]
    right = 0
    for question in asked:
        answer = subprocess.run(
            [server.quipu, "--json", "--server", server.url, "search", "manuals", question["ask"],
             "-k", "3"], stdout=subprocess.PIPE)
        if answer.returncode != 0:
            raise Failed(f"quipu search ended with exit code {answer.returncode}")
        hits = json.loads(answer.stdout)["hits"]
        found = any(hit["payload"]["title"] in question["right"] for hit in hits)
        right += found
        say(f"{'right' if found else 'WRONG'}  {question['ask']}?"
            f"{'' if found else '  wanted ' + ' or '.join(question['right'])}")
        for rank, hit in enumerate(hits, 1):
            place = hit["payload"]
            mark = "*" if place["title"] in question["right"] else " "
            say(f"   {rank}.{mark} {hit['score']:.3f}  {place['title']}, {place['section']}, "
                f"line {place['line']}")
    checks.append((f"right page in the first three for {QUESTIONS_RIGHT_MIN} of {len(asked)}",
                   right >= QUESTIONS_RIGHT_MIN, right))


def step_name_queries(server, names, checks):
    heading("the NAME lines as queries (they were left out of what was ingested)")
    queries = {title: line for title, line in sorted(names.items()) if line}
    times = []
    found = 0
    for title, line in queries.items():
        start = time.perf_counter()
        answer = server.request("POST", "/v1/collections/manuals/search", {"text": line, "k": 3})
        times.append((time.perf_counter() - start) * 1000)
        found += any(hit["payload"]["title"] == title for hit in answer["hits"])
    say(f"recall@3 over {len(queries)} queries: {found / len(queries):.3f}")
    say(f"search over REST, text to answer, one after another: p50 {quantile(times, 0.5):.1f} ms, "
        f"p99 {quantile(times, 0.99):.1f} ms")
    resident, peak = server.memory_mb()
    say(f"resident memory of the server, with the model: {resident:.0f} MB now, {peak:.0f} MB at "
        f"most")
    checks.append((f"at least {NAME_QUERIES_MIN} NAME queries", len(queries) >= NAME_QUERIES_MIN,
                   len(queries)))


def receipts_of(path):
    """Whole lines only: the last one may be half written."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def wait_for_receipts(path, wanted, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if len(receipts_of(path)) >= wanted:
            return
        time.sleep(0.005)


def step_kill(server, data, selected, chunks, checks, work):
    heading("kill -9 in the middle of a second ingest")
    receipts = work / "receipts.jsonl"
    process = subprocess.Popen(
        ingest_command(server, "second", selected, "--batch", "16", "--receipts", str(receipts)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_receipts(receipts, chunks // 4, process)
        server.kill()
        code = process.wait(120)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    acknowledged = receipts_of(receipts)
    say(f"killed the server after {len(acknowledged)} of {chunks} points were acknowledged; the "
        f"ingest ended with exit code {code}")
    checks.append(("the kill came in the middle", 0 < len(acknowledged) < chunks,
                   len(acknowledged)))
    checks.append(("the ingest noticed", code != 0, code))
    again = Server(server.quipu, data)
    try:
        say(f"opened again, ready after {again.ready_ms:.0f} ms")
        there = 0
        for begin in range(0, len(acknowledged), 500):
            part = acknowledged[begin:begin + 500]
            answer = again.request("POST", "/v1/collections/second/points:get",
                                   {"ids": [receipt["id"] for receipt in part]})
            points = {point["id"]: point for point in answer["points"]}
            there += sum(same_point(receipt, points.get(receipt["id"])) for receipt in part)
        say(f"{there} of {len(acknowledged)} acknowledged points are there, each as it was written")
        checks.append(("every acknowledged point is there", there == len(acknowledged), there))
        count = again.request("POST", "/v1/collections/manuals/points:count", {})["count"]
        checks.append(("the first ingest is whole", count == chunks, count))
        answer = again.request("POST", "/v1/collections/manuals/search",
                               {"text": "how much space is left on my disks", "k": 3})
        checks.append(("and is searched again", len(answer["hits"]) == 3, len(answer["hits"])))
    finally:
        again.stop()


def same_point(receipt, point):
    return bool(point and point["version"] == receipt["version"] and point.get("text")
                and point["payload"]["source"] == receipt["source"]
                and point["payload"]["chunk"] == receipt["chunk"])


def run_demo(options, work, checks):
    packages = download(options.corpus)
    unpacked = unpack(options.corpus, packages)
    selected = options.corpus / "selected"
    names = select_pages(unpacked, selected)
    heading("corpus")
    say(f"{len(names)} manual pages of {len(packages)} Debian packages, those of at most "
        f"{PAGE_BYTES_MAX} bytes")
    data = work / "data"
    server = Server(options.quipu, data)
    try:
        say(f"server {server.url}, ready after {server.ready_ms:.0f} ms")
        report = step_ingest(server, selected, checks)
        step_questions(server, checks)
        step_name_queries(server, names, checks)
        step_kill(server, data, selected, report["chunks"], checks, work)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quipu", default=str(ROOT / "build/release/bin/quipu"))
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT / ".deps/corpus")
    parser.add_argument("--keep", action="store_true", help="leave the data folder there")
    options = parser.parse_args()
    if not os.access(options.quipu, os.X_OK):
        sys.exit(f"demo: {options.quipu} is not there; run 'make build'")
    options.corpus = options.corpus.resolve()
    # Not in /tmp, which may be memory: what is synced shall reach a disk.
    parent = ROOT / "build"
    parent.mkdir(exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="demo-", dir=parent))
    start = time.monotonic()
    checks = []
    try:
        run_demo(options, work, checks)
    except Failed as error:
        sys.exit(f"demo: {error}")
    finally:
        if options.keep:
            say(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    heading("checks")
    for name, holds, value in checks:
        say(f"{'ok    ' if holds else 'FAILED'}  {name}: {value}")
    say(f"{time.monotonic() - start:.0f} s in all")
    sys.exit(0 if all(holds for _, holds, _ in checks) else 1)


if __name__ == "__main__":
    main()
