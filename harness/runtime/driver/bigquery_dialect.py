"""BigQuery's SQL as far as DuckDB says the same: read, refused where it would come out as something else, translated.

What may pass is listed by name: a function or clause that nobody has compared with BigQuery's documentation is refused.
"""

from __future__ import annotations

import logging

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
LONGEST = 200_000  # characters

# Types of columns and parameters, and what DuckDB calls them. NUMERIC is DECIMAL(18, 3) to DuckDB if nobody says more.
TYPES = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    "BOOL": "BOOLEAN",
    "STRING": "VARCHAR",
    "DATE": "DATE",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
}
KNOWN_TYPES = frozenset(exp.DataType.build(name, dialect="bigquery").this for name in TYPES)
UNITS = frozenset(("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"))

# Of sqlglot's expressions: those that mean the same in both, as tests/engines/test_bigquery.py shows of the functions.
QUERIES = """
    Alias And Array Between Boolean CTE Case Column DataType Distinct EQ Exists From GT GTE Group Having Identifier
    In Interval Is Join LT LTE Like Limit Literal NEQ Neg Not Null NullSafeEQ NullSafeNEQ Offset Or Order Ordered
    Paren Qualify Select Star Subquery Table TableAlias Tuple Union Unnest Values Var Where Window WindowSpec With
"""
FUNCTIONS = """
    Abs Add AnyValue AtTimeZone Avg Cast Coalesce Count CountIf CurrentDate CurrentTimestamp DPipe Date DateAdd DateDiff
    DateFromParts DateSub DateTrunc Datetime DenseRank Div Extract GenerateDateArray GroupConcat If Lag Lead LogicalAnd
    LogicalOr Lower Max Min Mod Mul Nullif Rank Round RowNumber SafeDivide StartsWith Sub Sum TimeToStr Timestamp
    TimestampAdd TimestampSub TimestampTrunc Trim TryCast TsOrDsToDate Upper
"""
STATEMENTS = """
    Alter AlterRename AlterSet ClusterProperty ColumnConstraint ColumnDef Commit Create Delete Drop Insert
    LocationProperty Merge NotNullColumnConstraint PartitionedByProperty Properties Property Rollback Schema Transaction
    TruncateTable Update When Whens
"""
KNOWN = frozenset((QUERIES + FUNCTIONS + STATEMENTS).split())


class Refused(Exception):
    """A statement that isn't executed: BigQuery wouldn't, or it would be something else here."""


def not_here(what: str, instead: str = "") -> Refused:
    return Refused(f"{what} can't be run here, though BigQuery knows it" + (f": {instead}" if instead else ""))


def read(sql: str, parameters: dict, project: str) -> list[exp.Expression]:
    """The statements of a script, each looked through, its parameters put in, its names without the project.

    ``parameters``: name -> (type, text or None).
    """
    if len(sql) > LONGEST:
        raise Refused(f"Query is too long: more than {LONGEST} characters")
    try:
        if any(token.token_type == TokenType.PIPE_GT for token in sqlglot.tokenize(sql, read="bigquery")):
            raise not_here("pipe syntax (`|>`)", "write it as a SELECT")
        statements = [
            statement
            for statement in sqlglot.parse(sql, read="bigquery")
            if not isinstance(statement, exp.Semicolon | None)
        ]
    except SqlglotError as error:
        raise Refused(f"Syntax error: {plain(error)}") from None
    except RecursionError:
        raise Refused("Query is too complex: it is nested too deeply") from None
    if not statements:
        raise Refused("Query is empty")
    # sqlglot knows BEGIN alone as the beginning of a block.
    statements = [exp.Transaction() if is_begin(statement) else statement for statement in statements]
    for number, statement in enumerate(statements):
        for node in statement.walk():
            expect_known(node)
        statements[number] = adapted(statement.transform(lambda node: with_value(node, parameters)))
        for table in statements[number].find_all(exp.Table):
            without_project(table, project)
    return statements


def is_begin(statement: exp.Expression) -> bool:
    return isinstance(statement, exp.Command) and statement.name.upper() == "BEGIN" and not statement.text("expression")


def bare(node: exp.Expression) -> str:
    """In BigQuery's words, without quotation marks."""
    return node.sql(dialect="bigquery").replace("`", "")


def plain(error: Exception) -> str:
    return str(error).replace("\x1b[4m", "").replace("\x1b[0m", "")[:600]


# -- what is refused ---------------------------------------------------------------------------------------------------


def expect_known(node: exp.Expression) -> None:
    """
    Raises:
        Refused: it would come out as something else.
    """
    for kind, look in LOOKS:
        if isinstance(node, kind) and (problem := look(node)):
            raise problem
    name = type(node).__name__
    if name not in KNOWN and not isinstance(node, exp.Parameter):
        said = node.sql(dialect="bigquery", comments=False)[:80]
        raise not_here(f"{node.sql_name() if isinstance(node, exp.Func) else name} (`{said}`)")


def scripting(node: exp.Expression) -> Refused:
    return not_here(
        "scripting (DECLARE, SET, IF, LOOP, CALL, EXECUTE IMMEDIATE, …)", "give values as query parameters (`@day`)"
    )


def column(node: exp.Column) -> Refused | None:
    if node.name.upper() in ("_PARTITIONTIME", "_PARTITIONDATE", "_TABLE_SUFFIX", "_FILE_NAME"):
        return not_here(f"the pseudo-column {node.name}", "partition by a column of the table")
    return None


def partitioned_by(node: exp.PartitionedByProperty) -> Refused | None:
    if node.this.name.upper() in ("_PARTITIONTIME", "_PARTITIONDATE"):
        return not_here("partitioning by ingestion time", "partition by a column of the table")
    return None


def table(node: exp.Table) -> Refused | None:
    name = node.sql(dialect="bigquery").upper()
    if "INFORMATION_SCHEMA" in name:
        return not_here("INFORMATION_SCHEMA", "`bq ls` and `bq show` tell of tables")
    if "*" in node.name:
        return not_here("a wildcard table")
    if "$" in node.name:
        return not_here("a partition decorator", "filter by the partition's column")
    if node.args.get("version"):
        return not_here("FOR SYSTEM_TIME AS OF")
    if node.args.get("sample"):
        return not_here("TABLESAMPLE")
    return None


def unnest(node: exp.Unnest) -> Refused | None:
    if node.args.get("offset"):
        return not_here("WITH OFFSET", "it would count from 1")
    if isinstance(node.parent, exp.In):
        return not_here("IN UNNEST", "list the values, or join")
    return None


def unit_of(node: exp.Expression) -> str:
    unit = node.args.get("unit")
    return unit.name.upper() if isinstance(unit, exp.Var | exp.Literal) else "WEEK" if unit else "DAY"


def with_unit(node: exp.Expression) -> Refused | None:
    unit = unit_of(node)
    if unit not in UNITS and not (unit == "WEEK" and isinstance(node, exp.DateAdd | exp.DateSub)):
        return not_here(
            f"{unit} in {node.sql_name()}", "weeks begin on other days there; use DAY, MONTH, QUARTER or YEAR"
        )
    return None


def extract(node: exp.Extract) -> Refused | None:
    if node.name.upper() not in UNITS | {"DATE", "DAYOFYEAR"}:
        return not_here(f"EXTRACT({node.name} …)", "weeks and days of the week are counted otherwise")
    return None


def data_type(node: exp.DataType) -> Refused | None:
    if isinstance(node.parent, exp.Interval) or (node.this in KNOWN_TYPES and not node.expressions):
        return None
    said = node.sql(dialect="bigquery")
    return not_here(f"the type {said}", f"there are {', '.join(TYPES)}, without a length or precision")


def division(node: exp.Div) -> Refused | None:
    by = node.expression.unnest()
    if isinstance(by, exp.Literal) and not by.is_string and float(by.name):
        return None
    return not_here("a division that may be one by zero", "use SAFE_DIVIDE")


def formatting(node: exp.TimeToStr) -> Refused | None:
    letters = set(node.text("format").replace("%%", "").split("%")[1:])
    if not isinstance(node.this, exp.TsOrDsToDate) or not {text[:1] for text in letters} <= set("Ymd"):
        return not_here("formatting other than FORMAT_DATE with %Y, %m and %d")
    return None


def current_date(node: exp.CurrentDate) -> Refused | None:
    return not_here("CURRENT_DATE with a time zone", "take DATE(CURRENT_TIMESTAMP(), zone)") if node.this else None


def when(node: exp.When) -> Refused | None:
    then = node.args["then"]
    if isinstance(then, exp.Insert) and isinstance(then.this, exp.Var):
        return not_here("INSERT ROW", "name the columns")
    return None


def constraint(node: exp.ColumnConstraint) -> Refused | None:
    if isinstance(node.kind, exp.NotNullColumnConstraint | exp.Properties):
        return None
    return not_here(f"{node.sql(dialect='bigquery')} in a column's definition")


def prop(node: exp.Property) -> Refused | None:
    if type(node) is not exp.Property or node.name.lower() in (
        "require_partition_filter",
        "description",
        "friendly_name",
        "labels",
    ):
        return None
    return not_here(f"the option {node.name}", "it would do nothing")


LOOKS = (
    (exp.Command, scripting),
    (exp.Declare, scripting),
    (exp.Set, scripting),
    (exp.Column, column),
    (exp.PartitionedByProperty, partitioned_by),
    (exp.Table, table),
    (exp.TableSample, lambda _: not_here("TABLESAMPLE")),
    (exp.Unnest, unnest),
    (exp.Bracket, lambda _: not_here("an element of an array (OFFSET, SAFE_OFFSET, ORDINAL, …)")),
    (exp.ArrayAgg, lambda _: not_here("ARRAY_AGG, with LIMIT or without", "for one row of many, QUALIFY ROW_NUMBER()")),
    (exp.DateAdd, with_unit),
    (exp.DateSub, with_unit),
    (exp.DateDiff, with_unit),
    (exp.DateTrunc, with_unit),
    (exp.TimestampTrunc, with_unit),
    (exp.TimestampAdd, with_unit),
    (exp.TimestampSub, with_unit),
    (exp.Extract, extract),
    (exp.DataType, data_type),
    (exp.Div, division),
    (exp.TimeToStr, formatting),
    (exp.CurrentDate, current_date),
    (exp.When, when),
    (exp.ColumnConstraint, constraint),
    (exp.Property, prop),
    (exp.MaterializedProperty, lambda _: not_here("a materialized view", "keep a table, and fill it in the load")),
    (exp.TemporaryProperty, lambda _: not_here("a temporary table", "a WITH clause may do")),
    (exp.LikeProperty, lambda _: not_here("CREATE TABLE … LIKE", "write its columns down, or CREATE TABLE … AS")),
)


# -- what is put otherwise ---------------------------------------------------------------------------------------------


def with_value(node: exp.Expression, parameters: dict) -> exp.Expression:
    if not isinstance(node, exp.Parameter):
        return node
    name = node.name.lower()
    if name not in parameters:
        raise Refused(f"Query parameter '{node.name}' not found")
    kind, text = parameters[name]
    if kind not in TYPES:
        raise not_here(f"a parameter of the type {kind}", f"there are {', '.join(TYPES)}")
    value = exp.Null() if text is None else exp.Literal.string(text)
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="bigquery"))


def without_project(table: exp.Table, project: str) -> None:
    """Three parts: the first is the project, and there is one alone."""
    if table.catalog and table.catalog != project:
        raise Refused(f"Access Denied: there is no project {table.catalog} here, only {project}")
    table.set("catalog", None)


def adapted(statement: exp.Expression) -> exp.Expression:
    """Where sqlglot's own translation is another value or type in DuckDB."""
    if isinstance(statement, exp.Delete) and statement.args.get("tables"):
        statement.set("this", statement.args["tables"][0])
        statement.set("tables", None)
    return statement.transform(adapted_node)


def adapted_node(node: exp.Expression) -> exp.Expression:
    # Of a date and an interval, DuckDB makes a timestamp.
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.DateTrunc) and not is_date_cast(node.parent):
        return exp.cast(node, "DATE")
    if isinstance(node, exp.Extract) and node.name.upper() == "DATE":
        return exp.cast(node.expression, "DATE")
    return node


def is_date_cast(node: exp.Expression | None) -> bool:
    return isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.DATE


def translated(statement: exp.Expression) -> str:
    """In DuckDB's words."""
    statement = statement.transform(lambda node: exp.DataType.build("DECIMAL(38, 9)") if is_numeric(node) else node)
    # Dropped by design: they are kept as the table's description, and looked at there.
    return statement.sql(dialect="duckdb", comments=False)


def is_numeric(node: exp.Expression) -> bool:
    return isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL and not node.expressions
