"""Snowflake's rules where DuckDB has others; what would be misread is refused; who may be killed, and what is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.engines.snowflake import Snowflake
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.submission import Submission
from tests.engines.conftest import begin, quick_sandbox, task_with

pytestmark = pytest.mark.engines

CONNECT = """
import json, os, sys
import snowflake.connector
names = ("account", "user", "password", "role", "warehouse", "database", "schema")
settings = {name: os.environ["SNOWFLAKE_" + name.upper()] for name in names}
def connect(**more):
    return snowflake.connector.connect(**{**settings, **more})
"""
# Says of each statement what it returned, or which error.
SAY = (
    CONNECT
    + """
link = connect(**json.loads(sys.argv[2]))
said = []
for statement in json.loads(sys.argv[1]):
    try:
        said.append([list(row) for row in link.cursor().execute(statement).fetchall()])
    except snowflake.connector.errors.Error as error:
        said.append(f"{type(error).__name__} {error.errno} {error}")
print(json.dumps(said, default=str))
"""
)


@pytest.fixture(scope="module")
def opened() -> Iterator[Lab]:
    task = task_with(["snowflake"], "snowflake")
    with Lab(task, quick_sandbox(), Submission()) as lab:
        yield lab


@pytest.fixture
def lab(opened: Lab) -> Lab:
    return begin(opened, {"say.py": SAY})


def run(lab: Lab, script: str, *arguments: str) -> Completed:
    return lab.use(Snowflake).run(script, *arguments, timeout=60)


def say(lab: Lab, *statements: str, **settings: Any) -> list[Any]:
    done = run(lab, "say.py", json.dumps(statements), json.dumps(settings))
    assert done.ok, done.explain()
    found: list[Any] = json.loads(done.stdout)
    return found


def ids(lab: Lab, table: str = "t") -> list[int]:
    return sorted(lab.use(Snowflake).table(table).column("ID"))


MADE = "CREATE TABLE t (id NUMBER, name VARCHAR(5), v VARIANT)"

# What Snowflake has and the account hasn't -> what the error names.
ABSENT = {
    "CREATE STREAM s ON TABLE t": "CREATE STREAM",
    "CREATE TASK k AS SELECT 1": "CREATE TASK",
    "CREATE DYNAMIC TABLE d TARGET_LAG = '1 minute' WAREHOUSE = w AS SELECT 1 AS n": "DYNAMIC",
    "CREATE PROCEDURE p() RETURNS INT LANGUAGE SQL AS 'x'": "CREATE PROCEDURE",
    "CREATE FUNCTION f(a INT) RETURNS INT AS 'a'": "CREATE FUNCTION",
    "CREATE MATERIALIZED VIEW m AS SELECT 1 AS n": "MATERIALIZED",
    "CALL p()": "CALL",
    "EXECUTE IMMEDIATE 'SELECT 1'": "EXECUTE",
    "UNDROP TABLE t": "UNDROP",
    "SELECT * FROM t AT (OFFSET => -60)": "time travel",
    "CREATE TABLE c CLONE t BEFORE (STATEMENT => 'x')": "time travel",
    "COPY INTO @~/x FROM t": "unload",
    "GET @~ file:///tmp": "GET",
    "GRANT SELECT ON t TO ROLE r": "GRANT",
    "ALTER TABLE t SWAP WITH u": "SWAP",
    "ALTER TABLE t ADD COLUMN more VARCHAR(3)": "ALTER",
    "ALTER SESSION SET ERROR_ON_NONDETERMINISTIC_MERGE = FALSE": "ERROR_ON_NONDETERMINISTIC_MERGE",
    "ALTER SESSION SET TIMEZONE = 'Europe/Berlin'": "TIMEZONE",
    "SET n = (SELECT max(id) FROM t)": "SET",
    "CREATE TABLE z (at TIMESTAMP_TZ)": "TIMESTAMP_TZ",
    'SELECT "id" FROM t': "quoted name",
    "SELECT hash(id) FROM t": "function hash",
    "SELECT * FROM t JOIN (SELECT v:id AS id FROM t QUALIFY id = max(id) OVER ()) AS u ON t.id = u.id": "an alias",
    "INSERT ALL INTO t (id) VALUES (n) SELECT 1 AS n": "not emulated",
}
# What DuckDB would take, and Snowflake doesn't know.
WRONG = {
    "INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING": "ON CONFLICT",
    "DELETE FROM t RETURNING id": "RETURNING",
    "SELECT DISTINCT ON (id) * FROM t": "DISTINCT ON",
    "SELECT * FROM read_csv('/etc/passwd')": "for a table",
    "SELECT * FROM '/data/x.csv'": "for a table",
    "CREATE TABLE checked (id INT CHECK (id > 0))": "CHECK",
    "MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE": "BY SOURCE",
    "SELECT 1; SELECT 2": "statement count 2",
}


def test_what_would_be_misread_is_refused(lab: Lab) -> None:
    said = say(lab, MADE, *ABSENT, *WRONG, "SELECT count(*) FROM t")
    for (statement, what), error in zip({**ABSENT, **WRONG}.items(), said[1:-1], strict=True):
        assert isinstance(error, str), f"accepted: {statement}"
        assert what in error, statement
        assert ("not emulated" in error) == (statement in ABSENT), error
    assert said[-1] == [[0]]


MERGE = """
MERGE INTO t USING (SELECT column1 AS id, column2 AS name, column3 AS gone FROM VALUES {rows}) AS s ON t.id = s.id
WHEN MATCHED AND s.gone THEN DELETE
WHEN MATCHED AND s.name IS NOT NULL THEN UPDATE SET t.name = s.name
WHEN NOT MATCHED AND NOT s.gone THEN INSERT (id, name) VALUES (s.id, s.name)
"""


def test_a_merge_whose_result_were_chance_is_an_error_and_changes_nothing(lab: Lab) -> None:
    ambiguous = ["(1, 'x', FALSE), (1, 'y', FALSE)", "(1, 'x', FALSE), (1, 'y', TRUE)"]
    # Several rows that delete one, or of which no clause takes more than one, are no matter of chance.
    clear = ["(1, 'x', FALSE), (1, NULL, FALSE)", "(2, 'x', TRUE), (2, 'y', TRUE)", "(7, 'p', FALSE), (7, 'q', FALSE)"]
    said = say(
        lab,
        MADE,
        "INSERT INTO t (id, name) VALUES (1, 'a'), (2, 'b')",
        *(MERGE.format(rows=rows) for rows in (*ambiguous, *clear)),
        "SELECT id, name FROM t ORDER BY id, name",
    )
    assert all(error.startswith("ProgrammingError 100090") for error in said[2:4])
    assert said[4:7] == [[[0, 1, 0]], [[0, 0, 1]], [[2, 0, 0]]]
    assert said[-1] == [[1, "x"], [7, "p"], [7, "q"]]


def test_a_merge_that_fails_changes_nothing(lab: Lab) -> None:
    rows = "(1, 'x', FALSE), (2, 'too long', FALSE)"
    said = say(lab, MADE, "INSERT INTO t (id, name) VALUES (1, 'a')", MERGE.format(rows=rows), "SELECT id, name FROM t")
    assert said[2].startswith("ProgrammingError 100078")
    assert said[3] == [[1, "a"]]


def test_ddl_ends_a_transaction(lab: Lab) -> None:
    said = say(
        lab,
        MADE,
        "BEGIN",
        "INSERT INTO t (id) VALUES (1)",
        "CREATE TEMPORARY TABLE u (id INT)",
        "INSERT INTO t (id) VALUES (2)",
        "ROLLBACK",
        "BEGIN",
        "INSERT INTO t (id) VALUES (3)",
        "BEGIN",
        "ROLLBACK",
        "COMMIT",
        "BEGIN",
        "INSERT INTO t (id) VALUES (4)",
    )
    assert not [error for error in said if isinstance(error, str)]
    # What was open at the end is rolled back.
    assert ids(lab) == [1, 2]


def test_after_a_statement_has_failed_a_transaction_can_only_be_rolled_back(lab: Lab) -> None:
    begun = ("BEGIN", "INSERT INTO t (id) VALUES (1)", "INSERT INTO t (id) VALUES ('x')")
    said = say(
        lab,
        MADE,
        *begun,
        "SELECT 1",
        "COMMIT",
        "ROLLBACK",
        "START TRANSACTION",
        "INSERT INTO t (id) VALUES (2)",
        "COMMIT",
    )
    assert [index for index, error in enumerate(said) if isinstance(error, str)] == [3, 4, 5]
    assert all("a statement has failed" in said[index] for index in (4, 5))
    assert ids(lab) == [2]


def test_without_autocommit_nothing_stays_that_is_not_committed(lab: Lab) -> None:
    say(lab, MADE, "INSERT INTO t (id) VALUES (1)", "COMMIT", "INSERT INTO t (id) VALUES (2)", autocommit=False)
    assert ids(lab) == [1]


def test_keys_are_not_enforced_but_their_columns_are_not_null(lab: Lab) -> None:
    said = say(
        lab,
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR UNIQUE, CONSTRAINT c UNIQUE (name))",
        "ALTER TABLE t ADD CONSTRAINT d FOREIGN KEY (id) REFERENCES t (id)",
        "INSERT INTO t VALUES (1, 'a'), (1, 'a')",
        "INSERT INTO t VALUES (NULL, 'a')",
    )
    assert said[3].startswith("IntegrityError 100072")
    assert ids(lab) == [1, 1]


VALUES = {
    "TRY_CAST('2026-13-01' AS TIMESTAMP_NTZ)": None,
    "TRY_TO_TIMESTAMP('nonsense')": None,
    "TRY_CAST('x' AS NUMBER(10, 2))": None,
    "'2026-03-01T10:00:00+02:00'::TIMESTAMP_NTZ": "2026-03-01 10:00:00",
    "'1.005'::NUMBER(12, 2)": "1.01",
    'PARSE_JSON(\'{"a": {"b": null}}\'):a.b::VARCHAR': None,
    'PARSE_JSON(\'{"a": {"b": null}}\'):a.b IS NULL': False,
    "PARSE_JSON('{\"a\": null}'):z IS NULL": True,
}


def test_values_are_what_snowflake_makes_of_them(lab: Lab) -> None:
    said = say(
        lab,
        *(f"SELECT {sql}" for sql in VALUES),
        "SELECT 1 AS n, 2 AS n",
        "SELECT NULL AS x UNION ALL SELECT 1 ORDER BY x DESC",
    )
    for (sql, wanted), found in zip(VALUES.items(), said, strict=False):
        assert found == [[wanted]], sql
    assert said[-2:] == [[[1, 2]], [[None], [1]]]


LOADING = (
    CONNECT
    + """
open("rows.json", "w").write('{"id": 1}\\n{"id": 2}\\n')
link = connect()
for statement in (
    "CREATE TABLE IF NOT EXISTS t (v VARIANT)",
    "CREATE STAGE IF NOT EXISTS s",
    f"PUT file://{os.getcwd()}/rows.json @s" + sys.argv[1],
    "COPY INTO t FROM @s FILE_FORMAT = (TYPE = JSON)",
):
    cursor = link.cursor().execute(statement)
link.cursor().execute("SELECT v:id::NUMBER AS id FROM t")
"""
)


def test_a_stage_is_kept_and_a_file_is_loaded_once(lab: Lab) -> None:
    begin(lab, {"load.py": LOADING})
    counts = []
    for overwrite in ("", "", " OVERWRITE = TRUE"):
        done = run(lab, "load.py", overwrite)
        assert done.ok, done.explain()
        counts.append(len(lab.use(Snowflake).table("t")))
    # A file that is there stays, and isn't loaded again; one that was overwritten is.
    assert counts == [2, 2, 4]


def test_rows_of_an_insert_go_as_one_statement_and_a_data_frame_needs_the_right_names(lab: Lab) -> None:
    script = (
        CONNECT
        + """
import pandas
from snowflake.connector.pandas_tools import write_pandas
snowflake.connector.paramstyle = sys.argv[1]
mark = {"qmark": "?", "pyformat": "%s"}[sys.argv[1]]
link = connect(paramstyle=sys.argv[1])
link.cursor().execute("CREATE TABLE t (id NUMBER NOT NULL, name VARCHAR)")
try:
    link.cursor().executemany(f"INSERT INTO t VALUES ({mark}, {mark})", [(1, "it's ? 5 %s $x"), (None, "b")])
except snowflake.connector.errors.IntegrityError:
    pass
link.cursor().executemany(f"INSERT INTO t VALUES ({mark}, {mark})", [(1, "it's ? 5 %s $x"), (2, None)])
frame = pandas.DataFrame({"id": [3]})
try:
    write_pandas(link, frame, "T")
except snowflake.connector.errors.ProgrammingError as error:
    print(error.errno)
write_pandas(link, frame.rename(columns=str.upper), "T")
"""
    )
    for style in ("pyformat", "qmark"):
        begin(lab, {"load.py": script})
        done = run(lab, "load.py", style)
        assert done.stdout.split() == ["904"], done.explain()
        rows = sorted(lab.use(Snowflake).table("t").rows)
        assert rows == [(1, "it's ? 5 %s $x"), (2, None), (3, None)]


def test_it_is_killed_after_a_statement_and_started_as_any_python_is(lab: Lab) -> None:
    script = (
        CONNECT
        + "link = connect()\nfor n in (1, 2):\n    link.cursor().execute('CREATE TABLE IF NOT EXISTS t (id INT)')\n"
    )
    script += "    link.cursor().execute(f'INSERT INTO t VALUES ({n})')\nlink.cursor().execute('BEGIN')\n"
    begin(lab, {"load.py": script + "link.cursor().execute('SELECT 1')\n"})
    snowflake = lab.use(Snowflake)
    starts: list[Callable[[], Completed]] = [lambda: run(lab, "load.py"), lambda: lab.run("python", "load.py")]
    for start in starts:
        lab.fresh()
        snowflake.count()
        done = start()
        assert done.ok, done.explain()
        assert snowflake.stop_counting() == list("IIIITT")
        lab.fresh()
        snowflake.crash(2)
        assert not start().ok
        assert snowflake.stop_counting() == list("II")
        assert ids(lab) == [1]
    assert snowflake.tables() == {"public.t"}


@pytest.mark.parametrize(
    "script",
    [
        "import os; os.makedirs('.snowflake'); open('.snowflake/SHOP.db', 'w').write('rubbish')",
        "import os; os.makedirs('.snowflake'); os.symlink('/etc/passwd', '.snowflake/SHOP.db')",
        "import os; os.symlink('/driver', '.snowflake')",
        "import os; os.makedirs('.snowflake/SHOP.db')",
        "raise SystemExit('no table')",
    ],
)
def test_what_is_no_account_is_the_submissions_fault(lab: Lab, script: str) -> None:
    begin(lab, {"load.py": script})
    run(lab, "load.py")
    with pytest.raises(SubmissionFault, match="t can't be read"):
        lab.use(Snowflake).table("t")


def test_a_script_that_does_not_end_or_parse_fails_with_the_reason(lab: Lab) -> None:
    begin(lab, {"hangs.py": CONNECT + "connect()\nwhile True:\n    pass\n", "broken.py": "def\n"})
    assert lab.use(Snowflake).run("hangs.py", timeout=2).timed_out
    assert "SyntaxError" in run(lab, "broken.py").explain()
    assert "absent.py" in run(lab, "absent.py").explain()


def test_a_strangers_password_is_refused(lab: Lab) -> None:
    begin(lab, {"load.py": CONNECT + "connect(password='guessed')\n"})
    assert "250001" in run(lab, "load.py").explain()
