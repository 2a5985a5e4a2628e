#!/usr/bin/env python3
"""DuckDB as a filter peer, on one thread: columns, lists and structs; indexes on the keys that are
compared for equality or order."""
import json
import pathlib
import sys

import duckdb

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.queries.filter_peer import SqlPeer  # noqa: E402
from bench.queries.sql import Dialect, bounds, text  # noqa: E402

SHAPE = {"k10": "VARCHAR", "k1000": "VARCHAR", "k100000": "VARCHAR", "n": "BIGINT",
         "price": "DOUBLE", "flag": "BOOLEAN", "at": "VARCHAR",
         "place": {"lon": "DOUBLE", "lat": "DOUBLE"}, "tags": ["VARCHAR"],
         "items": [{"sku": "VARCHAR", "qty": "BIGINT"}]}


class Duck(Dialect):
    keys = {"at": '"at"'}

    def time(self, value):
        return f"TIMESTAMP '{value[:-1]}'"

    def contains(self, key, value):
        return f"list_contains({key}, {text(value)})"

    def nested(self, key, conditions):
        parts = [f"x.{it['key']} = {text(it['match']['value'])}" if "match" in it
                 else bounds(self, f"x.{it['key']}", it["range"]) for it in conditions]
        return f"len(list_filter({key}, lambda x: {' AND '.join(parts)})) > 0"


class DuckPeer(SqlPeer):
    table = "points"
    dialect = Duck()

    def load(self, payloads, rows, work_dir, _vectors):
        self.db = duckdb.connect(f"{work_dir}/points.duckdb")
        self.db.execute("SET threads = 1")
        # A line is one column: no payload has a control character.
        self.db.execute(
            "CREATE TABLE points AS SELECT id, payload, r.k10, r.k1000, r.k100000, r.n, r.price, "
            "r.flag, r.\"at\"::TIMESTAMP AS \"at\", r.place.lon AS lon, r.place.lat AS lat, "
            f"r.tags, r.items FROM (SELECT id, payload, from_json(payload, '{json.dumps(SHAPE)}') AS r "
            "FROM (SELECT row_number() OVER () - 1 AS id, payload FROM "
            f"read_csv('{payloads}', delim = '\x01', quote = '', escape = '', header = false, "
            f"columns = {{'payload': 'VARCHAR'}}) LIMIT {rows})) ORDER BY id")
        for key in ("id", "k1000", "k100000", "n", "at"):
            self.db.execute(f"CREATE INDEX by_{key} ON points ({self.dialect.column(key)})")
        self.db.execute("CHECKPOINT")

    def fetch(self, sql):
        return self.db.execute(sql).fetchall()

    def about(self):
        return f"DuckDB {duckdb.__version__}"


if __name__ == "__main__":
    DuckPeer().serve()
