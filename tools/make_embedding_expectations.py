#!/usr/bin/env python3
"""Writes tests/data/embedding_expectations.json: vectors of sentence-transformers to compare with.

Usage: python tools/make_embedding_expectations.py MODEL_FOLDER
Needs sentence-transformers==5.1.2, transformers==4.57.1 and torch==2.6.0 in the Python that runs it.
"""
import json
import pathlib
import sys

import sentence_transformers
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "data" / "embedding_expectations.json"
PINNED = "5.1.2"

PARAGRAPH = (
    "A memory that is written down is a memory that can be found again, if somebody remembers "
    "where it was put. Libraries solved this with catalogues; machines solve it with indexes. "
    "What neither can do by itself is to decide which of a thousand notes matters today. ")
TEXTS = [
    "Hello, world!",
    "a",
    "?",
    "  leading and trailing spaces\n\n",
    "Where did I park my car?",
    "The car is parked on level three, next to the lift.",
    "the quick brown fox jumps over the lazy dog",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "How do I list the files of a folder?",
    "ls - list directory contents",
    "Photosynthesis turns light into chemical energy.",
    "Die Straße führt über die Brücke nach Zürich.",
    "L'élève naïf a mangé une crème brûlée à Noël.",
    "El niño comió piñas en la montaña.",
    "Привет, как дела сегодня?",
    "Η γρήγορη καφέ αλεπού πηδάει.",
    "今天天气很好，我们去公园散步吧。",
    "東京都は日本の首都です。",
    "안녕하세요, 반갑습니다.",
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "Tiếng Việt có nhiều dấu thanh.",
    "emoji 👩‍👩‍👧‍👦 and 🇩🇪 and 🎉",
    "mixed 中文 and English, числа 3.14 и 42",
    "[CLS] special [SEP] tokens [MASK] in text [PAD]",
    "unaffable internationalization antidisestablishmentarianism",
    "x" * 150,
    "http://example.org/path?query=1&other=2#fragment",
    "def f(x):\n    return x ** 2  # square\n",
    "SELECT name, age FROM people WHERE age >= 18 ORDER BY name;",
    "{\"key\": [1, 2.5, null, true]}",
    "1234567890 0x1F 1e-9 50%",
    "e\u0301 combining and \u00e9 composed",
    "tab\tand\u00a0no-break\u3000wide spaces",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",
    PARAGRAPH.strip(),
    (PARAGRAPH * 3).strip(),
    (PARAGRAPH * 8).strip(),      # beyond 256 tokens
    "word " * 600,
    "记忆 " * 300,
]


def main():
    assert sentence_transformers.__version__ == PINNED, sentence_transformers.__version__
    torch.set_num_threads(1)
    model = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu")
    vectors = model.encode(TEXTS, batch_size=1, convert_to_numpy=True, show_progress_bar=False)
    rows = []
    for text, vector in zip(TEXTS, vectors):
        ids = model.tokenizer(text)["input_ids"]
        rows.append({"text": text, "token_count": len(ids),
                     "truncated": len(ids) > model.max_seq_length,
                     "vector": [float(f"{x:.6g}") for x in vector]})
    document = {"made_by": f"tools/make_embedding_expectations.py, sentence-transformers {PINNED}, "
                           f"torch {torch.__version__.split('+')[0]}",
                "model": "all-MiniLM-L6-v2", "texts": rows}
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    head = {k: v for k, v in document.items() if k != "texts"}
    text = json.dumps(head, ensure_ascii=False)[:-1] + ', "texts": [\n' + lines + "\n]}\n"
    json.loads(text)
    OUT.write_text(text, encoding="utf-8")
    print(OUT, len(text), "bytes,", len(rows), "texts")


if __name__ == "__main__":
    main()
