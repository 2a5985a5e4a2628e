#!/usr/bin/env python3
"""The figures of `make bench-query`: words, sparse vectors, filters, hybrid search, cache, quality.

Run by bench/query.sh; see bench/README.md. Each section adds rows; one that raises, because an
answer was empty or wrong, a process died or a peer is missing, adds a row that does not hold, and
the run goes on and fails at its end.
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from bench.harness import machine, rows  # noqa: E402
from bench.queries import data  # noqa: E402
from bench.sections import cache, filters, hybrid, quality, sparse, words  # noqa: E402

SECTIONS = {
    "words": words.words,
    "sparse": sparse.sparse,
    "filters": filters.filters,
    "dense": filters.dense,
    "hybrid": hybrid.hybrid,
    "cache": cache.cache,
    "quality": quality.quality,
}
QUICK = 0.05


class Context:
    """What every section needs."""

    def __init__(self, options):
        self.root = ROOT
        self.build = options.build.resolve()
        self.bin = self.build / "bin"
        self.deps = ROOT / ".deps" / "bench"
        self.models = ROOT / ".deps" / "models"
        self.data = self.deps / "data"  # of bench/data.py
        self.scale = QUICK if options.quick else 1.0
        self.points = round(100_000 * self.scale)
        self.queries = 200 if options.quick else 1_000
        self.rounds = options.rounds
        self.k = 10
        self.work = ROOT / "build" / "bench" / "query-work"
        self.table = rows.Rows()
        self.tables = []  # Markdown, after the rows

    @contextlib.contextmanager
    def folder(self, name):
        """A path that does not exist yet, removed at the end with what is in it."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--quick", action="store_true",
                        help="a twentieth of the data; figures go to build/bench/query.md")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--command", default="make bench-query",
                        help="how it was called, for the page")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = set(chosen) - set(SECTIONS)
    if unknown or options.rounds < 1:
        parser.error(f"sections are {', '.join(SECTIONS)}; rounds at least 1")

    about = machine.describe(ROOT, options.command)
    context = Context(options)
    for step in data.STEPS.values():
        step(context.scale)
    for name in chosen:
        print(f"-- {name}", flush=True)
        begin = time.monotonic()
        try:
            SECTIONS[name](context)
        except Exception as error:  # pylint: disable=broad-except
            context.table.fail(name, f"{type(error).__name__}: {error}")
        print(f"   {time.monotonic() - begin:.0f} s", flush=True)
    out = ROOT / "build" / "bench"
    context.table.write(out / "query.json")
    (out / "query-machine.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    whole = not options.quick and chosen == list(SECTIONS)
    page = (ROOT / "docs/benchmarks" if whole else out) / "query.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    text = rows.page(context.table.rows, about, title="Query figures", made_by="make bench-query",
                     file="build/bench/query.json")
    page.write_text("\n".join([text, *context.tables]), encoding="utf-8")
    held = sum(row["holds"] for row in context.table.rows)
    print(f"{held} of {len(context.table.rows)} rows hold; {out / 'query.json'}, {page}")
    return 0 if context.table.hold else 1


if __name__ == "__main__":
    sys.exit(main())
