#!/usr/bin/env python3
"""Compares Quipu's tokenizers with the Python package `tokenizers`, token by token.

Usage: tokenizer_differential.py --tool build/.../quipu_tokenize_tool [--tokenizer tokenizer.json]
           [--trained FOLDER [--only NAMES]] [--strings N] [--seed S] [--corpus FOLDER ...] [--speed]

Every text goes through both: with a model's WordPiece and variants of it that use other normalizers,
splittings, templates and flags of added tokens, and with the files of every kind that
tokenizer_files.py trains. Single and in pairs, whole and truncated: ids, byte offsets, type ids and
the mask of template tokens must be equal.
Exits 0 when all were, 1 when any differed (printing the first ones), 77 when `tokenizers` is not
installed in this Python.
"""
import argparse
import functools
import gzip
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
try:
    import tokenizers
except ImportError:
    print("tokenizer differential: the package `tokenizers` is not installed; skipped")
    sys.exit(77)

PINNED = "0.23.3"
SHOWN_MAX = 5
FOLDER_BYTES_MAX = 8_000_000


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
         "http://example.org/a?b=c user@example.org I'll we've They'D 'ſ 12345 ١٢٣٤ ⅷ ▁the ▁▁ Ġa <s> "
         "</s> <mask> <unk> <0x41> ``quoted'' \u0600\u0627 e\u0301\u0323 \u1100\u1161\u11a8 ｶﾞ ㌔ ™").split()
BLOCKS = [(0x20, 0x7F), (0x20, 0x7F), (0x00, 0x20), (0x80, 0x180), (0x180, 0x250), (0x2B0, 0x370),
          (0x300, 0x370), (0x370, 0x530), (0x530, 0x700), (0x900, 0xE00), (0xE00, 0x1200),
          (0x1100, 0x1200), (0x1200, 0x2000), (0x2000, 0x2070), (0x2070, 0x2C00), (0x2C00, 0x3100),
          (0x3000, 0x3400), (0x4E00, 0x5000), (0xAC00, 0xD7A4), (0xD7B0, 0xD800), (0xE000, 0xE010),
          (0xF900, 0xFB00), (0xFB00, 0x10000), (0x10000, 0x10500), (0x11000, 0x11A00),
          (0x16F00, 0x17000), (0x1D100, 0x1D800), (0x1E000, 0x1E950), (0x1F300, 0x1FA00),
          (0x20000, 0x20010), (0x2B700, 0x2B930), (0x2F800, 0x2FA20), (0xE0000, 0xE0200),
          (0x10FFF0, 0x110000)]
SPACES = ["", " ", " ", " ", "  ", "    ", "\n", "\n\n", " \n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\u200b"]


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


def corpus_texts(folders, rng):
    """Up to FOLDER_BYTES_MAX of the files of each folder, in random order."""
    for folder in folders:
        paths, left = sorted(pathlib.Path(folder).rglob("*")), FOLDER_BYTES_MAX
        rng.shuffle(paths)
        for path in paths:
            if path.is_file() and left > 0:
                data = path.read_bytes()
                if path.suffix == ".gz":
                    data = gzip.decompress(data)
                text = data.decode("utf-8", errors="replace")
                left -= len(data)
                for start in range(0, len(text), 20_000):
                    yield text[start:start + 20_000]


def run_tool(tool, tokenizer_path, texts, options=()):
    with tempfile.TemporaryFile() as stdin:
        for text in texts:
            data = text.encode()
            stdin.write(struct.pack("<I", len(data)) + data)
        stdin.seek(0)
        done = subprocess.run([tool, tokenizer_path, *options], stdin=stdin, stdout=subprocess.PIPE,
                              check=True)
    return done.stdout


def parse(output, count):
    """For each text its tokens as (id, begin, end, type, 1 for template tokens), or None."""
    at = 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", output, at)
        at += 4
        if size == 0xFFFFFFFF:
            yield None
            continue
        numbers = struct.unpack_from(f"<{5 * size}I", output, at)
        at += 20 * size
        yield list(zip(*(numbers[i::5] for i in range(5))))
    assert at == len(output)


def byte_places(text):
    places = [0]
    for character in text:
        places.append(places[-1] + len(character.encode()))
    return places


def expected(encoding, text):
    return [token[:3] for token in expected_tokens(encoding, (text,))]


def expected_tokens(encoding, texts):
    """As parse(), with places in bytes of the text that the token is of."""
    places = [None if text.isascii() else byte_places(text) for text in texts]
    # Template tokens are of no text and begin at 0 in any.
    own = [0 if i is None else i for i in encoding.sequence_ids] if len(texts) > 1 else None
    out = []
    for i, (id, (a, b)) in enumerate(zip(encoding.ids, encoding.offsets)):
        table = places[own[i] if own else 0]
        if table is not None:
            # The package leaves a place at the text's very end in bytes.
            a, b = (table[x] if x < len(table) else x for x in (a, b))
        out.append((id, a, b, encoding.type_ids[i], encoding.special_tokens_mask[i]))
    assert all(encoding.attention_mask)
    return out


class Count:
    def __init__(self):
        self.texts = self.tokens = self.different = self.moved = 0

    def add(self, name, what, want, got, with_offsets):
        """Notes what was got for `what`; says so when it differs."""
        self.texts += 1
        self.tokens += len(want or ())
        if got == want:
            return
        ids = [None if x is None else [(t[0], t[3], t[4]) for t in x] for x in (want, got)]
        if ids[0] == ids[1]:
            self.moved += 1
            shown = with_offsets and self.moved <= SHOWN_MAX
        else:
            self.different += 1
            shown = self.different <= SHOWN_MAX
        if shown:
            print(f"{name}: {what!r}\n  want {want}\n  got  {got}")


@functools.lru_cache(maxsize=1)
def loaded(source):
    return tokenizers.Tokenizer.from_str(source)


def reference_of(source):
    reference = loaded(source)
    reference.no_truncation()
    reference.no_padding()
    return reference


def encode_or_none(reference, texts, bare):
    """The encodings, or None where the package refuses: it fails for all of a batch or none."""
    try:
        return reference.encode_batch(texts, add_special_tokens=not bare)
    except Exception:  # It raises nothing narrower.
        pass
    out = []
    for text in texts:
        try:
            pair = text if isinstance(text, tuple) else (text,)
            out.append(reference.encode(*pair, add_special_tokens=not bare))
        except Exception:
            out.append(None)
    return out


def compare(args, name, source, texts, mode=(), truncation=None):
    """`texts` are strings, or pairs of them. Returns how many came out differently."""
    reference = reference_of(source)
    options = list(mode)
    pairs = bool(texts) and isinstance(texts[0], tuple)
    if pairs:
        options.append("pair")
    if truncation is not None:
        reference.enable_truncation(**truncation)
        options += [f"max={truncation['max_length']}", f"side={truncation['direction']}",
                    f"strategy={truncation['strategy']}"]
    count = Count()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(source)
        file.flush()
        for start in range(0, len(texts), 10_000):
            part = texts[start:start + 10_000]
            flat = [text for pair in part for text in pair] if pairs else part
            output = run_tool(args.tool, file.name, flat, options)
            encodings = encode_or_none(reference, part, "bare" in mode)
            for text, encoding, got in zip(part, encodings, parse(output, len(part))):
                own = text if pairs else (text,)
                want = None if encoding is None else expected_tokens(encoding, own)
                count.add(name, text, want, got, args.offsets)
    way = " ".join(options) or "usual way"
    if not args.quiet or count.different or (count.moved and args.offsets):
        print(f"{name} ({way}): {count.texts} texts, {count.tokens} tokens, {count.different} "
              f"different, {count.moved} with other offsets")
    args.compared += count.texts
    return count.different + (count.moved if args.offsets else 0)


TRUNCATIONS = [(7, "right"), (8, "left"), (20, "left"), (33, "right")]


def compare_ways(args, name, source, texts, number=0):
    """Pairs, truncation and the slower ways, with some of the texts: a few of the ways, chosen by
    `number`, or in a long run all of them."""
    some = texts[:max(120, len(texts) // 20)]
    pairs = list(zip(some, reversed(some)))
    reference = reference_of(source)
    ways = [(some, ("parts",), None), (some, ("bare",), None)]
    try:
        reference.encode("a", "b")
        ways += [(pairs, (), None), (pairs, ("bare",), None)]
    except BaseException:  # A panic of the package, for templates that lack a text.
        pairs = []
    truncated = []
    for length, direction in TRUNCATIONS:
        if reference.num_special_tokens_to_add(True) < length:
            one = {"max_length": length, "direction": direction, "strategy": "longest_first"}
            truncated.append((some, (), one))
            truncated += [(pairs, (), {**one, "strategy": strategy}) for strategy in
                          ("longest_first", "only_first", "only_second") if pairs]
    if args.strings < 100_000:
        ways = ways[:1] + ways[1 + number % 3:2 + number % 3]
        truncated = [truncated[(number * 7 + i * 5) % len(truncated)] for i in range(2)]
    return sum(compare(args, name, source, *way) for way in ways + truncated)


def speed(args, name, source, texts):
    """Prints tokens for a second of one thread's processor time, and the ratio; both take turns, and
    both have seen the texts before."""
    reference = reference_of(source)
    ours, theirs, count = [], [], 0
    for text in texts:
        reference.encode(text)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(source)
        file.flush()
        for _ in range(args.rounds):
            start, count = time.process_time(), 0
            for text in texts:
                count += len(reference.encode(text).ids)
            theirs.append(count / (time.process_time() - start))
            tokens, nanoseconds = struct.unpack(
                "<QQ", run_tool(args.tool, file.name, texts, ("time=3",)))
            assert tokens == count, (tokens, count)
            ours.append(tokens / (nanoseconds / 1e9))
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    print(f"speed of {name}: {len(texts)} texts, {count / len(texts):.0f} tokens each; quipu "
          f"{max(ours) / 1e6:.2f}, Python {max(theirs) / 1e6:.2f} million tokens/s; ratio "
          f"{ratios[len(ratios) // 2]:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})")


def prose():
    """Short English texts, all different: lines of the licences that every Debian system has."""
    lines = {line.strip() for path in sorted(pathlib.Path("/usr/share/common-licenses").glob("*"))
             for line in path.read_text(errors="ignore").splitlines()}
    return sorted(line for line in lines if 30 <= len(line) <= 120)


def vocabulary_of(source):
    vocabulary = json.loads(source)["model"]["vocab"]
    tokens = vocabulary if isinstance(vocabulary, dict) else [token for token, _ in vocabulary]
    return sorted(tokens)


def compare_original(args, original, real):
    """A WordPiece of a model, and variants of it with other parts."""
    rng = random.Random(args.seed)
    vocabulary = vocabulary_of(original)
    texts = [fuzzed(rng, vocabulary) for _ in range(args.strings)]
    # Every character once, in company.
    texts += [f"a{chr(c)}b {chr(c)}" for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF
              and (c < 0x3400 or args.strings >= 100_000 or c % 64 == args.seed % 64)]
    different = 0
    for name, source in variants(original):
        everything = name == "original"
        some = texts + real if everything else texts[:max(1000, len(texts) // 8)] + real[:200]
        different += compare(args, name, source, some)
        if everything:
            different += compare_ways(args, name, source, texts)
        if name in ("original", "cased", "bare", "accents only", "short words"):
            different += compare(args, name, source, some[:max(1000, len(some) // 4)], ("parts",))
    return different


def compare_trained(args, real):
    import tokenizer_files
    different = 0
    files = tokenizer_files.make(pathlib.Path(args.trained))
    for number, path in enumerate(files):
        if args.only and path.stem not in args.only.split(","):
            continue
        source = path.read_text(encoding="utf-8")
        rng = random.Random(args.seed + number)
        vocabulary = vocabulary_of(source)
        texts = [fuzzed(rng, vocabulary) for _ in range(args.strings // len(files))]
        texts += [f"a{chr(c)}b {chr(c)}" for c in range(1, 0x30000) if not 0xD800 <= c <= 0xDFFF
                  and (c - args.seed - number) % (16 if args.strings >= 100_000 else 2048) == 0]
        different += compare(args, path.stem, source, texts + real[number::len(files)])
        different += compare_ways(args, path.stem, source, texts, number)
        if args.speed:
            speed(args, path.stem, source, prose())
    return different


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--tokenizer")
    parser.add_argument("--trained", help="folder of files that tokenizer_files.py makes")
    parser.add_argument("--only", default="", help="of these, by name, with commas between")
    parser.add_argument("--strings", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("QUIPU_TEST_SEED") or
                                                        random.randrange(1 << 32)))
    parser.add_argument("--corpus", action="append", default=[])
    parser.add_argument("--no-offsets", dest="offsets", action="store_false")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quiet", action="store_true", help="only what differs")
    args = parser.parse_args()
    args.compared = 0
    sys.stdout.reconfigure(line_buffering=True)  # Long runs are watched.
    print(f"tokenizers {tokenizers.__version__}, seed {args.seed}")
    if tokenizers.__version__ != PINNED:
        print(f"tokenizer differential: version {PINNED} is the reference")
        return 1
    real = list(corpus_texts(args.corpus, random.Random(args.seed)))
    different = 0
    if args.tokenizer:
        original = pathlib.Path(args.tokenizer).read_text(encoding="utf-8")
        different += compare_original(args, original, real)
        if args.speed:
            speed(args, "the model's WordPiece", original, prose())
    if args.trained:
        different += compare_trained(args, real)
    print(f"tokenizer differential: {different} of {args.compared} texts differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
