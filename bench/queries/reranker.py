#!/usr/bin/env python3
"""Trains the cross-encoder of the quality table, because no registry of packages carries one.

Usage: bench/queries/reranker.py      (in the environment of sentence-transformers, for torch)

It begins as the default embedding model and learns from manual pages that the test collection does
not have: those of the packages in training_packages.txt. A query is a NAME line, its answer one of
the first two passages of that page; the others that it is to be told from are passages of other
pages, most of them among the nearest to the query by the model itself. The loss is the cross-entropy of
the answer among its five; the embeddings of tokens stay as they are. NAME lines and titles of the test collection are left out. A model made so
knows what a NAME line is: the table shows what reranking gives with a model trained for the task, not
with one made for all.

The result lies in .deps/bench/models/manuals-reranker as transformers saves it. Everything follows from
a fixed seed, up to the order in which threads add.
"""
import json
import pathlib
import shutil
import sys

import numpy
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.queries import manuals  # noqa: E402 (the root must be known first)

MODEL = ROOT / ".deps" / "models" / manuals.MODEL
PAGES = ROOT / ".deps" / "bench" / "training"
OUT = ROOT / ".deps" / "bench" / "models" / "manuals-reranker"
VERSION = "1"
SEED = 11
QUERIES_MAX = 1_500
CANDIDATES = 5
NEAREST = 30  # from which the wrong answers come
RANDOM = 1    # of them, from anywhere
TOKENS_MAX = 128
QUERIES_A_STEP = 4
RATE = 4e-5
WARM_UP = 0.1


def training_pages():
    """[(NAME line, passages)] of pages whose line and title the test collection does not have."""
    test = manuals.collect()
    titles = set(test)
    lines = {name for name, _ in test.values() if name}
    pages = manuals.collect(PAGES)
    return [(name, passages[:2]) for title, (name, passages) in pages.items()
            if name and name not in lines and title not in titles]


def embedded(texts, tokenizer, model):
    """Mean-pooled vectors of unit length."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    out = numpy.zeros((len(texts), model.config.hidden_size), dtype=numpy.float32)
    for first in range(0, len(order), 64):
        rows = order[first:first + 64]
        batch = tokenizer([texts[row] for row in rows], padding=True, truncation=True,
                          max_length=TOKENS_MAX, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        out[rows] = torch.nn.functional.normalize(pooled).numpy()
    return out


def draw_tasks(pages, tokenizer, model, rng):
    """[(query, passages, the first of which is right)]"""
    chosen = range(len(pages))
    passages = [(page, text) for page in range(len(pages)) for text in pages[page][1]]
    owners = numpy.array([page for page, _ in passages])
    vectors = embedded([text for _, text in passages], tokenizer, model)
    queries = embedded([pages[page][0] for page in chosen], tokenizer, model)
    tasks = []
    for page, query in zip(chosen, queries, strict=True):
        line, own = pages[page]
        scores = vectors @ query
        # Pages with the same line answer as well.
        right = [other for other in range(len(pages)) if pages[other][0] == line]
        scores[numpy.isin(owners, right)] = -2
        near = numpy.argsort(-scores)[:NEAREST]
        wrong = list(rng.choice(near, CANDIDATES - 1 - RANDOM, replace=False))
        while len(wrong) < CANDIDATES - 1:
            other = int(rng.integers(len(passages)))
            if owners[other] not in right and other not in wrong:
                wrong.append(other)
        tasks.append((line, [own[int(rng.integers(len(own)))]] +
                      [passages[index][1] for index in wrong]))
    return tasks


def train(tasks, tokenizer, rng):
    torch.manual_seed(SEED)
    model = transformers.BertForSequenceClassification.from_pretrained(MODEL, num_labels=1)
    model.train()
    model.bert.embeddings.requires_grad_(False)
    learned = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE)
    steps = len(tasks) // QUERIES_A_STEP
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(steps * WARM_UP), steps)
    order = rng.permutation(len(tasks))
    mean = None
    for step in range(steps):
        rows = [tasks[index] for index in order[step * QUERIES_A_STEP:(step + 1) * QUERIES_A_STEP]]
        batch = tokenizer([line for line, texts in rows for _ in texts],
                          [text for _, texts in rows for text in texts], padding=True,
                          truncation="longest_first", max_length=TOKENS_MAX, return_tensors="pt")
        logits = model(**batch).logits.view(len(rows), CANDIDATES)
        loss = torch.nn.functional.cross_entropy(logits, torch.zeros(len(rows), dtype=torch.long))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 25 == 0:
            print(f"reranker.py: step {step} of {steps}, loss {mean:.3f}", flush=True)
    return model.eval(), mean


def main():
    marker = OUT / ".made"
    wanted = f"{VERSION} {torch.__version__} {transformers.__version__}\n"
    if marker.exists() and marker.read_text() == wanted:
        return
    shutil.rmtree(OUT, ignore_errors=True)
    rng = numpy.random.Generator(numpy.random.PCG64(SEED))
    pages = training_pages()
    if len(pages) < 1_000:
        raise SystemExit(f"reranker.py: only {len(pages)} pages below {PAGES}")
    pages = [pages[index] for index in sorted(rng.permutation(len(pages))[:QUERIES_MAX])]
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    encoder = transformers.BertModel.from_pretrained(MODEL, add_pooling_layer=False).eval()
    tasks = draw_tasks(pages, tokenizer, encoder, rng)
    print(f"reranker.py: {len(tasks)} queries", flush=True)
    model, loss = train(tasks, tokenizer, rng)
    model.save_pretrained(OUT)
    # As it is, with its own maximum: what the tokenizer says of lengths is not asked.
    shutil.copy(MODEL / "tokenizer.json", OUT / "tokenizer.json")
    (OUT / "quipu.json").write_text(json.dumps({"tokens_max": 256}) + "\n")
    marker.write_text(wanted)
    print(f"reranker.py: {OUT.relative_to(ROOT)}, last losses {loss:.3f}")


if __name__ == "__main__":
    main()
