"""A Snowflake account in a folder: fakesnow on DuckDB, with transactions, MERGE, keys and names as Snowflake has them.

What the emulation would misread is refused by ``rules``. ``SNOWFLAKE_STORAGE`` names the folder, the other
variables the one user, database and schema that the account has.
"""

import contextlib
import io
import os
import re
import warnings
from pathlib import Path

import duckdb
import sqlglot
from fakesnow import copy_into as copies
from fakesnow import fakes, info_schema, macros, transforms
from fakesnow.dialect import syntax_error
from fakesnow.instance import FakeSnow
from fakesnow.transforms import stage as stages
from snowflake.connector import cursor as real
from snowflake.connector.errors import DatabaseError, IntegrityError, ProgrammingError
from snowflake.connector.util_text import split_statements
from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokens import TokenType

from emulated_snowflake import merge, rules

warnings.filterwarnings("ignore", module="fakesnow", category=UserWarning)


urls_of_bucket = copies._source_urls


def source_urls(source, files):
    """FILES of an internal stage, which fakesnow has for buckets only."""
    if stages.is_internal(source):
        return [f"{source.rstrip('/')}/{file}" for file in files]
    return urls_of_bucket(source, files)


copies._source_urls = source_urls


class Account(FakeSnow):
    """All connections of a process are to one of these. A database is a file; so are names of stages and formats."""

    def __init__(self):
        self.results_cache = {}
        self.db_path = storage = Path(os.environ["SNOWFLAKE_STORAGE"])
        names = ("account", "user", "password", "database", "schema")
        self.given = {name: os.environ["SNOWFLAKE_" + name.upper()] for name in names}
        stages.LOCAL_BUCKET_PATH = str(storage / "stages")
        storage.mkdir(parents=True, exist_ok=True)
        # As fakesnow's own, but that what spans databases is kept, too.
        self.duck_conn = duckdb.connect(config={"lambda_syntax": "ENABLE_SINGLE_ARROW"})
        self.duck_conn.execute(f"ATTACH '{storage / 'account.db'}' AS _fs_global")
        self.duck_conn.execute(info_schema.fs_global_creation_sql())
        self.duck_conn.execute(transforms.show.fs_global_creation_sql())
        self.duck_conn.execute("SET GLOBAL TimeZone = 'UTC'")
        name = self.given["database"].upper()
        self.duck_conn.execute(f"ATTACH '{storage / name}.db' AS {name}")
        self.duck_conn.execute(info_schema.per_db_creation_sql(name))
        self.duck_conn.execute(macros.creation_sql(name))
        for schema in {"PUBLIC", self.given["schema"].upper()}:
            self.duck_conn.execute(f"CREATE SCHEMA IF NOT EXISTS {name}.{schema}")


class State:
    account = None


def connect(database=None, schema=None, session_parameters=None, **options):
    if State.account is None:
        State.account = Account()
    account = State.account
    for name in ("account", "user", "password"):
        if options.get(name) != account.given[name]:
            raise DatabaseError(msg=f"Incorrect username, password or account was specified ({name})", errno=250001)
    for name, value in (session_parameters or {}).items():
        rules.admit_parameter(name, value)
    autocommit = (session_parameters or {}).get("AUTOCOMMIT", options.pop("autocommit", True))
    link = Connection(
        account.duck_conn.cursor(), account.results_cache, database, schema, False, False, account.db_path, **options
    )
    link.autocommits = bool(autocommit)
    return link


class Connection(fakes.FakeSnowflakeConnection):
    """Its transactions are kept here, not by fakesnow, to which each statement is one in autocommit."""

    autocommits = True
    is_open = False
    is_broken = False

    def cursor(self, cursor_class=real.SnowflakeCursor):
        if cursor_class not in (real.SnowflakeCursor, real.DictCursor):
            raise rules.absent(cursor_class.__name__)
        return Cursor(self, self._duck_conn, use_dict_result=cursor_class is real.DictCursor)

    def execute_string(self, sql_text, remove_comments=False, return_cursors=True, cursor_class=None, **options):
        kind = cursor_class or real.SnowflakeCursor
        texts = [text for text, *_ in split_statements(io.StringIO(sql_text), remove_comments)]
        cursors = [self.cursor(kind).execute(text) for text in texts if is_statement(text)]
        return cursors if return_cursors else []

    def autocommit(self, mode):
        if self.is_broken:
            raise rules.absent("to commit a transaction in which a statement has failed")
        self.end("commit")
        self.autocommits = mode

    def begin(self):
        if not self.is_open:
            self._duck_conn.begin()
            self.is_open = True

    def end(self, how):
        """Commit or roll back what is open, if anything is."""
        if self.is_open:
            self.is_open = self.is_broken = False
            getattr(self._duck_conn, how)()

    def close(self, retry=True):
        if not self.is_closed():
            self.end("rollback")
            super().close()

    def __exit__(self, kind, error, trace):
        if not self.autocommits:
            self.rollback() if trace else self.commit()
        self.close()

    @contextlib.contextmanager
    def noticing_failure(self):
        """Snowflake undoes the statement that failed. DuckDB gives up the transaction, and would commit none of it."""
        try:
            yield
        except BaseException:
            if self.is_open:
                try:
                    self._duck_conn.execute("SELECT 1")
                except duckdb.Error:
                    self.is_broken = True
            raise

    @contextlib.contextmanager
    def as_a_whole(self):
        """Several statements of DuckDB's that are one of Snowflake's."""
        if self.is_open:
            yield
            return
        self.begin()
        try:
            yield
        except BaseException:
            self.end("rollback")
            raise
        self.end("commit")


def is_statement(text):
    return any(True for _ in sqlglot.tokenize(text.strip().rstrip(";"), read="snowflake"))


class Cursor(fakes.FakeSnowflakeCursor):
    def execute(self, command, params=None, *arguments, **options):
        if options.get("num_statements", 1) != 1:
            raise rules.absent("several statements at once (num_statements)")
        return self.submit(self._bound(self._inline_variables(command), params))

    def submit(self, text):
        """One statement with its parameters and variables in it; what goes wrong is an error of the connector's."""
        try:
            with self._conn.noticing_failure():
                self.run(text)
        except ParseError as error:
            raise syntax_error(error) from None
        except NotImplementedError as error:
            raise rules.absent(str(error)) from error
        except duckdb.ConstraintException as error:
            said = str(error).split("\n", maxsplit=1)[0]
            too_long = "CHECK constraint" in said
            message = f"String is too long and would be truncated ({said})" if too_long else said
            raise (ProgrammingError if too_long else IntegrityError)(
                msg=message, errno=100078 if too_long else 100072, sqlstate="22000"
            ) from error
        except duckdb.Error as error:
            raise ProgrammingError(msg=str(error), errno=100038, sqlstate="22000") from error
        return self

    def executemany(self, command, seqparams, **options):
        """As the connector: rows of an INSERT go as one statement."""
        command = self._inline_variables(command)
        values = real.extract_values_clause(command) if re.match(r"\s*insert\s+into", command, re.IGNORECASE) else None
        if values is None:
            for params in seqparams:
                self.submit(self._bound(command, params))
        elif seqparams:
            rows = [self._bound(values, params) for params in seqparams]
            self.submit(command.replace(values, ",".join(rows), 1))
        return self

    def _bound(self, text, params):
        """The statement with its parameters in it, which the connector or the server would put there."""
        if params is None or (not params and not isinstance(params, dict)):
            return text
        given = params.items() if isinstance(params, dict) else enumerate(params)
        literals = {key: self._literal(value) for key, value in given}
        if self._conn._paramstyle in ("pyformat", "format"):
            return text % (literals if isinstance(params, dict) else tuple(literals.values()))
        if self._conn._paramstyle != "qmark":
            raise rules.absent(f"the parameter style {self._conn._paramstyle}")
        places = [
            token for token in sqlglot.tokenize(text, read="snowflake") if token.token_type == TokenType.PLACEHOLDER
        ]
        if len(places) != len(literals):
            raise ProgrammingError(msg=f"{len(places)} bind variables, but {len(literals)} values", errno=2049)
        for place, literal in reversed(list(zip(places, literals.values(), strict=True))):
            text = text[: place.start] + str(literal) + text[place.end + 1 :]
        return text

    def _literal(self, value):
        if isinstance(value, list | tuple):
            return "(" + ", ".join(str(self._literal(item)) for item in value) + ")"
        return self._converter.quote(self._converter.escape(self._converter.to_snowflake(value)))

    def run(self, text):
        # Which the parser doesn't know.
        text = re.sub(r"^\s*START\s+TRANSACTION\b", "BEGIN", text, flags=re.IGNORECASE)
        statements = [
            part for part in sqlglot.parse(text, read="snowflake") if part and not isinstance(part, exp.Semicolon)
        ]
        if not statements:
            raise ProgrammingError(msg="Empty SQL statement.", errno=900, sqlstate="42601")
        if len(statements) != 1:
            message = f"Actual statement count {len(statements)} did not match the desired statement count 1."
            raise ProgrammingError(msg=message, errno=8, sqlstate="0A000")
        statement = rules.as_snowflake_keeps_it(admitted(statements[0]))
        self.check_db_and_schema(statement)
        link = self._conn
        if link.is_broken and not isinstance(statement, exp.Rollback):
            raise rules.absent("to go on in a transaction in which a statement has failed")
        if isinstance(statement, exp.Transaction):
            link.begin()
        elif isinstance(statement, exp.Commit | exp.Rollback):
            link.end("commit" if isinstance(statement, exp.Commit) else "rollback")
        elif isinstance(statement, rules.DDL) and not rules.is_of_session(statement):
            link.end("commit")
        elif isinstance(statement, rules.DML) and not link.autocommits:
            link.begin()
        ends = isinstance(statement, exp.Transaction | exp.Commit | exp.Rollback)
        if ends or rules.changes_nothing(statement) or self._is_there(statement):
            self._execute(transforms.SUCCESS_NOP.copy())
        elif isinstance(statement, exp.Merge):
            with link.as_a_whole():
                self._merge(statement)
        elif isinstance(statement, exp.Copy | exp.Insert) and (
            isinstance(statement, exp.Copy) or statement.args.get("overwrite")
        ):
            with link.as_a_whole():
                self._each(statement)
        else:
            self._each(statement)
            if isinstance(statement, exp.TruncateTable):
                self._forget_loads(statement)

    def _is_there(self, statement):
        """CREATE TABLE IF NOT EXISTS of one that exists: fakesnow would forget which files are in it."""
        if not (isinstance(statement, exp.Create) and statement.kind == "TABLE" and statement.args.get("exists")):
            return False
        table = statement.find(exp.Table)
        named = [table.catalog or self._conn.database, table.db or self._conn.schema, table.name]
        sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
        return bool(self._duck_conn.execute(sql, [name.upper() for name in named]).fetchone())

    def _forget_loads(self, statement):
        """What was loaded into an emptied table may be loaded again."""
        for table in statement.expressions:
            given = [table.name.upper(), (table.db or self._conn.schema).upper()]
            sql = "DELETE FROM _fs_information_schema._fs_load_history WHERE table_name = ? AND schema_name = ?"
            self._duck_conn.execute(sql, given)

    def _each(self, statement):
        for part in self._transform_explode(statement):
            transformed = self._transform(part, None)
            self._execute(transformed)
        if uploaded := transformed.args.get("put_stage_data"):
            overwrites = any("OVERWRITE" in item.sql().upper() and "TRUE" in item.sql().upper() for item in
                             statement.args.get("properties") or ())  # fmt: skip
            self._upload(uploaded, overwrites)

    def _upload(self, uploaded, overwrites):
        """As PUT does: what is there stays, unless it is to be overwritten; then it may be loaded again."""
        kept = []
        for source in uploaded["src_locations"]:
            name = os.path.basename(source)
            packed = uploaded["autoCompress"] and not name.endswith(".gz")
            target = os.path.join(uploaded["stageInfo"]["location"], name + ".gz" * packed)
            if os.path.exists(target) and not overwrites:
                kept.append(target)
            elif os.path.exists(target):
                self._duck_conn.execute(
                    "DELETE FROM _fs_information_schema._fs_load_history WHERE FILE_NAME = ?", [target]
                )
        if kept:
            names = ", ".join(map(os.path.basename, kept))
            self._execute(sqlglot.parse_one(f"SELECT '{names}' AS source, 'SKIPPED' AS status", read="duckdb"))
        else:
            self._put_files(uploaded)

    def _merge(self, statement):
        source, merging = merge.alone(self._transform(statement, None))
        if source:
            self._duck_conn.execute(source)
        check = merge.ambiguity(merging)
        if check and self._duck_conn.execute(check.sql(dialect="duckdb")).fetchone():
            raise ProgrammingError(msg="Duplicate row detected during DML action", errno=100090, sqlstate="42P18")
        done = [action for (action,) in self._duck_conn.execute(merge.in_duckdb(merging)).fetchall()]
        counts = {
            f"number of rows {word}": done.count(action)
            for action, word in (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted"))
            if action in merge.actions(merging)
        }
        columns = ", ".join(f'{count} AS "{name}"' for name, count in counts.items())
        self._execute(sqlglot.parse_one(f"SELECT {columns}", read="duckdb"))
        self._rowcount = len(done)

    def fetchmany(self, size=None):
        """fakesnow's loses a column where two have one name."""
        if self._use_dict_result or self._arrow_table is None:
            return super().fetchmany(size)
        start = self._arrow_table_fetch_index or 0
        size = size or self._arraysize
        self._arrow_table_fetch_index = start + size
        part = self._arrow_table.slice(start, size)
        return list(zip(*(column.to_pylist() for column in part.columns), strict=True))

    def __iter__(self):
        while (row := self.fetchone()) is not None:
            yield row


def admitted(statement):
    rules.admit(statement)
    return statement


def write_pandas(conn, df, table_name, *arguments, quote_identifiers=True, **options):
    """As the connector's: it makes a stage, so it ends a transaction; quoted, the names' case has to be right."""
    if conn.is_open:
        raise rules.absent("write_pandas in a transaction, which it would end: it makes a stage")
    names = [table_name, *map(str, df.columns)]
    wrong = [name for name in names if name != name.upper()]
    if quote_identifiers and wrong:
        raise rules.wrong(f"invalid identifier '\"{wrong[0]}\"'", 904, "42000")
    with conn.as_a_whole() if not options.get("auto_create_table") else contextlib.nullcontext():
        return fakes.write_pandas(conn, df, table_name, *arguments, quote_identifiers=quote_identifiers, **options)
