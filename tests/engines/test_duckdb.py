from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from harness.engines.duckdb import DuckDB
from harness.errors import SubmissionFault
from harness.lab import Lab
from tests.engines.conftest import begin

pytestmark = pytest.mark.engines

LOAD = """
import duckdb, os
with duckdb.connect(os.environ["WAREHOUSE"]) as link:
    link.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER)")
    link.execute("INSERT INTO orders VALUES (1)")
"""


@pytest.fixture
def lab(duckdb_lab: Lab) -> Lab:
    return begin(duckdb_lab, {"load.py": LOAD})


@pytest.fixture
def duckdb(lab: Lab) -> DuckDB:
    return lab.use(DuckDB)


def ids(duckdb: DuckDB) -> list[int] | None:
    try:
        return sorted(number for (number,) in duckdb.table("orders").rows)
    except SubmissionFault:
        return None


def test_a_program_makes_a_table_that_can_be_read(duckdb: DuckDB, lab: Lab) -> None:
    assert lab.run("python", "load.py").ok
    assert ids(duckdb) == [1]


VALUES = {
    "NULL": None,
    "true": True,
    "170141183460469231731687303715884105727::HUGEINT": 2**127 - 1,
    "1.10::DECIMAL(9,2)": Decimal("1.10"),
    "1.5::DOUBLE": 1.5,
    "'nan'::DOUBLE": float("nan"),
    "'a\u00e9\U0001f600'": "a\u00e9\U0001f600",
    "DATE '2026-03-01'": datetime.date(2026, 3, 1),
    "TIMESTAMP '2026-03-01 10:00:00.000001'": datetime.datetime(2026, 3, 1, 10, 0, 0, 1),
    "TIMESTAMPTZ '2026-03-01 10:00:00+02'": datetime.datetime(2026, 3, 1, 8),
    "'\\x00\\xFF'::BLOB": b"\x00\xff",
    "[1, NULL]": [1, None],
    "{'b': 1, 'a': 'x'}": {"a": "x", "b": 1},
}


def test_values_are_read_as_what_they_are(duckdb: DuckDB, lab: Lab) -> None:
    lab.run("python", "load.py")
    columns = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(VALUES))
    (row,) = duckdb.query(f"SELECT {columns}").rows
    for sql, wanted, found in zip(VALUES, VALUES.values(), row, strict=True):
        assert repr(found) == repr(wanted), sql


def test_the_worlds_rows_are_there_to_be_read(duckdb: DuckDB, lab: Lab) -> None:
    duckdb.execute(
        "CREATE SCHEMA shop", "CREATE TABLE shop.orders (id INTEGER, day DATE, name VARCHAR, amount DECIMAL(9,2))"
    )
    rows = [(1, datetime.date(2026, 3, 1), "a 'b'", Decimal("1.10")), (2, None, None, None)]
    duckdb.append("shop.orders", ["id", "day", "name", "amount"], rows)
    duckdb.append("shop.orders", ["id"], [])
    copy = """
import duckdb, os
with duckdb.connect(os.environ["WAREHOUSE"]) as link:
    link.execute(f"ATTACH '{os.environ['SOURCE']}' AS source (READ_ONLY)")
    link.execute("CREATE TABLE orders AS FROM source.shop.orders ORDER BY id")
"""
    assert lab.run("python", "-c", copy).ok
    assert list(duckdb.table("orders").rows) == rows


@pytest.mark.parametrize(
    "change",
    [
        "duckdb.connect(os.environ['SOURCE']).execute('CREATE TABLE mine (n INTEGER)')",
        "os.unlink(os.environ['SOURCE'])",
        "os.replace('load.py', os.environ['SOURCE'])",
        "open(os.environ['SOURCE'] + '.wal', 'w')",
    ],
)
def test_the_worlds_rows_are_nobodys_to_change(duckdb: DuckDB, lab: Lab, change: str) -> None:
    if lab.box.path("data") != "/data":
        pytest.skip("the embedded sandbox confines nobody")
    duckdb.execute("CREATE TABLE orders AS SELECT 1 AS id")
    assert not lab.run("python", "-c", f"import duckdb, os; {change}").ok
    duckdb.execute("INSERT INTO orders VALUES (2)")


HOSTILE_FILES = {
    "nothing": "true",
    "no database": "echo hello > $WAREHOUSE",
    "half a database": "python load.py && truncate -s 5000 $WAREHOUSE",
    "zeros": "truncate -s 1M $WAREHOUSE",
    "a link to a file": "ln -s /etc/passwd $WAREHOUSE",
    "a link to the world's": "ln -s $SOURCE $WAREHOUSE",
    "a folder": "mkdir $WAREHOUSE",
    "a pipe": "mkfifo $WAREHOUSE",
    "a huge file": "truncate -s 60M $WAREHOUSE",
    "no table": "python -c 'import duckdb, os; duckdb.connect(os.environ[\"WAREHOUSE\"])'",
    "a log that is a link": "python load.py && ln -s /etc/passwd $WAREHOUSE.wal",
}


@pytest.mark.parametrize("script", HOSTILE_FILES.values(), ids=HOSTILE_FILES.keys())
def test_a_file_that_is_no_database_is_the_submissions_fault(duckdb: DuckDB, lab: Lab, script: str) -> None:
    duckdb.execute("CREATE TABLE orders AS SELECT 1 AS id")
    assert lab.run("bash", "-c", script).ok
    with pytest.raises(SubmissionFault, match="orders can't be read"):
        duckdb.table("orders")


@pytest.mark.parametrize(
    "view",
    ["SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_csv('/driver/*')", "SELECT * FROM 'source.csv'"],
)
def test_a_view_that_reads_files_is_not_followed(duckdb: DuckDB, lab: Lab, view: str) -> None:
    make = "import duckdb, os, sys; open('source.csv', 'w').write('id\\n1\\n')\n"
    make += "duckdb.connect(os.environ['WAREHOUSE']).execute('CREATE VIEW orders AS ' + sys.argv[1])"
    done = lab.run("python", "-c", make, view)
    if done.ok:  # otherwise DuckDB itself refused
        with pytest.raises(SubmissionFault):
            duckdb.table("orders")
    assert ids(duckdb) is None


def test_reading_changes_nothing(duckdb: DuckDB, lab: Lab) -> None:
    lab.run("python", "load.py")
    before = lab.box.run(["sha256sum", duckdb.path]).stdout
    with pytest.raises(SubmissionFault):
        duckdb.query("SELECT * FROM nowhere")
    duckdb.query("SELECT 1")
    assert lab.box.run(["sha256sum", duckdb.path]).stdout == before


def test_what_a_killed_writer_left_in_its_log_is_read(duckdb: DuckDB, lab: Lab) -> None:
    writer = """
import duckdb, os
link = duckdb.connect(os.environ["WAREHOUSE"])
link.execute("CREATE TABLE orders (id INTEGER)")
link.execute("INSERT INTO orders VALUES (1), (2)")
link.execute("BEGIN")
link.execute("INSERT INTO orders VALUES (3)")
os.kill(os.getpid(), 9)
"""
    assert lab.run("python", "-c", writer).exit_code == -9
    assert lab.box.run(["test", "-s", f"{duckdb.path}.wal"]).ok
    assert ids(duckdb) == [1, 2]


def test_a_select_is_measured_on_the_worlds_database(duckdb: DuckDB) -> None:
    duckdb.execute("CREATE TABLE orders AS SELECT i AS id FROM range(500000) rows(i)")
    every = duckdb.measure("SELECT max(id) - min(id) AS width FROM orders WHERE id % 2 = 0", "orders", {})
    assert every.table.rows == ((499_998,),)
    assert every.scanned == 500_000
    assert duckdb.measure("SELECT count(*) FROM orders", "orders", {}).scanned == 0
    some = duckdb.measure("SELECT id FROM orders WHERE id = getvariable('wanted')", "orders", {"wanted": "499999"})
    assert some.table.rows == ((499_999,),)
    assert some.scanned < 200_000
    pairs = duckdb.measure("SELECT max(a.id + b.id) FROM orders a, orders b WHERE b.id < 3", "orders", {})
    assert pairs.processed > 1_500_000


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE mine AS SELECT 1",
        "SELECT 1; SELECT 2",
        "",
        "SELEKT 1",
        "SET lock_configuration = false",
        "COPY (SELECT 1) TO 'mine.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM nowhere",
        "ATTACH 'other.duckdb'",
    ],
)
def test_what_is_no_select_of_the_worlds_tables_is_the_submissions_fault(duckdb: DuckDB, sql: str) -> None:
    duckdb.execute("CREATE TABLE orders AS SELECT 1 AS id")
    with pytest.raises(SubmissionFault, match="mart can't be read"):
        duckdb.measure(sql, "mart", {})
    assert duckdb.measure("SELECT id FROM orders", "orders", {}).table.rows == ((1,),)


# -- crash points ------------------------------------------------------------------------------------------------------

IN_ONE = """
import duckdb, os
with duckdb.connect(os.environ["WAREHOUSE"]) as link:
    link.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER)")
    link.begin()
    link.executemany("INSERT INTO orders VALUES (?)", [[1], [2]])
    link.sql("INSERT INTO orders VALUES (3)")
    link.commit()
    link.execute("INSERT INTO orders VALUES (4)")
"""
FRAME = """
import duckdb, os, pandas
with duckdb.connect(os.environ["WAREHOUSE"]) as link:
    rows = pandas.DataFrame({"id": [1, 2]})
    link.execute("CREATE TABLE orders AS SELECT * FROM rows")
    link.append("orders", rows)
"""
MODULE = """
import duckdb
duckdb.sql("CREATE TABLE orders AS SELECT 1 AS id")
duckdb.sql("SELECT 1")
"""
# For each way to load: the status after each statement, and what stands there after a kill behind so many.
RELATIONS = """
import duckdb, os
with duckdb.connect(os.environ["WAREHOUSE"]) as link:
    link.values([1]).create("orders")
    link.values([2]).insert_into("orders")
    link.table("orders").filter("col0 = 2").insert_into("orders")
"""
PROCESSES = """
import os, subprocess, sys
step = "import duckdb, os, sys; duckdb.connect(os.environ['WAREHOUSE']).execute(sys.argv[1])"
for sql in ("CREATE TABLE orders (id INTEGER)", "INSERT INTO orders VALUES (1)", "INSERT INTO orders VALUES (2)"):
    subprocess.run([sys.executable, "-c", step, sql])  # whether it was killed, nobody asks
"""
LOADS: dict[str, tuple[str, str, dict[int, list[int] | None]]] = {
    "a transaction": (IN_ONE, "ITTTII", {0: None, 1: [], 4: [], 5: [1, 2, 3]}),
    "data frames": (FRAME, "II", {1: [1, 2], 2: [1, 1, 2, 2]}),
    "the module's own connection": (MODULE, "II", {1: None}),
    "relations": (RELATIONS, "III", {1: [1], 2: [1, 2], 3: [1, 2, 2]}),
    "processes": (PROCESSES, "III", {0: None, 1: [], 2: [1]}),
}


@pytest.mark.parametrize(("text", "statuses", "states"), LOADS.values(), ids=LOADS.keys())
def test_a_kill_after_any_statement(
    duckdb: DuckDB, lab: Lab, text: str, statuses: str, states: dict[int, list[int] | None]
) -> None:
    begin(lab, {"load.py": text})
    duckdb.count()
    done = lab.run("python", "load.py")
    assert done.ok, done.explain()
    assert duckdb.stop_counting() == list(statuses)
    for after, wanted in states.items():
        lab.fresh()
        duckdb.crash(after)
        assert lab.run("python", "load.py").exit_code == -9
        assert len(duckdb.stop_counting()) == after
        assert ids(duckdb) == wanted, f"killed after {after} statements"


def test_counting_leaves_nothing_behind(duckdb: DuckDB, lab: Lab) -> None:
    duckdb.count()
    lab.run("python", "load.py")
    duckdb.stop_counting()
    assert sorted(lab.box.collect()) == ["load.py", "warehouse.duckdb"]
    assert "STATEMENT" not in lab.run("env").stdout


def test_a_log_that_is_forged_or_gone_is_no_error(duckdb: DuckDB, lab: Lab) -> None:
    for script in ("mkdir .statements", "true", "ln -s /etc/passwd .statements"):
        duckdb.count()
        lab.run("bash", "-c", f"rm -rf .statements; {script}")
        assert duckdb.stop_counting() in ([], list(lab.run("cat", "/etc/passwd").stdout))
        lab.fresh()


def test_a_program_that_hangs_or_does_not_parse(duckdb: DuckDB, lab: Lab) -> None:
    begin(lab, {"hang.py": LOAD + "\nwhile True: pass", "wrong.py": "def f(:\n"})
    assert lab.run("python", "hang.py", timeout=2).timed_out
    assert "SyntaxError" in lab.run("python", "wrong.py").explain()
    assert ids(duckdb) in (None, [1])
    lab.fresh()
    assert ids(duckdb) is None


def test_a_table_without_end_is_the_submissions_fault(duckdb: DuckDB, lab: Lab) -> None:
    make = (
        "duckdb.connect(os.environ['WAREHOUSE']).execute('CREATE VIEW orders AS SELECT range AS id FROM range(600000)')"
    )
    assert lab.run("python", "-c", f"import duckdb, os; {make}").ok
    with pytest.raises(SubmissionFault, match="orders can't be read"):
        duckdb.table("orders")
