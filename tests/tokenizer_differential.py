#!/usr/bin/env python3
"""Compares Quipu's tokenizers with the Python package `tokenizers`, token by token.

Usage: tokenizer_differential.py --tool build/.../quipu_tokenize_tool --tokenizer tokenizer.json
           [--strings N] [--seed S] [--corpus FOLDER ...] [--speed]

Every text goes through both, the original tokenizer.json and variants of it that use the other
normalizers, splittings, templates and flags of added tokens; ids and byte offsets must be equal.
Exits 0 when all were, 1 when any differed (printing the first ones), 77 when `tokenizers` is not
installed in this Python.
"""
import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

try:
    import tokenizers
except ImportError:
    print("tokenizer differential: the package `tokenizers` is not installed; skipped")
    sys.exit(77)

PINNED = "0.23.3"
SHOWN_MAX = 5


def variants(original):
    """(name, tokenizer.json) pairs that exercise what the original does not use."""
    def changed(name, **parts):
        return name, json.dumps({**json.loads(original), "truncation": None, "padding": None,
                                 **parts})

    def bert(clean, ideographs, accents, lower):
        return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": ideographs,
                "strip_accents": accents, "lowercase": lower}

    def sequence(*types):
        return {"type": "Sequence", "normalizers": [
            t if isinstance(t, dict) else {"type": t} for t in types]}

    def added(content, id, **flags):
        return {"id": id, "content": content, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": False, **flags}

    vocabulary = json.loads(original)["model"]["vocab"]
    yield changed("original")
    yield changed("cased", normalizer=bert(True, True, False, False))
    yield changed("bare", normalizer=bert(False, False, None, True))
    yield changed("accents only", normalizer=bert(False, True, True, False))
    yield changed("no normalizer", normalizer=None,
                  pre_tokenizer={"type": "WhitespaceSplit"}, post_processor=None)
    yield changed("NFC", normalizer=sequence("NFC", "Lowercase"),
                  pre_tokenizer={"type": "Whitespace"},
                  post_processor={"type": "BertProcessing", "sep": ["[SEP]", vocabulary["[SEP]"]],
                                  "cls": ["[CLS]", vocabulary["[CLS]"]]})
    yield changed("NFKC", normalizer=sequence(
        "NFKC", {"type": "Strip", "strip_left": True, "strip_right": True}))
    yield changed("NFKD", normalizer=sequence("NFKD", "StripAccents", "Lowercase"),
                  pre_tokenizer={"type": "Sequence", "pretokenizers": [
                      {"type": "WhitespaceSplit"}, {"type": "Punctuation"}]})
    yield changed("NFD", normalizer={"type": "NFD"})
    size = len(vocabulary)
    yield changed("added", added_tokens=json.loads(original)["added_tokens"] + [
        added("The", size, normalized=True),
        added("Zürich", size + 1, normalized=True, single_word=True),
        added("<a>", size + 2, lstrip=True),
        added("<ab>", size + 3, rstrip=True),
        added("<b>", size + 4, lstrip=True, rstrip=True, special=True),
        added("memory", vocabulary["memory"], single_word=True),
        added("、", vocabulary["、"], normalized=True, rstrip=True)])
    short = json.loads(original)["model"]
    short["max_input_chars_per_word"] = 7
    yield changed("short words", model=short)


WORDS = ("the The THE memory memories <a> <ab> <b> <a <ab Zürich zürich ZÜRICH unaffable don't "
         "Straße naïve coöperate Ελλάδα ΕΛΛΆΣ привет Ёлка 東京都 こんにちは 안녕하세요 한국어 "
         "हिन्दी ভাষা தமிழ் ไทย العربية עברית 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦 🇩🇪 ½ ﬁne Ǆ İstanbul ıI ﷺ "
         "[CLS] [SEP] [MASK] [PAD] [UNK] [cls] ##ing [SEP][SEP] e.g. 3.14 C++ a_b x=y "
         "http://example.org/a?b=c user@example.org").split()
BLOCKS = [(0x20, 0x7F), (0x20, 0x7F), (0x00, 0x20), (0x80, 0x180), (0x180, 0x250), (0x2B0, 0x370),
          (0x300, 0x370), (0x370, 0x530), (0x530, 0x700), (0x900, 0xE00), (0xE00, 0x1200),
          (0x1100, 0x1200), (0x1200, 0x2000), (0x2000, 0x2070), (0x2070, 0x2C00), (0x2C00, 0x3100),
          (0x3000, 0x3400), (0x4E00, 0x5000), (0xAC00, 0xD7A4), (0xD7B0, 0xD800), (0xE000, 0xE010),
          (0xF900, 0xFB00), (0xFB00, 0x10000), (0x10000, 0x10500), (0x11000, 0x11A00),
          (0x16F00, 0x17000), (0x1D100, 0x1D800), (0x1E000, 0x1E950), (0x1F300, 0x1FA00),
          (0x20000, 0x20010), (0x2B700, 0x2B930), (0x2F800, 0x2FA20), (0xE0000, 0xE0200),
          (0x10FFF0, 0x110000)]
SPACES = ["", " ", " ", " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\u200b"]


def fuzzed(rng, vocabulary):
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8, 20))):
        kind = rng.random()
        if kind < 0.35:
            pieces.append(rng.choice(WORDS))
        elif kind < 0.55:
            pieces.append(rng.choice(vocabulary).removeprefix("##"))
        elif kind < 0.58:
            pieces.append(rng.choice("aé한ñ東") * rng.choice((6, 7, 8, 99, 100, 101, 300, 700)))
        else:
            first, end = rng.choice(BLOCKS)
            pieces.append("".join(chr(rng.randrange(first, end))
                                  for _ in range(rng.choice((1, 1, 2, 4, 9)))))
        if rng.random() < 0.1:
            pieces.append("".join(chr(rng.randrange(0x300, 0x370)) for _ in range(3)))
        pieces.append(rng.choice(SPACES))
    return "".join(pieces)


def corpus_texts(folders):
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file():
                text = path.read_bytes().decode("utf-8", errors="replace")
                for start in range(0, len(text), 20_000):
                    yield text[start:start + 20_000]


def run_tool(tool, tokenizer_path, texts, mode=()):
    with tempfile.TemporaryFile() as stdin:
        for text in texts:
            data = text.encode()
            stdin.write(struct.pack("<I", len(data)) + data)
        stdin.seek(0)
        done = subprocess.run([tool, tokenizer_path, *mode], stdin=stdin, stdout=subprocess.PIPE,
                              check=True)
    return done.stdout


def parse(output, count):
    at = 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", output, at)
        at += 4
        if size == 0xFFFFFFFF:
            yield None
            continue
        numbers = struct.unpack_from(f"<{3 * size}I", output, at)
        at += 12 * size
        yield list(zip(numbers[::3], numbers[1::3], numbers[2::3]))
    assert at == len(output)


def expected(encoding, text):
    if text.isascii():
        return [(i, a, b) for i, (a, b) in zip(encoding.ids, encoding.offsets)]
    byte_of = [0]
    for character in text:
        byte_of.append(byte_of[-1] + len(character.encode()))
    return [(i, byte_of[a], byte_of[b]) for i, (a, b) in zip(encoding.ids, encoding.offsets)]


def compare(args, name, source, texts, mode):
    reference = tokenizers.Tokenizer.from_str(source)
    reference.no_truncation()
    reference.no_padding()
    different = tokens = moved = 0
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(source)
        file.flush()
        for start in range(0, len(texts), 20_000):
            part = texts[start:start + 20_000]
            output = run_tool(args.tool, file.name, part, mode)
            encodings = reference.encode_batch(part)
            for text, encoding, got in zip(part, encodings, parse(output, len(part))):
                want = expected(encoding, text)
                tokens += len(want)
                if got == want:
                    continue
                if got and [g[0] for g in got] == [w[0] for w in want]:
                    moved += 1
                    shown = args.offsets and moved <= SHOWN_MAX
                else:
                    different += 1
                    shown = different <= SHOWN_MAX
                if shown:
                    print(f"{name}: {text!r}\n  want {want}\n  got  {got}")
    way = "by parts" if mode else "fused"
    print(f"{name} ({way}): {len(texts)} texts, {tokens} tokens, {different} different, "
          f"{moved} with other offsets")
    return different + (moved if args.offsets else 0)


def speed(args, original, texts):
    reference = tokenizers.Tokenizer.from_str(original)
    reference.no_truncation()
    reference.no_padding()
    ours, theirs = [], []
    for _ in range(3):
        start, count = time.perf_counter(), 0
        for text in texts:
            count += len(reference.encode(text).ids)
        theirs.append(count / (time.perf_counter() - start))
        output = run_tool(args.tool, args.tokenizer, texts, ("time",))
        tokens, nanoseconds = struct.unpack("<QQ", output)
        assert tokens == count, (tokens, count)
        ours.append(tokens / (nanoseconds / 1e9))
    ours, theirs = sorted(ours)[1], sorted(theirs)[1]
    print(f"speed: {len(texts)} texts, {count} tokens; quipu {ours / 1e6:.2f}, Python "
          f"{theirs / 1e6:.2f} million tokens/s, ratio {ours / theirs:.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--strings", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--corpus", action="append", default=[])
    parser.add_argument("--no-offsets", dest="offsets", action="store_false")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    print(f"tokenizers {tokenizers.__version__}, seed {args.seed}")
    if tokenizers.__version__ != PINNED:
        print(f"tokenizer differential: version {PINNED} is the reference")
        return 1
    original = pathlib.Path(args.tokenizer).read_text(encoding="utf-8")
    vocabulary = sorted(json.loads(original)["model"]["vocab"])
    rng = random.Random(args.seed)
    texts = [fuzzed(rng, vocabulary) for _ in range(args.strings)]
    # Every character once, in company.
    texts += [f"a{chr(c)}b {chr(c)}" for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF
              and (c < 0x3400 or args.strings >= 100_000 or c % 64 == args.seed % 64)]
    real = list(corpus_texts(args.corpus))
    different = 0
    for name, source in variants(original):
        everything = name == "original"
        some = texts + real if everything else texts[:max(1000, len(texts) // 8)] + real[:200]
        different += compare(args, name, source, some, ())
        if everything or name in ("cased", "bare", "accents only", "short words"):
            different += compare(args, name, source, some[:max(1000, len(some) // 4)], ("parts",))
    if args.speed:
        plain = ["the quick brown fox jumps over the lazy dog and remembers where it parked its "
                 "bicycle near the old library on Sunday afternoon."] * 20_000
        speed(args, original, real or plain)
    if different:
        print(f"tokenizer differential: {different} texts differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
