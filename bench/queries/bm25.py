"""BM25 as its formula says, without an index: what every words peer is compared with."""
import math

import numpy

from bench.harness import ann

K1, B = 1.2, 0.75


class Reference:
    """Over all texts: `tokens` one after the other, text i being offsets[i] to offsets[i + 1]."""

    def __init__(self, tokens, offsets):
        self._tokens = tokens
        self._offsets = offsets
        self._lengths = numpy.diff(offsets)
        self._mean = self._lengths.mean()

    def scores(self, ranks):
        """The score of every text, in float64."""
        rows = len(self._lengths)
        total = numpy.zeros(rows)
        for rank in ranks:
            places = numpy.flatnonzero(self._tokens == rank)
            texts = numpy.searchsorted(self._offsets, places, side="right") - 1
            found, times = numpy.unique(texts, return_counts=True)
            idf = math.log(1 + (rows - len(found) + 0.5) / (len(found) + 0.5))
            norm = K1 * (1 - B + B * self._lengths[found] / self._mean)
            total[found] += idf * times * (K1 + 1) / (times + norm)
        return total


def share_right(ids, scores, k, slack=1e-6):
    """How many of the ids belong to the k best by `scores` (equal scores are as good as another),
    of as many as there could be. Raises WrongAnswer on repeated or too few ids."""
    possible = min(k, int(numpy.count_nonzero(scores)))
    if len(ids) != possible or len(set(ids)) != len(ids):
        raise ann.WrongAnswer(f"{len(ids)} ids, {len(set(ids))} of them different, of {possible}")
    if possible == 0:
        raise ann.WrongAnswer("a query that finds nothing measures nothing")
    last = numpy.partition(scores, -possible)[-possible]
    return sum(scores[row] >= last * (1 - slack) for row in ids) / possible
