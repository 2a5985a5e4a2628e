#!/usr/bin/env python3
"""Qdrant Edge as a filter peer and as a peer of sparse vectors: the library in process, every key
with its payload index, optimized before it is asked; one thread searches."""
import json
import pathlib
import sys

import numpy
import qdrant_edge as qe

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.queries.cases import INDEXES  # noqa: E402
from bench.queries.filter_peer import FilterPeer, payload_lines  # noqa: E402
from bench.queries.sql import Unsupported  # noqa: E402

KINDS = {"keyword": qe.PayloadSchemaType.Keyword, "integer": qe.PayloadSchemaType.Integer,
         "float": qe.PayloadSchemaType.Float, "bool": qe.PayloadSchemaType.Bool,
         "datetime": qe.PayloadSchemaType.Datetime, "geo": qe.PayloadSchemaType.Geo}
BATCH = 1_000


def condition(it):
    if "nested" in it:
        return qe.NestedCondition(it["nested"]["key"], filter_of(it["nested"]["filter"]))
    if "match" in it:
        match = it["match"]
        if isinstance(match.get("value"), bool):  # taken for 1 or 0, which match no boolean
            raise Unsupported("booleans: its Python binding makes integers of them")
        made = (qe.MatchAny(match["any"]) if "any" in match else qe.MatchValue(match["value"]))
        return qe.FieldCondition(it["key"], match=made)
    if "range" in it:
        kind = (qe.RangeDateTime if isinstance(next(iter(it["range"].values())), str)
                else qe.RangeFloat)
        return qe.FieldCondition(it["key"], range=kind(**it["range"]))
    if "geo_radius" in it:
        center = it["geo_radius"]["center"]
        return qe.FieldCondition(it["key"], geo_radius=qe.GeoRadius(
            qe.GeoPoint(center["lon"], center["lat"]), it["geo_radius"]["radius"]))
    raise Unsupported(f"{sorted(it)}")


def filter_of(given):
    if not given:
        return None
    return qe.Filter(**{name: [condition(it) for it in given[name]]
                        for name in ("must", "should", "must_not") if given.get(name)})


def sparse_of(given):
    return qe.SparseVector(given["indices"], given["values"])


class EdgePeer(FilterPeer):
    def load(self, payloads, rows, work_dir, vectors):
        sparse = None
        if vectors and vectors.endswith(".jsonl"):
            config = {"sparse_vectors": {"sparse": qe.EdgeSparseVectorParams()}}
            sparse = open(vectors, encoding="utf-8")  # pylint: disable=consider-using-with
        elif vectors:
            config = {"vectors": qe.EdgeVectorParams(
                numpy.load(vectors, mmap_mode="r").shape[1], qe.Distance.Cosine)}
        else:
            # It has no points without vectors: the least that it takes.
            config = {"sparse_vectors": {"sparse": qe.EdgeSparseVectorParams()}}
        self.shard = qe.EdgeShard.create(f"{work_dir}/shard", qe.EdgeConfig(
            hnsw_config=qe.HnswIndexConfig(16, 200, 10_000, 1), max_search_threads=1,
            wal_enabled=False, **config))
        matrix = numpy.load(vectors, mmap_mode="r") if vectors and sparse is None else None
        if payloads:
            for key, kind in INDEXES:
                self.shard.update(qe.UpdateOperation.create_field_index(key, KINDS[kind]))
        batch = []
        lines = payload_lines(payloads, rows) if payloads else ((row, "{}") for row in range(rows))
        for row, line in lines:
            if sparse is not None:
                vector = {"sparse": sparse_of(json.loads(sparse.readline()))}
            else:
                vector = {} if matrix is None else matrix[row].tolist()
            batch.append(qe.Point(row, vector, json.loads(line)))
            if len(batch) == BATCH or row + 1 == rows:
                self.shard.update(qe.UpdateOperation.upsert_points(batch))
                batch = []
        self.shard.optimize()
        self.shard.flush()
        if self.shard.info().points_count != rows:
            raise RuntimeError(f"the shard has {self.shard.info().points_count} of {rows} points")

    def prepare(self, request):
        if request["op"] == "query":
            return self.nearest(request["query"])
        chosen = filter_of(request.get("filter"))
        if request["op"] == "count":
            count = qe.CountRequest(exact=True, filter=chosen)
            return lambda: {"count": self.shard.count(count)}
        if request["op"] == "scroll":
            scroll = qe.ScrollRequest(limit=request["limit"], filter=chosen, with_payload=True,
                                      with_vector=False)
            return lambda: {"ids": [record.id for record in self.shard.scroll(scroll)[0]]}
        facet = qe.FacetRequest(request["key"], request["limit"], True, chosen)
        return lambda: {"facets": [[hit.value, hit.count] for hit in self.shard.facet(facet)]}

    def nearest(self, query):
        if isinstance(query["query"], dict):
            vector = qe.Query.Nearest(sparse_of(query["query"]), "sparse")
            params = None
        else:
            vector = qe.Query.Nearest(query["query"])
            params = qe.SearchParams(hnsw_ef=query["params"]["hnsw_ef"])
        request = qe.QueryRequest(query["limit"], query=vector, params=params,
                                  filter=filter_of(query.get("filter")), with_payload=False,
                                  with_vector=False)

        def ask():
            found = self.shard.query(request)
            return {"ids": [hit.id for hit in found], "scores": [hit.score for hit in found]}
        return ask

    def about(self):
        return "Qdrant Edge 0.9.0"


if __name__ == "__main__":
    EdgePeer().serve()
