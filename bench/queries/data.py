#!/usr/bin/env python3
"""The data of `make bench-query`, below .deps/bench/data: generated, or made of manual pages.

Usage: bench/queries/data.py [--scale S] [--only words,sparse,payload,trace]
       bench/queries/data.py manuals --build DIR

words    texts: lines of made-up words whose ranks follow Zipf and Mandelbrot's law
         p(r) ~ 1 / (r + 2.7)^1.05 over 300,000 words; a word's length grows with its rank, from two
         letters to eight. A text has one of 20,000 topics of 16 words each, from which 35 % of its
         words come, so that words occur together and several times. Lengths are log-normal: median
         40 words, sigma 0.6, from 5 to 400. Queries of 1 to 5 words are words of some text beyond
         the 30 most frequent ones; "common" ones are three words of ranks 5 to 200.
sparse   vectors as learned sparse encoders give them: 30 to 120 weights over 30,522 dimensions,
         60 % of them out of 60 dimensions of one of 2,000 topics, the others by Zipf's law
         (s = 0.8); weights 0.05 and an exponential of mean 0.6, at most 3.5. Queries take 10 to 35
         dimensions of some vector, with other weights, and 3 by Zipf's law.
payload  JSON objects: keywords of 10, 1,000 and 100,000 values (Zipf, s = 0.7), an integer, a
         float, a flag, a time, a place near one of 200 towns, keywords in an array, objects in an
         array.
trace    100,000 draws by Zipf's law from 10,000 different questions, for s = 1.0 and 1.1.
manuals  passages of the manual pages of pinned Debian packages, their NAME sections left out, which
         are the queries; embedded by Quipu's default model.

Everything follows from fixed seeds; a file's SHA-256 beside it (NAME.sha256) is checked against the
pinned one where the scale has one.
"""
import argparse
import hashlib
import json
import pathlib
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
DATA = ROOT / ".deps" / "bench" / "data" / "queries"
VERSION = 1  # of the generators: other bytes, another number

TEXTS = 1_000_000
SPARSE = 200_000
POINTS = 1_000_000
DRAWS = 100_000
DISTINCT = 10_000
DIMENSIONS = 30_522
TRACE_EXPONENTS = (1.0, 1.1)
# At full scale. (What is in an .npz also depends on the compressor.)
PINNED = {
    "payload-1000000/payloads.jsonl":
        "82ffe1c4cf8adc8ad29024947c6148e6070317c1dfaf8c617aefdecd883fdcca",
    "sparse-200000/queries.jsonl":
        "b61c2764c8cff70382bdedc72092e3d2a4bd97101d11f2734f1f7223f85ad3d0",
    "sparse-200000/vectors.jsonl":
        "7971eb3c55e15829ce9b7c8d6701efbddf1118f86a03f03bd9e172ca6a82d9ea",
    "trace/draws-1.0.npy":
        "1a74bcad36b6e98ba5500bed92455774a1ae8136565ea66560b105c5ba83916a",
    "trace/draws-1.1.npy":
        "63f365bb725b379780cf3b41308ca87527c986fc2766bdcd76380fcf061f11fa",
    "words-1000000/offsets.npy":
        "8f71d9ff803b288b0706ebf262162d1e2c7c0e40856fb64cdd6b73f7a8e23fe9",
    "words-1000000/queries.json":
        "9619f5bc780b1b0e365e4a416007ee936c0b65da10cca39a1961a74fb687370b",
    "words-1000000/texts.txt":
        "8b3cde45cc61fdeee989a9961c1e26c13d94e5ee8684655f513d54494ff96650",
    "words-1000000/tokens.npy":
        "5926587e3a49c4a8a2c86c013e84d9db9e3804c90d469156450eb46bc81abef5",
}


def scaled(count, scale):
    return max(1_000, round(count * scale))


def path(kind, scale, what):
    """Where a file lies, for example words-50000/texts.txt."""
    count = {"words": TEXTS, "sparse": SPARSE, "payload": POINTS}.get(kind)
    name = kind if count is None else f"{kind}-{scaled(count, scale)}"
    return DATA / name / what


def sha256(file):
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def digest_of(file):
    """The SHA-256 that was written when the file was made."""
    return file.with_name(file.name + ".sha256").read_text(encoding="ascii").strip()


def made(folder):
    """True if the folder was made whole by this version."""
    done = folder / "made"
    return done.exists() and done.read_text(encoding="ascii") == str(VERSION)


def finish(folder):
    """Notes the digests, compares those that are pinned, and marks the folder as whole."""
    for file in sorted(folder.iterdir()):
        if file.suffix == ".sha256" or file.name == "made":
            continue
        digest = sha256(file)
        file.with_name(file.name + ".sha256").write_text(digest + "\n", encoding="ascii")
        pinned = PINNED.get(f"{folder.name}/{file.name}")
        if pinned not in (None, digest):
            raise SystemExit(f"data.py: {file} has SHA-256 {digest}, pinned {pinned}")
    (folder / "made").write_text(str(VERSION), encoding="ascii")


def begin(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "made").unlink(missing_ok=True)
    return folder


class Draw:
    """Draws that depend on nothing but the seed: uniform numbers, shaped here."""

    def __init__(self, seed):
        self._random = numpy.random.Generator(numpy.random.PCG64(seed))

    def uniform(self, *shape):
        return self._random.random(shape)

    def below(self, limit, *shape):
        return (self._random.random(shape) * limit).astype(numpy.int64)

    def normal(self, count):
        """Box and Muller's."""
        radius = numpy.sqrt(-2 * numpy.log(1 - self.uniform(count)))
        return radius * numpy.cos(2 * numpy.pi * self.uniform(count))

    def by(self, cumulated, count):
        """Indexes by a distribution's cumulated sums."""
        return numpy.searchsorted(cumulated, self.uniform(count) * cumulated[-1], side="right")


def zipf(count, exponent, shift=0.0):
    """Cumulated weights 1 / (rank + shift)^exponent, ranks from 1."""
    return numpy.cumsum(1 / (numpy.arange(1, count + 1) + shift) ** exponent)


def read_json_lines(file):
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_lines(file, lines):
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in lines)


# ---------------------------------------------------------------- words

VOCABULARY = 300_000
TOPICS = 20_000
TOPIC_WORDS = 16
CONSONANTS = "bdfghjklmnprstvwz"
VOWELS = "aeiou"


def vocabulary():
    """Word of each rank: numbers in bijective notation, syllables as digits."""
    syllables = [first + second for first in CONSONANTS for second in VOWELS]
    words = []
    for rank in range(1, VOCABULARY + 1):
        word = ""
        while rank:
            rank, digit = divmod(rank - 1, len(syllables))
            word = syllables[digit] + word
        words.append(word)
    return words


def words(scale):
    folder = path("words", scale, "")
    if made(folder):
        return
    begin(folder)
    count = scaled(TEXTS, scale)
    draw = Draw(1)
    cumulated = zipf(VOCABULARY, 1.05, 2.7)
    topics = numpy.exp(draw.uniform(TOPICS, TOPIC_WORDS)
                       * numpy.log(VOCABULARY / 100)) * 100 - 1
    topics = topics.astype(numpy.uint32)
    within = zipf(TOPIC_WORDS, 1.0)
    lengths = numpy.clip(numpy.rint(40 * numpy.exp(0.6 * draw.normal(count))), 5, 400)
    offsets = numpy.concatenate([[0], numpy.cumsum(lengths)]).astype(numpy.int64)
    topic_of = draw.below(TOPICS, count)
    tokens = numpy.empty(offsets[-1], dtype=numpy.uint32)
    vocabulary_words = vocabulary()
    with open(folder / "texts.txt", "w", encoding="ascii") as out:
        for first in range(0, count, 20_000):
            last = min(first + 20_000, count)
            size = int(offsets[last] - offsets[first])
            part = draw.by(cumulated, size).astype(numpy.uint32)
            mine = draw.uniform(size) < 0.35
            topic = numpy.repeat(topic_of[first:last], numpy.diff(offsets[first:last + 1]))
            part[mine] = topics[topic[mine], draw.by(within, int(mine.sum()))]
            tokens[offsets[first]:offsets[last]] = part
            text = [vocabulary_words[token] for token in part.tolist()]
            starts = (offsets[first:last + 1] - offsets[first]).tolist()
            out.writelines(" ".join(text[starts[i]:starts[i + 1]]) + "\n"
                           for i in range(last - first))
    numpy.save(folder / "tokens.npy", tokens)
    numpy.save(folder / "offsets.npy", offsets)
    write_queries(folder, draw, tokens, offsets, vocabulary_words, 200 if scale == 1 else 60)
    finish(folder)


def write_queries(folder, draw, tokens, offsets, vocabulary_words, each):
    """queries.json: [{"kind", "ranks", "text"}], kinds "1" to "5" (words) and "common"."""
    queries = []
    for size in range(1, 6):
        while len(queries) < each * size:
            text = int(draw.below(len(offsets) - 1, 1)[0])
            found = numpy.unique(tokens[offsets[text]:offsets[text + 1]])
            found = found[found >= 30]
            if len(found) < size:
                continue
            chosen = found[numpy.argsort(draw.uniform(len(found)), kind="stable")[:size]]
            queries.append({"kind": str(size), "ranks": chosen.tolist()})
    while len(queries) < each * 6:
        chosen = numpy.unique(5 + draw.below(195, 3))
        if len(chosen) == 3:
            queries.append({"kind": "common", "ranks": chosen.tolist()})
    for query in queries:
        query["text"] = " ".join(vocabulary_words[rank] for rank in query["ranks"])
    (folder / "queries.json").write_text(json.dumps(queries, indent=0) + "\n", encoding="ascii")


# ---------------------------------------------------------------- sparse vectors

SPARSE_TOPICS = 2_000
SPARSE_TOPIC_DIMENSIONS = 60
SPARSE_QUERIES = 500


def sparse(scale):
    folder = path("sparse", scale, "")
    if made(folder):
        return
    begin(folder)
    count = scaled(SPARSE, scale)
    draw = Draw(2)
    cumulated = zipf(DIMENSIONS, 0.8)
    topics = draw.below(DIMENSIONS, SPARSE_TOPICS, SPARSE_TOPIC_DIMENSIONS)
    sizes = 30 + draw.below(91, count)
    topic_of = draw.below(SPARSE_TOPICS, count)
    rows = []
    vectors = []
    for row in range(count):
        size = int(sizes[row])
        dimensions = draw.by(cumulated, size)
        mine = draw.uniform(size) < 0.6
        own = topics[topic_of[row]]
        dimensions[mine] = own[draw.below(len(own), int(mine.sum()))]
        dimensions = numpy.unique(dimensions)
        weights = weights_of(draw, len(dimensions))
        rows.append(json.dumps({"indices": dimensions.tolist(), "values": weights}))
        vectors.append(dimensions)
    write_lines(folder / "vectors.jsonl", rows)
    queries = []
    for _ in range(SPARSE_QUERIES if scale == 1 else 100):
        own = vectors[int(draw.below(count, 1)[0])]
        size = min(len(own), 10 + int(draw.below(26, 1)[0]))
        chosen = own[numpy.argsort(draw.uniform(len(own)), kind="stable")[:size]]
        chosen = numpy.unique(numpy.concatenate([chosen, draw.by(cumulated, 3)]))
        queries.append(json.dumps({"indices": chosen.tolist(),
                                   "values": weights_of(draw, len(chosen))}))
    write_lines(folder / "queries.jsonl", queries)
    finish(folder)


def weights_of(draw, count):
    weights = 0.05 - 0.6 * numpy.log(1 - draw.uniform(count))
    return [round(weight, 3) for weight in numpy.minimum(weights, 3.5).tolist()]


# ---------------------------------------------------------------- payloads

FIRST_SECOND = 1_577_836_800  # 2020-01-01T00:00:00Z
SECONDS = 6 * 365 * 86_400
TOWNS = 200
TAGS = 50
SKUS = 1_000


def payload(scale):
    """payloads.jsonl, and columns.npz for whoever evaluates filters by hand."""
    folder = path("payload", scale, "")
    if made(folder):
        return
    begin(folder)
    count = scaled(POINTS, scale)
    draw = Draw(3)
    columns = {
        "k10": draw.by(zipf(10, 0.7), count),
        "k1000": draw.by(zipf(1_000, 0.7), count),
        "k100000": draw.by(zipf(100_000, 0.7), count),
        "n": draw.below(1_000_000, count),
        "price": numpy.round(-50 * numpy.log(1 - draw.uniform(count)), 2),
        "flag": draw.uniform(count) < 0.1,
        "at": FIRST_SECOND + draw.below(SECONDS, count),
    }
    towns = numpy.stack([draw.uniform(TOWNS) * 300 - 150, draw.uniform(TOWNS) * 120 - 60], axis=1)
    town = draw.by(zipf(TOWNS, 0.5), count)
    columns["lon"] = numpy.round(towns[town, 0] + 0.5 * draw.normal(count), 5)
    columns["lat"] = numpy.round(towns[town, 1] + 0.5 * draw.normal(count), 5)
    tag_counts = draw.below(4, count)
    item_counts = draw.below(4, count)
    columns["tag_row"] = numpy.repeat(numpy.arange(count), tag_counts)
    columns["tag"] = draw.by(zipf(TAGS, 0.7), int(tag_counts.sum()))
    columns["item_row"] = numpy.repeat(numpy.arange(count), item_counts)
    columns["sku"] = draw.by(zipf(SKUS, 0.7), int(item_counts.sum()))
    columns["qty"] = 1 + draw.below(10, int(item_counts.sum()))
    columns["towns"] = towns
    numpy.savez(folder / "columns.npz", **columns)
    with open(folder / "payloads.jsonl", "w", encoding="ascii") as out:
        out.writelines(payload_lines(columns, tag_counts, item_counts))
    finish(folder)


def payload_lines(columns, tag_counts, item_counts):
    times = numpy.datetime_as_string(columns["at"].astype("datetime64[s]")).tolist()
    plain = [columns[name].tolist()
             for name in ("k10", "k1000", "k100000", "n", "price", "flag", "lon", "lat")]
    tags = columns["tag"].tolist()
    items = list(zip(columns["sku"].tolist(), columns["qty"].tolist()))
    tag = item = 0
    for row, (k10, k1000, k100000, n, price, flag, lon, lat) in enumerate(zip(*plain)):
        last_tag = tag + int(tag_counts[row])
        last_item = item + int(item_counts[row])
        own_tags = ",".join(f'"x{value}"' for value in tags[tag:last_tag])
        own_items = ",".join(f'{{"sku":"s{sku}","qty":{qty}}}'
                             for sku, qty in items[item:last_item])
        tag, item = last_tag, last_item
        yield (f'{{"k10":"c{k10}","k1000":"t{k1000}","k100000":"u{k100000}","n":{n},'
               f'"price":{price},"flag":{"true" if flag else "false"},"at":"{times[row]}Z",'
               f'"place":{{"lon":{lon},"lat":{lat}}},"tags":[{own_tags}],"items":[{own_items}]}}\n')


# ---------------------------------------------------------------- trace


def trace(_scale):
    """draws-S.npy: which of the questions is asked, 0 the most frequent."""
    folder = path("trace", 1, "")
    if made(folder):
        return
    begin(folder)
    for number, exponent in enumerate(TRACE_EXPONENTS):
        draw = Draw(40 + number)
        ranks = draw.by(zipf(DISTINCT, exponent), DRAWS).astype(numpy.uint32)
        numpy.save(folder / f"draws-{exponent}.npy", ranks)
    finish(folder)


STEPS = {"words": words, "sparse": sparse, "payload": payload, "trace": trace}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", default=",".join(STEPS))
    parser.add_argument("step", nargs="?", choices=["manuals"])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    options = parser.parse_args()
    if options.step == "manuals":
        from bench.queries import manuals  # pylint: disable=import-outside-toplevel
        manuals.prepare(options.build.resolve())
        return 0
    chosen = options.only.split(",")
    if set(chosen) - set(STEPS) or not 0 < options.scale <= 1:
        parser.error(f"steps are {', '.join(STEPS)}; the scale is above 0 and at most 1")
    for name in chosen:
        STEPS[name](options.scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
