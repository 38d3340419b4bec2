"""What Redshift does otherwise than PostgreSQL, and what is refused because it isn't emulated."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest

from graders.perturbations import crash_everywhere
from harness.engines.redshift import Redshift, TableFacts
from harness.errors import UsageError
from harness.lab import Lab
from harness.sandboxes._box import Completed
from tests.engines.conftest import begin

pytestmark = pytest.mark.engines


@pytest.fixture
def lab(redshift_lab: Lab) -> Lab:
    return begin(redshift_lab)


@pytest.fixture
def redshift(lab: Lab) -> Redshift:
    return lab.use(Redshift)


def run(redshift: Redshift, sql: str) -> Completed:
    redshift.box.put("work", {"run.sql": sql.encode()})
    return redshift.script("run.sql")


def asked(redshift: Redshift, query: str) -> str:
    """What the submission is answered, one row a line."""
    done = redshift.box.run(["psql", "--no-psqlrc", "-AtX", "-c", query])
    assert done.ok, done.explain()
    return done.stdout.strip()


def load(redshift: Redshift, text: str, options: str = "CSV", columns: str = "") -> Completed:
    redshift.upload({"shop/new/a.csv": text})
    return run(redshift, f"COPY orders {columns} FROM 's3://shop/new/' IAM_ROLE default {options};")


ORDERS = "CREATE TABLE orders (id BIGINT NOT NULL, name VARCHAR(10), amount DECIMAL(9,2), at TIMESTAMP);\n"


def test_what_is_declared_of_a_table_can_be_asked(redshift: Redshift) -> None:
    done = run(
        redshift,
        "CREATE TABLE orders (id BIGINT IDENTITY(5, 2), buyer INT ENCODE zstd, at DATE, PRIMARY KEY (id))"
        " DISTSTYLE KEY DISTKEY (buyer) COMPOUND SORTKEY (at, id);"
        "INSERT INTO orders (buyer) VALUES (1), (1);"
        "CREATE TABLE alike (LIKE orders); CREATE TABLE made DISTSTYLE ALL SORTKEY (id) AS SELECT id FROM orders;"
        "CREATE TABLE later (id INT DISTKEY); ALTER TABLE later ALTER SORTKEY (id);"
        "ALTER TABLE later ALTER DISTSTYLE ALL;"
        "CREATE TABLE last (id INT) SORTKEY (id); ALTER TABLE last ALTER DISTSTYLE KEY DISTKEY id;"
        "ALTER TABLE last ALTER SORTKEY AUTO;",
    )
    assert done.ok, done.explain()
    facts = redshift.facts("public.orders")
    assert (facts.distkey, facts.sortkey, facts.primary_key) == ("buyer", ("at", "id"), ("id",))
    assert redshift.table("orders").column("id") == [5, 7]
    assert redshift.facts("public.alike").distkey == "buyer"
    assert redshift.facts("public.made") == TableFacts("ALL", None, "COMPOUND", ("id",), (), {})
    assert redshift.facts("public.later") == TableFacts("ALL", None, "COMPOUND", ("id",), (), {})
    assert redshift.facts("public.last") == TableFacts("KEY", "id", "AUTO", (), (), {})
    assert (
        asked(redshift, "SELECT diststyle, sortkey1 FROM svv_table_info WHERE \"table\" = 'orders'") == "KEY(buyer)|at"
    )
    query = "SELECT encoding, distkey, sortkey FROM pg_table_def WHERE tablename = 'orders' AND \"column\" = 'buyer'"
    assert asked(redshift, query) == "zstd|t|0"


def test_a_declaration_that_is_rolled_back_is_gone(redshift: Redshift) -> None:
    run(redshift, "BEGIN; CREATE TABLE orders (id INT) DISTKEY (id); ROLLBACK; CREATE TABLE orders (id INT);")
    assert redshift.facts("public.orders").distkey is None


def test_keys_are_not_enforced_but_not_null_is(redshift: Redshift) -> None:
    done = run(
        redshift,
        "CREATE TABLE buyers (id INT PRIMARY KEY, email TEXT UNIQUE);"
        "CREATE TABLE orders (id INT, buyer INT REFERENCES buyers (id), PRIMARY KEY (id));"
        "INSERT INTO buyers VALUES (1, 'a'), (1, 'a'); INSERT INTO orders VALUES (1, 99);",
    )
    assert done.ok, done.explain()
    assert redshift.table("buyers").column("id") == [1, 1]
    assert "null value" in run(redshift, "INSERT INTO buyers VALUES (NULL, 'b');").explain()


def test_truncate_commits(redshift: Redshift) -> None:
    run(redshift, "CREATE TABLE kept (id INT); CREATE TABLE staging (id INT); INSERT INTO staging VALUES (1);")
    done = run(redshift, "BEGIN;\nINSERT INTO kept VALUES (1);\nTRUNCATE staging;\nROLLBACK;\n")
    assert done.ok, done.explain()
    assert redshift.table("kept").column("id") == [1]
    assert not len(redshift.table("staging"))


def test_lengths_are_bytes_and_text_is_256_of_them(redshift: Redshift) -> None:
    run(redshift, "CREATE TABLE notes (short VARCHAR(4), long TEXT, price DECIMAL);")
    assert run(redshift, "INSERT INTO notes VALUES ('äö', 'x', 1.7);").ok
    assert not run(redshift, "INSERT INTO notes (short) VALUES ('äöü');").ok
    assert not run(redshift, f"INSERT INTO notes (long) VALUES ('{'x' * 257}');").ok
    assert redshift.table("notes").rows == (("äö", "x", Decimal(2)),)
    assert run(redshift, "CREATE TABLE alike (LIKE notes); ALTER TABLE alike ADD COLUMN more VARCHAR(3);").ok
    assert not run(redshift, "INSERT INTO alike (short) VALUES ('äöü');").ok
    assert not run(redshift, "INSERT INTO alike (more) VALUES ('äö');").ok


def test_functions_mean_what_they_mean_in_redshift(redshift: Redshift) -> None:
    run(redshift, "CREATE TABLE n (a INT, b VARCHAR(5)); INSERT INTO n VALUES (1, 'y'), (2, 'x'), (NULL, NULL);")
    assert asked(redshift, "SELECT AVG(a), AVG(a::bigint), AVG(a::smallint), AVG(a::float) FROM n") == "1|1|1|1.5"
    assert asked(redshift, "SELECT DISTINCT AVG(a) OVER () FROM n") == "1"
    assert asked(redshift, "SELECT EXTRACT(year FROM '2027-03-01'::date) / 2") == "1013"
    assert asked(redshift, "SELECT DATE_PART(year, '2027-03-01'::date) / 2") == "1013.5"
    assert asked(redshift, "SELECT DATE_TRUNC('month', '2027-03-05'::date)") == "2027-03-01 00:00:00"
    assert asked(redshift, "SELECT LISTAGG(b, '+') WITHIN GROUP (ORDER BY b) FROM n") == "x+y"
    assert asked(redshift, "SELECT DATEDIFF(year, '2025-12-31'::date, '2026-01-01'::date)") == "1"
    assert asked(redshift, "SELECT DATEADD(month, 1, '2026-01-31'::date)") == "2026-02-28 00:00:00"
    assert asked(redshift, "SELECT COUNT(*) FROM n WHERE CONCAT('a', b) IS NULL") == "1"
    assert (
        asked(redshift, "SELECT NVL(b, '-') AS b, LEN('abc') AS l FROM n QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 3")
        == "-|3"
    )
    assert asked(redshift, "SELECT \"A\" FROM n WHERE GETDATE() > SYSDATE - INTERVAL '1 day' AND a = 1") == "1"


def test_a_copy_takes_every_key_that_begins_so(redshift: Redshift) -> None:
    run(redshift, ORDERS)
    redshift.upload(
        {"shop/batch=1/a.csv": "1,a,,\n", "shop/batch=10/a.csv": '10,"x, ""y""\nz",1.239,2026-03-01 10:00:00\n'}
    )
    done = run(redshift, "COPY orders FROM 's3://shop/batch=1' IAM_ROLE default CSV; SELECT pg_last_copy_count();")
    assert done.ok, done.explain()
    assert re.search(r"^ +2$", done.stdout, re.MULTILINE)
    moment = datetime.datetime(2026, 3, 1, 10)
    assert redshift.table("orders").rows == ((1, "a", None, None), (10, 'x, "y"\nz', Decimal("1.23"), moment))
    assert "does not exist" in run(redshift, "COPY orders FROM 's3://shop/batch=2' IAM_ROLE default CSV;").explain()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2,b,x,", "amount: Invalid digit"),
        ("2,b", "Delimiter not found"),
        ("2,b,,,5", "Extra column"),
        ("0x2,b,,", "id: Invalid digit"),
        ("2,b,1e1,", "amount: Invalid digit"),
        (",b,,", "id: Missing data"),
        ("2,äöüäöü,,", "name: String length"),
        ("2,b,,2026-03-01T10:00:00Z", "at: Invalid timestamp"),
    ],
)
def test_a_line_that_does_not_fit_fails_the_copy_as_a_whole(redshift: Redshift, line: str, said: str) -> None:
    run(redshift, ORDERS)
    assert said in load(redshift, f"1,a,,\n{line}\n").explain()
    assert not len(redshift.table("orders"))


def test_maxerror_leaves_bad_lines_out_and_says_which(redshift: Redshift) -> None:
    run(redshift, ORDERS)
    assert load(redshift, "1,a,,\n2,b,x,\n", "CSV MAXERROR 1").ok
    assert redshift.table("orders").column("id") == [1]
    assert asked(redshift, "SELECT line_number, err_reason FROM stl_load_errors") == "2|amount: Invalid digit"


def test_json_and_other_delimiters(redshift: Redshift) -> None:
    run(redshift, ORDERS)
    assert load(redshift, '{"id": 1, "NAME": "a"}\n{"id": 2, "else": 5}\n', "JSON 'auto'", "(id, name)").ok
    assert load(redshift, "head\n3|c||\n", "IGNOREHEADER 1 EMPTYASNULL").ok
    assert redshift.table("orders").column("name") == ["a", None, "c"]


def test_a_date_has_the_format_that_copy_is_told(redshift: Redshift) -> None:
    run(redshift, "CREATE TABLE orders (at DATE);")
    assert "at: Invalid date" in load(redshift, "3 March 2026\n").explain()
    assert load(redshift, "3 March 2026\n", "CSV DATEFORMAT 'auto'").ok
    assert load(redshift, "2026-03-04\n").ok
    assert redshift.table("orders").column("at") == [datetime.date(2026, 3, 3), datetime.date(2026, 3, 4)]


def test_a_tab_between_fields(redshift: Redshift) -> None:
    run(redshift, ORDERS)
    assert load(redshift, "1\ta\t\t\n", r"DELIMITER '\t'").ok
    assert redshift.table("orders").column("name") == ["a"]


def test_columns_that_are_keys_stay(redshift: Redshift) -> None:
    assert run(redshift, "CREATE TABLE t (a INT, b INT, c INT) DISTKEY (a) SORTKEY (b);").ok
    for change in ("DROP COLUMN a", "RENAME COLUMN b TO d", "ALTER DISTKEY x"):
        assert "there is no column" in run(redshift, f"ALTER TABLE t {change};").explain()
    assert run(redshift, "ALTER TABLE t DROP COLUMN c; ALTER TABLE t RENAME TO u;").ok
    assert (redshift.facts("public.u").distkey, redshift.table("u").columns) == ("a", ("a", "b"))


def test_unload_writes_an_object(redshift: Redshift) -> None:
    unload = (
        "UNLOAD ('select id, name from orders where name = ''a''') TO 's3://shop/out/o_' IAM_ROLE default CSV HEADER"
    )
    run(redshift, ORDERS + "INSERT INTO orders (id, name) VALUES (1, 'a'), (2, 'b');")
    assert run(redshift, f"{unload} PARALLEL OFF;").ok
    assert redshift.objects("shop") == {"out/o_000": b"id,name\n1,a\n"}
    assert "not empty" in run(redshift, f"{unload} PARALLEL OFF;").explain()
    assert run(redshift, f"{unload} PARALLEL OFF ALLOWOVERWRITE;").ok


def test_merge_and_remove_duplicates(redshift: Redshift) -> None:
    merge = (
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v"
        " WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v);"
    )
    run(redshift, "CREATE TABLE t (id INT, v INT); CREATE TABLE s (id INT, v INT);")
    run(redshift, "INSERT INTO t VALUES (1, 1), (2, 1), (2, 1); INSERT INTO s VALUES (2, 9), (3, 9);")
    assert run(redshift, "MERGE INTO t USING s ON t.id = s.id REMOVE DUPLICATES;").ok
    assert sorted(redshift.table("t").rows) == [(1, 1), (2, 9), (3, 9)]
    assert run(redshift, f"UPDATE s SET v = 10; {merge}").ok
    assert sorted(redshift.table("t").rows) == [(1, 1), (2, 10), (3, 10)]
    run(redshift, "INSERT INTO s VALUES (3, 11);")
    assert not run(redshift, merge).ok
    assert "multiple matches" in run(redshift, "MERGE INTO t USING s ON t.id = s.id REMOVE DUPLICATES;").explain()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "ON CONFLICT doesn't exist"),
        ("INSERT INTO t VALUES (1) RETURNING a", "RETURNING doesn't exist"),
        ("SELECT DISTINCT ON (a) a FROM t", "DISTINCT ON doesn't exist"),
        ("SELECT COUNT(*) FILTER (WHERE a > 1) FROM t", "FILTER"),
        ("SELECT * FROM t FOR UPDATE", "FOR UPDATE doesn't exist"),
        ("SELECT string_agg(a, ',') FROM t", "STRING_AGG doesn't exist"),
        ("SELECT array_agg(a) FROM t", "ARRAY_AGG doesn't exist"),
        ("SELECT * FROM generate_series(1, 2)", "doesn't exist"),
        ("SELECT SUM(a) OVER (ORDER BY a) FROM t", "needs a frame"),
        ("SELECT a FROM t EXCEPT ALL SELECT a FROM t", "EXCEPT ALL"),
        ("WITH d AS (DELETE FROM t) SELECT 1", "WITH takes queries alone"),
        ("DELETE FROM t x WHERE x.a = 1", "DELETE has no alias"),
        ("SELECT NOW()", "NOW doesn't exist"),
        ("SELECT CURRENT_TIMESTAMP", "leader node"),
        ("SELECT DATEDIFF(week, GETDATE(), GETDATE())", "DATEDIFF by week isn't emulated"),
        ("SELECT * FROM redshift.facts", "redshift.facts doesn't exist"),
        ("SELECT * FROM stl_query", "stl_query isn't emulated"),
        ("CREATE TABLE u (a SERIAL)", "SERIAL doesn't exist"),
        ("CREATE TABLE u (a SUPER)", "SUPER"),
        ("CREATE TABLE u (a INT CHECK (a > 0))", "CHECK doesn't exist"),
        ("CREATE TABLE #u (a INT)", "CREATE TEMP TABLE"),
        ("CREATE TABLE u (a INT, PRIMARY KEY (b))", "no column b"),
        ("ALTER TABLE t ALTER COLUMN a TYPE BIGINT", "isn't emulated"),
        ("ALTER TABLE t APPEND FROM t", "can't be read"),
        ("VACUUM t", "inside a transaction"),
        ("ANALYZE COMPRESSION t", "without further options"),
        ("CREATE TABLE u (a INT) DISTKEY (b)", "no column b"),
        ("CREATE TABLE u (a INT) DISTSTYLE EVEN DISTKEY (a)", "exclude each other"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE VIEW v AS SELECT a FROM t WITH NO SCHEMA BINDING", "isn't emulated"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE FUNCTION"),
        ("DO $$ BEGIN END $$", "DO isn't emulated"),
        ("CALL p()", "CALL isn't emulated"),
        ("PREPARE p AS SELECT 1", "PREPARE isn't emulated"),
        ("SAVEPOINT s", "SAVEPOINT isn't emulated"),
        ("SET role postgres", "setting role isn't emulated"),
        ("COPY t FROM STDIN", "from s3://"),
        ("COPY t FROM 's3://b/k' IAM_ROLE default PARQUET", "PARQUET of COPY isn't emulated"),
        ("COPY t FROM 's3://b/k' IAM_ROLE default CSV EXPLICIT_IDS", "EXPLICIT_IDS of COPY isn't emulated"),
        ("COPY t FROM 's3://b/k' IAM_ROLE default \\; COPY t FROM 's3://b/k' IAM_ROLE default", "one by one"),
        ("COPY t FROM 's3://../k' IAM_ROLE default CSV", "no place in S3"),
        ("COPY t FROM 's3://b/../k' IAM_ROLE default CSV", "no place in S3"),
        ("MERGE INTO t USING (SELECT 1 AS a) s ON t.a = s.a WHEN MATCHED THEN DELETE", "not a subquery"),
        ("MERGE INTO t USING t s ON t.a = s.a WHEN MATCHED THEN DELETE", "one WHEN MATCHED and one WHEN NOT"),
        ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "nested too deeply"),
        (f"SELECT '{'x' * (1 << 18)}'", "isn't emulated"),
        ("SELEC 1", "isn't emulated"),
    ],
)
def test_what_is_not_emulated_is_refused(redshift: Redshift, sql: str, said: str) -> None:
    run(redshift, "CREATE TABLE t (a INT);")
    done = run(redshift, f"BEGIN;\n{sql};\n")
    assert not done.ok
    assert said in done.explain()


def test_a_refusal_ends_the_transaction(redshift: Redshift) -> None:
    redshift.box.put("work", {"run.sql": b"BEGIN;\nCREATE TABLE t (a INT);\nSELECT now();\nCOMMIT;\n"})
    redshift.box.run(["psql", "--no-psqlrc", "-f", "run.sql"])  # goes on after an error
    assert redshift.tables() == frozenset()


def test_what_psql_asks_of_the_catalog_opens_no_way_past_the_dialect(redshift: Redshift) -> None:
    assert run(redshift, "CREATE TABLE t (a INT);\n\\d t\n").ok
    query = "SELECT 1 FROM pg_catalog.pg_class; INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"
    assert "pg_class doesn't exist" in redshift.box.run(["psql", "--no-psqlrc", "-c", query]).explain()


def test_what_takes_several_steps_is_refused_as_a_prepared_statement(redshift: Redshift) -> None:
    assert run(redshift, "CREATE TABLE t (a INT);\nINSERT INTO t VALUES ($1) \\bind 1 \\g\n").ok
    assert "as a prepared statement" in run(redshift, "TRUNCATE t \\bind \\g\n").explain()
    assert redshift.table("t").column("a") == [1]


def test_psycopg_is_answered_as_psql_is(redshift: Redshift) -> None:
    program = """
import psycopg2
link = psycopg2.connect("")
with link, link.cursor() as cursor:
    cursor.execute("CREATE TABLE t (a INT, b TEXT) DISTKEY (a)")
    cursor.execute("INSERT INTO t VALUES (%s, %s)", (1, "it's"))
    cursor.execute("SELECT a, b FROM t")
    assert cursor.fetchall() == [(1, "it's")], cursor.description
    cursor.execute("TRUNCATE t")
    assert cursor.statusmessage == "TRUNCATE TABLE", cursor.statusmessage
"""
    done = redshift.box.run(["python", "-c", program])
    assert done.ok, done.explain()
    assert redshift.facts("public.t").distkey == "a"


def test_a_load_is_killed_after_each_of_its_statements(redshift: Redshift, lab: Lab) -> None:
    sql = "BEGIN;\nCREATE TABLE IF NOT EXISTS t (a INT);\nTRUNCATE t;\nINSERT INTO t VALUES (1);\nDROP TABLE t;\n"

    def prepare() -> None:
        lab.fresh()
        lab.box.put("work", {"run.sql": sql.encode()})

    points = crash_everywhere(
        lab, redshift, prepare=prepare, act=lambda: redshift.script("run.sql"), observe=redshift.tables
    )
    # BEGIN, CREATE, TRUNCATE, INSERT, DROP: it stands from the TRUNCATE on, which commits.
    assert [bool(point.between) for point in points] == [False, False, False, True, True, False]


def test_a_task_on_it_is_not_exported(redshift: Redshift) -> None:
    with pytest.raises(UsageError, match="can't be exported"):
        redshift.dump()


def test_a_query_without_end_is_ended(redshift: Redshift) -> None:
    run(redshift, "CREATE TABLE n (a INT);" + f"INSERT INTO n VALUES {', '.join(['(1)'] * 2000)};")
    redshift.box.put("work", {"run.sql": b"SELECT COUNT(*) FROM n a, n b, n c, n d;"})
    assert redshift.script("run.sql", timeout=2.0).timed_out
    assert asked(redshift, "SELECT COUNT(*) FROM n") == "2000"
