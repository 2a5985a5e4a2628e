"""A small test collection made of manual pages: passages, queries, which page is right.

A page's passages are its text without what says nothing of its use; its NAME line (behind the dash)
is a query whose right answer is that page, or any page with the same line. Pages are those of the
packages in manual_packages.txt, which bench/setup.sh unpacks below .deps/bench/manuals.
"""
import concurrent.futures
import gzip
import json
import re
import subprocess

import numpy

from bench.harness.worker import Worker
from bench.queries import data

PAGES = data.ROOT / ".deps" / "bench" / "manuals"
FOLDER = data.DATA / "manuals"
MODEL = "all-MiniLM-L6-v2"
LEFT_OUT = {"NAME", "AUTHOR", "AUTHORS", "COPYRIGHT", "REPORTING BUGS", "AVAILABILITY", "SEE ALSO",
            "HISTORY", "COLOPHON", "STANDARDS", "CONFORMING TO", "VERSIONS", "LIBRARY", "NOTES"}
PASSAGE_WORDS = 120
PASSAGES_MAX = 5  # of one page: its first 600 words
PASSAGE_WORDS_MIN = 15


def rendered(path):
    roff = gzip.decompress(path.read_bytes())
    text = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=78"], input=roff, check=True,
                          capture_output=True).stdout.decode("utf-8", "replace")
    return re.sub(".\b", "", text)


def sections(page):
    """[(heading, text)]; headings begin a line, text is indented."""
    found = []
    for line in page.splitlines()[1:]:
        if line and not line[0].isspace():
            found.append((line.strip(), []))
        elif found:
            found[-1][1].append(line)
    return [(heading, " ".join(" ".join(lines).split())) for heading, lines in found]


def name_line(text):
    """What a NAME section says behind its dash, or None."""
    parts = re.split(r" (?:-|--|\u2013|\u2014|\u2010|\u2212) ", text, maxsplit=1)
    line = parts[1].strip() if len(parts) == 2 else ""
    return line if len(line.split()) >= 2 else None


def read_page(path):
    """(title, NAME line, passages), or None for what is only a reference to another page."""
    if path.is_symlink():
        return None
    lines = [line for line in gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
             .splitlines() if line.strip() and not line.startswith((".\\\"", "'\\\""))]
    if lines and lines[0].startswith(".so "):
        return None
    stem, section = path.name[:-3].rsplit(".", 1)
    name = None
    words = []
    for heading, text in sections(rendered(path)):
        if heading == "NAME":
            name = name_line(text)
        elif heading not in LEFT_OUT:
            words += text.split()
    passages = [" ".join(words[first:first + PASSAGE_WORDS])
                for first in range(0, PASSAGES_MAX * PASSAGE_WORDS, PASSAGE_WORDS)
                if len(words) >= first + PASSAGE_WORDS_MIN]
    return (f"{stem}({section})", name, passages) if passages else None


def collect(folder=PAGES):
    """{title: (NAME line, passages)} of the packages below a folder, in the order of the titles."""
    files = sorted(folder.glob("*/usr/share/man/man[1-8]/*.gz"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = [page for page in pool.map(read_page, files) if page]
    pages = {}
    for title, name, passages in found:
        pages.setdefault(title, (name, passages))
    return dict(sorted(pages.items()))


def prepare(build):
    """Writes passages.jsonl ({"title", "text"}), queries.jsonl ({"text", "right": titles}) and
    their vectors, unless they are there."""
    if data.made(FOLDER):
        return
    data.begin(FOLDER)
    pages = collect()
    if len(pages) < 1_000:
        raise SystemExit(f"manuals.py: only {len(pages)} pages below {PAGES}")
    passages = [{"title": title, "text": text}
                for title, (_, texts) in pages.items() for text in texts]
    right = {}
    for title, (name, _) in pages.items():
        if name:
            right.setdefault(name, []).append(title)
    queries = [{"text": name, "right": titles} for name, titles in sorted(right.items())]
    for name, rows in (("passages", passages), ("queries", queries)):
        data.write_lines(FOLDER / f"{name}.jsonl", [json.dumps(row) for row in rows])
        data.write_lines(FOLDER / f"{name}.txt", [row["text"] for row in rows])
    data.write_lines(FOLDER / "payloads.jsonl",
                     [json.dumps({"title": row["title"]}) for row in passages])
    with Worker("embed", [str(build / "bin/quipu_bench_embed")]) as worker:
        worker.ask("load", models=str(data.ROOT / ".deps/models"), model=MODEL, threads=2)
        for name, rows in (("queries", queries), ("passages", passages)):
            out = FOLDER / f"{name}.npy"
            worker.ask("embed", texts=str(FOLDER / f"{name}.txt"), count=len(rows), out=str(out),
                       timeout_s=3 * 3600)
            if numpy.load(out).shape != (len(rows), 384):
                raise SystemExit(f"manuals.py: {out} is not whole")
    print(f"manuals.py: {len(pages)} pages, {len(passages)} passages, {len(queries)} queries")
    data.finish(FOLDER)
