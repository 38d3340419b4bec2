"""What is said about BigQuery's SQL here: what it returns, what is refused, and how many bytes it reads."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from harness.engines.bigquery import BigQuery
from harness.errors import SubmissionFault
from harness.lab import Lab
from tests.engines.conftest import begin, open_lab

pytestmark = pytest.mark.engines

TABLES = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id STRING NOT NULL, at TIMESTAMP, amount NUMERIC, note STRING, day DATE) PARTITION BY day;
CREATE TABLE shop.by_moment (id STRING, at TIMESTAMP) PARTITION BY DATE(at) CLUSTER BY id;
CREATE TABLE shop.by_month (id STRING, day DATE) PARTITION BY DATE_TRUNC(day, MONTH);
CREATE TABLE shop.guarded (id STRING, day DATE) PARTITION BY day OPTIONS (require_partition_filter = TRUE);
CREATE VIEW shop.notes AS SELECT id, day, UPPER(note) AS note FROM shop.orders;
"""
# Eight bytes for a moment or day, sixteen for an amount, two and its own for a text, none for NULL.
ORDERS = [
    ["a1", "2026-03-28 23:30:00+00:00", "1.25", "12345678", "2026-03-28"],
    ["b2", "2026-03-29 00:30:00+00:00", "2", "1234", "2026-03-29"],
    ["c3", None, None, None, None],
]
BERLIN = "'Europe/Berlin'"


def stock(bigquery: BigQuery) -> BigQuery:
    bigquery.run(TABLES)
    bigquery.append("shop.orders", ["id", "at", "amount", "note", "day"], ORDERS)
    for table, column in (("by_moment", "at"), ("by_month", "day"), ("guarded", "day")):
        bigquery.run(f"INSERT INTO shop.{table} (id, {column}) SELECT id, {column} FROM shop.orders")
    return bigquery


@pytest.fixture(scope="module")
def open_box() -> Iterator[Lab]:
    with open_lab(["bigquery"]) as lab:
        yield lab


@pytest.fixture
def lab(open_box: Lab) -> Lab:
    begin(open_box)
    stock(open_box.use(BigQuery))
    return open_box


@pytest.fixture
def bigquery(lab: Lab) -> BigQuery:
    return lab.use(BigQuery)


@pytest.fixture(scope="module")
def at_rest() -> Iterator[BigQuery]:
    """For tests that change nothing."""
    with open_lab(["bigquery"]) as lab:
        yield stock(lab.use(BigQuery))


# What BigQuery's documentation says of each.
VALUES = {
    f"DATE(TIMESTAMP '2026-03-28 23:30:00+00', {BERLIN})": datetime.date(2026, 3, 29),
    "DATE(TIMESTAMP '2026-03-28 23:30:00+00')": datetime.date(2026, 3, 28),
    "DATE(2026, 3, 1)": datetime.date(2026, 3, 1),
    f"TIMESTAMP(DATE '2026-03-30', {BERLIN})": datetime.datetime(2026, 3, 29, 22),
    f"TIMESTAMP('2026-03-29', {BERLIN})": datetime.datetime(2026, 3, 28, 23),
    "TIMESTAMP(DATE '2026-03-30')": datetime.datetime(2026, 3, 30),
    f"TIMESTAMP(DATETIME '2026-07-01 02:00:00', {BERLIN})": datetime.datetime(2026, 7, 1),
    f"DATETIME(TIMESTAMP '2026-07-01 00:00:00+00', {BERLIN})": datetime.datetime(2026, 7, 1, 2),
    "DATE_ADD(DATE '2026-01-31', INTERVAL 1 MONTH)": datetime.date(2026, 2, 28),
    "DATE_SUB(DATE '2026-03-01', INTERVAL 1 WEEK)": datetime.date(2026, 2, 22),
    "DATE_DIFF(DATE '2026-03-01', DATE '2026-02-27', DAY)": 2,
    "DATE_DIFF(DATE '2026-03-01', DATE '2026-02-28', MONTH)": 1,
    "DATE_TRUNC(DATE '2026-03-17', MONTH)": datetime.date(2026, 3, 1),
    "TIMESTAMP_ADD(TIMESTAMP '2026-03-01 00:00:00+00', INTERVAL 1 DAY)": datetime.datetime(2026, 3, 2),
    "TIMESTAMP_SUB(TIMESTAMP '2026-03-01 00:00:00+00', INTERVAL 90 MINUTE)": datetime.datetime(2026, 2, 28, 22, 30),
    "TIMESTAMP_TRUNC(TIMESTAMP '2026-03-01 10:30:00+00', HOUR)": datetime.datetime(2026, 3, 1, 10),
    f"TIMESTAMP_TRUNC(TIMESTAMP '2026-03-29 23:30:00+00', DAY, {BERLIN})": datetime.datetime(2026, 3, 29, 22),
    f"EXTRACT(DATE FROM TIMESTAMP '2026-03-28 23:30:00+00' AT TIME ZONE {BERLIN})": datetime.date(2026, 3, 29),
    f"EXTRACT(HOUR FROM TIMESTAMP '2026-03-28 23:30:00+00' AT TIME ZONE {BERLIN})": 0,
    "EXTRACT(DAYOFYEAR FROM DATE '2026-02-01')": 32,
    "FORMAT_DATE('%Y-%m', DATE '2026-03-01')": "2026-03",
    "CAST('1.23456789' AS NUMERIC)": Decimal("1.234567890"),
    "SAFE_CAST('x' AS INT64)": None,
    "SAFE_DIVIDE(1, 0)": None,
    "1 / 4": 0.25,
    "MOD(-7, 3)": -1,
    "ROUND(CAST('-2.5' AS FLOAT64))": -3.0,
    "IF(NULL, 1, 2)": 2,
    "IFNULL(NULL, 3)": 3,
    "NULLIF(1, 1)": None,
    "'a' || NULL": None,
    "UPPER('ä' || 'a')": "ÄA",
    "TRIM('  a ')": "a",
    "STARTS_WITH('abc', 'ab')": True,
    "'a' IN ('b', NULL)": None,
    "NULL IS NOT DISTINCT FROM NULL": True,
    "CASE WHEN 1 = 2 THEN 'x' END": None,
    "@given": datetime.date(2026, 3, 1),
}
OF_ROWS = {
    "SELECT COUNT(*), COUNT(x), COUNTIF(x > 1), SUM(x), MAX(x), LOGICAL_OR(x > 1) FROM UNNEST([1, 2, NULL]) AS x": [
        (3, 2, 1, 3, 2, True)
    ],
    "SELECT STRING_AGG(x, '-' ORDER BY x DESC) FROM UNNEST(['a', 'b']) AS x": [("b-a",)],
    "SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x": [(None,), (1,), (2,)],
    "SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x DESC": [(2,), (1,), (None,)],
    "SELECT x, LAG(x) OVER (ORDER BY x) FROM UNNEST([2, 1]) AS x ORDER BY x": [(1, None), (2, 1)],
    "SELECT x FROM UNNEST([1, 1, 2]) AS x QUALIFY ROW_NUMBER() OVER (PARTITION BY x ORDER BY x) = 1 ORDER BY x": [
        (1,),
        (2,),
    ],
    "SELECT day FROM UNNEST(GENERATE_DATE_ARRAY('2026-02-27', '2026-03-01')) AS day ORDER BY day LIMIT 2": [
        (datetime.date(2026, 2, 27),),
        (datetime.date(2026, 2, 28),),
    ],
    "SELECT * EXCEPT (at, note, amount) FROM `shop-warehouse.shop.orders` WHERE id = 'a1'": [
        ("a1", datetime.date(2026, 3, 28))
    ],
    "WITH a AS (SELECT id FROM shop.notes) SELECT x.id FROM a AS x JOIN a USING (id) UNION ALL SELECT 'z' ORDER BY 1": [
        ("a1",),
        ("b2",),
        ("c3",),
        ("z",),
    ],
    "SELECT id FROM shop.orders o WHERE EXISTS (SELECT 1 FROM shop.by_month m WHERE m.id = o.id AND m.day IS NULL)": [
        ("c3",)
    ],
}


def test_functions_return_what_bigquery_documents(at_rest: BigQuery) -> None:
    columns = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(VALUES))
    (row,) = at_rest.ask(f"SELECT {columns}", {"given": ("DATE", "2026-03-01")}).table.rows
    for sql, wanted, found in zip(VALUES, VALUES.values(), row, strict=True):
        assert found == wanted, sql
        # A date isn't a moment.
        assert type(found) is type(wanted) or isinstance(found, Decimal), sql


@pytest.mark.parametrize(("sql", "wanted"), OF_ROWS.items(), ids=str)
def test_queries_return_what_bigquery_documents(at_rest: BigQuery, sql: str, wanted: list[tuple[object, ...]]) -> None:
    assert list(at_rest.ask(sql).table.rows) == wanted


REFUSED = {
    "SELECT x FROM UNNEST([1, 2]) AS x WITH OFFSET AS place": "WITH OFFSET",
    "SELECT [1, 2][SAFE_OFFSET(0)]": "SAFE_OFFSET",
    "SELECT [1, 2][OFFSET(5)]": "OFFSET",
    "SELECT ARRAY_AGG(id ORDER BY day LIMIT 1) FROM shop.orders": "ARRAY_AGG",
    "SELECT ANY_VALUE(id HAVING MAX day) FROM shop.orders": "HAVING|ANY_VALUE|HavingMax",
    "SELECT DATE_TRUNC(day, WEEK) FROM shop.orders": "WEEK",
    "SELECT DATE_TRUNC(day, WEEK(MONDAY)) FROM shop.orders": "WEEK",
    "SELECT DATE_DIFF(day, day, ISOWEEK) FROM shop.orders": "WEEK",
    "SELECT EXTRACT(WEEK FROM day) FROM shop.orders": "EXTRACT.WEEK",
    "SELECT EXTRACT(DAYOFWEEK FROM day) FROM shop.orders": "EXTRACT.DAYOFWEEK",
    "SELECT TIMESTAMP_DIFF(at, at, HOUR) FROM shop.orders": "TIMESTAMP_DIFF",
    "SELECT FORMAT_TIMESTAMP('%F', at, 'Europe/Berlin') FROM shop.orders": "FORMAT",
    "SELECT CONCAT(id, note) FROM shop.orders": "CONCAT",
    "SELECT GREATEST(1, NULL)": "GREATEST",
    "SELECT 1 / amount FROM shop.orders": "SAFE_DIVIDE",
    "SELECT CAST('1' AS BIGNUMERIC)": "type BIGNUMERIC",
    "SELECT CAST('1' AS NUMERIC(4, 2))": "length or precision",
    "SELECT STRUCT(1 AS a)": "STRUCT|Struct",
    "SELECT _PARTITIONTIME FROM shop.orders": "_PARTITIONTIME",
    "SELECT id FROM shop.orders WHERE _PARTITIONDATE = '2026-03-01'": "_PARTITIONDATE",
    "CREATE TABLE shop.new (a INT64) PARTITION BY _PARTITIONDATE": "ingestion time",
    "CREATE TABLE shop.new (a INT64) PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 9, 1))": "can't be run here",
    "SELECT * FROM `elsewhere.shop.orders`": "no project elsewhere",
    "SELECT * FROM orders": "must be qualified with a dataset",
    "SELECT * FROM shop.nothing": "Not found: Table shop.nothing",
    "SELECT nothing FROM shop.orders": "nothing",
    "SELECT * FROM `shop.ord*`": "wildcard",
    "SELECT * FROM shop.orders FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()": "SYSTEM_TIME",
    "SELECT * FROM shop.orders TABLESAMPLE SYSTEM (10 PERCENT)": "TABLESAMPLE",
    "SELECT * FROM shop.INFORMATION_SCHEMA.TABLES": "INFORMATION_SCHEMA",
    "FROM shop.orders |> AGGREGATE COUNT(*)": "pipe syntax",
    "DECLARE day DATE DEFAULT '2026-03-01'; SELECT day": "scripting",
    "SET day = 1": "scripting",
    "IF TRUE THEN SELECT 1; END IF": "scripting",
    "EXECUTE IMMEDIATE 'SELECT 1'": "scripting",
    "CALL shop.load()": "scripting",
    "MERGE shop.orders t USING shop.orders s ON FALSE WHEN NOT MATCHED THEN INSERT ROW": "INSERT ROW",
    "CREATE MATERIALIZED VIEW shop.new AS SELECT 1 AS a": "materialized",
    "CREATE TEMP TABLE mine AS SELECT 1 AS a": "temporary",
    "CREATE TABLE shop.new (id STRING) AS SELECT id FROM shop.orders": "can't be run here|list of columns",
    "CREATE TABLE shop.new COPY shop.orders": "can't be run here|COPY",
    "CREATE TABLE shop.new (a INT64) OPTIONS (partition_expiration_days = 3)": "partition_expiration_days",
    "CREATE TABLE shop.new (a ARRAY<INT64>)": "type ARRAY",
    "CREATE TABLE shop.new (a STRING(3))": "length or precision",
    "CREATE TABLE shop.new (at TIMESTAMP) PARTITION BY at": "fitting type",
    "CREATE TABLE shop.new (a STRING) CLUSTER BY b": "Unrecognized name: b",
    "CREATE OR REPLACE TABLE shop.orders PARTITION BY DATE(at) AS SELECT * FROM shop.orders": "different partitioning",
    "DELETE FROM shop.orders": "must have a WHERE",
    "INSERT INTO shop.orders (id, day) SELECT id, at FROM shop.orders": "cannot be inserted",
    "SELECT id FROM shop.orders WHERE at >= day": "No matching signature",
    "BEGIN TRANSACTION; DROP TABLE shop.orders; COMMIT TRANSACTION": "inside a transaction",
    "BEGIN TRANSACTION; DELETE FROM shop.orders WHERE TRUE": "not committed",
    "SELECT id FROM shop.guarded": "without a filter over column.s. 'day'",
    "SELECT id FROM shop.guarded WHERE day = (SELECT MAX(day) FROM shop.orders)": "without a filter",
    "DELETE FROM shop.guarded WHERE id = 'a1'": "without a filter",
    "MERGE shop.guarded t USING shop.orders s ON t.id = s.id WHEN MATCHED THEN DELETE": "without a filter",
    "SELECT read_text('/etc/passwd')": "can't be run here",
    "SELECT * FROM read_csv('/etc/passwd')": "can't be run here|qualified",
    "COPY shop.orders TO '/tmp/x'": "can't be run here",
    "ATTACH 'x.duckdb'": "Syntax",
    "SELEKT 1": "Syntax|can't be run here",
    "": "empty",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000: "deeply|complex|Syntax",
}


@pytest.mark.parametrize(("sql", "said"), REFUSED.items(), ids=lambda text: text[:40])
def test_what_would_come_out_otherwise_is_refused_by_name(at_rest: BigQuery, sql: str, said: str) -> None:
    assert re.search(said, at_rest.attempt(sql).error)


# Bytes of a query on the three orders: ids are 4 bytes each, days and moments 8.
SCANNED = {
    "SELECT * FROM shop.orders": 12 + 2 * 8 + 2 * 16 + (10 + 6) + 2 * 8,
    "SELECT id FROM shop.orders": 12,
    "SELECT id FROM shop.orders LIMIT 1": 12,
    "SELECT COUNT(*) FROM shop.orders": 0,
    "SELECT id FROM shop.orders WHERE day = '2026-03-29'": 12,
    "SELECT id FROM shop.orders WHERE day = DATE_ADD(DATE '2026-03-28', INTERVAL 1 DAY)": 12,
    "SELECT id FROM shop.orders WHERE day = @given": 12,
    "SELECT id FROM shop.orders WHERE day BETWEEN '2026-03-28' AND '2026-03-29'": 24,
    "SELECT id FROM shop.orders WHERE day IN ('2026-03-29', '2026-03-30')": 12,
    "SELECT id FROM shop.orders WHERE '2026-03-29' <= day": 12,
    "SELECT id FROM shop.orders WHERE day IS NULL": 4,
    "SELECT id FROM shop.orders WHERE day IS NULL OR day = '2026-03-29'": 16,
    "SELECT id FROM shop.orders WHERE day = '2026-03-29' OR id = 'a1'": 28,
    "SELECT id FROM shop.orders WHERE day = '2026-03-29' AND id = 'a1'": 12,
    "SELECT id FROM shop.orders WHERE day = NULL": 0,
    # A function of the column, another column, a subquery: nothing is known before the query runs.
    "SELECT id FROM shop.orders WHERE DATE_ADD(day, INTERVAL 1 DAY) = '2026-03-30'": 28,
    "SELECT id FROM shop.orders WHERE day = DATE(at)": 44,
    "SELECT id FROM shop.orders WHERE day = (SELECT MAX(day) FROM shop.orders)": 44,
    "SELECT id FROM shop.orders WHERE day <> '2026-03-29'": 28,
    # Through views, subqueries and WITH, but not through what looks at more rows than those asked for.
    "SELECT id FROM shop.notes WHERE day = '2026-03-29'": 12,
    "SELECT id FROM shop.notes": 12,
    "WITH a AS (SELECT * FROM shop.orders) SELECT id FROM a WHERE day = '2026-03-29'": 12,
    "WITH a AS (SELECT id FROM shop.orders) SELECT x.id FROM a AS x JOIN a AS y ON x.id = y.id": 24,
    "SELECT id FROM (SELECT id, day FROM shop.orders LIMIT 9) WHERE day = '2026-03-29'": 28,
    "SELECT n FROM (SELECT id, day, RANK() OVER (ORDER BY id) AS n FROM shop.orders) WHERE day = '2026-03-29'": 28,
    "SELECT id FROM (SELECT DISTINCT * FROM shop.orders) WHERE day = '2026-03-29'": 4 + 8 + 16 + 6 + 8,
    "SELECT o.id FROM shop.orders AS o JOIN shop.by_moment AS m ON o.id = m.id WHERE o.day = '2026-03-29'": 12 + 12,
    "SELECT o.id FROM shop.by_moment AS m LEFT JOIN shop.orders AS o ON o.id = m.id AND o.day = '2026-03-29'": 12 + 12,
    # By a moment's day, and by month.
    "SELECT id FROM shop.by_moment WHERE at >= '2026-03-29' AND at < '2026-03-30'": 12,
    "SELECT id FROM shop.by_moment WHERE at >= TIMESTAMP(DATE '2026-03-30', 'Europe/Berlin')": 12,
    "SELECT id FROM shop.by_moment WHERE DATE(at) = '2026-03-29'": 12,
    "SELECT id FROM shop.by_moment WHERE DATE(at, 'Europe/Berlin') = '2026-03-29'": 28,
    "SELECT id FROM shop.by_month WHERE day = '2026-03-29'": 24,
    "SELECT id FROM shop.by_month WHERE day < '2026-03-01'": 0,
    "SELECT id FROM shop.guarded WHERE day >= '2026-03-29'": 12,
    "SELECT id FROM shop.guarded WHERE day IS NULL OR day >= '2000-01-01'": 28,
}


@pytest.mark.parametrize(("sql", "wanted"), SCANNED.items(), ids=str)
def test_bytes_are_those_of_the_columns_and_partitions_that_are_needed(
    at_rest: BigQuery, sql: str, wanted: int
) -> None:
    assert at_rest.ask(sql, {"given": ("DATE", "2026-03-29")}).bytes == wanted


MERGE = """
MERGE shop.orders AS t
USING (SELECT 'b2' AS id, DATE '2026-03-29' AS day, 'new' AS note UNION ALL SELECT 'd4', DATE '2026-03-30', 'd') AS s
ON t.id = s.id AND t.day >= '2026-03-29'
WHEN MATCHED THEN UPDATE SET note = s.note
WHEN NOT MATCHED BY SOURCE AND t.day >= '2026-03-29' THEN DELETE
WHEN NOT MATCHED THEN INSERT (id, day, note) VALUES (s.id, s.day, s.note)
"""


def notes(bigquery: BigQuery) -> dict[str, object]:
    return {row["id"]: row["note"] for row in bigquery.table("shop.orders")}


def test_statements_change_the_tables(bigquery: BigQuery) -> None:
    bigquery.run(MERGE)
    assert notes(bigquery) == {"a1": "12345678", "b2": "new", "c3": None, "d4": "d"}
    # All columns of the partitions that the condition leaves.
    assert bigquery.attempt("DELETE FROM shop.orders WHERE day = '2026-03-30'").bytes == 4 + 3 + 8
    bigquery.run("UPDATE shop.orders SET note = 'none' WHERE note IS NULL; TRUNCATE TABLE shop.guarded")
    assert notes(bigquery)["c3"] == "none"
    assert len(bigquery.table("shop.guarded")) == 0
    bigquery.run("ALTER TABLE shop.orders ADD COLUMN more NUMERIC; ALTER TABLE shop.orders RENAME TO renamed")
    bigquery.run("ALTER TABLE shop.renamed SET OPTIONS (require_partition_filter = TRUE)")
    layout = bigquery.layouts()["shop.renamed"]
    assert (layout.partitioned_by, layout.needs_filter, layout.columns["more"]) == ("day", True, "NUMERIC")
    assert bigquery.layouts()["shop.by_moment"].clustered_by == ("id",)


def test_a_merge_refuses_two_rows_for_one(bigquery: BigQuery) -> None:
    answer = bigquery.attempt(
        "MERGE shop.orders AS t USING (SELECT 'b2' AS id, x FROM UNNEST(['x', 'y']) AS x) AS s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET note = s.x"
    )
    assert "at most one source row" in answer.error
    assert notes(bigquery)["b2"] == "1234"


def test_a_transaction_is_all_or_nothing(bigquery: BigQuery) -> None:
    failing = "BEGIN TRANSACTION; DELETE FROM shop.orders WHERE TRUE; SELECT x FROM shop.orders; COMMIT TRANSACTION"
    assert not bigquery.attempt(failing).ok
    assert len(notes(bigquery)) == 3
    bigquery.run("BEGIN; DELETE FROM shop.orders WHERE id = 'a1'; COMMIT")
    assert len(notes(bigquery)) == 2


TWO = "DELETE FROM shop.orders WHERE id = 'a1'; DELETE FROM shop.orders WHERE id = 'b2'"


def test_a_job_is_cancelled_behind_any_statement(lab: Lab, bigquery: BigQuery) -> None:
    bigquery.count()
    assert lab.run("bq", "query", "--nouse_legacy_sql", "BEGIN TRANSACTION; SELECT 1; COMMIT TRANSACTION").ok
    assert bigquery.stop_counting() == ["T", "T", "I"]
    bigquery.crash(1)
    done = lab.run("bq", "query", "--nouse_legacy_sql", TWO)
    assert not done.ok and "cancelled" in done.stderr
    assert not lab.run("bq", "query", "--nouse_legacy_sql", "SELECT 1").ok
    assert bigquery.stop_counting() == ["I"]
    assert set(notes(bigquery)) == {"b2", "c3"}
    bigquery.crash(2)
    assert not lab.run("bq", "query", "--nouse_legacy_sql", f"BEGIN TRANSACTION; {TWO}; COMMIT TRANSACTION").ok
    bigquery.stop_counting()
    assert set(notes(bigquery)) == {"b2", "c3"}


def test_the_program_answers_as_bq_does(lab: Lab) -> None:
    def said(*words: str) -> str:
        done = lab.run("bq", *words)
        assert done.ok, done.explain()
        return done.stdout

    asked = "SELECT id, amount, at FROM shop.orders WHERE day = @day"
    query = ("query", "--use_legacy_sql=false", "--parameter=day:DATE:2026-03-28")
    assert "will process 36 bytes of data" in said(*query, "--dry_run", asked)
    load = "BEGIN TRANSACTION; DELETE FROM shop.guarded WHERE day = @day; COMMIT TRANSACTION"
    assert "will process 12 bytes of data" in said(*query, "--dry_run", load)
    assert said(*query, "--format=csv", asked).splitlines()[1] == "a1,1.25,2026-03-28 23:30:00"
    assert '"amount": "1.25"' in said(*query, "--format=json", asked)
    assert "by_moment" in said("ls", "shop") and "DATE(at)" in said("ls", "shop")
    assert '"needs_filter": true' in said("show", "shop.guarded")
    for words, problem in (
        (("query", "SELECT 1"), "legacy SQL"),
        (("query", "--nouse_legacy_sql", "--maximum_bytes_billed=5", "SELECT id FROM shop.orders"), "exceeded limit"),
        (("query", "--nouse_legacy_sql", "--destination_table=shop.x", "SELECT 1"), "destination_table"),
        (("query", "--nouse_legacy_sql", "SELECT @day"), "'day' not found"),
        (("load", "shop.orders", "x.csv"), "bq load isn't here"),
        (("show", "shop.nothing"), "Not found"),
    ):
        done = lab.run("bq", *words)
        assert done.exit_code == 1 and problem in done.stderr, words


HANGS = "SELECT COUNT(*) FROM " + ", ".join(
    f"UNNEST(GENERATE_DATE_ARRAY('0001-01-01', '2026-01-01')) AS d{number}" for number in range(4)
)
FLOOD = """
import os, socket, time
links = [socket.create_connection(("127.0.0.1", int(os.environ["BIGQUERY_PORT"]))) for _ in range(12)]
for link in links[:6]: link.sendall(b"[" * 1000)
for link in links[6:]: link.sendall(b"{" * 3_000_000)
"""


@pytest.mark.nightly
def test_a_query_without_end_is_the_submissions_fault(bigquery: BigQuery) -> None:
    with pytest.raises(SubmissionFault, match=r"Resources exceeded|Out of Memory"):
        bigquery.ask(HANGS)
    assert bigquery.ask("SELECT 1").table.rows == ((1,),)


def test_rubbish_at_the_port_leaves_the_tables_as_they_are(lab: Lab, bigquery: BigQuery) -> None:
    lab.run("python", "-c", FLOOD, timeout=20)
    assert len(notes(bigquery)) == 3


def test_the_tables_are_nobodys_to_write_to(lab: Lab, bigquery: BigQuery) -> None:
    if lab.box.path("data") != "/data":
        pytest.skip("the embedded sandbox confines nobody")
    inside = f"{lab.box.path('driver')}/bigquery"
    assert not lab.run("bash", "-c", f"ls {inside} || echo x > {lab.box.path('sockets')}/bigquery/bq").ok
    assert len(notes(bigquery)) == 3
