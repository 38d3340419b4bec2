"""Redshift's SQL in PostgreSQL's: what each statement is sent to the server as, or why it isn't.

A statement becomes a few steps. What PostgreSQL would accept and take for something else is rewritten (``AVG`` of
integers, lengths in bytes, ``DECIMAL`` without digits, keys that nobody enforces, ``TRUNCATE``'s commit) or refused.
Functions and types are on lists of what is known to mean the same: another one is refused, whatever PostgreSQL thinks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import redshift_tables
import sqlglot
from redshift_expressions import Dialect, adapted, sql_of, written
from redshift_files import copy_steps, unload_step
from redshift_steps import LONGEST, Refused, Step, literal, refuse
from sqlglot import exp
from sqlglot.tokens import Token, TokenType

CATALOG = re.compile(r"\s*SELECT\b[^;]*\bFROM\s+pg_catalog\.pg_[^;]*;?\s*", re.IGNORECASE)
TABLE_NAME = r"[\w.]+"
VACUUM = re.compile(rf"VACUUM(?:\s+(?:FULL|SORT\s+ONLY|DELETE\s+ONLY))?(\s+{TABLE_NAME})?\s*", re.IGNORECASE)
ANALYZE = re.compile(rf"ANALYZE(\s+{TABLE_NAME})?\s*", re.IGNORECASE)
LOCK = re.compile(rf"LOCK\s+(?:TABLE\s+)?({TABLE_NAME}(?:\s*,\s*{TABLE_NAME})*)\s*", re.IGNORECASE)
SETTINGS = {"search_path", "timezone", "statement_timeout", "datestyle", "client_encoding", "query_group"}
PLAIN = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "(", "DROP", "GRANT", "REVOKE", "COMMENT", "CREATE"}
TRANSACTIONS = {"BEGIN": "BEGIN", "START": "BEGIN", "COMMIT": "COMMIT", "END": "COMMIT"}
TRANSACTIONS |= {"ROLLBACK": "ROLLBACK", "ABORT": "ROLLBACK"}


@dataclass(frozen=True)
class Statement:
    """One statement: its text, and its tokens with the places where they stand in the text."""

    text: str
    tokens: list[Token]

    @property
    def words(self) -> list[str]:
        return [token.text.upper() for token in self.tokens]


def statements(sql: str) -> list[Statement]:
    found, current = [], []
    tokens = Dialect().tokenize(sql)
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            found, current = [*found, current], []
        else:
            current.append(token)
    made = []
    for part in filter(None, [*found, current]):
        text = sql[part[0].start : part[-1].end + 1]
        made.append(Statement(text, Dialect().tokenize(text)))
    return made


def translate(sql: str, buckets: str) -> list[Step]:
    """``buckets``: the folder with S3's buckets. Raises ``Refused``."""
    if len(sql) > LONGEST:
        refuse(f"a query of more than {LONGEST} characters isn't emulated")
    if CATALOG.fullmatch(sql):
        return [Step(sql)]  # what psql asks for \d
    try:
        found = statements(sql)
        if sum(statement.words[0] in ("COPY", "UNLOAD") for statement in found) > 1:
            refuse("a query has one COPY or UNLOAD at most here: send them one by one")
        return [step for statement in found for step in steps_of(statement, buckets)]
    except Refused:
        raise
    except RecursionError:
        refuse("it is nested too deeply")
    except sqlglot.errors.SqlglotError as error:
        refuse(f"syntax error: {re.sub(chr(27) + r'.[0-9;]*m', '', str(error)).strip()[:300]}")
    except Exception as error:  # sqlglot's, on what no grammar foresees
        refuse(f"it can't be read: {type(error).__name__}: {error}"[:300])


def steps_of(statement: Statement, buckets: str) -> list[Step]:
    words = statement.words
    match words[0]:
        case "COPY":
            return copy_steps(statement.tokens, buckets)
        case "UNLOAD":
            # To sqlglot all behind the word is one text.
            return [unload_step(Dialect().tokenize(statement.text[len("UNLOAD") :]), buckets, query_of)]
        case "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT":
            # Isolation levels are accepted and mean nothing: a cluster has one.
            if "TO" in words or "SAVEPOINT" in words:
                refuse("savepoints don't exist in Redshift")
            return [Step(TRANSACTIONS[words[0]] + (" READ ONLY" if "ONLY" in words else ""))]
        case "LOCK":
            if not (named := LOCK.fullmatch(statement.text)):
                refuse("LOCK takes names of tables alone")
            return [Step(f"LOCK TABLE {named[1]}")]
        case "ANALYZE" | "VACUUM" as word:
            # As in Redshift, VACUUM stands in no transaction.
            if not (named := (VACUUM if word == "VACUUM" else ANALYZE).fullmatch(statement.text)):
                refuse(f"{word} is emulated with the name of a table, without further options")
            return [Step(f"{word}{named[1] or ''}")]
        case "EXPLAIN":
            return [Step(f"EXPLAIN {query_of(statement.text[len('EXPLAIN') :])}")]
        case "SHOW" if len(words) == 2:
            return [Step(statement.text)]
        case "SET" | "RESET":
            if len(words) < 2 or words[1].lower() not in SETTINGS:
                refuse(f"the setting {words[1].lower() if len(words) > 1 else ''} isn't emulated")
            return [Step(statement.text)] if words[1] != "QUERY_GROUP" else [Step("SELECT 1", True, tag="SET")]
        case "TRUNCATE":
            # It commits what it stands in, and can't be rolled back.
            tree = parsed(statement.text, exp.TruncateTable)
            if len(tree.expressions) != 1:
                refuse("TRUNCATE takes one table")
            return [Step(written(tree)), Step("COMMIT", hidden=True)]
        case "CREATE" if "TABLE" in words[:4]:
            return create_table(statement)
        case "ALTER":
            return alter_table(statement)
        case "MERGE":
            return merge(statement)
        case first if first in PLAIN:
            return [Step(plain(statement.text))]
        case first:
            raise Refused(f"{first} isn't emulated")


def parsed(sql: str, *kinds: type[exp.Expression]) -> exp.Expression:
    found = sqlglot.parse(sql, read=Dialect)
    if len(found) != 1 or found[0] is None or (kinds and not isinstance(found[0], kinds)):
        refuse(f"it can't be read: {sql[:80]}")
    return found[0]


def query_of(sql: str) -> str:
    return written(parsed(sql, exp.Query))


def plain(sql: str) -> str:
    kinds = (exp.Query, exp.DML, exp.Drop, exp.Grant, exp.Revoke, exp.Comment, exp.Create)
    tree = parsed(sql, *kinds)
    if isinstance(tree, exp.Create):
        if tree.kind not in ("SCHEMA", "VIEW"):
            refuse(f"CREATE {tree.kind} doesn't exist in Redshift, or isn't emulated")
        if tree.args.get("no_schema_binding"):
            refuse("a late-binding view isn't emulated")
        if properties := tree.args.get("properties"):
            refuse(f"CREATE {tree.kind} with {properties.sql(dialect=Dialect)} isn't emulated")
    if isinstance(tree, exp.Drop) and tree.args.get("kind") not in ("TABLE", "VIEW", "SCHEMA"):
        refuse(f"DROP {tree.args.get('kind')} isn't emulated")
    return written(tree)


# -- tables ----------------------------------------------------------------------------------------------------


def create_table(statement: Statement) -> list[Step]:
    facts, text = redshift_tables.facts_of(statement.text, statement.tokens)
    tree = parsed(text, exp.Create)
    if properties := tree.args.get("properties"):
        others = [
            part for part in properties.expressions if not isinstance(part, exp.TemporaryProperty | exp.LikeProperty)
        ]
        if others:
            refuse(f"CREATE TABLE with {others[0].sql(dialect=Dialect)} isn't emulated")
    like = next(tree.find_all(exp.LikeProperty), None)
    if isinstance(tree.this, exp.Schema):
        redshift_tables.without_keys(tree.this, facts)
    sql = sql_of(redshift_tables.with_own_rules(adapted(tree), facts))
    name = (tree.this.this if isinstance(tree.this, exp.Schema) else tree.this).sql(dialect="postgres")
    if name.startswith("#"):
        refuse("a # before a table's name isn't emulated: CREATE TEMP TABLE")
    return [
        Step(sql),
        note(name, facts.public(), like.this.sql(dialect="postgres") if like else None),
    ]


def note(table: str, facts: dict[str, object], like: str | None = None, function: str = "note") -> Step:
    """Writes down what PostgreSQL has no place for; in one transaction with the statement before it."""
    arguments = [literal(table), literal(json.dumps(facts))] + ([literal(like)] if like else [])
    body = f"BEGIN PERFORM redshift.{function}({', '.join(arguments)}); END"
    return Step(f"DO {literal(body)}", hidden=True)


def alter_table(statement: Statement) -> list[Step]:
    tree = parsed(statement.text, exp.Alter)
    actions = tree.args["actions"]
    if tree.args.get("kind") != "TABLE" or len(actions) != 1:
        refuse("ALTER is emulated for one change of one table")
    table, action = tree.this.sql(dialect="postgres"), actions[0]
    match action:
        case exp.AlterSortKey():
            keys = [part.name.lower() for part in action.expressions]
            facts: dict[str, object] = {"sortkey": keys, "sortstyle": "AUTO" if action.name == "AUTO" else "COMPOUND"}
        case exp.AlterDistStyle():
            if isinstance(action.this, exp.Column):
                facts = {"diststyle": "KEY", "distkey": action.this.name.lower()}
            else:
                facts = {"diststyle": action.name.upper(), "distkey": None}
        case exp.AddConstraint():
            return [note(table, {}, function="alter"), Step("SELECT 1", hides_rows=True, tag="ALTER TABLE")]
        case exp.AlterRename():
            return [Step(written(tree))]
        case exp.ColumnDef() | exp.Drop() | exp.RenameColumn():
            tree = redshift_tables.with_own_rules(adapted(tree), redshift_tables.Facts())
            return [Step(sql_of(tree)), note(table, {}, function="alter")]
        case _:
            refuse(f"ALTER TABLE {action.sql(dialect=Dialect)[:60]} isn't emulated")
    return [note(table, facts, function="alter"), Step("SELECT 1", hides_rows=True, tag="ALTER TABLE")]


def merge(statement: Statement) -> list[Step]:
    simplified = re.search(r"\bREMOVE\s+DUPLICATES\s*$", statement.text, re.IGNORECASE)
    text = statement.text[: simplified.start()] if simplified else statement.text
    tree = parsed(f"{text} WHEN MATCHED THEN DELETE" if simplified else text, exp.Merge)
    if not isinstance(tree.args["using"], exp.Table):
        refuse("MERGE takes a table as its source, not a subquery")
    whens = tree.args["whens"].expressions
    if not simplified:
        if [bool(when.args.get("matched")) for when in whens] != [True, False]:
            refuse("MERGE takes one WHEN MATCHED and one WHEN NOT MATCHED, in this order")
        if any(when.args.get("condition") for when in whens):
            refuse("WHEN … AND doesn't exist in Redshift's MERGE")
        if tree.this.alias:
            refuse("the target of a MERGE has no alias in Redshift")
        if re.search(r"\bTHEN\s+INSERT\s+VALUES\b", text, re.IGNORECASE):
            refuse("the INSERT of a MERGE has to name its columns here")
        return [Step(written(tree))]
    if tree.this.alias:
        refuse("the target of a MERGE has no alias in Redshift")
    tree = adapted(tree)
    target, source = (tree.args[name].sql(dialect="postgres") for name in ("this", "using"))
    condition = tree.args["on"].sql(dialect="postgres")
    name, target_name = tree.args["using"].alias_or_name, tree.this.alias_or_name
    many = f"SELECT FROM {target} JOIN {source} ON {condition} GROUP BY {target_name}.ctid HAVING count(*) > 1"
    check = f"BEGIN IF EXISTS ({many}) THEN RAISE 'Found multiple matches to update the same tuple.'; END IF; END"
    return [
        Step(f"DO {literal(check)}", hidden=True),
        Step(f"DELETE FROM {target} USING {source} WHERE {condition}", hidden=True),
        Step(f"INSERT INTO {target} SELECT {name}.* FROM {source}", tag="MERGE"),
    ]
