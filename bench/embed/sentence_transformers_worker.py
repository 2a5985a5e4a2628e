"""sentence-transformers over torch on the CPU, as its documentation uses it: encode() sorts by
length and takes batches of 32."""
import os
import pathlib
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy  # noqa: E402
import sentence_transformers  # noqa: E402
import torch  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))
from bench.harness.serve import serve  # noqa: E402


class Model:
    def load(self, request):
        torch.set_num_threads(request["threads"])
        folder = str(pathlib.Path(request["models"]) / request["model"])
        self.model = sentence_transformers.SentenceTransformer(folder, device="cpu")
        self.model.max_seq_length = 256
        return {"version": sentence_transformers.__version__, "torch": torch.__version__,
                "precision": "f32"}

    def embed(self, request):
        path = pathlib.Path(request["texts"])
        texts = path.read_text(encoding="utf-8").split("\n")[:-1][:request["count"]]
        if len(texts) != request["count"]:
            raise ValueError(f"{path} has {len(texts)} of {request['count']} lines")
        wall, cpu = time.monotonic_ns(), time.process_time_ns()
        out = self.model.encode(texts, batch_size=32, normalize_embeddings=True,
                                show_progress_bar=False)
        wall, cpu = time.monotonic_ns() - wall, time.process_time_ns() - cpu
        numpy.save(request["out"], out)
        return {"wall_ns": wall, "cpu_ns": cpu, "count": len(texts)}


if __name__ == "__main__":
    model = Model()
    serve({"load": model.load, "embed": model.embed})
