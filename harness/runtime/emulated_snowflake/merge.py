"""MERGE as Snowflake runs it, by DuckDB's own: atomic, and refused where its result would be a matter of chance."""

from sqlglot import exp

SOURCE = "_merge_source"
ACTIONS = {exp.Insert: "INSERT", exp.Update: "UPDATE"}


def action(when):
    return ACTIONS.get(type(when.args["then"]), "DELETE")


def actions(merge):
    return {action(when) for when in merge.args["whens"].expressions}


def alone(merge):
    """How to make a table of the source, and the merge with that table; nothing to make where it is one.

    DuckDB would let a subquery see the target's columns, and prefer them to the subquery's own aliases.
    """
    source = merge.args["using"]
    if isinstance(source, exp.Table):
        return "", merge
    made = f"CREATE OR REPLACE TEMPORARY TABLE {SOURCE} AS {exp.select('*').from_(source.copy()).sql(dialect='duckdb')}"
    merge = merge.copy()
    merge.set("using", exp.alias_(exp.to_table(SOURCE), source.alias_or_name, table=True))
    return made, merge


def ambiguity(merge):
    """A query that finds a target row which several source rows would change; none if no row is changed.

    That several rows delete the same one is no ambiguity.
    """
    matched = [when for when in merge.args["whens"].expressions if when.args.get("matched")]
    if not matched:
        return None
    target = exp.column("rowid", table=merge.this.alias_or_name)
    case = exp.Case(
        ifs=[
            exp.If(this=when.args.get("condition") or exp.true(), true=exp.Literal.string(action(when)))
            for when in matched
        ]
    ).copy()
    pairs = (
        exp.select(exp.alias_(target, "target"), exp.alias_(case, "action"))
        .from_(merge.this.copy())
        .join(merge.args["using"].copy(), on=merge.args["on"].copy())
    )
    several = "count(*) > 1 AND count(*) FILTER (WHERE action <> 'DELETE') > 0"
    return (
        exp.select("target")
        .from_(pairs.subquery("pairs"))
        .where("action IS NOT NULL")
        .group_by("target")
        .having(several, dialect="duckdb")
        .limit(1)
    )


def in_duckdb(merge):
    """DuckDB wants the target's columns without a qualifier."""
    merge = merge.copy()
    for when in merge.args["whens"].expressions:
        then = when.args["then"]
        if isinstance(then, exp.Update):
            for change in then.expressions:
                change.set("this", exp.column(change.this.this.copy()))
        if isinstance(then, exp.Insert) and isinstance(then.this, exp.Tuple):
            columns = [
                exp.column(name.this.copy() if isinstance(name, exp.Column) else name.copy())
                for name in then.this.expressions
            ]
            then.this.set("expressions", columns)
    return merge.sql(dialect="duckdb") + " RETURNING merge_action"
