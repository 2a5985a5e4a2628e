"""Our filters as SQL, for each way in which the payloads lie in a database."""
import math


class Unsupported(Exception):
    """This database has no way to ask this."""


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


class Dialect:
    """Plain columns; arrays as lists of the database."""

    keys = {}  # columns that are called otherwise than their keys

    def column(self, key):
        return self.keys.get(key, key)

    def literal(self, value):
        return text(value)

    def time(self, value):
        return text(value)

    def contains(self, key, value):
        raise Unsupported(f"arrays ({key})")

    def nested(self, key, conditions):
        raise Unsupported(f"objects in arrays ({key})")

    def distance(self, lon, lat):
        """Metres to (lon, lat), by the haversine."""
        return (f"2 * 6371008.8 * asin(sqrt(pow(sin(radians({self.column('lat')} - {lat!r}) / 2), "
                f"2) + cos(radians({self.column('lat')})) * {math.cos(math.radians(lat))!r} * "
                f"pow(sin(radians({self.column('lon')} - {lon!r}) / 2), 2)))")


ARRAYS = {"tags"}


def condition(dialect, it):
    if "nested" in it:
        return dialect.nested(it["nested"]["key"], it["nested"]["filter"]["must"])
    key = it["key"]
    if "match" in it:
        match = it["match"]
        if key in ARRAYS:
            return dialect.contains(key, match["value"])
        if "any" in match:
            listed = ", ".join(dialect.literal(value) for value in match["any"])
            return f"{dialect.column(key)} IN ({listed})"
        return f"{dialect.column(key)} = {dialect.literal(match['value'])}"
    if "range" in it:
        return bounds(dialect, dialect.column(key), it["range"])
    if "geo_radius" in it:
        return near(dialect, it["geo_radius"])
    raise Unsupported(f"{sorted(it)}")


SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


def bounds(dialect, column, given):
    parts = []
    for name, value in given.items():
        literal = dialect.time(value) if isinstance(value, str) else repr(value)
        parts.append(f"{column} {SIGNS[name]} {literal}")
    return " AND ".join(parts)


def near(dialect, radius):
    """A box that an index can answer, and the distance within it. No place here is so far north or
    so near the 180th meridian that the box would wrap around."""
    lon, lat, reach = radius["center"]["lon"], radius["center"]["lat"], radius["radius"]
    high = math.degrees(reach / 6_371_008.8) * 1.000001
    wide = math.degrees(math.asin(math.sin(math.radians(high)) / math.cos(math.radians(lat))))
    return (f"{dialect.column('lat')} BETWEEN {lat - high!r} AND {lat + high!r} AND "
            f"{dialect.column('lon')} BETWEEN {lon - wide!r} AND {lon + wide!r} AND "
            f"{dialect.distance(lon, lat)} < {reach!r}")


def where(dialect, given):
    """The filter as one SQL expression; "1 = 1" for none."""
    parts = [f"({condition(dialect, it)})" for it in given.get("must", [])]
    parts += [f"NOT ({condition(dialect, it)})" for it in given.get("must_not", [])]
    if given.get("should"):
        parts.append("(" + " OR ".join(condition(dialect, it) for it in given["should"]) + ")")
    return " AND ".join(parts) or "1 = 1"
