"""A database that filters, as a worker: the harness speaks to all in our requests."""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.harness.serve import serve  # noqa: E402
from bench.queries.sql import Unsupported  # noqa: E402


def anonymous_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))


def disk_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def payload_lines(path, rows):
    """(id, line) of the first rows."""
    with open(path, encoding="utf-8") as lines:
        for row, line in enumerate(lines):
            if row == rows:
                return
            yield row, line.rstrip("\n")


class FilterPeer:
    """Derived classes have load(payloads, rows, work_dir, vectors) and prepare(request), which
    gives a function that asks and returns {"count"}, {"ids"} or {"facets"}; it may raise
    Unsupported."""

    def handle_load(self, request):
        before = anonymous_bytes()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        self.load(request["payloads"], request["rows"], request["work_dir"],
                  request.get("vectors"))
        return {"rows": request["rows"], "wall_ns": time.perf_counter_ns() - wall,
                "cpu_ns": time.process_time_ns() - cpu,
                "anonymous_bytes": anonymous_bytes() - before,
                "disk_bytes": disk_bytes(request["work_dir"]), "about": self.about()}

    def handle_run(self, request):
        with open(request["requests"], encoding="utf-8") as lines:
            asked = [json.loads(line) for line in lines]
        walls, cpus, answers = [], [], []
        for each in asked:
            try:
                ask = self.prepare(each)
            except Unsupported as why:
                walls.append(0)
                cpus.append(0)
                answers.append({"unsupported": str(why)})
                continue
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            answer = ask()
            walls.append(time.perf_counter_ns() - wall)
            cpus.append(time.process_time_ns() - cpu)
            answers.append(answer)
        return {"wall_ns": walls, "cpu_each_ns": cpus, "answers": answers}

    def about(self):
        return ""

    def serve(self):
        serve({"load": self.handle_load, "run": self.handle_run})


class SqlPeer(FilterPeer):
    """One whose requests are SQL: derived classes have `dialect`, `table` and fetch(sql)."""

    def prepare(self, request):
        from bench.queries.sql import where  # pylint: disable=import-outside-toplevel
        if request["op"] == "query":
            raise Unsupported("no vector index")
        condition = where(self.dialect, request.get("filter") or {})
        if request["op"] == "count":
            sql = f"SELECT count(*) FROM {self.table} WHERE {condition}"
            return lambda: {"count": self.fetch(sql)[0][0]}
        limit = request["limit"]
        if request["op"] == "scroll":
            sql = (f"SELECT id, payload FROM {self.table} WHERE {condition} ORDER BY id "
                   f"LIMIT {limit}")
            return lambda: {"ids": [row[0] for row in self.fetch(sql)]}
        column = self.dialect.column(request["key"])
        sql = (f"SELECT {column} AS value, count(*) AS times FROM {self.table} WHERE {condition} "
               f"GROUP BY value ORDER BY times DESC, value LIMIT {limit}")
        return lambda: {"facets": [list(row) for row in self.fetch(sql)]}
