"""ONNX Runtime with the f32 model and the Rust tokenizer, fed as one would for throughput:
texts sorted by length, batches of 32, one intra-op pool over all threads."""
import os
import pathlib
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "true"
import numpy  # noqa: E402
import onnxruntime  # noqa: E402
import tokenizers  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))
from bench.harness.serve import serve  # noqa: E402

BATCH = 32
TOKENS_MAX = 256


class Model:
    def load(self, request):
        folder = pathlib.Path(request["models"])
        os.environ["RAYON_NUM_THREADS"] = str(request["threads"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(TOKENS_MAX)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        # Its pools spin by default, which on shared cores only burns what the other peer needs.
        options.add_session_config_entry("session.intra_op.allow_spinning",
                                         "1" if request.get("spin") else "0")
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options,
                                                    providers=["CPUExecutionProvider"])
        return {"version": onnxruntime.__version__, "precision": "f32"}

    def vectors(self, batch):
        encoded = self.tokenizer.encode_batch(batch)
        ids = numpy.array([each.ids for each in encoded], dtype=numpy.int64)
        mask = numpy.array([each.attention_mask for each in encoded], dtype=numpy.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        hidden = self.session.run(None, feed)[0]
        weights = mask[:, :, None].astype(numpy.float32)
        means = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        return means / numpy.linalg.norm(means, axis=1, keepdims=True)

    def embed(self, request):
        texts = read_texts(request)
        wall, cpu = time.monotonic_ns(), time.process_time_ns()
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = None
        for first in range(0, len(order), BATCH):
            part = order[first:first + BATCH]
            vectors = self.vectors([texts[i] for i in part])
            if out is None:
                out = numpy.empty((len(texts), vectors.shape[1]), dtype=numpy.float32)
            out[part] = vectors
        wall, cpu = time.monotonic_ns() - wall, time.process_time_ns() - cpu
        numpy.save(request["out"], out)
        return {"wall_ns": wall, "cpu_ns": cpu, "count": len(texts)}


def read_texts(request):
    lines = pathlib.Path(request["texts"]).read_text(encoding="utf-8").split("\n")[:-1]
    if len(lines) < request["count"]:
        raise ValueError(f"{request['texts']} has {len(lines)} of {request['count']} lines")
    return lines[:request["count"]]


if __name__ == "__main__":
    model = Model()
    serve({"load": model.load, "embed": model.embed})
