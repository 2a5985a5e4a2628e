"""Embedding: texts a second of mixed length, the same texts on the same cores, interleaved."""
import json
import os
import statistics

import numpy

from bench.harness import ann
from bench.harness.worker import Worker

MODEL = "all-MiniLM-L6-v2"
TEXTS = 600  # of data/mixed.txt: 400 glosses and 200 passages of manual pages


def embed(context):
    root = context.deps.parent.parent / "bench" / "embed"
    peers = {
        "quipu": ([str(context.bin / "quipu_bench_embed")], context.models),
        "onnxruntime": ([str(context.deps / "onnxruntime/venv/bin/python"),
                         str(root / "onnxruntime_worker.py")], context.deps / "onnx"),
        "sentence_transformers": ([str(context.deps / "sentence-transformers/venv/bin/python"),
                                   str(root / "sentence_transformers_worker.py")],
                                  context.models),
    }
    workers = {}
    try:
        for name, (command, models) in peers.items():
            if not os.path.exists(command[0]) or not any(models.glob("*")):
                context.table.fail(f"embed_{name}", "not measured: bench-setup did not install it")
                continue
            workers[name] = Worker(name, command)
            workers[name].loaded = workers[name].ask("load", models=str(models), model=MODEL,
                                                     threads=os.cpu_count())
        runs, vectors = measure(context, workers)
    finally:
        for worker in workers.values():
            worker.close()
    report(context, workers, runs, vectors)


def measure(context, workers):
    count = context.scaled(TEXTS, 150)
    runs = {name: [] for name in workers}
    vectors = {}
    context.work.mkdir(parents=True, exist_ok=True)
    for number in range(-1, min(context.rounds, 5)):  # the first warms shapes and pools up
        for name, worker in workers.items():
            out = context.work / f"{name}.npy"
            reply = worker.ask("embed", texts=str(context.data / "mixed.txt"), count=count,
                               out=str(out))
            vectors[name] = numpy.load(out)
            out.unlink()
            if vectors[name].shape != (count, 384):
                raise ann.WrongAnswer(f"{name} gave vectors of shape {vectors[name].shape}")
            if number >= 0:
                runs[name].append(reply)
    return runs, vectors


def report(context, workers, runs, vectors):
    rates = {name: [run["count"] / run["wall_ns"] * 1e9 for run in each]
             for name, each in runs.items()}
    for name, each in rates.items():
        cpu_ms = statistics.median(run["cpu_ns"] / run["count"] / 1e6 for run in runs[name])
        about = json.dumps(workers[name].loaded)
        context.table.add(f"embed_{name}_per_s", statistics.median(each), "texts/s",
                          f"{runs[name][0]['count']} texts of mixed length (glosses, manual "
                          f"pages), {os.cpu_count()} threads; {cpu_ms:.2f} ms CPU a text; "
                          f"{len(each)} rounds ({min(each):.0f} to {max(each):.0f}); {about}")
    for peer in ("onnxruntime", "sentence_transformers"):
        if peer not in rates:
            continue
        ratio, low, high = ann.ratio(rates["quipu"], rates[peer])
        context.table.add(f"embed_vs_{peer}", ratio, "×",
                          f"our texts/s / theirs, median of interleaved rounds "
                          f"({low:.2f} to {high:.2f})", (">=", 1))
        cosines = (vectors["quipu"] * vectors[peer]).sum(axis=1)
        context.table.add(f"embed_cosine_to_{peer}", float(cosines.min()), "cosine",
                          f"the least over the same texts; mean {cosines.mean():.5f}",
                          (">=", 0.999))
