"""``bq``, as far as there is something behind it: ``query``, ``ls`` and ``show``.

Standard library only. Where the tables are is told by BIGQUERY_PORT and BIGQUERY_PROJECT.
"""

from __future__ import annotations

import csv
import json
import os
import socket
import sys

USAGE = """\
bq query --nouse_legacy_sql [--parameter=NAME:TYPE:VALUE …] [--dry_run] [--format=pretty|csv|json|none]
         [--max_rows=N] [--maximum_bytes_billed=N] [SQL, or on standard input]
bq ls [DATASET]
bq show [--schema] [--format=json] DATASET.TABLE"""
# Flags of the real program that change nothing here; those with a value, and those without.
ACCEPTED = (
    {"project_id", "location", "api", "job_id", "label"},
    {"quiet", "q", "headless", "batch", "synchronous_mode", "sync"},
)
MOST_TIME = 150.0  # seconds: jobs stand in a queue, and each has one minute


class Failed(Exception):
    pass


def ask(request: dict) -> dict:
    text = b""
    with socket.create_connection(("127.0.0.1", int(os.environ["BIGQUERY_PORT"])), MOST_TIME) as link:
        link.sendall(json.dumps(request).encode())
        link.shutdown(socket.SHUT_WR)
        while part := link.recv(1 << 16):
            text += part
    answer = json.loads(text) if text else {"error": "the connection was lost"}
    if "error" in answer:
        raise Failed(f"Error in query string: {answer['error']}" if "sql" in request else answer["error"])
    return answer


def main(words: list[str]) -> None:
    flags, rest = read_flags(words)
    command = rest.pop(0) if rest else ""
    if command == "query":
        query(flags, rest)
    elif command == "ls":
        listing(rest)
    elif command == "show":
        show(flags, rest)
    else:
        raise Failed(f"bq {command} isn't here. There is:\n{USAGE}" if command else USAGE)


def read_flags(words: list[str]) -> tuple[dict, list[str]]:
    flags: dict = {"parameter": []}
    rest: list[str] = []
    values = {"parameter", "format", "max_rows", "n", "maximum_bytes_billed", "use_legacy_sql", *ACCEPTED[0]}
    switches = {"dry_run", "nouse_legacy_sql", "schema", "help", *ACCEPTED[1]}
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, given, value = word.lstrip("-").partition("=")
        if name in switches and not given:
            flags[name] = True
        elif name == "use_legacy_sql" and not given:
            flags[name] = "true"
        elif name in values or (name in switches and given):
            value = value if given or not words else words.pop(0)
            flags[name] = [*flags["parameter"], value] if name == "parameter" else value
        else:
            raise Failed(f"the flag --{name} isn't here; what it does, a statement may do. There is:\n{USAGE}")
    return flags, rest


def parameter(text: str) -> tuple[str, list]:
    name, first, rest = text.partition(":")
    kind, second, value = rest.partition(":")
    if not (name and first and second):
        raise Failed(f"--parameter={text}: write NAME:TYPE:VALUE, e.g. day:DATE:2026-03-01")
    return name, [kind.upper() or "STRING", None if value == "NULL" else value]


def query(flags: dict, rest: list[str]) -> None:
    if not flags.get("nouse_legacy_sql") and str(flags.get("use_legacy_sql", "true")).lower() != "false":
        raise Failed("legacy SQL, bq's default, isn't here: add --nouse_legacy_sql")
    request = {
        "sql": " ".join(rest) or sys.stdin.read(),
        "parameters": dict(map(parameter, flags["parameter"])),
        "dry_run": str(flags.get("dry_run", "false")).lower() == "true",
        "maximum_bytes": int(flags["maximum_bytes_billed"]) if "maximum_bytes_billed" in flags else None,
    }
    answer = ask(request)
    if request["dry_run"]:
        print(
            "Query successfully validated. Assuming the tables are not modified, running this query will process "
            f"{answer['bytes']} bytes of data."
        )
        return
    rows = [[plain(value) for value in row] for row in answer.get("rows", ())]
    most = int(flags.get("max_rows", flags.get("n", 100)))
    output(flags.get("format", "pretty"), answer.get("columns", []), rows[:most])


def plain(value: object) -> object:
    """A value as BigQuery prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, list):
        return value
    kind, text = value
    if kind == "decimal":
        return text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("T", " ") if kind == "timestamp" else text


def output(form: str, columns: list, rows: list) -> None:
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows] if columns else [])
    elif form in ("json", "prettyjson"):
        found = [
            {name: value if value is None else str(value) for name, value in zip(columns, row, strict=True)}
            for row in rows
        ]
        print(json.dumps(found, indent=2 if form == "prettyjson" else None))
    elif columns and form != "none":
        texts = [columns, *[["NULL" if value is None else str(value) for value in row] for row in rows]]
        widths = [max(len(row[place]) for row in texts) for place in range(len(columns))]
        line = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
        shown = [
            "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
            for row in texts
        ]
        print("\n".join([line, shown[0], line, *shown[1:], line]))


def listing(rest: list[str]) -> None:
    tables = ask({"describe": True})["tables"]
    if not rest:
        print("\n".join(sorted({name.partition(".")[0] for name in tables})))
        return
    dataset = rest[0].rpartition(":")[2].rpartition(".")[2]
    rows = [
        [
            name.partition(".")[2],
            "VIEW" if table["is_view"] else "TABLE",
            table["partitioned_by"],
            ", ".join(table["clustered_by"]),
        ]
        for name, table in sorted(tables.items())
        if name.partition(".")[0] == dataset
    ]
    output("pretty", ["tableId", "Type", "Partitioned by", "Clustered by"], rows)


def show(flags: dict, rest: list[str]) -> None:
    name = ".".join((rest[0] if rest else "").replace(":", ".").split(".")[-2:])
    table = ask({"describe": True})["tables"].get(name)
    if table is None:
        raise Failed(f"Not found: Table {name}")
    fields = [{"name": column, "type": kind} for column, kind in table["columns"].items()]
    if flags.get("schema"):
        print(json.dumps(fields, indent=2))
    else:
        print(json.dumps({"table": name, **table, "columns": fields}, indent=2))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failed, OSError, ValueError, KeyError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
