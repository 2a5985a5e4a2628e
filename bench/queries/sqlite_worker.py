#!/usr/bin/env python3
"""SQLite as a filter peer. Usage: sqlite_worker.py json | columns

json      one table (id, payload) with an index on the JSON expression of every key
columns   a table with a column for every key and one for each array, all indexed; the payload is
          kept beside as text
"""
import json
import sqlite3
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.queries.filter_peer import SqlPeer, payload_lines  # noqa: E402
from bench.queries.sql import Dialect, bounds, text  # noqa: E402

KEYS = ("k10", "k1000", "k100000", "n", "price", "flag", "at", "lon", "lat")


class Plain(Dialect):
    def literal(self, value):
        return str(int(value)) if isinstance(value, bool) else text(value)

    def contains(self, key, value):
        return f"id IN (SELECT id FROM tags WHERE tag = {text(value)})"

    def nested(self, key, conditions):
        parts = [f"sku = {text(it['match']['value'])}" if "match" in it
                 else bounds(self, it["key"], it["range"]) for it in conditions]
        return f"id IN (SELECT id FROM items WHERE {' AND '.join(parts)})"


class Json(Plain):
    def column(self, key):
        place = {"lon": "place.lon", "lat": "place.lat"}.get(key, key)
        return f"json_extract(payload, '$.{place}')"

    def contains(self, key, value):
        return (f"EXISTS (SELECT 1 FROM json_each(payload, '$.{key}') AS e "
                f"WHERE e.value = {text(value)})")

    def nested(self, key, conditions):
        inside = [(f"json_extract(e.value, '$.{it['key']}')", it) for it in conditions]
        parts = [f"{place} = {text(it['match']['value'])}" if "match" in it
                 else bounds(self, place, it["range"]) for place, it in inside]
        return (f"EXISTS (SELECT 1 FROM json_each(payload, '$.{key}') AS e "
                f"WHERE {' AND '.join(parts)})")


class SqlitePeer(SqlPeer):
    table = "points"

    def __init__(self, how):
        self.plain = how == "columns"
        self.dialect = Plain() if self.plain else Json()

    def load(self, payloads, rows, work_dir, _vectors):
        self.db = sqlite3.connect(f"{work_dir}/points.sqlite", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -262144",
                       "mmap_size = 8589934592"):
            self.db.execute(f"PRAGMA {pragma}")
        self.db.execute("BEGIN")
        (self.load_columns if self.plain else self.load_json)(payloads, rows)
        self.db.execute("COMMIT")
        self.db.execute("ANALYZE")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def load_json(self, payloads, rows):
        self.db.execute("CREATE TABLE points (id INTEGER PRIMARY KEY, payload TEXT)")
        self.db.executemany("INSERT INTO points VALUES (?, ?)", payload_lines(payloads, rows))
        for key in KEYS:
            self.db.execute(f"CREATE INDEX by_{key} ON points ({self.dialect.column(key)})")

    def load_columns(self, payloads, rows):
        self.db.execute("CREATE TABLE points (id INTEGER PRIMARY KEY, k10 TEXT, k1000 TEXT, "
                        "k100000 TEXT, n INTEGER, price REAL, flag INTEGER, at TEXT, lon REAL, "
                        "lat REAL, payload TEXT)")
        self.db.execute("CREATE TABLE tags (id INTEGER, tag TEXT)")
        self.db.execute("CREATE TABLE items (id INTEGER, sku TEXT, qty INTEGER)")
        points, tags, items = [], [], []
        for row, line in payload_lines(payloads, rows):
            it = json.loads(line)
            points.append((row, it["k10"], it["k1000"], it["k100000"], it["n"], it["price"],
                           int(it["flag"]), it["at"], it["place"]["lon"], it["place"]["lat"], line))
            tags += [(row, tag) for tag in it["tags"]]
            items += [(row, item["sku"], item["qty"]) for item in it["items"]]
            if len(points) == 10_000 or row + 1 == rows:
                self.db.executemany(f"INSERT INTO points VALUES ({', '.join('?' * 11)})", points)
                self.db.executemany("INSERT INTO tags VALUES (?, ?)", tags)
                self.db.executemany("INSERT INTO items VALUES (?, ?, ?)", items)
                points, tags, items = [], [], []
        for key in KEYS:
            self.db.execute(f"CREATE INDEX by_{key} ON points ({key})")
        self.db.execute("CREATE INDEX by_tag ON tags (tag, id)")
        self.db.execute("CREATE INDEX by_item ON items (sku, qty, id)")

    def fetch(self, sql):
        return self.db.execute(sql).fetchall()

    def about(self):
        return f"SQLite {sqlite3.sqlite_version}"


if __name__ == "__main__":
    SqlitePeer(sys.argv[1]).serve()
