"""Filters that are compared, each as JSON and as a mask over the columns of the payloads: the mask
is the stupid evaluator that every answer is checked against."""
import datetime

import numpy

EARTH_M = 6_371_008.8


class Columns:
    """The payloads of the first rows as columns."""

    def __init__(self, file, rows=None):
        with numpy.load(file) as columns:
            self._all = {name: columns[name] for name in columns.files}
        self.rows = len(self._all["n"]) if rows is None else rows

    def __getitem__(self, name):
        return self._all[name][:self.rows]

    @property
    def towns(self):
        return self._all["towns"]

    def rows_where(self, owner, chosen):
        """Mask of the rows that have an element of `owner` ("tag", "item") that is chosen."""
        rows = self._all[f"{owner}_row"][chosen(self._all)]
        mask = numpy.zeros(self.rows, dtype=bool)
        mask[rows[rows < self.rows]] = True
        return mask


def metres(columns, lon, lat):
    """Great-circle distance to every row's place."""
    a = numpy.radians(columns["lat"])
    b = numpy.radians(lat)
    half = (numpy.sin((a - b) / 2) ** 2 + numpy.cos(a) * numpy.cos(b)
            * numpy.sin(numpy.radians(columns["lon"] - lon) / 2) ** 2)
    return 2 * EARTH_M * numpy.arcsin(numpy.sqrt(half))


def seconds(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def equal(key, value):
    return {"key": key, "match": {"value": value}}


def cases(columns):
    """[(name, filter, mask)], the same for every engine."""
    lon, lat = (round(float(value), 5) for value in columns.towns[17])
    some = [f"t{number}" for number in range(40, 60)]
    between = {"gte": "2023-05-01T00:00:00Z", "lt": "2023-06-01T00:00:00Z"}
    nested = {"nested": {"key": "items", "filter": {"must": [
        equal("sku", "s5"), {"key": "qty", "range": {"gte": 8}}]}}}
    c = columns
    return [
        ("keyword_of_10", {"must": [equal("k10", "c3")]}, c["k10"] == 3),
        ("keyword_of_1000", {"must": [equal("k1000", "t17")]}, c["k1000"] == 17),
        ("keyword_of_100000", {"must": [equal("k100000", "u42")]}, c["k100000"] == 42),
        ("any_of_20", {"must": [{"key": "k1000", "match": {"any": some}}]},
         (c["k1000"] >= 40) & (c["k1000"] < 60)),
        ("integers_0.1%", {"must": [{"key": "n", "range": {"gte": 500_000, "lt": 501_000}}]},
         (c["n"] >= 500_000) & (c["n"] < 501_000)),
        ("integers_10%", {"must": [{"key": "n", "range": {"gte": 300_000, "lt": 400_000}}]},
         (c["n"] >= 300_000) & (c["n"] < 400_000)),
        ("float_and_flag", {"must": [{"key": "price", "range": {"gte": 150}}, equal("flag", True)]},
         (c["price"] >= 150) & c["flag"]),
        ("month", {"must": [{"key": "at", "range": between}]},
         (c["at"] >= seconds(between["gte"])) & (c["at"] < seconds(between["lt"]))),
        ("radius_50km", {"must": [{"key": "place", "geo_radius": {
            "center": {"lon": lon, "lat": lat}, "radius": 50_000}}]},
         metres(c, lon, lat) < 50_000),
        ("tag_and_not_keyword", {"must": [equal("tags", "x7")], "must_not": [equal("k10", "c0")]},
         c.rows_where("tag", lambda every: every["tag"] == 7) & (c["k10"] != 0)),
        ("objects_in_array", {"must": [nested]},
         c.rows_where("item", lambda every: (every["sku"] == 5) & (every["qty"] >= 8))),
        ("four_conditions", {"must": [equal("k10", "c1"), {"key": "price", "range": {"lt": 20}},
                                      {"key": "n", "range": {"gte": 500_000}}],
                             "must_not": [equal("flag", True)]},
         (c["k10"] == 1) & (c["price"] < 20) & (c["n"] >= 500_000) & ~c["flag"]),
        ("either", {"should": [equal("k1000", "t3"), equal("k100000", "u7")]},
         (c["k1000"] == 3) | (c["k100000"] == 7)),
    ]


INDEXES = [("k10", "keyword"), ("k1000", "keyword"), ("k100000", "keyword"), ("n", "integer"),
           ("price", "float"), ("flag", "bool"), ("at", "datetime"), ("place", "geo"),
           ("tags", "keyword"), ("items[].sku", "keyword"), ("items[].qty", "integer")]


def facets_of(columns, key, mask, limit):
    """[[value, count]], the most frequent first, equal counts by the value's text."""
    prefix = {"k10": "c", "k1000": "t", "k100000": "u"}[key]
    values, counts = numpy.unique(columns[key][mask], return_counts=True)
    pairs = [[f"{prefix}{value}", count]
             for value, count in zip(values.tolist(), counts.tolist())]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:limit]
