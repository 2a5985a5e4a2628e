"""The rows of core.json, and the page made of them."""
import json
import operator

COMPARE = {"<=": operator.le, ">=": operator.ge}


class Rows:
    """Collects {name, value, unit, target, holds, detail}."""

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, detail, target=None):
        """`target` is None for a figure that is only reported, or such as (">=", 10000)."""
        holds = value is not None and (target is None or COMPARE[target[0]](value, target[1]))
        self.rows.append({
            "name": name,
            "value": None if value is None else float(f"{value:.4g}"),
            "unit": unit,
            "target": None if target is None else f"{target[0]} {target[1]:g}",
            "holds": bool(holds),
            "detail": detail,
        })
        row = self.rows[-1]
        print(f"{'ok  ' if row['holds'] else 'FAIL'} {name}: {row['value']} {unit}"
              f"{'' if target is None else ' (target ' + row['target'] + ')'}  {detail}", flush=True)

    def fail(self, name, reason):
        """A benchmark that gave no figure, or a wrong answer."""
        self.add(name, None, "", reason)

    @property
    def hold(self):
        return bool(self.rows) and all(row["holds"] for row in self.rows)

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.rows, indent=1, ensure_ascii=False) + "\n",
                        encoding="utf-8")


def page(rows, machine, title="Core figures", made_by="make bench",
         file="build/bench/core.json"):
    """The rows as Markdown."""
    lines = [f"# {title}", "", f"Written by `{made_by}`; the same rows are in `{file}`.", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", "A row without a target is only reported. Medians of interleaved runs; µs CPU is "
              "time on the core,", "which a busy neighbour changes least.", "",
              "| figure | value | target | holds | detail |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        value = "–" if row["value"] is None else f"{row['value']:,.10g} {row['unit']}"
        detail = row["detail"].replace("|", "\\|")
        lines.append(f"| `{row['name']}` | {value} | {row['target'] or '–'} | "
                     f"{'yes' if row['holds'] else '**no**'} | {detail} |")
    return "\n".join(lines) + "\n"
