"""Column-level lineage and catalog of the SQL project in $DATA/project."""

from __future__ import annotations

import csv
import os
import pathlib
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

PROJECT = pathlib.Path(os.environ["DATA"]) / "project"


class ProjectError(Exception):
    pass


def main() -> None:
    sources = {}
    for line in read("sources.csv"):
        sources.setdefault(line["table_name"], []).append(line["column_name"])
    parsed = {path.stem.lower(): parse_model(path) for path in sorted((PROJECT / "models").glob("*.sql"))}
    # (table, column): what it directly stands on, and the single column that it is, if it is nothing else
    direct, same = {}, {}
    schema = {table: dict.fromkeys(columns, "TEXT") for table, columns in sources.items()}
    for name in in_order(parsed):
        columns = trace(name, parsed[name], schema)
        schema[name] = dict.fromkeys(columns, "TEXT")
        for column, (origins, passed) in columns.items():
            direct[name, column], same[name, column] = origins, passed

    ultimate = {}
    for pair, origins in direct.items():  # upstream models come first
        ultimate[pair] = set().union(*(ultimate.get(origin, {origin}) for origin in origins))
    written = {(line["table_name"], line["column_name"]): line["description"] for line in read("descriptions.csv")}
    catalog = []
    for table, columns in schema.items():
        for column in columns:
            kind = "source" if table in sources else "model"
            catalog.append((table, column, kind, describe((table, column), written, same)))
    known = {line[:2] for line in catalog}
    write(
        {
            "lineage.csv": (
                ("table_name", "column_name", "source_table", "source_column"),
                sorted((*pair, *origin) for pair, origins in ultimate.items() for origin in origins),
            ),
            "catalog.csv": (("table_name", "column_name", "kind", "description"), sorted(catalog)),
            "stale.csv": (
                ("table_name", "column_name", "description"),
                sorted((*pair, text) for pair, text in written.items() if pair not in known),
            ),
        }
    )


def read(name: str) -> list[dict[str, str]]:
    with (PROJECT / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def parse_model(path: pathlib.Path) -> exp.Query:
    try:
        statements = parse(path.read_text(encoding="utf-8"), read="duckdb")
    except SqlglotError as error:
        raise ProjectError(f"{path.stem}: {error}") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ProjectError(f"{path.stem}: one SELECT is expected")
    return statements[0]


def in_order(parsed: dict[str, exp.Query]) -> list[str]:
    reads = {}
    for name, query in parsed.items():
        tables = {table.name.lower() for table in query.find_all(exp.Table)}
        ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
        # A CTE hides a table of its name; that it reads the table itself is told by its own scope.
        hidden = {cte for cte in ctes if not any(reads_outside(query, cte))}
        reads[name] = (tables - hidden) & set(parsed)
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError as error:
        raise ProjectError(f"models read each other in a circle: {' -> '.join(error.args[1])}") from None


def reads_outside(query: exp.Query, name: str):
    root = build_scope(query)
    for scope in root.traverse():
        for _, source in scope.selected_sources.values():
            yield isinstance(source, exp.Table) and source.name.lower() == name


def trace(name: str, query: exp.Query, schema: dict[str, dict[str, str]]) -> dict:
    for scope in build_scope(query).traverse():
        for _, source in scope.selected_sources.values():
            if isinstance(source, exp.Table) and source.name.lower() not in schema:
                raise ProjectError(f"{name}: there is no table {source.name}")
    try:
        qualified = qualify(query.copy(), schema=schema, dialect="duckdb")
        root = build_scope(qualified)
        return {
            column.lower(): origins_of(root, position, {})
            for position, column in enumerate(qualified.named_selects)
        }
    except SqlglotError as error:
        raise ProjectError(f"{name}: {error}") from None


def origins_of(scope: Scope, position: int, known: dict) -> tuple[frozenset, tuple[str, str] | None]:
    """What a scope's column stands on, and the one column that it is, if it is nothing else."""
    key = (id(scope), position)
    if key in known:
        return known[key]
    if scope.set_operation_scopes:
        branches = [origins_of(branch, position, known) for branch in scope.set_operation_scopes]
        known[key] = (frozenset().union(*(origins for origins, _ in branches)), None)
        return known[key]
    expression = scope.expression.selects[position].unalias()
    windows = {window.name: window for window in scope.expression.args.get("windows") or ()}
    found, passed = set(), None
    for column in columns_in(expression, windows):
        source = scope.sources[column.table]
        if isinstance(source, exp.Table):
            pair = (source.name.lower(), column.name.lower())
            origins, same = {pair}, pair
        else:
            names = [item.lower() for item in source.expression.named_selects]
            origins, same = origins_of(source, names.index(column.name.lower()), known)
        found |= origins
        if column is expression:
            passed = same
    known[key] = (frozenset(found), passed)
    return known[key]


def columns_in(expression: exp.Expression, windows: dict[str, exp.Window]) -> Iterator[exp.Column]:
    """Also those of the windows that stand there by name."""
    yield from expression.find_all(exp.Column)
    for window in expression.find_all(exp.Window):
        if window.alias and window.alias not in windows:
            raise SqlglotError(f"there is no window {window.alias}")
        if window.alias:
            yield from columns_in(windows[window.alias], windows)


def describe(pair: tuple[str, str] | None, written: dict, same: dict) -> str:
    while pair is not None:
        if pair in written:
            return written[pair]
        pair = same.get(pair)
    return ""


def write(files: dict) -> None:
    """All files are complete before the first one takes its place."""
    for name, (header, lines) in files.items():
        with open(f".{name}.new", "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *lines])
    for name in files:
        os.replace(f".{name}.new", name)


if __name__ == "__main__":
    try:
        main()
    except ProjectError as error:
        sys.exit(str(error))

# canary: c1a4c7b2-6d6e-4a07-8f0d-54f6c1f5b0e3
