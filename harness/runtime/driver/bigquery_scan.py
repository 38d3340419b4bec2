"""How many bytes a query reads of BigQuery's tables: columns it needs, of the partitions that its filters leave.

The figure is the one that a dry run tells: an upper bound from the text and the tables alone. LIMIT lowers it not at
all, nor does clustering, whose blocks are left out only while a query runs; nor is there a least of 10 MB a table,
which is a rule of the bill. Sizes are those that BigQuery documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bigquery_dialect import Refused, bare, plain, translated
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

# Bytes of a value; NULL has none.
SIZES = {"INT64": 8, "FLOAT64": 8, "NUMERIC": 16, "BOOL": 1, "DATE": 8, "DATETIME": 8, "TIMESTAMP": 8}
MOST_VIEWS = 50
Days = Callable[[int, int], bool]


@dataclass(frozen=True)
class Partitioning:
    """``by`` is the expression as it stands in the table's definition, in BigQuery's words."""

    column: str
    unit: str
    by: str


@dataclass(frozen=True)
class TableInfo:
    """``columns``: name -> BigQuery's type. ``view``: its SELECT, if it is one."""

    columns: dict
    partitioning: Partitioning | None = None
    clustering: tuple = ()
    needs_filter: bool = False
    view: str = ""


@dataclass(frozen=True)
class Reference:
    """One place where a query reads a table: what it needs of it, and the conditions that all its rows must meet."""

    name: str
    info: TableInfo
    alias: str
    columns: frozenset
    conditions: tuple


class Catalog:
    """The tables as they are now; ``ask`` runs a query of DuckDB's and returns its rows."""

    def __init__(self, tables: dict, ask: Callable[[str], list]) -> None:
        self.tables, self.ask = tables, ask

    def find(self, table: exp.Table) -> tuple[str, TableInfo]:
        if not table.db:
            raise Refused(f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).')
        name = f"{table.db}.{table.name}"
        if name not in self.tables:
            raise Refused(f"Not found: Table {name}")
        return name, self.tables[name]

    def schema(self) -> dict:
        found: dict = {}
        for name, info in self.tables.items():
            dataset, _, table = name.partition(".")
            found.setdefault(dataset, {})[table] = info.columns
        return found


# -- what a query reads ------------------------------------------------------------------------------------------------


def bytes_scanned(query: exp.Expression, catalog: Catalog) -> int:
    """
    Raises:
        Refused: BigQuery wouldn't run it (an unknown column, no filter where a table asks for one, …).
    """
    return sum(bytes_of(reference, catalog) for reference in references(query, catalog))


def resolved(query: exp.Expression, catalog: Catalog) -> exp.Expression:
    """The query with its views and WITH clauses in their places, every column with its table and type."""
    query = inlined(query.copy(), catalog, {}, 0)
    try:
        query = qualify(query, schema=catalog.schema(), dialect="bigquery", quote_identifiers=False)
        query = annotate_types(query, schema=catalog.schema(), dialect="bigquery")
    except SqlglotError as error:
        raise Refused(f"Invalid query: {plain(error)}") from None
    expect_comparable(query)
    return query


def references(query: exp.Expression, catalog: Catalog) -> list[Reference]:
    query = pushdown_projections(resolved(query, catalog))
    return [reference for part in closed_parts(query) for reference in references_in(part, catalog)]


def closed_parts(query: exp.Expression) -> Iterator[exp.Expression]:
    """The query in parts between which no filter moves: one behind a window or a LIMIT isn't one of the rows before."""
    for subquery in list(query.find_all(exp.Subquery)):
        inner = subquery.this
        if isinstance(subquery.parent, exp.From | exp.Join) and is_closed(inner) and subquery.root() is query:
            names = [exp.alias_(exp.Null(), name) for name in inner.named_selects]
            subquery.set("this", exp.select(*names))
            yield from closed_parts(inner)
    yield query


def is_closed(query: exp.Expression) -> bool:
    if query.args.get("limit") or query.args.get("offset") or query.args.get("qualify"):
        return True
    return isinstance(query, exp.Select) and any(select.find(exp.Window) for select in query.selects)


def references_in(query: exp.Expression, catalog: Catalog) -> Iterator[Reference]:
    query = pushdown_predicates(query, dialect="bigquery")
    for scope in traverse_scope(query):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table) and source.db:
                name, info = catalog.find(source)
                columns = frozenset(column.name for column in scope.columns if column.table == alias)
                yield Reference(name, info, alias, columns, tuple(conditions(scope, alias)))


def inlined(query: exp.Expression, catalog: Catalog, known: dict, depth: int) -> exp.Expression:
    """A WITH clause that is read twice is read twice: it stands where its name did. So does a view."""
    if depth > MOST_VIEWS:
        raise Refused("Too many nested views and WITH clauses")
    clause = query.args.get("with_")
    if clause:
        known = dict(known)
        if clause.args.get("recursive"):
            raise Refused("WITH RECURSIVE can't be run here, though BigQuery knows it")
        for part in clause.expressions:
            known[part.alias] = inlined(part.this, catalog, known, depth + 1)
        query.set("with_", None)
    for table in list(query.find_all(exp.Table)):
        inner = None
        if not table.db and table.name in known:
            inner = known[table.name].copy()
        elif table.db and (info := catalog.find(table)[1]).view:
            inner = inlined(exp.maybe_parse(info.view, dialect="bigquery"), catalog, {}, depth + 1)
        elif not table.db:
            catalog.find(table)
        if inner is not None:
            new = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
            for key in ("joins", "pivots"):
                new.set(key, table.args.get(key))
            table.replace(new)
    for select in list(query.find_all(exp.Select)):
        if select.args.get("with_") is not None:
            inlined(select, catalog, known, depth + 1)
    return query


def conditions(scope: Scope, alias: str) -> Iterator[exp.Expression]:
    query = scope.expression
    joins = query.args.get("joins") or []
    outer = any(join.side in ("LEFT", "RIGHT", "FULL") for join in joins)
    if where := query.args.get("where"):
        # Behind an outer join, a row without a partner has NULL as well.
        yield from (part for part in parts(where.this) if not (outer and part.find(exp.Is)))
    for join in joins:
        own = join.alias_or_name == alias
        if (on := join.args.get("on")) and (not join.side or (join.side == "LEFT" and own)):
            yield from parts(on)


def parts(condition: exp.Expression) -> Iterator[exp.Expression]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from parts(condition.this)
        yield from parts(condition.expression)
    else:
        yield condition


def expect_comparable(query: exp.Expression) -> None:
    """DuckDB compares a moment with a day; BigQuery doesn't."""
    kinds = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
    for node in query.find_all(*kinds):
        sides = [node.this, *filter(None, (node.args.get(key) for key in ("expression", "low", "high")))]
        types = {side.type.this for side in [*sides, *node.args.get("expressions", ())] if side.type}
        moment = exp.DataType.Type.TIMESTAMPTZ
        if moment in types and types & {exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP}:
            said = node.sql(dialect="bigquery")[:200]
            problem = "a TIMESTAMP isn't compared with a DATE or DATETIME"
            raise Refused(f"No matching signature for operator: {problem}: {said}")


# -- what is left of a table -------------------------------------------------------------------------------------------


def bytes_of(reference: Reference, catalog: Catalog) -> int:
    info = reference.info
    tests = [
        test
        for condition in reference.conditions
        if info.partitioning and (test := filter_of(condition, reference, catalog)) is not None
    ]
    if info.needs_filter and info.partitioning and not tests:
        raise Refused(
            f"Cannot query over table '{reference.name}' without a filter over column(s) "
            f"'{info.partitioning.column}' that can be used for partition elimination"
        )
    columns = [name for name in info.columns if name.lower() in {column.lower() for column in reference.columns}]
    if not columns:
        return 0
    sizes = " + ".join(size(name, info.columns[name]) for name in columns)
    where = ""
    if tests and info.partitioning:
        first, behind = span(info)
        found = catalog.ask(f"SELECT DISTINCT {first}, {behind} FROM {quoted(reference.name)}")
        left = [low for low, high in found if all(test(low, None if high is None else high - 1) for test in tests)]
        days = ", ".join(str(low) for low in left if low is not None) or "NULL"
        where = f" WHERE {first} IN ({days})" + (f" OR {first} IS NULL" if None in left else "")
    return int(catalog.ask(f"SELECT coalesce(sum({sizes}), 0) FROM {quoted(reference.name)}{where}")[0][0])


def size(column: str, kind: str) -> str:
    name = f'"{column}"'
    if kind == "STRING":
        return f"coalesce(2 + strlen({name}), 0)"
    return f"CASE WHEN {name} IS NULL THEN 0 ELSE {SIZES[kind]} END"


def quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def number(sql: str, kind: str) -> str:
    """A day, or a moment's microseconds, since 1970."""
    return f"date_diff('day', DATE '1970-01-01', CAST({sql} AS DATE))" if kind == "DATE" else f"epoch_us({sql})"


def span(info: TableInfo) -> tuple[str, str]:
    """Of a row's partition: the first value, and the first one behind it."""
    partitioning = info.partitioning
    assert partitioning
    kind = info.columns[partitioning.column]
    begin = f"date_trunc('{partitioning.unit}', \"{partitioning.column}\")"
    return number(begin, kind), number(f"({begin} + INTERVAL 1 {partitioning.unit})", kind)


def filter_of(node: exp.Expression, reference: Reference, catalog: Catalog) -> Days | None:
    """Whether a partition from its first value to its last can hold a row of the condition; both are None for the
    partition of NULL. None: the condition leaves out no partition before the query has run."""
    node = node.unnest()
    if isinstance(node, exp.Or | exp.And):
        one, other = (filter_of(side, reference, catalog) for side in (node.this, node.expression))
        if isinstance(node, exp.Or):
            return (lambda low, high: one(low, high) or other(low, high)) if one and other else None
        return (lambda low, high: one(low, high) and other(low, high)) if one and other else one or other
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        return (lambda low, high: low is None) if key_of(node.this, reference) else None
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Is) and isinstance(node.this.expression, exp.Null):
        return (lambda low, high: low is not None) if key_of(node.this.this, reference) else None
    if isinstance(node, exp.Between):
        return between(node.this, [("GTE", node.args["low"]), ("LTE", node.args["high"])], reference, catalog)
    if isinstance(node, exp.In) and not node.args.get("query"):
        tests = [between(node.this, [("EQ", value)], reference, catalog) for value in node.expressions]
        usable = [test for test in tests if test]
        return (lambda low, high: any(test(low, high) for test in usable)) if len(usable) == len(tests) > 0 else None
    if isinstance(node, exp.EQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        kind = type(node).__name__
        if key_of(node.this, reference):
            return between(node.this, [(kind, node.expression)], reference, catalog)
        turned = {"GT": "LT", "GTE": "LTE", "LT": "GT", "LTE": "GTE", "EQ": "EQ"}[kind]
        return between(node.expression, [(turned, node.this)], reference, catalog)
    return None


def key_of(node: exp.Expression, reference: Reference) -> str:
    """``column`` for the partition's own, ``expression`` for what the table is partitioned by, else nothing."""
    partitioning = reference.info.partitioning
    assert partitioning
    node = node.unnest()
    own = [column for column in node.find_all(exp.Column) if column.table == reference.alias]
    if (
        not own
        or len(own) != len(list(node.find_all(exp.Column)))
        or own[0].name.lower() != partitioning.column.lower()
    ):
        return ""
    if isinstance(node, exp.Column):
        return "column"
    own_words = node.transform(lambda part: exp.column(part.name) if isinstance(part, exp.Column) else part)
    while isinstance(own_words, exp.Cast) and isinstance(own_words.this, exp.DateTrunc):
        own_words = own_words.this
    return "expression" if bare(own_words).lower() == partitioning.by.lower() else ""


def between(key: exp.Expression, bounds: list, reference: Reference, catalog: Catalog) -> Days | None:
    which = key_of(key, reference)
    values = [(kind, constant(node, which, reference.info, catalog)) for kind, node in bounds] if which else []
    if not which or any(value is Ellipsis for _, value in values):
        return None

    def test(low: int | None, high: int | None) -> bool:
        if low is None or high is None:
            return False
        # What a table is partitioned by has one value in a partition: the first.
        last = low if which == "expression" else high
        return all(value is not None and COMPARED[kind](low, last, value) for kind, value in values)

    if which == "expression" and is_date(reference.info):
        return lambda low, high: test(None if low is None else low // DAY, None if high is None else high // DAY)
    return test


DAY = 86_400_000_000
COMPARED = {
    "EQ": lambda low, last, value: low <= value <= last,
    "GT": lambda low, last, value: last > value,
    "GTE": lambda low, last, value: last >= value,
    "LT": lambda low, last, value: low < value,
    "LTE": lambda low, last, value: low <= value,
}


def is_date(info: TableInfo) -> bool:
    """Whether it is partitioned by the day of a moment: ``DATE(moment)``."""
    return bool(info.partitioning and info.partitioning.by.upper().startswith("DATE(") and not is_day_column(info))


def is_day_column(info: TableInfo) -> bool:
    return bool(info.partitioning and info.columns[info.partitioning.column] == "DATE")


def constant(node: exp.Expression, which: str, info: TableInfo, catalog: Catalog) -> object:
    """Its value as a number, None for NULL; Ellipsis for what is no constant before the query runs."""
    if node.find(exp.Column, exp.Query, exp.AggFunc, exp.Window):
        return ...
    assert info.partitioning
    kind = "DATE" if which == "expression" and is_date(info) else info.columns[info.partitioning.column]
    typed = exp.cast(node.copy(), exp.DataType.build(kind, dialect="bigquery"))
    return catalog.ask(f"SELECT {number(translated(typed), kind)}")[0][0]
