"""Random collections, points, filters and queries. Everything comes from one random.Random."""
import uuid

from qdrant_client import models

DIM = 4
IDS = 24          # few, so that writes collide
SPARSE_DIMS = 12
WORDS = ["river", "mountain", "knot", "cord", "gold", "llama", "sun", "rain"]
TAGS = ["a", "b", "c", "Ä", "long tag"]
UUIDS = [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128))
         for number in range(1, IDS + 1)]
DISTANCES = [models.Distance.COSINE, models.Distance.DOT, models.Distance.EUCLID,
             models.Distance.MANHATTAN]


class Collection:
    """What a random collection has: names of vectors by kind."""

    def __init__(self, rng):
        self.dense, self.multi, self.sparse = {}, {}, {}
        shape = rng.randrange(4)
        if shape == 0:
            self.dense[""] = self.dense_params(rng)
        elif shape == 1:
            self.multi[""] = self.multi_params(rng)
        else:
            for name in ["one", "two"][:rng.randrange(1, 3)]:
                self.dense[name] = self.dense_params(rng)
            if rng.random() < 0.5:
                self.multi["rows"] = self.multi_params(rng)
        for name in ["plain", "weighted"]:
            if rng.random() < 0.5:
                idf = models.Modifier.IDF if name == "weighted" else None
                self.sparse[name] = models.SparseVectorParams(modifier=idf)

    @staticmethod
    def dense_params(rng):
        return models.VectorParams(size=DIM, distance=rng.choice(DISTANCES))

    @staticmethod
    def multi_params(rng):
        return models.VectorParams(
            size=DIM, distance=rng.choice(DISTANCES),
            multivector_config=models.MultiVectorConfig(
                comparator=models.MultiVectorComparator.MAX_SIM))

    @property
    def arguments(self):
        named = {**self.dense, **self.multi}
        vectors = named[""] if "" in named else named
        return {"vectors_config": vectors, "sparse_vectors_config": self.sparse or None}

    @property
    def names(self):
        return [*self.dense, *self.multi, *self.sparse]

    def random_vector(self, rng, name):
        if name in self.dense:
            return numbers(rng)
        if name in self.multi:
            return [numbers(rng) for _ in range(rng.randrange(1, 4))]
        indices = rng.sample(range(SPARSE_DIMS), rng.randrange(1, 6))
        return models.SparseVector(indices=indices,
                                   values=[rng.uniform(0.1, 2) for _ in indices])

    def random_vectors(self, rng, missing=0.2):
        """As a point has them: alone when there is only the unnamed one."""
        chosen = {name: self.random_vector(rng, name) for name in self.names
                  if rng.random() >= missing}
        if list(chosen) == [""]:
            return chosen[""]
        return chosen

    def distance(self, name):
        if name in self.sparse:
            return models.Distance.DOT
        return {**self.dense, **self.multi}[name].distance


def numbers(rng):
    """Never of length zero, and of many digits, so that equal scores are rare: fusions rank."""
    values = [rng.uniform(-1, 1) for _ in range(DIM)]
    values[rng.randrange(DIM)] = rng.choice([-1, 1]) * rng.uniform(0.3, 1.5)
    return values


def point_id(rng):
    return rng.randrange(IDS) if rng.random() < 0.7 else rng.choice(UUIDS)


def ids(rng, most=6):
    return list(dict.fromkeys(point_id(rng) for _ in range(rng.randrange(1, most))))


# ---------------------------------------------------------------- payloads

def geo(rng):
    return {"lon": round(rng.uniform(-180, 180), 2), "lat": round(rng.uniform(-90, 90), 2)}


def datetime_text(rng):
    return (f"20{rng.randrange(10, 30)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
            f"T{rng.randrange(24):02}:{rng.randrange(60):02}:00Z")


def text(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 6)))


def leaf(rng, key):
    if rng.random() < 0.06:
        return None
    return {"tag": lambda: rng.choice(TAGS),
            "count": lambda: rng.randrange(-3, 8),
            "weight": lambda: round(rng.uniform(-2, 5), 2),
            "flag": lambda: rng.random() < 0.5,
            "when": lambda: datetime_text(rng),
            "place": lambda: geo(rng),
            "text": lambda: text(rng)}[key]()


def kind(rng):
    """What names groups: strings and integers, none of them null."""
    values = [rng.choice([*TAGS, 1, 2, 3]) for _ in range(rng.randrange(1, 4))]
    return values if rng.random() < 0.3 else values[0]


INDEXES = {"tag": "keyword", "count": "integer", "weight": "float", "flag": "bool",
           "when": "datetime", "place": "geo", "text": "text", "kind": "keyword"}
KEYS = ["tag", "count", "weight", "flag", "when", "place", "text"]


def value(rng, key):
    if rng.random() < 0.3:
        return [leaf(rng, key) for _ in range(rng.randrange(4))]
    return leaf(rng, key)


def payload(rng, depth=0):
    made = {key: value(rng, key) for key in KEYS if rng.random() < 0.6}
    if rng.random() < 0.6:
        made["kind"] = kind(rng)
    if depth < 2 and rng.random() < 0.5:
        made["inner"] = payload(rng, depth + 1)
    if depth < 2 and rng.random() < 0.5:
        made["items"] = [payload(rng, depth + 1) for _ in range(rng.randrange(3))]
    return made


def key_path(rng, key):
    before = rng.choice(["", "", "", "inner.", "items[].", "items[0]."])
    return before + key + rng.choice(["", "", "", "[]"])


# ---------------------------------------------------------------- filters

def bounds(rng, draw):
    made = {}
    if rng.random() < 0.7:
        made[rng.choice(["gt", "gte"])] = draw()
    if rng.random() < 0.7 or not made:
        made[rng.choice(["lt", "lte"])] = draw()
    return made


def field_condition(rng, prefix=None):
    kind = rng.choice(["match", "any", "except", "text", "range", "datetime", "radius", "box",
                       "count", "empty", "null", "integer", "bool", "integers"])

    def condition(key, **predicate):
        path = key_path(rng, key) if prefix is None else prefix + key
        return models.FieldCondition(key=path, **predicate)

    if kind == "match":
        return condition("tag", match=models.MatchValue(value=rng.choice(TAGS)))
    if kind == "integer":
        return condition("count", match=models.MatchValue(value=rng.randrange(-3, 8)))
    if kind == "bool":
        return condition("flag", match=models.MatchValue(value=rng.random() < 0.5))
    if kind == "any":
        return condition("tag", match=models.MatchAny(any=rng.sample(TAGS, rng.randrange(1, 4))))
    if kind == "integers":
        return condition("count", match=models.MatchAny(any=rng.sample(range(-3, 8), 3)))
    if kind == "except":
        return condition("tag", match=models.MatchExcept(
            **{"except": rng.sample(TAGS, rng.randrange(1, 4))}))
    if kind == "text":
        return condition("text", match=models.MatchText(text=rng.choice(WORDS)))
    if kind == "range":
        key = rng.choice(["count", "weight"])
        return condition(key, range=models.Range(
            **bounds(rng, lambda: round(rng.uniform(-3, 8), 1))))
    if kind == "datetime":
        return condition("when", range=models.DatetimeRange(
            **bounds(rng, lambda: datetime_text(rng))))
    if kind == "radius":
        return condition("place", geo_radius=models.GeoRadius(
            center=models.GeoPoint(**geo(rng)), radius=rng.uniform(1e5, 1e7)))
    if kind == "box":
        lon, lat = sorted([geo(rng)["lon"], geo(rng)["lon"]]), sorted(
            [geo(rng)["lat"], geo(rng)["lat"]])
        return condition("place", geo_bounding_box=models.GeoBoundingBox(
            top_left=models.GeoPoint(lon=lon[0], lat=lat[1]),
            bottom_right=models.GeoPoint(lon=lon[1], lat=lat[0])))
    if kind == "count":
        return condition(rng.choice(KEYS), values_count=models.ValuesCount(
            **bounds(rng, lambda: rng.randrange(4))))
    path = key_path(rng, rng.choice(KEYS)) if prefix is None else prefix + rng.choice(KEYS)
    if kind == "empty":
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=path))
    return models.IsNullCondition(is_null=models.PayloadField(key=path))


def condition(rng, collection, depth):
    dice = rng.random()
    if dice < 0.1:
        return models.HasIdCondition(has_id=ids(rng, 10))
    if dice < 0.17:
        return models.HasVectorCondition(has_vector=rng.choice(collection.names))
    if dice < 0.27:
        inner = models.Filter(must=[field_condition(rng, prefix="")
                                    for _ in range(rng.randrange(1, 3))])
        return models.NestedCondition(nested=models.Nested(key="items", filter=inner))
    if dice < 0.4 and depth < 2:
        return random_filter(rng, collection, depth + 1)
    return field_condition(rng)


def random_filter(rng, collection, depth=0):
    made = {}
    for clause, chance in [("must", 0.5), ("should", 0.4), ("must_not", 0.3)]:
        if rng.random() < chance:
            made[clause] = [condition(rng, collection, depth) for _ in range(rng.randrange(1, 3))]
    if rng.random() < 0.1:
        made["min_should"] = models.MinShould(
            conditions=[condition(rng, collection, depth) for _ in range(3)],
            min_count=rng.randrange(1, 4))
    return models.Filter(**made)


def maybe_filter(rng, collection, chance=0.5):
    return random_filter(rng, collection) if rng.random() < chance else None
