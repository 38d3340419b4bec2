"""How tables are laid out: what a definition says of partitions, clusters and filters, kept as the table's comment.

A comment comes and goes with its table, so that neither is ever without the other. That of a view has its text.
"""

from __future__ import annotations

import json

import duckdb
from bigquery_dialect import TYPES, Refused, bare, not_here
from bigquery_scan import Catalog, Partitioning, TableInfo, resolved
from sqlglot import exp

MOST_CLUSTERS = 4
NAMES = {kind: name for name, kind in TYPES.items()}
FUNCTION_OF = {"DATE": "DATE_TRUNC", "DATETIME": "DATETIME_TRUNC", "TIMESTAMP": "TIMESTAMP_TRUNC"}


def tables_of(link: duckdb.DuckDBPyConnection) -> dict:
    columns: dict = {}
    for dataset, table, column, kind in link.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE NOT internal ORDER BY column_index"
    ).fetchall():
        columns.setdefault(f"{dataset}.{table}", {})[column] = NAMES.get(kind, kind)
    comments = link.execute(
        "SELECT schema_name || '.' || table_name, comment FROM duckdb_tables() UNION ALL"
        " SELECT schema_name || '.' || view_name, comment FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    return {name: info_of(columns.get(name, {}), json.loads(comment or "{}")) for name, comment in comments}


def info_of(columns: dict, said: dict) -> TableInfo:
    partitioning = Partitioning(**said["partitioning"]) if said.get("partitioning") else None
    return TableInfo(
        columns, partitioning, tuple(said.get("clustering", ())), bool(said.get("filter")), said.get("view", "")
    )


def comment(kind: str, name: str, said: dict) -> str:
    text = json.dumps(said).replace("'", "''")
    dataset, _, table = name.partition(".")
    return f'COMMENT ON {kind} "{dataset}"."{table}" IS \'{text}\''


def layout(properties: exp.Expression | None) -> dict:
    """What a definition says of partitions, clusters and filters."""
    said: dict = {}
    for prop in properties.find_all(exp.PartitionedByProperty, exp.ClusterProperty, exp.Property) if properties else ():
        if isinstance(prop, exp.PartitionedByProperty):
            said["partitioning"] = partitioning(prop.this)
        elif isinstance(prop, exp.ClusterProperty):
            said["clustering"] = [column.name for column in prop.expressions]
        elif prop.name.lower() == "require_partition_filter":
            said["filter"] = isinstance(prop.args["value"], exp.Boolean) and prop.args["value"].this
    return said


def kept_layout(info: TableInfo) -> dict:
    kept = info.partitioning
    said = {"column": kept.column, "unit": kept.unit, "by": kept.by} if kept else None
    return {"partitioning": said, "clustering": list(info.clustering), "filter": info.needs_filter}


def partitioning(by: exp.Expression) -> dict:
    sql = bare(by)
    if isinstance(by, exp.Identifier | exp.Column):
        return {"column": by.name, "unit": "DAY", "by": by.name}
    inner = by.this if isinstance(by, exp.Cast) else by
    kinds = exp.Date | exp.DateTrunc | exp.TimestampTrunc | exp.DatetimeTrunc
    if not isinstance(inner, kinds) or not isinstance(inner.this, exp.Column) or inner.args.get("zone"):
        raise not_here(f"PARTITION BY {sql}", "partition by a DATE, or by the day, month or year of a moment")
    unit = inner.args.get("unit")
    said = bare(inner)
    return {"column": inner.this.name, "unit": unit.name.upper() if unit else "DAY", "by": said}


def by(info: TableInfo) -> str:
    return info.partitioning.by if info.partitioning else "none"


def declared(schema: exp.Schema) -> dict:
    found = {}
    for column in schema.expressions:
        if not isinstance(column, exp.ColumnDef):
            raise not_here(f"{column.sql(dialect='bigquery')[:80]} in a table's definition")
        found[column.name] = column.kind.sql(dialect="bigquery")
    return found


def selected(query: exp.Expression, catalog: Catalog) -> dict:
    """Names and types of a query's columns; a type that nobody can tell is empty."""
    found = {}
    for select in resolved(query, catalog).selects:
        kind = select.type.sql(dialect="bigquery") if select.type else ""
        found[select.alias_or_name] = kind if kind in TYPES else ""
    return found


def expect_layout(info: TableInfo) -> None:
    columns = {name.lower(): kind for name, kind in info.columns.items()}
    kept = info.partitioning
    if kept:
        kind = columns.get(kept.column.lower())
        if kind is None:
            raise Refused(f"Unrecognized name: {kept.column}")
        function = kept.by.partition("(")[0].upper() if "(" in kept.by else ""
        fits = {"": ("DATE",), "DATE": ("TIMESTAMP", "DATETIME")}
        wanted = fits.get(function, tuple(kind for kind, name in FUNCTION_OF.items() if name == function))
        if kind and kind not in wanted:
            raise Refused(f"PARTITION BY expression must be of a fitting type; {kept.by} is of {kind}")
    elif info.needs_filter:
        raise Refused("require_partition_filter is only for tables that are partitioned")
    if len(info.clustering) > MOST_CLUSTERS:
        raise Refused(f"At most {MOST_CLUSTERS} columns can be clustered by")
    for column in info.clustering:
        if column.lower() not in columns:
            raise Refused(f"Unrecognized name: {column}")
