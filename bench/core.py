#!/usr/bin/env python3
"""The figures of `make bench`. Run by bench/run.sh; see bench/README.md.

Each section adds rows; one that raises, because an answer was empty or wrong, a process died or a
peer is missing, adds a row that does not hold, and the run goes on and fails at its end.
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from bench import data  # noqa: E402
from bench.harness import machine, rows  # noqa: E402
from bench.sections import durable, embed, search, server  # noqa: E402

SECTIONS = {
    "start": server.start,
    "size": server.size,
    "durable": durable.durable,
    "open": durable.load_and_open,
    "search": search.in_process,
    "rest": server.rest,
    "embed": embed.embed,
}


class Context:
    """What every section needs."""

    def __init__(self, options):
        self.build = options.build.resolve()
        self.bin = self.build / "bin"
        self.deps = ROOT / ".deps" / "bench"
        self.models = ROOT / ".deps" / "models"
        self.data = self.deps / "data"
        self.scale = options.scale
        self.points = round(100_000 * options.scale)
        self.queries = max(200, round(1_000 * min(1, options.scale)))
        self.rounds = options.rounds
        self.k = 10
        self.work = ROOT / "build" / "bench" / "work"
        self.table = rows.Rows()

    def truth(self):
        """The exact neighbours of every query among the points of this run."""
        path = self.data / f"truth-{self.points}.npy"
        return numpy.load(path if path.exists() else data.truth(self.points))

    def scaled(self, count, least):
        return max(least, round(count * min(1, self.scale)))

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
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(SECTIONS))
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = set(chosen) - set(SECTIONS)
    if unknown or not 0.01 <= options.scale <= 1 or options.rounds < 1:
        parser.error(f"sections are {', '.join(SECTIONS)}; scale 0.01 to 1; rounds at least 1")

    if not data.vectors_match(round(100_000 * options.scale)):
        parser.error("the data set is not whole: run 'make bench-setup'")

    command = "make bench" if len(sys.argv) == 1 else "bench/run.sh " + " ".join(sys.argv[1:])
    about = machine.describe(ROOT, command)
    context = Context(options)
    for name in chosen:
        print(f"-- {name}", flush=True)
        try:
            SECTIONS[name](context)
        except Exception as error:  # pylint: disable=broad-except
            context.table.fail(name, f"{type(error).__name__}: {error}")
    out = ROOT / "build" / "bench"
    context.table.write(out / "core.json")
    (out / "machine.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    whole = options.scale == 1 and chosen == list(SECTIONS)
    page = (ROOT / "docs/benchmarks" if whole else out) / "core.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(rows.page(context.table.rows, about), encoding="utf-8")
    held = sum(row["holds"] for row in context.table.rows)
    print(f"{held} of {len(context.table.rows)} rows hold; {out / 'core.json'}, {page}")
    return 0 if context.table.hold else 1


if __name__ == "__main__":
    sys.exit(main())
