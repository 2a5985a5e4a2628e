"""Writes the `precompiled_charsmap` of sentencepiece: which texts a normalizer replaces by which.

The format: the trie's size in bytes, the trie (32-bit units, little-endian), the replacements, each
ended by a zero byte. The trie is a double array as darts-clone writes it: a node at `p` whose
children lie at `base ^ byte`, with `base = p ^ offset`; child 0 holds the place of the replacement.
"""
import struct

LEAF = 1 << 31
HAS_LEAF = 1 << 8


class _Builder:
    def __init__(self):
        self.units = [0] * 256
        self.used = {0}
        self.bases = set()
        self.first = 1  # no free place is before it

    def place(self, labels):
        while self.first in self.used:
            self.first += 1
        at = self.first
        while True:
            base = at ^ labels[0]
            if at not in self.used and base not in self.bases and base != 0 and all(
                    base ^ label not in self.used for label in labels):
                self.bases.add(base)
                break
            at += 1
        for label in labels:
            self.used.add(base ^ label)
        needed = (max(base ^ label for label in labels) // 256 + 1) * 256
        self.units += [0] * max(0, needed - len(self.units))
        return base

    def set_offset(self, node, base):
        offset = node ^ base
        if offset < 1 << 21:
            self.units[node] |= offset << 10
        else:
            raise ValueError("the trie is too large for this builder")

    def build(self, entries):
        """`entries` is sorted: (key without zero bytes, value)."""
        stack = [(0, 0, len(entries), 0)]
        while stack:
            node, begin, end, depth = stack.pop()
            groups = []
            for at in range(begin, end):
                key = entries[at][0]
                label = key[depth] if depth < len(key) else 0
                if not groups or groups[-1][0] != label:
                    groups.append([label, at, at])
                groups[-1][2] = at + 1
            base = self.place([group[0] for group in groups])
            self.set_offset(node, base)
            for label, first, last in groups:
                child = base ^ label
                if label == 0:
                    self.units[node] |= HAS_LEAF
                    self.units[child] = LEAF | entries[first][1]
                else:
                    self.units[child] |= label
                    stack.append((child, first, last, depth + 1))


def build(replacements):
    """The charsmap, as bytes, of a dict from text to text."""
    blob, places = b"", {}
    for text in replacements.values():
        if text not in places:
            places[text] = len(blob)
            blob += text.encode() + b"\0"
    builder = _Builder()
    builder.build(sorted((key.encode(), places[text]) for key, text in replacements.items()))
    trie = struct.pack(f"<{len(builder.units)}I", *builder.units)
    return struct.pack("<I", len(trie)) + trie + blob
