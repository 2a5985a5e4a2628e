#!/usr/bin/env python3
"""Writes the tables behind src/quipu/text/analysis: one C++ source, made anew by each build.

Usage: tools/make_analysis_tables.py --unicode FOLDER --stop-words FOLDER --out FILE

--unicode     the Unicode Character Database, as Debian's unicode-data installs it
--stop-words  Lingua::StopWords, as Debian's liblingua-stopwords-perl installs it

The build makes the tables, instead of the repository keeping them, so that the words of a text are
cut and folded by one release of Unicode, the one that the tests' oracles (utf8proc, ICU and
Unicode's own test file) come with.
"""
import argparse
import pathlib
import re

CODE_POINTS = 0x110000
BLOCK = 128
HANGUL = range(0xAC00, 0xD7A4)
# In the order of WordClass in char_data.h.
WORD_CLASSES = ["Other", "CR", "LF", "Newline", "Extend", "ZWJ", "Format", "Regional_Indicator",
                "ALetter", "Hebrew_Letter", "Katakana", "Numeric", "MidLetter", "MidNum",
                "MidNumLet", "ExtendNumLet", "Single_Quote", "Double_Quote", "WSegSpace"]
# In the order of CharFlag in char_data.h.
FLAGS = ["term", "pictographic", "dictionary", "space", "ignorable", "entangled", "mapped",
         "accent"]
LANGUAGES = {"DA": "danish", "DE": "german", "EN": "english", "ES": "spanish", "FI": "finnish",
             "FR": "french", "HU": "hungarian", "ID": "indonesian", "IT": "italian", "NL": "dutch",
             "NO": "norwegian", "PT": "portuguese", "RO": "romanian", "RU": "russian",
             "SV": "swedish"}
# What people type for an apostrophe; within a word it is one.
APOSTROPHES = [0x2018, 0x2019, 0x02BC, 0xFF07]
# Latin letters that the database neither decomposes nor names after a single base letter.
NAMED_LETTERS = {"AE": "ae", "OE": "oe", "ETH": "d", "THORN": "th", "SHARP S": "ss", "ENG": "n",
                 "DOTLESS I": "i", "DOTLESS J": "j", "KRA": "q", "LONG S": "s", "WYNN": "w",
                 "HV": "hv"}


class Database:
    """The parts of the Unicode Character Database that are needed, by code point."""

    def __init__(self, folder):
        self.folder = folder
        self.category, self.combining, self.names = {}, {}, {}
        self.canonical, self.compatible = {}, {}
        first = None
        for line in self.lines("UnicodeData.txt"):
            fields = line.split(";")
            c, name = int(fields[0], 16), fields[1]
            if name.endswith(", First>"):
                first = c
            for each in range(first, c + 1) if name.endswith(", Last>") else [c]:
                self.category[each] = fields[2]
            self.names[c] = name
            if fields[3] != "0":
                self.combining[c] = int(fields[3])
            parts = fields[5].split()
            if parts and parts[0].startswith("<"):
                self.compatible[c] = [int(x, 16) for x in parts[1:]]
            elif parts:
                self.canonical[c] = [int(x, 16) for x in parts]
        self.word_class = self.properties("auxiliary/WordBreakProperty.txt")
        derived = self.sets("DerivedCoreProperties.txt")
        self.alphabetic = derived["Alphabetic"]
        self.ignorable = derived["Default_Ignorable_Code_Point"]
        self.space = self.sets("PropList.txt")["White_Space"]
        emoji = self.sets("emoji/emoji-data.txt")
        self.emoji, self.pictographic = emoji["Emoji"], emoji["Extended_Pictographic"]
        scripts = self.sets("Scripts.txt")
        self.dictionary = scripts["Han"] | scripts["Hiragana"] | scripts["Katakana"]
        self.dictionary |= self.sets("LineBreak.txt")["SA"]
        # The long vowel mark belongs to both kana, so Scripts.txt calls it common.
        self.dictionary |= {0x30FC, 0xFF70}
        self.excluded, self.unsafe = set(), set()
        for c, fields in self.ranges("DerivedNormalizationProps.txt"):
            if fields[0] == "Full_Composition_Exclusion":
                self.excluded.add(c)
            elif fields[0] == "NFC_QC":
                self.unsafe.add(c)
        self.folding = {}
        for line in self.lines("CaseFolding.txt"):
            code, status, mapping = [x.strip() for x in line.split(";")[:3]]
            if status in "CF":
                self.folding[int(code, 16)] = [int(x, 16) for x in mapping.split()]
        self.compositions = {tuple(parts): c for c, parts in self.canonical.items()
                             if len(parts) == 2 and c not in self.excluded}

    def lines(self, name):
        for line in (self.folder / name).read_text(encoding="utf-8").splitlines():
            line = line.split("#")[0].strip()
            if line:
                yield line

    def ranges(self, name):
        """(code point, fields after the first) of a file of properties."""
        for line in self.lines(name):
            fields = [x.strip() for x in line.split(";")]
            first, _, last = fields[0].partition("..")
            for c in range(int(first, 16), int(last or first, 16) + 1):
                yield c, fields[1:]

    def properties(self, name):
        return {c: fields[0] for c, fields in self.ranges(name)}

    def sets(self, name):
        out = {}
        for c, fields in self.ranges(name):
            out.setdefault(fields[0], set()).add(c)
        return out

    def decomposed(self, c, compatibility):
        """The full decomposition of one character, not yet in canonical order."""
        if c in HANGUL:
            index = c - 0xAC00
            jamo = [0x1100 + index // 588, 0x1161 + index % 588 // 28, 0x11A7 + index % 28]
            return jamo[:2] if index % 28 == 0 else jamo
        parts = self.canonical.get(c)
        if parts is None and compatibility:
            parts = self.compatible.get(c)
        if parts is None:
            return [c]
        return [x for part in parts for x in self.decomposed(part, compatibility)]

    def ordered(self, text):
        """Canonical order: each run of marks sorted by class, equal ones as they were."""
        out = []
        for c in text:
            at = len(out)
            while at > 0 and 0 < self.combining.get(c, 0) < self.combining.get(out[at - 1], 0):
                at -= 1
            out.insert(at, c)
        return out

    def composed(self, text):
        out, starter, last = [], None, -1
        for c in text:
            own = self.combining.get(c, 0)
            if starter is not None and last < own:
                joined = self.compose(out[starter], c)
                if joined is not None:
                    out[starter] = joined
                    continue
            if own == 0:
                starter, last = len(out), -1
            else:
                last = own
            out.append(c)
        return out

    def compose(self, first, second):
        if 0x1100 <= first < 0x1113 and 0x1161 <= second < 0x1176:
            return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
        if first in HANGUL and (first - 0xAC00) % 28 == 0 and 0x11A8 <= second < 0x11C3:
            return first + second - 0x11A7
        return self.compositions.get((first, second))

    def is_accent(self, c):
        """Marks that change how a letter sounds, and not which letter it is: those over, under and
        through letters, and the points of Hebrew, Arabic and Syriac. The vowels, voicing and
        joining marks of Asian scripts are as good as letters and stay."""
        if self.category.get(c) == "Me":
            return True
        value = self.combining.get(c, 0)
        return self.category.get(c) == "Mn" and (value == 1 or 10 <= value <= 36 or value >= 200)

    def base_letter(self, c):
        """The ASCII letters of a Latin letter that does not decompose, such as o with stroke."""
        found = re.fullmatch(r"LATIN (SMALL|CAPITAL) (?:LETTER|LIGATURE) (.+)", self.names.get(c, ""))
        if c < 0x80 or not found or self.decomposed(c, True) != [c]:
            return None
        name = re.sub(r" WITH .*", "", found.group(2))
        letters = NAMED_LETTERS.get(name, name.lower() if re.fullmatch("[A-Z]", name) else None)
        if letters is None:
            return None
        return [ord(x) for x in (letters if found.group(1) == "SMALL" else letters.upper())]


class Folds:
    """What a character by itself becomes, by the same steps that term_folder.cpp takes for those
    that its neighbours may change."""

    def __init__(self, data):
        self.data = data
        self.base = {c: data.base_letter(c) for c in data.names if data.base_letter(c)}

    def folded(self, c, fold, ascii):
        data = self.data
        text = data.ordered(data.decomposed(c, ascii))
        if fold:
            text = [x for y in text for x in data.folding.get(y, [y])]
            text = [x for y in text for x in data.decomposed(y, ascii)]
        if ascii:
            text = [x for y in text if not data.is_accent(y) for x in self.base.get(y, [y])]
        text = [x for x in text if x not in data.ignorable]
        text = data.composed(data.ordered(text))
        return [0x27 if x in APOSTROPHES else x for x in text]


class Pool:
    """Strings, each kept once; a place is (offset, bytes)."""

    def __init__(self):
        self.bytes, self.places = b"", {}

    def place(self, text):
        if text is None:
            return 0, 0
        encoded = "".join(map(chr, text)).encode()
        if encoded not in self.places:
            self.places[encoded] = len(self.bytes)
            self.bytes += encoded
        return self.places[encoded], len(encoded)


def is_surrogate(c):
    return 0xD800 <= c <= 0xDFFF


def make_rows(data, folds):
    """{code point: [the three fast foldings, NFD, NFKD, case folding, base letters]}, each None
    where the character stays as it is."""
    rows = {}
    interesting = (set(data.canonical) | set(data.compatible) | set(data.folding) |
                   set(folds.base) | set(APOSTROPHES) |
                   {c for c in data.category if data.is_accent(c)})
    for c in sorted(interesting - data.ignorable):
        row = [folds.folded(c, True, False), folds.folded(c, False, True),
               folds.folded(c, True, True), data.decomposed(c, False), data.decomposed(c, True),
               data.folding.get(c, [c]), folds.base.get(c, [c])]
        row = [None if text == [c] else text for text in row]
        if any(text is not None for text in row):
            rows[c] = row
    return rows


def is_entangled(data, c, row):
    """Whether the character, or what one of the foldings makes of it, may change with its
    neighbours or vanish, so that the whole term takes the slow way."""
    texts = [[c]] + [text for text in row[:3] if text is not None]
    return any(text == [] or any(x in data.unsafe or data.combining.get(x, 0) for x in text)
               for text in texts)


def is_term(data, c, category):
    """Letters, numbers, emoji and flags; marks belong to what is before them."""
    word_class = data.word_class.get(c, "Other")
    if word_class in ("Extend", "Format", "ZWJ"):
        return False
    # Below U+2300 are the signs for copyright, trade mark and arrows.
    emoji = c >= 0x2300 and c in data.emoji and c in data.pictographic
    return (c in data.alphabetic or category.startswith("N") or emoji or
            word_class == "Regional_Indicator")


def make_kinds(data, rows):
    """(distinct kinds, index of each code point's)."""
    kinds, indexes = {}, []
    for c in range(CODE_POINTS):
        category = data.category.get(c, "Cn")
        row = rows.get(c, [None] * 7)
        flags = {
            "term": is_term(data, c, category),
            "pictographic": c in data.pictographic,
            "dictionary": c in data.dictionary,
            "space": c in data.space,
            "ignorable": c in data.ignorable,
            "entangled": c not in data.ignorable and is_entangled(data, c, row),
            "mapped": c in rows,
            "accent": data.is_accent(c),
        }
        bits = sum(1 << i for i, name in enumerate(FLAGS) if flags[name])
        kind = (WORD_CLASSES.index(data.word_class.get(c, "Other")), bits,
                data.combining.get(c, 0))
        indexes.append(kinds.setdefault(kind, len(kinds)))
    return list(kinds), indexes


def two_stages(values):
    """(block of each 128 values, the distinct blocks one after the other)."""
    found, blocks, flat = {}, [], []
    for start in range(0, len(values), BLOCK):
        block = tuple(values[start:start + BLOCK])
        if block not in found:
            found[block] = len(found)
            flat += block
        blocks.append(found[block])
    return blocks, flat


def wrapped(pieces):
    lines, line = [], " "
    for piece in pieces:
        if len(line) + len(piece) + 2 > 99:
            lines.append(line)
            line = " "
        line += f" {piece},"
    return "\n".join(lines + [line])


def array(kind, name, pieces):
    pieces = [str(piece) for piece in pieces]
    return f"const {kind} {name}[] = {{\n{wrapped(pieces)}\n}};\n"


def char_tables(data):
    folds, pool = Folds(data), Pool()
    rows = make_rows(data, folds)
    kinds, kind_of = make_kinds(data, rows)
    assert len(kinds) <= 256, len(kinds)
    row_of, fast, slow = [0] * CODE_POINTS, [], []
    for number, (c, row) in enumerate(rows.items()):
        row_of[c] = number
        places = [pool.place(text) for text in row]
        for out, part in ((fast, places[:3]), (slow, places[3:])):
            offsets = ", ".join(str(offset) for offset, _ in part)
            sizes = ", ".join(str(size) for _, size in part)
            out.append(f"{{{{{offsets}}}, {{{sizes}}}}}")
    assert len(pool.bytes) < 65536 and len(rows) < 65536
    kind_blocks, kind_values = two_stages(kind_of)
    row_blocks, row_values = two_stages(row_of)
    triples = sorted((first, second, c) for (first, second), c in data.compositions.items())
    return [
        array("CharKind", "kCharKinds",
              [f"{{static_cast<WordClass>({a}), {b}, {v}}}" for a, b, v in kinds]),
        array("std::uint16_t", "kKindBlocks", kind_blocks),
        array("std::uint8_t", "kKindValues", kind_values),
        array("std::uint16_t", "kRowBlocks", row_blocks),
        array("std::uint16_t", "kRowValues", row_values),
        array("FastFolds", "kFastFolds", fast),
        array("SlowMappings", "kSlowMappings", slow),
        array("unsigned char", "kFoldPool", pool.bytes),
        array("Composition", "kCompositions", [f"{{{a}, {b}, {c}}}" for a, b, c in triples]),
        f"const std::size_t kCompositionCount = {len(triples)};\n",
    ]


def stop_words(path):
    """The words of one module: the last qw(...) list of the file."""
    found = re.findall(r"qw\(\s(.*?)\)", path.read_text(encoding="utf-8"), re.DOTALL)
    # A few entries are two words, joined by a hyphen, or end with a full stop: words never do.
    words = {word for word in re.split(r"[\s.-]+", found[-1]) if word}
    assert len(words) > 50, path
    return sorted(words)


def stop_word_tables(folder):
    out = []
    for code, language in sorted(LANGUAGES.items(), key=lambda item: item[1]):
        words = " ".join(stop_words(folder / f"{code}.pm"))
        lines = [words[i:i + 80] for i in range(0, len(words), 80)]
        body = "\n".join(f'     "{line}"' for line in lines)
        out.append(f'    {{"{language}",\n{body}}},')
    return ["const StopWordList kStopWordLists[] = {\n" + "\n".join(out) + "\n};\n",
            f"const std::size_t kStopWordListCount = {len(out)};\n"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("unicode", "stop-words", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    data = Database(arguments.unicode)
    parts = char_tables(data) + stop_word_tables(arguments.stop_words)
    head = ("// Made by tools/make_analysis_tables.py. Do not edit.\n"
            '#include "quipu/text/analysis/tables.h"\n\nnamespace quipu::text::analysis {\n\n')
    arguments.out.write_text(head + "\n".join(parts) + "\n}  // namespace quipu::text::analysis\n",
                             encoding="utf-8")


if __name__ == "__main__":
    main()
