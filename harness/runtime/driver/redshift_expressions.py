"""Redshift's expressions in PostgreSQL's: functions, types and names, each the same, rewritten or refused."""

from __future__ import annotations

import re

from redshift_steps import refuse
from sqlglot import ErrorLevel, exp
from sqlglot.dialects.redshift import Redshift

# The same name means the same in both.
SAME = frozenset(
    re.findall(
        r"\w+",
        """
    COUNT SUM MIN MAX COALESCE NULLIF CASE IF CAST UPPER LOWER TRIM LENGTH SUBSTRING ROUND ABS CEIL FLOOR GREATEST
    LEAST ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE NTILE EXTRACT
    MD5 REPLACE LPAD RPAD PAD LEFT RIGHT REVERSE SPLIT_PART STR_POSITION INITCAP MOD POWER
    SQRT SIGN LN EXP AND OR NOT XOR EXISTS TO_CHAR STR_TO_DATE STR_TO_TIME TS_OR_DS_TO_DATE CURRENT_DATE CURRENT_USER
    STDDEV STDDEV_SAMP STDDEV_POP VARIANCE VAR_SAMP VAR_POP ASCII CHR REPEAT PERCENTILE_CONT BTRIM
    LOGICAL_OR LOGICAL_AND ANY_VALUE NVL2 DECODE_CASE REGEXP_LIKE REGEXP_I_LIKE TO_DATE TO_NUMBER TO_TIMESTAMP TRUNC
    """,
    )
)
# Rewritten below to functions of ``redshift_helpers``.
OWN = {"AVG": "avg", "GETDATE": "getdate", "SYSDATE": "sysdate", "DATEDIFF": "datediff", "DATEADD": "dateadd"}
OWN |= {"DATE_TRUNC": "date_trunc", "PG_LAST_COPY_COUNT": "last_copy_count"}
# Left as they are written, where sqlglot takes one for another.
APART = (*OWN, "DATE_PART", "NOW", "APPROXIMATE", "STRING_AGG", "TO_CHAR", "TO_DATE", "TO_TIMESTAMP", "TRUNC")
PARTS = {"year", "quarter", "month", "day", "hour", "minute", "second", "millisecond", "microsecond"}
# Window functions that need no frame; the others need one as soon as there is an ORDER BY.
FRAMELESS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead)
PART_NAMES = {"years": "year", "yr": "year", "y": "year", "months": "month", "mon": "month"}
PART_NAMES |= {"days": "day", "d": "day", "hours": "hour", "hr": "hour", "h": "hour", "minutes": "minute"}
PART_NAMES |= {"min": "minute", "mi": "minute", "m": "minute", "seconds": "second", "sec": "second", "s": "second"}
TYPES = "SMALLINT INT BIGINT DECIMAL FLOAT DOUBLE BOOLEAN CHAR NCHAR VARCHAR NVARCHAR TEXT BPCHAR DATE"
TYPES = {*TYPES.split(), "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ", "TIME", "TIMETZ", "INTERVAL", "UNKNOWN"}
TEXTS = {"VARCHAR", "NVARCHAR", "TEXT"}
REFUSED = {
    exp.OnConflict: "ON CONFLICT doesn't exist in Redshift: MERGE, or DELETE and INSERT in one transaction",
    exp.Returning: "RETURNING doesn't exist in Redshift",
    exp.Lock: "FOR UPDATE doesn't exist in Redshift: LOCK the table",
    exp.Filter: "FILTER (WHERE …) doesn't exist in Redshift: CASE inside of the aggregate",
    exp.Lateral: "LATERAL doesn't exist in Redshift",
    exp.Array: "arrays don't exist in Redshift, and SUPER isn't emulated",
    exp.Bracket: "SUPER isn't emulated",
    exp.JSONExtract: "SUPER and JSON functions aren't emulated",
    exp.TableSample: "TABLESAMPLE doesn't exist in Redshift",
    exp.Pivot: "PIVOT and UNPIVOT aren't emulated",
    exp.Placeholder: "parameters aren't emulated",
}
# What may be asked of the catalog, and where it is.
VIEWS = {"pg_table_def": "redshift", "svv_table_info": "redshift", "stl_load_errors": "redshift"}


class Dialect(Redshift):
    """Keeps the functions apart that sqlglot takes for one another."""

    class Parser(Redshift.Parser):
        FUNCTIONS = {  # noqa: RUF012
            **Redshift.Parser.FUNCTIONS,
            **{name: lambda args, name=name: exp.Anonymous(this=name, expressions=args) for name in APART},
            "DATE_DIFF": lambda args: exp.Anonymous(this="DATEDIFF", expressions=args),
            "DATE_ADD": lambda args: exp.Anonymous(this="DATEADD", expressions=args),
        }
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: made for name, made in Redshift.Parser.FUNCTION_PARSERS.items() if name not in APART
        }


def written(tree: exp.Expression) -> str:
    return sql_of(adapted(tree))


def sql_of(tree: exp.Expression) -> str:
    """What sqlglot knows that PostgreSQL hasn't is an error."""
    return tree.sql(dialect="postgres", unsupported_level=ErrorLevel.RAISE)


def adapted(tree: exp.Expression) -> exp.Expression:
    """The tree as PostgreSQL has to be given it. Raises ``Refused``."""
    # Inner ones first: what is put in isn't looked at again.
    for node in reversed(list(tree.walk())):
        for kind, why in REFUSED.items():
            if isinstance(node, kind):
                refuse(why)
        made = changed(node)
        if made is not node:
            if node is tree:
                tree = made
            node.replace(made)
    return tree


def changed(node: exp.Expression) -> exp.Expression:
    match node:
        case exp.Identifier():
            # Names are folded, quoted or not.
            node.set("this", node.name.lower())
        case exp.Select() if node.args.get("qualify") and not all(
            isinstance(part, exp.Column | exp.Alias | exp.Star) for part in node.expressions
        ):
            refuse("with QUALIFY each column needs a name here: give it one with AS")
        case exp.Window() if node.args.get("order") and not (node.args.get("spec") or node.find(*FRAMELESS)):
            refuse("a window with ORDER BY needs a frame in Redshift: ROWS UNBOUNDED PRECEDING, or BETWEEN … AND …")
        case exp.CTE() if not isinstance(node.this, exp.Query):
            refuse("WITH takes queries alone in Redshift")
        case exp.Delete() if isinstance(node.this, exp.Table) and node.this.alias:
            refuse("the table of a DELETE has no alias in Redshift")
        case exp.Except() | exp.Intersect() if not node.args.get("distinct"):
            refuse("EXCEPT ALL and INTERSECT ALL don't exist in Redshift")
        case exp.Extract():
            return exp.cast(exp.Anonymous(this="trunc", expressions=[node.copy()]), "bigint")
        case exp.Distinct() if node.args.get("on"):
            refuse("DISTINCT ON doesn't exist in Redshift: ROW_NUMBER() in a subquery, or QUALIFY")
        case exp.Table():
            schema = node.db.lower()
            if schema in ("redshift", "pg_temp") or (schema == "pg_catalog" and node.name.lower() not in VIEWS):
                refuse(f"{schema}.{node.name} doesn't exist in Redshift, or isn't emulated")
            if node.name.lower() in VIEWS:
                node.set("db", exp.to_identifier(VIEWS[node.name.lower()]))
            elif re.match(r"(stl|stv|svl|svv|sys|svcs)_", node.name.lower()):
                refuse(f"the system view {node.name} isn't emulated")
        case exp.DataType():
            return type_of(node)
        case exp.GroupConcat():
            return listagg(node)
        case exp.WithinGroup() if isinstance(node.this, exp.AggFunc) and isinstance(node.this, exp.ArrayAgg):
            refuse("ARRAY_AGG doesn't exist in Redshift")
        case exp.WithinGroup() if node.this.args.get("listagg"):
            call = node.this
            call.append("expressions", node.expression)
            return exp.Anonymous(
                this="string_agg", expressions=[call.expressions[0], ordered(call.expressions[1], node.expression)]
            )
        case exp.Concat():
            if len(node.expressions) != 2:
                refuse("CONCAT takes two arguments in Redshift: use ||")
            return exp.paren(exp.DPipe(this=node.expressions[0], expression=node.expressions[1]))
        case exp.Anonymous():
            return function_of(node)
        case exp.CurrentTimestamp() if node.args.get("sysdate"):
            return helper("sysdate")
        case exp.CurrentTimestamp():
            refuse("CURRENT_TIMESTAMP and NOW() run on the leader node alone: GETDATE() or SYSDATE")
        case exp.Func():
            name = node.sql_name().upper()
            if name not in SAME and not isinstance(node, exp.Connector | exp.Case | exp.Cast):
                refuse(f"the function {name} doesn't exist in Redshift, or isn't emulated")
            if isinstance(node, exp.TryCast):
                refuse("TRY_CAST isn't emulated")
    return node


def listagg(node: exp.GroupConcat) -> exp.Expression:
    if isinstance(node.this, exp.Distinct):
        refuse("LISTAGG(DISTINCT …) isn't emulated: DISTINCT in a subquery")
    if isinstance(node.parent, exp.Window) or isinstance(getattr(node.parent, "parent", None), exp.Window):
        refuse("LISTAGG as a window function isn't emulated")
    separator = node.args.get("separator") or exp.Literal.string("")
    value = exp.cast(node.this.copy(), "text")
    made = exp.Anonymous(this="string_agg", expressions=[value, separator.copy()])
    made.set("listagg", True)
    return made


def ordered(separator: exp.Expression, order: exp.Expression) -> exp.Expression:
    return exp.Order(this=separator, expressions=[part.copy() for part in order.expressions])


def helper(name: str, *arguments: exp.Expression) -> exp.Expression:
    call = exp.Anonymous(this=name, expressions=list(arguments))
    call.set("helper", True)
    return exp.Dot(this=exp.to_identifier("redshift"), expression=call)


def function_of(node: exp.Anonymous) -> exp.Expression:
    name = node.name.upper()
    if node.args.get("helper") or node.args.get("listagg"):
        return node
    arguments = [argument.copy() for argument in node.expressions]
    if name == "DATE_PART" and len(arguments) == 2:
        return exp.Anonymous(this=name, expressions=[exp.Literal.string(arguments[0].name.lower()), arguments[1]])
    if name in ("DATEDIFF", "DATEADD") and len(arguments) == 3:
        part = PART_NAMES.get(arguments[0].name.lower(), arguments[0].name.lower())
        if part not in PARTS:
            refuse(f"{name} by {arguments[0].sql()} isn't emulated")
        return helper(OWN[name], exp.Literal.string(part), *arguments[1:])
    if name in OWN and name not in ("DATEDIFF", "DATEADD"):
        return helper(OWN[name], *arguments)
    if name not in SAME:
        refuse(f"the function {name} doesn't exist in Redshift, or isn't emulated")
    return node


def type_of(node: exp.DataType) -> exp.Expression:
    name = node.this.value if isinstance(node.this, exp.DataType.Type) else str(node.this)
    if name == "USERDEFINED" or name not in TYPES:
        refuse(f"the type {node.sql(dialect=Dialect)} doesn't exist in Redshift, or isn't emulated")
    if name == "DECIMAL" and not node.expressions:
        return exp.DataType.build("DECIMAL(18, 0)")
    if name in TEXTS and not node.expressions:
        # TEXT is VARCHAR(256); in an expression the length is that of the value.
        return exp.DataType.build("VARCHAR(256)" if isinstance(node.parent, exp.ColumnDef) else "TEXT")
    if name in TEXTS and node.expressions[0].sql().upper() == "MAX":
        return exp.DataType.build("VARCHAR(65535)")
    return node
