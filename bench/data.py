#!/usr/bin/env python3
"""The shared data set: WordNet glosses as texts, vectors and exact answers, below .deps/bench/data.

Usage: bench/data.py texts | has-vectors | vectors [--build DIR] [--rows N] | truth [--rows N]

texts        base.txt (100,000 glosses), queries.txt (1,000 others), mixed.txt (glosses and passages
             of manual pages, for the embedding comparison); checked against pinned SHA-256
vectors      base.npy and queries.npy, by Quipu's own embedder with the default model
truth        truth-N.npy: the 100 nearest of the first N rows for each query, by cosine, exact
"""
import argparse
import datetime
import gzip
import hashlib
import json
import pathlib
import re
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from bench.harness.worker import Worker  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPS = ROOT / ".deps" / "bench"
DATA = DEPS / "data"
MODEL = "all-MiniLM-L6-v2"
BASE_ROWS = 100_000
QUERY_ROWS = 1_000
TRUTH_K = 100
SHA256 = {
    "base.txt": "ed17a0943703a0247b3fbd1e49cf1c6e90a512a5bddc046f640b06fb4c31267c",
    "queries.txt": "221fcbcf3701ad98d4e7646c80f68d81fdc0de2acc272c7078ef920b013e3040",
    "mixed.txt": "0c9770ec112c01fb6c5eae34657c8832cbf85fb4c887a6a4cf857a6d6456b407",
}


def glosses():
    """Every distinct gloss of WordNet, in an order that depends on nothing but the texts."""
    found = set()
    for part in ("noun", "verb", "adj", "adv"):
        path = DEPS / "wordnet/usr/share/wordnet" / f"data.{part}"
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("  "):  # the licence
                found.add(line.split(" | ", 1)[1].strip())
    return sorted(found, key=lambda text: hashlib.sha256(text.encode()).digest())


FONT = re.compile(r"\\f(?:\(..|\[[^]]*\]|.)")
ESCAPES = [(r"\-", "-"), (r"\&", ""), (r"\e", "\\"), (r"\(aq", "'"), (r"\(dq", '"'),
           (r"\(bu", ""), (r"\(em", "-"), (r"\(en", "-"), (r"\(ha", "^"), (r"\(ti", "~"),
           (r"\ ", " "), (r"\|", ""), (r"\%", ""), (r"\:", ""), (r"\(co", "(c)")]
KEPT_MACROS = {".B", ".I", ".BR", ".BI", ".IR", ".IB", ".RB", ".RI", ".SM", ".SH", ".SS"}


def manual_words(path):
    """The words of a manual page, its roff taken off as far as a benchmark's text needs."""
    words = []
    for line in gzip.decompress(path.read_bytes()).decode("utf-8", "replace").splitlines():
        if line.startswith((".", "'")):
            macro, _, rest = line.partition(" ")
            if macro not in KEPT_MACROS:
                continue
            line = rest.replace('"', "")
        line = FONT.sub("", line)
        for escape, plain in ESCAPES:
            line = line.replace(escape, plain)
        words += line.split()
    return words


def passages(count):
    """Passages of 20 to 120 words, so that lengths are as mixed as real ones: first one from each
    page, then a second one from those that are long enough."""
    pages = [page for page in sorted((DEPS / "manpages/usr/share/man").glob("man[457]/*.gz"))
             if not page.is_symlink()]
    out = []
    for start in (60, 400):
        for page in pages:
            words = manual_words(page)
            length = 20 + (len(out) * 37) % 101
            if len(words) >= start + length:
                out.append(" ".join(words[start:start + length]))
            if len(out) == count:
                return out
    raise SystemExit(f"data.py: only {len(out)} of {count} passages in the manual pages")


def texts():
    if all(sha256(DATA / name) == pinned for name, pinned in SHA256.items()):
        return
    DATA.mkdir(parents=True, exist_ok=True)
    every = glosses()
    if len(every) < BASE_ROWS + QUERY_ROWS + 400:
        raise SystemExit(f"data.py: WordNet holds only {len(every)} glosses")
    manual = passages(200)
    rest = every[BASE_ROWS + QUERY_ROWS:]
    mixed = []
    for i in range(200):
        mixed += [rest[2 * i], manual[i], rest[2 * i + 1]]
    write_lines("base.txt", every[:BASE_ROWS])
    write_lines("queries.txt", every[BASE_ROWS:BASE_ROWS + QUERY_ROWS])
    write_lines("mixed.txt", mixed)
    for name, pinned in SHA256.items():
        if sha256(DATA / name) != pinned:
            raise SystemExit(f"data.py: {name} has SHA-256 {sha256(DATA / name)}, pinned {pinned}: "
                             "the Debian packages differ from those that figures were taken with")


def write_lines(name, lines):
    assert not any("\n" in line for line in lines)
    (DATA / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def sha256(path):
    if not path.exists():
        return ""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def vectors_match(rows):
    """True if the vectors on disk are those of the pinned texts, whole and of unit length."""
    try:
        meta = json.loads((DATA / "meta.json").read_text(encoding="utf-8"))
        base = numpy.load(DATA / "base.npy", mmap_mode="r")
        queries = numpy.load(DATA / "queries.npy", mmap_mode="r")
    except (OSError, ValueError):
        return False
    return (meta["texts_sha256"] == [SHA256["base.txt"], SHA256["queries.txt"]]
            and base.shape[0] >= rows and queries.shape == (QUERY_ROWS, base.shape[1])
            and meta["rows"] == base.shape[0])


def vectors(build, rows):
    if vectors_match(rows):
        return
    meta = {"texts_sha256": [SHA256["base.txt"], SHA256["queries.txt"]], "rows": rows}
    with Worker("embed", [str(build / "bin/quipu_bench_embed")]) as worker:
        loaded = worker.ask("load", models=str(ROOT / ".deps/models"), model=MODEL, threads=2)
        meta["model"] = loaded
        for name, count in (("queries", QUERY_ROWS), ("base", rows)):
            done = worker.ask("embed", texts=str(DATA / f"{name}.txt"), count=count,
                              out=str(DATA / f"{name}.new.npy"), timeout_s=3 * 3600)
            print(f"data.py: {name}: {count} texts in {done['wall_ns'] / 1e9:.0f} s")
    for name, count in (("queries", QUERY_ROWS), ("base", rows)):
        matrix = numpy.load(DATA / f"{name}.new.npy")
        lengths = numpy.linalg.norm(matrix, axis=1)
        if matrix.shape[0] != count or not numpy.allclose(lengths, 1, atol=1e-3):
            raise SystemExit(f"data.py: {name}: not {count} vectors of unit length")
        (DATA / f"{name}.new.npy").rename(DATA / f"{name}.npy")
        meta[f"{name}_sha256"] = sha256(DATA / f"{name}.npy")
    for old in DATA.glob("truth-*.npy"):
        old.unlink()
    meta["created"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    (DATA / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def truth(rows):
    """Candidates by float32 products, their order by float64; equal ones by ascending row."""
    path = DATA / f"truth-{rows}.npy"
    if path.exists():
        return path
    base = numpy.load(DATA / "base.npy", mmap_mode="r")[:rows]
    queries = numpy.load(DATA / "queries.npy")
    if base.shape[0] != rows:
        raise SystemExit(f"data.py: base.npy has {base.shape[0]} of {rows} rows")
    k = min(TRUTH_K, rows)
    spare = min(2 * k, rows)
    out = numpy.empty((len(queries), k), dtype=numpy.uint32)
    for first in range(0, len(queries), 100):
        part = queries[first:first + 100]
        near = part @ base.T
        candidates = numpy.argpartition(-near, spare - 1, axis=1)[:, :spare]
        for i, rows_near in enumerate(candidates):
            rows_near = numpy.sort(rows_near)
            exact = base[rows_near].astype(numpy.float64) @ part[i].astype(numpy.float64)
            out[first + i] = rows_near[numpy.argsort(-exact, kind="stable")[:k]]
    new = path.with_name(path.name + ".new.npy")
    numpy.save(new, out)
    new.rename(path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["texts", "has-vectors", "vectors", "truth"])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rows", type=int, default=BASE_ROWS)
    options = parser.parse_args()
    if options.step == "texts":
        texts()
    elif options.step == "has-vectors":
        return 0 if vectors_match(options.rows) else 1
    elif options.step == "vectors":
        vectors(options.build, options.rows)
    else:
        truth(options.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
