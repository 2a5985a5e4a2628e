"""rabitqlib as two peers: SymphonyQG ("symqg", degree 32) and RaBitQ HNSW ("hnsw", 7 bits).

A run hands all queries over in one call with one thread, so no interpreter stands between them;
the wall time of a single query is therefore not known and not reported.
"""
import gc
import pathlib
import sys
import time

import numpy
import rabitqlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))
from bench.harness.serve import resident, serve  # noqa: E402

CLUSTERS = 16


class Peer:
    def __init__(self, kind):
        self.kind = kind
        self.index = None
        self.ef = 64

    def build(self, request):
        base = numpy.load(request["base"], mmap_mode="r")[:request["rows"]]
        base = numpy.ascontiguousarray(base)
        before, _ = resident()
        wall, cpu = time.monotonic_ns(), time.process_time_ns()
        if self.kind == "symqg":
            # Unit vectors: the order by l2 is the order by cosine.
            self.index = rabitqlib.SymqgIndex(base.shape[1], 32, "l2")
            self.index.build(base, request["ef_construction"], request["threads"])
        else:
            means = rabitqlib.RaBitQKMeans(base.shape[1], CLUSTERS)
            means.train(base)
            self.index = rabitqlib.HnswIndex(base.shape[1], len(base), request["m"],
                                             request["ef_construction"], 7, "l2")
            self.index.build(base, numpy.asarray(means.centroids),
                             numpy.asarray(means.assignments).astype(numpy.uint32),
                             request["threads"])
        wall, cpu = time.monotonic_ns() - wall, time.process_time_ns() - cpu
        size = base.nbytes
        del base
        gc.collect()
        anonymous, file = resident()
        return {"rows": request["rows"], "cpu_ns": cpu, "wall_ns": wall,
                "anonymous_bytes": anonymous - before + size, "file_bytes": file}

    def set(self, request):
        self.ef = request["ef"]
        return {}

    def run(self, request):
        queries = numpy.load(request["queries"])[:request["count"]]
        cpu = time.process_time_ns()
        ids = self.index.search(queries, request["k"], self.ef, 1)[0]
        cpu = time.process_time_ns() - cpu
        return {"cpu_ns": cpu, "wall_ns": None, "ids": numpy.asarray(ids).tolist()}


if __name__ == "__main__":
    peer = Peer(sys.argv[1])
    serve({"build": peer.build, "set": peer.set, "run": peer.run})
