#!/usr/bin/env python3
"""Writes tests/data/tokenizer_expectations.json: tokens of the Python package `tokenizers`.

Usage: python tools/make_tokenizer_expectations.py        (with tokenizers==0.23.3 installed)

Trains a small WordPiece vocabulary on the texts below, so that the test needs no model, and stores
the tokens of real sentences and of fuzzed strings under every variant of the tokenizer that
tests/tokenizer_differential.py knows (which compares many more, live).
"""
import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
import tokenizer_differential as differential  # noqa: E402

OUT = ROOT / "tests" / "data" / "tokenizer_expectations.json"
SEED = 20260101
CASES_PER_VARIANT = 60
TEXT_CHARS_MAX = 400
SENTENCES = """
A memory that is written down is a memory that can be found again, if somebody remembers where.
Libraries solved this with catalogues; machines solve it with indexes (and with patience).
What neither can do by itself is to decide which of a thousand notes matters today.
The naïve coöperation of fiancées cost £3.50, i.e. about 4,10 € — or ½ of what it's worth!
Die Straße führt über die Brücke nach Zürich; größere Städte haben mehr Brücken.
L'élève naïf a mangé une crème brûlée à Noël, où qu'il fût, dès l'aube.
El niño comió piñas en la montaña. ¿Quién lo vio? ¡Nadie!
O coração não esquece a canção da avó; às vezes a memória é água.
Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép.
İstanbul'da ılık bir akşamüstü, Iğdır'dan gelen mektubu okudum.
Tiếng Việt có nhiều dấu thanh: trí nhớ là một con sông dài.
Привет, как дела сегодня? Память — это река, в которую входят дважды. Ёжик пил чай.
Η γρήγορη καφέ αλεπού πηδάει πάνω από το σκυλί. ΟΔΟΣ ΜΝΗΜΗΣ ΑΡΙΘΜΟΣ 7.
今天天气很好，我们去公园散步吧。记忆是一条河流，时间是它的岸。
東京都は日本の首都です。ｶﾀｶﾅとカタカナ、ひらがな。記憶は川のようだ！
안녕하세요, 반갑습니다. 기억은 흐르는 강물과 같습니다. 한국어 형태소.
مرحبا بالعالم، الذاكرة نهر يجري. كيف حالك اليوم؟
שלום עולם, הזיכרון הוא נהר. מה שלומך היום?
नमस्ते दुनिया, स्मृति एक नदी है। आप कैसे हैं?
ভাষা মানুষের স্মৃতি বহন করে। কেমন আছো?
தமிழ் மொழி நினைவுகளைச் சுமக்கிறது. எப்படி இருக்கிறீர்கள்?
สวัสดีชาวโลก ความทรงจำคือแม่น้ำสายยาว
መታሰቢያ ወንዝ ነው። როგორ ხარ დღეს? Հիշողությունը գետ է։
emoji 👩‍👩‍👧‍👦 and 🇩🇪 and 🎉, math ∑ x² ≤ ∫ f(x) dx ≠ ∅, arrows → ⇒ ↔, boxes ┌─┐ █
def remember(text: str) -> int:  # returns id\n    return store["key"][0] ** 2 + 0x1F
http://example.org/path?query=1&other=2#fragment user.name+tag@example.org C:\\Temp\\a_b.txt
[CLS] special [SEP] tokens [MASK] in text [PAD] and [UNK]s; [cls] is not special
unaffable internationalization antidisestablishmentarianism pneumonoultramicroscopic
""".strip().split("\n")


def train():
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=1400, min_frequency=1, show_progress=False, limit_alphabet=900,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.train_from_iterator(SENTENCES * 2 + differential.WORDS * 2, trainer)
    document = json.loads(tokenizer.to_str())
    # Which of several equal merges is learnt depends on the hash seed of the run; the file that is
    # written holds the vocabulary, so the test does not.
    vocabulary = document["model"]["vocab"]
    for word in ("memory", "、"):
        vocabulary.setdefault(word, len(vocabulary))
    document["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]}
                           for name in ("[CLS]", "[SEP]")}}
    return document


def main():
    assert tokenizers.__version__ == differential.PINNED, tokenizers.__version__
    original = train()
    vocabulary = original["model"]["vocab"]
    rng = random.Random(SEED)
    variants = []
    for name, source in differential.variants(json.dumps(original)):
        reference = tokenizers.Tokenizer.from_str(source)
        texts = ["", " ", "a"] + SENTENCES
        while len(texts) < len(SENTENCES) + CASES_PER_VARIANT:
            text = differential.fuzzed(rng, sorted(vocabulary))
            if len(text) <= TEXT_CHARS_MAX:
                texts.append(text)
        if name != "original":
            texts = texts[:3] + rng.sample(texts[3:], CASES_PER_VARIANT)
        cases = []
        for text in texts:
            tokens = differential.expected(reference.encode(text), text)
            case = {"text": text, "ids": [t[0] for t in tokens]}
            if name != "NFKC":
                case["spans"] = [x for t in tokens for x in t[1:]]
            cases.append(case)
        document = json.loads(source)
        document["model"]["vocab"] = "@VOCABULARY@"
        variants.append({"name": name, "tokenizer": json.dumps(document), "cases": cases})
    rows = ",\n".join(json.dumps(v, ensure_ascii=True, separators=(",", ":")) for v in variants)
    text = ('{"made_by": "tools/make_tokenizer_expectations.py, tokenizers %s",\n"vocabulary": %s,\n'
            '"variants": [\n%s\n]}\n' % (tokenizers.__version__,
                                        json.dumps(json.dumps(vocabulary)), rows))
    json.loads(text)
    OUT.write_text(text, encoding="utf-8")
    print(OUT, len(text), "bytes,", sum(len(v["cases"]) for v in variants), "cases")


if __name__ == "__main__":
    main()
