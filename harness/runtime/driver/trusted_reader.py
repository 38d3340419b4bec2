"""Runs statements for the grader, as the driver user, and returns values in a form that JSON keeps exact.

Values beyond JSON's are tagged lists: ["decimal", "1.20"], ["date", "2026-01-31"], ["timestamp", "2026-01-31T10:00"],
["float", "nan"], ["bytes", "<hex>"], ["list", […]], ["json", "…"].
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import decimal
import io
import json
import math
import os
import shutil
import stat
import tempfile

MOST_ROWS, MOST_BYTES, PORTION = 500_000, 48 << 20, 2_000
# A stranger's database file: nothing is loaded or installed for it, and what it asks for is bounded.
CAUTIOUS = {
    "allow_unsigned_extensions": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "memory_limit": "1GB",
    "temp_directory": "",
    "threads": "1",
}
# Who may have sessions of its own beside the superuser: all of them are over when the grader looks.
OTHERS = "('loader', 'reader', 'upstream')"


def warm() -> None:
    with contextlib.suppress(ImportError):
        import psycopg2
        import psycopg2.extras  # noqa: F401
    with contextlib.suppress(ImportError):
        import duckdb  # noqa: F401


def encode(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else ["float", repr(value)]
    if isinstance(value, decimal.Decimal):
        return ["decimal", str(value)]
    if isinstance(value, datetime.datetime):
        if value.tzinfo:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return ["timestamp", value.isoformat()]
    if isinstance(value, datetime.date):
        return ["date", value.isoformat()]
    if isinstance(value, bytes | memoryview | bytearray):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, list | tuple):
        return ["list", [encode(item) for item in value]]
    if isinstance(value, dict):
        return ["json", json.dumps(value, sort_keys=True, default=str)]
    return str(value)


def result(cursor) -> dict:
    """All rows, portion by portion: a table that is too big is refused before it fills the memory."""
    rows, size = [], 0
    while portion := cursor.fetchmany(PORTION):
        encoded = [[encode(value) for value in row] for row in portion]
        rows += encoded
        size += len(json.dumps(encoded))
        if len(rows) > MOST_ROWS or size > MOST_BYTES:
            raise ValueError(f"more than {MOST_ROWS} rows or {MOST_BYTES} bytes")
    return {"columns": [column[0] for column in cursor.description or ()], "rows": rows}


def failure(error: Exception) -> dict:
    return {"error": f"{type(error).__name__}: {error}".strip()}


def end_sessions(host: str, password: str) -> None:
    """End what is left of the submission's sessions (its processes are gone), and of readings that were given up."""
    import psycopg2

    link = psycopg2.connect(host=host, user="postgres", password=password, dbname="postgres")
    with contextlib.closing(link), link.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE usename IN {OTHERS}")


def postgres_query(host: str, password: str, database: str, sql: str, alone: bool) -> dict:
    """One query as ``reader``, which can read everything, whatever policies there are, and change nothing.

    ``alone``: nobody of the submission's is at work.
    """
    import psycopg2

    try:
        if alone:
            end_sessions(host, password)
    except psycopg2.Error as error:
        return {"lost": f"{type(error).__name__}: {error}".strip()}
    try:
        settings = ("default_transaction_read_only=on", "statement_timeout=55000", "search_path=pg_catalog")
        options = " ".join(f"-c {setting}" for setting in settings)
        with (
            contextlib.closing(
                psycopg2.connect(host=host, user="reader", password=password, dbname=database, options=options)
            ) as link,
            # On the server: a view without end is never fetched as a whole.
            link.cursor("reading") as cursor,
        ):
            cursor.execute(sql)
            return result(cursor)
    # Anything: values that Python has no room for (the year 20000), nested too deeply, or not what their type says.
    except Exception as error:
        return failure(error)


def postgres_execute(host: str, password: str, database: str, statements: list[str], user: str = "postgres") -> dict:
    """Statements of the grader's own, one by one in autocommit."""
    import psycopg2

    secret = "loader" if user == "loader" else password
    options = "-c lock_timeout=20000 -c statement_timeout=60000"
    try:
        end_sessions(host, password)
        with contextlib.closing(
            psycopg2.connect(host=host, user=user, password=secret, dbname=database, options=options)
        ) as link:
            link.autocommit = True
            with link.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        return {}
    except psycopg2.Error as error:
        return failure(error)


def postgres_copy(host: str, password: str, database: str, table: str, columns: list[str], rows: list[list]) -> dict:
    """Append rows to a table of the world's, by COPY."""
    import psycopg2

    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow(["\\N" if value is None else value for value in row])
    text.seek(0)
    options = "-c lock_timeout=20000 -c statement_timeout=60000"
    try:
        end_sessions(host, password)
        with contextlib.closing(
            psycopg2.connect(host=host, user="upstream", password=password, dbname=database, options=options)
        ) as link:
            with link.cursor() as cursor:
                names = ", ".join(f'"{column}"' for column in columns)
                cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN WITH (FORMAT csv, NULL '\\N')", text)
            link.commit()
        return {}
    except psycopg2.Error as error:
        return failure(error)


def duckdb_query(path: str, sql: str) -> dict:
    """One query on a copy of a submission's database file, so that neither disturbs the other."""
    import duckdb

    with tempfile.TemporaryDirectory(dir=os.environ.get("HOME")) as folder:
        copy = os.path.join(folder, os.path.basename(path))
        try:
            for suffix in ("", ".wal"):
                if suffix and not os.path.lexists(path + suffix):
                    continue
                copy_regular(path + suffix, copy + suffix)
            with duckdb.connect(copy, config=CAUTIOUS) as link:
                link.execute("SET enable_external_access = false")
                link.execute("SET lock_configuration = true")
                return result(link.execute(sql))
        except Exception as error:  # as above
            return failure(error)


def duckdb_measure(path: str, sql: str, variables: dict[str, str]) -> dict:
    """One SELECT of a submission's on a database of the grader's, and what it took by DuckDB's own profile."""
    import duckdb

    try:
        with duckdb.connect(path, read_only=True, config=CAUTIOUS) as link:
            for name, value in variables.items():
                link.execute(f"SET VARIABLE {name} = {value}")
            link.execute("SET enable_profiling = 'no_output'")
            link.execute("SET enable_external_access = false")
            link.execute("SET lock_configuration = true")
            kinds = [statement.type for statement in link.extract_statements(sql)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise ValueError("it has to be a single SELECT")
            answer = result(link.execute(sql))
            took = json.loads(link.get_profiling_information(format="json"))
            # What is answered from a table's metadata scans nothing, and DuckDB leaves the figures out.
            figures = {"scanned": "cumulative_rows_scanned", "processed": "cumulative_cardinality"}
            return answer | {name: took.get(figure, 0) for name, figure in figures.items()}
    except Exception as error:  # as above
        return failure(error)


def copy_regular(source: str, target: str) -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file, open(target, "wb") as copy:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{source} is not a regular file")
        shutil.copyfileobj(file, copy)


def duckdb_execute(path: str, statements: list[str]) -> dict:
    """Statements of the grader's own on a database file of the grader's own."""
    import duckdb

    try:
        with duckdb.connect(path) as link:
            for statement in statements:
                link.execute(statement)
        os.chmod(path, 0o644)
        return {}
    except duckdb.Error as error:
        return failure(error)


def duckdb_append(path: str, table: str, columns: list[str], rows: list[list]) -> dict:
    """Append rows of texts and nulls to a table of the world's, from a file: for parameters, DuckDB imports pandas."""
    import duckdb

    if not rows:
        return {}
    types = ", ".join(f"c{number}: 'VARCHAR'" for number in range(len(columns)))
    names = ", ".join(f'"{column}"' for column in columns)
    try:
        with tempfile.NamedTemporaryFile("w", dir=".", suffix=".json") as file, duckdb.connect(path) as link:
            file.writelines(json.dumps({f"c{n}": value for n, value in enumerate(row)}) + "\n" for row in rows)
            file.flush()
            source = f"read_json('{file.name}', format='newline_delimited', columns={{{types}}})"
            link.execute(f"INSERT INTO {table} ({names}) SELECT * FROM {source}")
        return {}
    except duckdb.Error as error:
        return failure(error)
