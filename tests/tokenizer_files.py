#!/usr/bin/env python3
"""Makes tokenizer.json files of every kind that models use, trained on text that is here.

Usage: tokenizer_files.py FOLDER        (with `tokenizers` installed)

The vocabularies are small, the parts are those of the models named. Trained on manual pages in all
installed languages and the sentences of tools/make_tokenizer_expectations.py; which merges are learnt
depends on the machine's pages, what is compared afterwards does not. Files that are there are kept.
"""
import gzip
import io
import json
import pathlib
import re
import sys
import unicodedata

import tokenizers
from tokenizers import (AddedToken, Regex, models, normalizers, pre_tokenizers, processors,
                        trainers)

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
import charsmap  # noqa: E402

TEXT_BYTES_MAX = 700_000
LANGUAGE_BYTES_MAX = 40_000
VOCABULARY = 4_000
GPT2 = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
         r"\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|"
          r"\s*[\r\n]|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|"
         r"'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|"
         r"'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"[\r\n]", r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+",
            r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", r"[一-龥ࠀ-一가-퟿]+"]
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def training_text():
    """Lines, some of each language, in an order that does not change."""
    import make_tokenizer_expectations as expectations
    lines = expectations.SENTENCES * 3
    by_language = {}
    for path in sorted(pathlib.Path("/usr/share/man").rglob("*.gz")):
        language = path.relative_to("/usr/share/man").parts[0]
        if by_language.get(language, 0) > LANGUAGE_BYTES_MAX:
            continue
        try:
            text = gzip.decompress(path.read_bytes()).decode("utf-8", errors="ignore")
        except (OSError, EOFError):
            continue
        by_language[language] = by_language.get(language, 0) + len(text)
        lines += [re.sub(r"^\.\w+ ?", "", line) for line in text.splitlines() if len(line) > 20]
        if sum(by_language.values()) > TEXT_BYTES_MAX:
            break
    for path in sorted(pathlib.Path("/usr/share/common-licenses").glob("*")):
        lines += path.read_text(errors="ignore").splitlines()[:200]
    return lines


def nmt_nfkc():
    """The charsmap of most Unigram models: sentencepiece's own where it is installed."""
    try:
        import sentencepiece
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f", "g h i j k"] * 20), model_writer=model,
            vocab_size=16, model_type="char", normalization_rule_name="nmt_nfkc",
            minloglevel=2)
        return field_of(field_of(model.getvalue(), 3), 2)
    except ImportError:
        rules = {}
        for c in range(1, 0x110000):
            x = chr(c)
            if not 0xD800 <= c <= 0xDFFF and unicodedata.normalize("NFKC", x) != x:
                rules[x] = unicodedata.normalize("NFKC", x)
                whole = unicodedata.normalize("NFD", x)
                if len(whole) == 2 and unicodedata.normalize("NFC", whole) == x:
                    rules[whole] = x
        rules |= dict.fromkeys(map(chr, [*range(1, 9), 11, *range(14, 32), 127, 143, 159]), "")
        rules |= dict.fromkeys("\t\n\f\r\u1680\u200b\u200c\u200e\u200f\u2028\u2029\u2581\ufeff\ufffd", " ")
        return charsmap.build(rules)


def field_of(message, number):
    """The bytes of a field of a protocol buffer."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    found = b""
    while at < len(message):
        key = varint()
        if key & 7 == 2:
            size = varint()
            if key >> 3 == number:
                found = message[at:at + size]
            at += size
        elif key & 7 == 0:
            varint()
        else:
            at += {1: 8, 5: 4}[key & 7]
    return found


def trained(model, trainer, lines, normalizer=None, pre_tokenizer=None):
    tokenizer = tokenizers.Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(lines, trainer)
    return json.loads(tokenizer.to_str())


def part(component):
    """A normalizer, pre-tokenizer or processor as the file has it."""
    holder = tokenizers.Tokenizer(models.WordLevel({"a": 0}, "a"))
    kind = type(component).__module__.rsplit(".", 1)[-1]
    field = {"normalizers": "normalizer", "pre_tokenizers": "pre_tokenizer",
             "processors": "post_processor"}[kind]
    setattr(holder, field, component)
    return json.loads(holder.to_str())[field]


def template(vocabulary, first, last, pair=None, type_b=0):
    return part(processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=pair or f"{first} $A {last} $B:{type_b} {last}:{type_b}",
        special_tokens=[(name, vocabulary[name]) for name in {first, last}]))


def with_bytes(model):
    """Adds the tokens of byte fallback to a BPE's vocabulary."""
    for byte in range(256):
        model["vocab"].setdefault(f"<0x{byte:02X}>", len(model["vocab"]))
    return model


def byte_level_files(lines):
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)])

    def split(*patterns, behavior="isolated", invert=False):
        return pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(p), behavior, invert) for p in patterns] +
            [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])

    base = trained(models.BPE(), trainer, lines, None, pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "gpt2", {**base, "post_processor": part(processors.ByteLevel(trim_offsets=False))}
    vocabulary = base["model"]["vocab"]
    yield "roberta", {
        **base, "pre_tokenizer": part(pre_tokenizers.ByteLevel(add_prefix_space=False)),
        "model": {**base["model"], "unk_token": "", "continuing_subword_prefix": "",
                  "end_of_word_suffix": ""},
        "post_processor": part(processors.RobertaProcessing(("</s>", vocabulary["</s>"]),
                                                            ("<s>", vocabulary["<s>"])))}
    yield "roberta_prefix", {
        **base, "pre_tokenizer": part(pre_tokenizers.ByteLevel(add_prefix_space=True)),
        "post_processor": part(processors.RobertaProcessing(
            ("</s>", vocabulary["</s>"]), ("<s>", vocabulary["<s>"]), True, True))}
    size = len(vocabulary)
    runs = [{"id": size + i, "content": " " * (24 - i), "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": True, "special": False} for i in range(23)]
    yield "modernbert", {**base, "normalizer": part(normalizers.NFC()),
                         "added_tokens": base["added_tokens"] + runs,
                         "post_processor": template(vocabulary, "<s>", "</s>", type_b=1)}
    yield "qwen2", {**base, "normalizer": part(normalizers.NFC()), "pre_tokenizer": part(split(QWEN2)),
                    "post_processor": part(processors.ByteLevel(trim_offsets=False))}
    yield "llama3", {
        **base, "model": {**base["model"], "ignore_merges": True},
        "pre_tokenizer": part(split(LLAMA3)),
        "post_processor": {"type": "Sequence", "processors": [
            part(processors.ByteLevel(trim_offsets=True)),
            template(vocabulary, "<s>", "</s>", "<s> $A <s>:1 $B:1", 1)]}}
    yield "cl100k", {**base, "pre_tokenizer": part(split(CL100K))}
    yield "o200k", {**base, "pre_tokenizer": part(split(O200K, behavior="removed", invert=True))}
    yield "deepseek", {**base, "pre_tokenizer": part(pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in DEEPSEEK] +
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))}
    yield "bloom", {**base, "pre_tokenizer": part(split(BLOOM))}
    yield "byte_normalizer", {**base, "normalizer": part(normalizers.ByteLevel()),
                              "pre_tokenizer": part(pre_tokenizers.Split(Regex("Ġ"), "merged_with_next"))}


def bpe_files(lines):
    special = ["<unk>", "<s>", "</s>"]
    base = trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False, special_tokens=special, limit_alphabet=700), lines,
        None, pre_tokenizers.Metaspace())
    model = with_bytes({**base["model"], "byte_fallback": True, "fuse_unk": True})
    yield "llama2", {**base, "model": model, "pre_tokenizer": None, "normalizer": part(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
        "post_processor": template(model["vocab"], "<s>", "</s>")}
    yield "gemma", {**base, "model": model, "normalizer": part(normalizers.Replace(" ", "▁")),
                    "pre_tokenizer": part(pre_tokenizers.Split(" ", "merged_with_previous"))}
    yield "mistral", {**base, "model": model, "pre_tokenizer": part(
        pre_tokenizers.Metaspace(prepend_scheme="first", split=False))}
    without = {**base["model"], "byte_fallback": False, "fuse_unk": False}
    yield "unknowns", {**base, "model": without}
    yield "unknowns_fused", {**base, "model": {**without, "fuse_unk": True, "merges": [
        " ".join(pair) for pair in without["merges"]]}}
    yield "metaspace_first", {**base, "pre_tokenizer": part(
        pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first"))}
    yield "metaspace_never", {**base, "pre_tokenizer": part(
        pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never"))}
    clip = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False, special_tokens=special, end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), lines,
        normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                              normalizers.Lowercase()]),
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", True),
                                 pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    yield "clip", {**clip, "post_processor": part(processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 1), False, False))}
    yield "prefixed", trained(
        models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), trainers.BpeTrainer(
            vocab_size=VOCABULARY, show_progress=False, special_tokens=special,
            continuing_subword_prefix="##", limit_alphabet=400), lines, normalizers.NFKD(),
        pre_tokenizers.Whitespace())


def unigram_files(lines):
    special = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)]
    precompiled = normalizers.Precompiled(nmt_nfkc())
    base = trained(models.Unigram(), trainers.UnigramTrainer(
        vocab_size=VOCABULARY, show_progress=False, unk_token="<unk>", special_tokens=special), lines,
        precompiled, pre_tokenizers.Metaspace())
    names = {token: index for index, (token, _) in enumerate(base["model"]["vocab"])}
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    yield "xlmr", {**base, "pre_tokenizer": part(pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])),
        "post_processor": template(names, "<s>", "</s>", "<s> $A </s> </s> $B </s>")}
    yield "t5", {**base, "normalizer": part(normalizers.Sequence([precompiled, spaces])),
                 "post_processor": part(processors.TemplateProcessing(
                     single="$A </s>", pair="$A </s> $B </s>",
                     special_tokens=[("</s>", names["</s>"])]))}
    yield "albert", {**base, "normalizer": part(normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
        normalizers.StripAccents(), normalizers.Lowercase(), precompiled, spaces,
        normalizers.Strip()])), "post_processor": template(names, "<s>", "</s>", type_b=1)}
    yield "nmt", {**base, "normalizer": part(normalizers.Sequence([
        normalizers.Nmt(), normalizers.NFKC(), spaces])), "pre_tokenizer": part(
            pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.Metaspace()]))}
    pieces = base["model"]["vocab"] + [[f"<0x{byte:02X}>", -20.0 - byte / 256] for byte in range(256)]
    yield "unigram_bytes", {**base, "model": {**base["model"], "vocab": pieces, "byte_fallback": True}}
    yield "unigram_whole", {**base, "pre_tokenizer": None, "normalizer": part(
        normalizers.Sequence([precompiled, normalizers.Replace(" ", "▁"), normalizers.Prepend("▁")])),
        "post_processor": part(processors.ByteLevel(trim_offsets=True, add_prefix_space=False))}


def word_files(lines):
    base = trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(
        vocab_size=VOCABULARY, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]"]), lines,
        normalizers.Lowercase(), pre_tokenizers.Whitespace())
    post = part(processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1)))
    yield "wordlevel", {**base, "post_processor": post}
    yield "delimiter", {**base, "pre_tokenizer": part(pre_tokenizers.CharDelimiterSplit("e"))}
    yield "fixed_length", {**base, "pre_tokenizer": part(pre_tokenizers.Sequence(
        [pre_tokenizers.FixedLength(3)]))}
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        yield f"behavior_{behavior}", {**base, "pre_tokenizer": part(pre_tokenizers.Sequence([
            pre_tokenizers.Punctuation(behavior), pre_tokenizers.Split("a", behavior),
            pre_tokenizers.Split(Regex(r"\d+|[\p{Lu}&&[^A-F]]|\b"), behavior, invert=True),
            pre_tokenizers.Digits(individual_digits=behavior != "contiguous")]))}
    yield "replacing", {**base, "normalizer": part(normalizers.Sequence([
        normalizers.Replace(Regex("x*"), "-"), normalizers.Replace(Regex(r"^|$|(?<=e)\s|\b(?=t)"), "_"),
        normalizers.Replace("the", ""), normalizers.Prepend("ab"), normalizers.Strip(left=False)]))}


def all_files():
    lines = training_text()
    for make in (byte_level_files, bpe_files, unigram_files, word_files):
        for name, document in make(lines):
            yield name, {**document, "truncation": None, "padding": None}


def make(folder):
    """The files in `folder`, by name; made where they are not there yet."""
    done = folder / "done"
    own = pathlib.Path(__file__).read_text()
    if not done.exists() or done.read_text() != own:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.json"):
            stale.unlink()
        for name, document in all_files():
            (folder / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False))
        done.write_text(own)
    return sorted(folder.glob("*.json"))


if __name__ == "__main__":
    for made in make(pathlib.Path(sys.argv[1])):
        print(made)
