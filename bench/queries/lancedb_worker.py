#!/usr/bin/env python3
"""LanceDB as a filter peer: columns with scalar indexes (bitmap where values are few, B-tree
otherwise, label lists for the array of keywords); vectors in IVF_HNSW_SQ with one partition.

It keeps its own pools of threads (with one thread each it does not get on); its cost is the CPU
time of them all.
"""
import json
import pathlib
import sys

import lancedb
import numpy
import pyarrow
from lancedb.index import Bitmap, BTree, HnswSq, LabelList

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.queries.filter_peer import FilterPeer, payload_lines  # noqa: E402
from bench.queries.sql import Dialect, Unsupported, text, where  # noqa: E402

CHUNK = 50_000
SCHEMA = [("id", pyarrow.int64()), ("k10", pyarrow.string()), ("k1000", pyarrow.string()),
          ("k100000", pyarrow.string()), ("n", pyarrow.int64()), ("price", pyarrow.float64()),
          ("flag", pyarrow.bool_()), ("at", pyarrow.timestamp("s")), ("lon", pyarrow.float64()),
          ("lat", pyarrow.float64()), ("tags", pyarrow.list_(pyarrow.string())),
          ("payload", pyarrow.string())]
BITMAPS = ("k10", "k1000", "flag")
TREES = ("id", "k100000", "n", "price", "at", "lon", "lat")


class Lance(Dialect):
    def time(self, value):
        return f"TIMESTAMP '{value[:-1].replace('T', ' ')}'"

    def contains(self, key, value):
        return f"array_has_any({key}, [{text(value)}])"


class LancePeer(FilterPeer):
    def load(self, payloads, rows, work_dir, vectors):
        schema = list(SCHEMA)
        matrix = None
        if vectors:
            matrix = numpy.load(vectors, mmap_mode="r")
            schema.append(("vector", pyarrow.list_(pyarrow.float32(), matrix.shape[1])))
        schema = pyarrow.schema(schema)
        database = lancedb.connect(work_dir)
        self.points = database.create_table("points", schema=schema)
        chunk = []
        for row, line in payload_lines(payloads, rows):
            chunk.append((row, line))
            if len(chunk) == CHUNK or row + 1 == rows:
                self.points.add(self.arrow(chunk, schema, matrix))
                chunk = []
        if self.points.count_rows() != rows:
            raise RuntimeError("the table is not whole")
        self.points.optimize()
        for key in TREES:
            self.points.create_index(key, config=BTree())
        for key in BITMAPS:
            self.points.create_index(key, config=Bitmap())
        self.points.create_index("tags", config=LabelList())
        if vectors:
            self.points.create_index("vector", config=HnswSq(
                distance_type="cosine", num_partitions=1, m=16, ef_construction=200))

    @staticmethod
    def arrow(chunk, schema, matrix):
        found = [json.loads(line) for _, line in chunk]
        ids = [row for row, _ in chunk]
        columns = [ids]
        for name in ("k10", "k1000", "k100000", "n", "price", "flag"):
            columns.append([it[name] for it in found])
        columns.append(numpy.array([it["at"][:-1] for it in found], dtype="datetime64[s]"))
        columns += [[it["place"][name] for it in found] for name in ("lon", "lat")]
        columns += [[it["tags"] for it in found], [line for _, line in chunk]]
        arrays = [pyarrow.array(values, type=field.type)
                  for values, field in zip(columns, schema)]
        if matrix is not None:
            flat = pyarrow.array(numpy.ascontiguousarray(matrix[ids]).reshape(-1))
            arrays.append(pyarrow.FixedSizeListArray.from_arrays(flat, matrix.shape[1]))
        return pyarrow.Table.from_arrays(arrays, schema=schema)

    def prepare(self, request):
        if request["op"] == "facet":
            raise Unsupported("no facets, no GROUP BY")
        if request["op"] == "query":
            return self.nearest(request["query"])
        condition = where(Lance(), request.get("filter") or {})
        if request["op"] == "count":
            return lambda: {"count": self.points.count_rows(condition)}

        def scroll():
            found = (self.points.search().where(condition).select(["id", "payload"])
                     .limit(request["limit"]).to_arrow())
            return {"ids": found["id"].to_pylist()}
        return scroll

    def nearest(self, query):
        vector = numpy.array(query["query"], dtype=numpy.float32)
        condition = where(Lance(), query["filter"]) if query.get("filter") else None
        # It takes no less than what is refined, twice the limit.
        effort = max(query["params"]["hnsw_ef"], 2 * query["limit"])

        def ask():
            search = (self.points.search(vector, vector_column_name="vector")
                      .distance_type("cosine").ef(effort).refine_factor(2))
            if condition:
                search = search.where(condition, prefilter=True)
            found = search.select(["id", "_distance"]).limit(query["limit"]).to_arrow()
            return {"ids": found["id"].to_pylist()}
        return ask

    def about(self):
        return f"LanceDB {lancedb.__version__}"


if __name__ == "__main__":
    LancePeer().serve()
