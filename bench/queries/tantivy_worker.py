#!/usr/bin/env python3
"""Tantivy as a words peer, in the lines of JSON that words_peer.cpp speaks.

Its default tokenizer, with positions; one writing thread; only the best are collected (no total
count), so that it may skip blocks. The clock runs around Searcher.search(), Python's call included;
the numbers of the texts are looked up afterwards.
"""
import pathlib
import sys
import time

import tantivy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.harness.serve import serve  # noqa: E402
from bench.queries.filter_peer import anonymous_bytes, disk_bytes  # noqa: E402


class TantivyPeer:
    def build(self, request):
        before = anonymous_bytes()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", stored=False, tokenizer_name="default",
                               index_option="position")
        builder.add_unsigned_field("id", stored=False, indexed=False, fast=True)
        self.schema = builder.build()
        index = tantivy.Index(self.schema, path=request["work_dir"])
        writer = index.writer(256_000_000, 1)
        with open(request["texts"], encoding="utf-8") as lines:
            for row, line in enumerate(lines):
                if row == request["count"]:
                    break
                document = tantivy.Document()
                document.add_text("text", line)
                document.add_unsigned("id", row)
                writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self.searcher = index.searcher()
        if self.searcher.num_docs != request["count"]:
            raise RuntimeError(f"{self.searcher.num_docs} of {request['count']} texts")
        return {"rows": request["count"], "wall_ns": time.perf_counter_ns() - wall,
                "cpu_ns": time.process_time_ns() - cpu,
                "anonymous_bytes": anonymous_bytes() - before,
                "index_bytes": disk_bytes(request["work_dir"]),
                "segments": self.searcher.num_segments, "version": tantivy.__version__}

    def query(self, text):
        return tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, tantivy.Query.term_query(self.schema, "text", word))
             for word in text.split()])

    def run(self, request):
        with open(request["queries"], encoding="utf-8") as lines:
            queries = [self.query(line) for line in lines]
        walls, cpus, found = [], [], []
        for query in queries:
            cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
            hits = self.searcher.search(query, request["k"], False).hits
            walls.append(time.perf_counter_ns() - wall)
            cpus.append(time.thread_time_ns() - cpu)
            found.append(hits)
        return {"wall_ns": walls, "cpu_each_ns": cpus,
                "ids": [self.searcher.fast_field_values("id", [place for _, place in hits])
                        for hits in found],
                "scores": [[score for score, _ in hits] for hits in found]}


if __name__ == "__main__":
    peer = TantivyPeer()
    serve({"build": peer.build, "run": peer.run})
