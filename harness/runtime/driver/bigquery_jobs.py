"""One job on the tables: each statement is read, looked through, priced in bytes, and executed by DuckDB."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass

import duckdb
from bigquery_dialect import Refused, not_here, read, translated
from bigquery_layout import (
    FUNCTION_OF,
    NAMES,
    by,
    comment,
    declared,
    expect_layout,
    info_of,
    kept_layout,
    layout,
    selected,
    tables_of,
)
from bigquery_scan import Catalog, TableInfo, bytes_scanned, parts, resolved
from sqlglot import exp
from trusted_reader import encode

MEMORY = "1GB"
MOST_ROWS, PORTION = 200_000, 2_000
QUERY = exp.Select | exp.Union
NOT_IN_TRANSACTIONS = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)


def run(path: str, project: str, request: dict, most: int | None) -> dict:
    """A script: ``{"sql": …, "parameters": {name: [type, text]}, "dry_run": …, "maximum_bytes": …, "single": …}``.

    Behind ``most`` statements it is cancelled. The answer has the last SELECT's ``columns``, ``types`` and ``rows``,
    the ``bytes`` of all statements, and for each that was executed a letter (``done``): ``I``, or ``T`` within a
    transaction.
    """
    try:
        with connect(path) as link:
            job = Job(link, bool(request.get("dry_run")), request.get("maximum_bytes"), most)
            answer: dict = {}
            try:
                if request.get("describe"):
                    return described(link)
                if job.cancelled:
                    raise Refused("Job was cancelled")
                parameters = {
                    name.lower(): (kind, text) for name, (kind, text) in request.get("parameters", {}).items()
                }
                statements = read(str(request["sql"]), parameters, project)
                if request.get("single") and (len(statements) > 1 or not isinstance(statements[0].unnest(), QUERY)):
                    raise Refused("it has to be a single SELECT")
                for statement in statements:
                    answer = job.run(statement)
                if job.open:
                    raise Refused("Transaction was not committed at the end of the script; it was rolled back")
            except (Refused, duckdb.Error) as error:
                # What DuckDB says of the failed statement; an open transaction ends with its connection.
                answer = {"error": str(error)[:2000]}
            return {**answer, "bytes": job.bytes, "done": job.done}
    except RecursionError:
        return {"error": "Query is too complex: it is nested too deeply"}


def warm() -> None:
    """What the libraries make when they are first used, so that a process forked from this one finds it. No DuckDB:
    its threads wouldn't be there."""
    sql = "SELECT DATE(a) AS b, SUM(c) FROM x.y WHERE a >= TIMESTAMP(@d, 'Europe/Berlin') AND c IN (1) GROUP BY b"
    catalog = Catalog({"x.y": TableInfo({"a": "TIMESTAMP", "c": "NUMERIC"})}, lambda _: [(0,)])
    for statement in read(sql, {"d": ("DATE", "2026-01-01")}, ""):
        bytes_scanned(statement, catalog)
        translated(statement)


def connect(path: str) -> duckdb.DuckDBPyConnection:
    settings = {
        "allow_unsigned_extensions": "false",
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
        "memory_limit": MEMORY,
        "temp_directory": "",
        "threads": "1",
        "ieee_floating_point_ops": "false",
    }
    link = duckdb.connect(path, config=settings)
    link.execute("SET TimeZone = 'UTC'")
    link.execute("SET enable_external_access = false")
    link.execute("SET lock_configuration = true")
    return link


def describe(path: str) -> dict:
    with connect(path) as link:
        return described(link)


def described(link: duckdb.DuckDBPyConnection) -> dict:
    """Each table's columns with their types, and what it is partitioned and clustered by."""
    return {
        "tables": {
            name: {
                "columns": info.columns,
                "partitioned_by": info.partitioning.by if info.partitioning else "",
                "clustered_by": list(info.clustering),
                "needs_filter": info.needs_filter,
                "is_view": bool(info.view),
            }
            for name, info in tables_of(link).items()
        }
    }


def whole(path: str, table: str) -> dict:
    """All rows of a table, whatever filter it asks for."""
    try:
        with connect(path) as link:
            return Job(link, False, None, None).executed([f"SELECT * FROM {table}"])
    except (Refused, duckdb.Error) as error:
        return {"error": str(error)[:2000]}


def execute(path: str, statements: list) -> dict:
    """The driver's own, in DuckDB's words."""
    with connect(path) as link:
        for statement in statements:
            link.execute(statement)
    return {}


def append(path: str, table: str, columns: list, rows: list) -> dict:
    """Append rows of texts and nulls, from a file."""
    if not rows:
        return {}
    types = ", ".join(f"c{number}: 'VARCHAR'" for number in range(len(columns)))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file, duckdb.connect(path) as link:
        link.execute("SET TimeZone = 'UTC'")
        file.writelines(json.dumps({f"c{n}": value for n, value in enumerate(row)}) + "\n" for row in rows)
        file.flush()
        source = f"read_json('{file.name}', format='newline_delimited', columns={{{types}}})"
        names = ", ".join(f'"{column}"' for column in columns)
        link.execute(f"INSERT INTO {table} ({names}) SELECT * FROM {source}")
    return {}


@dataclass
class Job:
    """The statements of one script. ``most``: how many are executed before it is cancelled."""

    link: duckdb.DuckDBPyConnection
    dry: bool
    maximum: int | None
    most: int | None
    bytes: int = 0
    done: str = ""
    open: bool = False

    @property
    def cancelled(self) -> bool:
        return self.most is not None and len(self.done) >= self.most

    def run(self, statement: exp.Expression) -> dict:
        catalog = Catalog(tables_of(self.link), lambda sql: self.link.execute(sql).fetchall())
        act = next((act for kind, act in ACTS if isinstance(statement, kind)), None)
        if act is None:
            raise not_here(type(statement).__name__)
        if self.open and isinstance(statement, NOT_IN_TRANSACTIONS):
            raise Refused("DDL statements that affect permanent tables are not supported inside a transaction")
        sql = act(self, statement, catalog)
        if self.maximum is not None and self.bytes > self.maximum:
            raise Refused(f"Query exceeded limit for bytes billed: {self.maximum}. {self.bytes} or higher required.")
        if self.dry:
            return {}
        answer = self.executed(sql) if isinstance(statement, QUERY) else self.changed(sql)
        self.done += "T" if self.open else "I"
        if self.cancelled:
            raise Refused("Job was cancelled")
        return answer

    def executed(self, sql: list) -> dict:
        cursor = self.link.execute(sql[0])
        found: dict = {
            "columns": [column[0] for column in cursor.description],
            "types": [type_name(str(column[1])) for column in cursor.description],
            "rows": [],
        }
        while portion := cursor.fetchmany(PORTION):
            found["rows"] += [[encode(value) for value in row] for row in portion]
            if len(found["rows"]) > MOST_ROWS:
                raise Refused(f"Response too large to return: more than {MOST_ROWS} rows")
        return found

    def changed(self, sql: list) -> dict:
        """All or nothing: a statement of BigQuery's may be several of DuckDB's."""
        alone = not self.open and len(sql) > 1
        for text in ["BEGIN", *sql, "COMMIT"] if alone else sql:
            self.link.execute(text)
        return {}

    # -- what each kind of statement is ------------------------------------------------------------------------------

    def query(self, statement: exp.Expression, catalog: Catalog) -> list:
        self.bytes += bytes_scanned(statement, catalog)
        return [translated(statement)]

    def control(self, statement: exp.Expression, catalog: Catalog) -> list:
        begins = isinstance(statement, exp.Transaction)
        if begins == self.open:
            raise Refused("Transaction is already in progress" if begins else "There is no transaction in progress")
        self.open = begins
        return [translated(statement)]

    def create(self, statement: exp.Create, catalog: Catalog) -> list:
        if statement.kind == "SCHEMA":
            statement.set("properties", None)
            return [translated(statement)]
        schema = statement.this
        table = schema.this if isinstance(schema, exp.Schema) else schema
        name = named(table)
        query = statement.expression
        if isinstance(query, exp.Expression):
            if not isinstance(query.unnest(), QUERY):
                raise not_here(f"CREATE … AS {type(query).__name__}")
            self.bytes += bytes_scanned(query, catalog) if statement.kind == "TABLE" else 0
            if statement.kind == "TABLE" and isinstance(schema, exp.Schema):
                raise not_here(
                    "a list of columns before AS SELECT", "cast there, or INSERT into the table once it is made"
                )
        elif query is not None or not isinstance(schema, exp.Schema):
            raise not_here("a table without columns, CLONE or COPY", "use CREATE TABLE … AS SELECT")
        if statement.kind == "VIEW":
            if isinstance(schema, exp.Schema):
                raise not_here("a view with a list of columns", "name them in its SELECT")
            resolved(query, catalog)
            return [translated(statement), comment("VIEW", name, {"view": query.sql(dialect="bigquery")})]
        if statement.kind != "TABLE":
            raise not_here(f"CREATE {statement.kind}")
        there = catalog.tables.get(name)
        if there and statement.args.get("exists"):
            return [translated(statement)]
        said = layout(statement.args.get("properties"))
        columns = declared(schema) if isinstance(schema, exp.Schema) else selected(query, catalog)
        info = info_of(columns, said)
        expect_layout(info)
        if there and statement.args.get("replace") and there.partitioning != info.partitioning:
            raise Refused(
                f"Cannot replace a table with a different partitioning spec. Instead, DELETE the table, and then "
                f"recreate it. New partitioning spec is {by(info)} and existing spec is {by(there)}"
            )
        statement.set("properties", None)
        for column in statement.find_all(exp.ColumnDef):
            kept = [one for one in column.constraints if isinstance(one.kind, exp.NotNullColumnConstraint)]
            column.set("constraints", kept)
        return [translated(statement), comment("TABLE", name, said)]

    def drop(self, statement: exp.Drop, catalog: Catalog) -> list:
        if statement.args.get("kind") not in ("TABLE", "VIEW"):
            raise not_here(f"DROP {statement.args.get('kind')}")
        for table in statement.find_all(exp.Table):
            if not statement.args.get("exists"):
                catalog.find(table)
        return [translated(statement)]

    def alter(self, statement: exp.Alter, catalog: Catalog) -> list:
        name, info = catalog.find(statement.this)
        found = []
        for action in statement.args["actions"]:
            one = exp.Alter(this=statement.this.copy(), kind="TABLE", actions=[action.copy()])
            if isinstance(action, exp.AlterSet):
                needs = layout(action).get("filter", info.needs_filter)
                found.append(comment("TABLE", name, kept_layout(info) | {"filter": needs}))
            elif (isinstance(action, exp.AlterRename) and not action.this.db) or (
                isinstance(action, exp.ColumnDef) and not action.constraints
            ):
                found.append(translated(one))
            else:
                raise not_here(f"ALTER TABLE … {action.sql(dialect='bigquery')[:80]}")
        return found

    def truncate(self, statement: exp.TruncateTable, catalog: Catalog) -> list:
        for table in statement.expressions:
            catalog.find(table)
        return [translated(statement)]

    def insert(self, statement: exp.Insert, catalog: Catalog) -> list:
        schema = statement.this
        name, info = catalog.find(schema.this if isinstance(schema, exp.Schema) else schema)
        query = statement.expression
        if isinstance(query, exp.Values):
            return [translated(statement)]
        self.bytes += bytes_scanned(query, catalog)
        columns = (
            [column.name for column in schema.expressions] if isinstance(schema, exp.Schema) else list(info.columns)
        )
        kinds = {column.lower(): kind for column, kind in info.columns.items()}
        for column, given in zip(columns, selected(query, catalog).values(), strict=False):
            moment = "TIMESTAMP" in (given, kinds.get(column.lower()))
            if moment and given != kinds.get(column.lower()) and given in FUNCTION_OF:
                raise Refused(f"Query column {column} has type {given} which cannot be inserted into {name}.{column}")
        return [translated(statement)]

    def change(self, statement: exp.Expression, catalog: Catalog) -> list:
        """DELETE and UPDATE read all columns of the partitions that their condition leaves."""
        where, joined = statement.args.get("where"), statement.args.get("from_")
        if where is None:
            raise Refused(f"{type(statement).__name__.upper()} must have a WHERE clause")
        query = exp.select("*").from_(statement.this.copy()).where(where.this.copy())
        for source in [joined.this] if joined else ():
            query = query.join(source.copy(), join_type="cross")
        self.bytes += bytes_scanned(query, catalog)
        return [translated(statement)]

    def merge(self, statement: exp.Merge, catalog: Catalog) -> list:
        """It reads all columns of what the conditions on the target alone leave of it, and all of its source."""
        target, source, on = statement.this, statement.args["using"], statement.args["on"]
        if on.find(exp.Query):
            raise not_here("a subquery in MERGE … ON")
        own = [part.copy() for part in parts(on) if tables_in(part) == {target.alias_or_name}]
        query = exp.select("*").from_(target.copy())
        self.bytes += bytes_scanned(query.where(*own) if own else query, catalog)
        self.bytes += bytes_scanned(exp.select("*").from_(source.copy()), catalog)
        if not self.dry and any(when.args["matched"] for when in statement.args["whens"].expressions):
            # DuckDB would take one of them.
            alias = target.alias_or_name
            pairs = exp.select(f"{alias}.rowid").from_(target.copy()).join(source.copy(), on=on.copy())
            pairs = pairs.group_by(f"{alias}.rowid").having("count(*) > 1").limit(1)
            if catalog.ask(translated(pairs)):
                raise Refused("UPDATE/MERGE must match at most one source row for each target row")
        return [translated(statement)]


ACTS = (
    (QUERY, Job.query),
    (exp.Subquery, Job.query),
    ((exp.Transaction, exp.Commit, exp.Rollback), Job.control),
    (exp.Create, Job.create),
    (exp.Drop, Job.drop),
    (exp.Alter, Job.alter),
    (exp.TruncateTable, Job.truncate),
    (exp.Insert, Job.insert),
    ((exp.Delete, exp.Update), Job.change),
    (exp.Merge, Job.merge),
)


def type_name(kind: str) -> str:
    return NAMES.get(kind, "NUMERIC" if "DECIMAL" in kind else kind)


def tables_in(node: exp.Expression) -> set:
    return {column.table for column in node.find_all(exp.Column)}


def named(table: exp.Expression) -> str:
    if not isinstance(table, exp.Table) or not table.db:
        raise Refused(f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).')
    return f"{table.db}.{table.name}"
