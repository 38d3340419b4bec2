from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest

from graders.perturbations import crash_everywhere
from graders.transactions import rows_read
from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.service import service
from tests.engines.conftest import begin

pytestmark = pytest.mark.engines

ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, amount numeric(9, 2));\nINSERT INTO orders VALUES (1, 9.90);\n"


@pytest.fixture
def lab(postgres_lab: Lab) -> Lab:
    return begin(postgres_lab, {"load.sql": ORDERS})


@pytest.fixture
def postgres(lab: Lab) -> Postgres:
    return lab.use(Postgres)


def ids(postgres: Postgres) -> list[int] | None:
    """The ids in ``orders``, sorted; None if there is no such table."""
    try:
        return sorted(postgres.table("orders").column("id"))
    except SubmissionFault:
        return None


def test_a_script_makes_a_table_that_can_be_read(postgres: Postgres) -> None:
    assert postgres.script("load.sql").ok
    table = postgres.table("orders")
    assert table.columns == ("id", "amount")
    assert table.rows == ((1, Decimal("9.90")),)


def test_a_script_stops_at_its_first_error_and_says_which(postgres: Postgres, lab: Lab) -> None:
    lab.box.put("work", {"load.sql": (ORDERS + "SELECT * FROM nowhere;\nDROP TABLE orders;\n").encode()})
    done = postgres.script("load.sql")
    assert not done.ok
    assert 'load.sql:3: ERROR:  relation "nowhere" does not exist' in done.explain()
    assert ids(postgres) == [1]


def test_a_script_that_does_not_parse(postgres: Postgres, lab: Lab) -> None:
    lab.box.put("work", {"load.sql": b"CREATE TABEL orders;"})
    assert "syntax error" in postgres.script("load.sql").explain()


def test_a_script_that_is_not_there(postgres: Postgres) -> None:
    assert "No such file" in postgres.script("nightly.sql").explain()


def test_a_script_takes_variables(postgres: Postgres, lab: Lab) -> None:
    lab.box.put("work", {"load.sql": b"CREATE TABLE orders AS SELECT :'day'::date AS day, :id AS id;"})
    assert postgres.script("load.sql", {"day": "2026-03-01", "id": "7"}).ok
    assert postgres.table("orders").rows == ((datetime.date(2026, 3, 1), 7),)


def test_a_script_that_hangs_is_ended_and_harms_nobody(postgres: Postgres, lab: Lab) -> None:
    lab.box.put("work", {"hang.sql": (ORDERS + "BEGIN; LOCK TABLE orders; SELECT pg_sleep(600);").encode()})
    assert postgres.script("hang.sql", timeout=1).timed_out
    lab.fresh()
    assert postgres.script("load.sql").ok
    assert ids(postgres) == [1]


def test_a_script_that_floods_its_output_is_ended(postgres: Postgres, lab: Lab) -> None:
    lab.box.put("work", {"flood.sql": b"\\! yes 'a long line that says nothing'"})
    done = postgres.script("flood.sql")
    assert done.killed == "output", done.explain()
    assert postgres.script("load.sql").ok


def test_what_a_script_leaves_running_is_gone(postgres: Postgres, lab: Lab) -> None:
    lab.box.put("work", {"left.sql": b"\\! (setsid psql -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 &)\n"})
    done = postgres.script("left.sql")
    assert done.ok
    postgres.reset()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'loader'"
    assert postgres.query(sessions).rows == ((0,),)


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM public.orders", "SELECT 1/0", "SELEC 1", "", "SELECT '20000-01-01'::date"]
)
def test_a_query_that_fails_is_the_submissions_fault(postgres: Postgres, statement: str) -> None:
    with pytest.raises(SubmissionFault, match="orders can't be read"):
        postgres.query(statement, "orders")


def test_a_table_in_a_schema(postgres: Postgres) -> None:
    postgres.execute("CREATE SCHEMA shop", "CREATE TABLE shop.orders AS SELECT 1 AS id")
    assert postgres.table("shop.orders").rows == ((1,),)


VALUES = {
    "NULL::int": None,
    "true": True,
    "7::smallint": 7,
    "9223372036854775807": 2**63 - 1,
    "1.10::numeric(9,2)": Decimal("1.10"),
    "123456789012345678901234567890.123": Decimal("123456789012345678901234567890.123"),
    "'NaN'::numeric": Decimal("NaN"),
    "1.5::float8": 1.5,
    "'infinity'::float8": float("inf"),
    "'a\u00e9\u2028\U0001f600'": "a\u00e9\u2028\U0001f600",
    "''": "",
    "'x'::char(3)": "x  ",
    "date '2026-03-01'": datetime.date(2026, 3, 1),
    "timestamp '2026-03-01 10:00:00.000001'": datetime.datetime(2026, 3, 1, 10, 0, 0, 1),
    "timestamptz '2026-03-01 10:00+02'": datetime.datetime(2026, 3, 1, 8),
    "time '10:00'": "10:00:00",
    "interval '90 minutes'": "1:30:00",
    "'\\x00ff'::bytea": b"\x00\xff",
    "ARRAY[1,2]": [1, 2],
    "ARRAY[]::int[]": [],
    "ARRAY[1.10, NULL]::numeric[]": [Decimal("1.10"), None],
    "ARRAY[ARRAY['a'],ARRAY['b']]": [["a"], ["b"]],
    """'{"b": [1, null], "a": {"c": 1.5}}'::jsonb""": {"a": {"c": 1.5}, "b": [1, None]},
    "'[1, {\"a\": 2}]'::json": [1, {"a": 2}],
    "'00000000-0000-0000-0000-00000000002a'::uuid": "00000000-0000-0000-0000-00000000002a",
}


def test_values_are_read_as_what_they_are(postgres: Postgres) -> None:
    names = [f"c{number}" for number in range(len(VALUES))]
    columns = ", ".join(f"{sql} AS {name}" for sql, name in zip(VALUES, names, strict=True))
    (row,) = postgres.query(f"SELECT {columns}").rows
    for sql, wanted, found in zip(VALUES, VALUES.values(), row, strict=True):
        assert repr(found) == repr(wanted), sql


def test_a_table_of_upstreams_is_read_and_not_changed_by_the_submission(postgres: Postgres, lab: Lab) -> None:
    postgres.execute(
        "CREATE SCHEMA app",
        "CREATE TABLE app.users (id int, name text)",
        "GRANT USAGE ON SCHEMA app TO loader",
        "GRANT SELECT ON app.users TO loader",
    )
    postgres.copy("app.users", ["id", "name"], [(1, 'a "quoted", \\N name\nof two lines'), (2, None), (3, "")])
    assert lab.run("psql", "-qc", "CREATE TABLE mine AS SELECT * FROM app.users").ok
    assert postgres.table("mine").rows == ((1, 'a "quoted", \\N name\nof two lines'), (2, None), (3, ""))
    for change in ("DELETE FROM", "DROP TABLE", "TRUNCATE", "ALTER TABLE app.users ADD x int --"):
        done = lab.run("psql", "-v", "ON_ERROR_STOP=1", "-c", f"{change} app.users")
        assert "permission denied" in done.stderr or "must be owner" in done.stderr, change
    assert len(postgres.table("app.users")) == 3


SECURED = "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY;"
POLICIES = {
    "none": "",
    "for everybody": "CREATE POLICY everybody ON orders USING (true);",
    "for somebody else": "CREATE POLICY others ON orders USING (current_user <> 'reader' AND id > 1);",
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
def test_every_row_is_read_whatever_policies_there_are(postgres: Postgres, lab: Lab, policy: str) -> None:
    lab.box.put("work", {"load.sql": (ORDERS + SECURED + policy).encode()})
    assert postgres.script("load.sql").ok
    saved = postgres.save()
    assert ids(postgres) == [1]
    postgres.restore(saved)
    assert ids(postgres) == [1]


def test_a_view_shows_what_its_owners_policies_leave(postgres: Postgres, lab: Lab) -> None:
    view = """
        INSERT INTO orders VALUES (2, 1);
        CREATE VIEW seen AS TABLE orders;
        CREATE POLICY shown ON orders USING (id > 1);"""
    lab.box.put("work", {"load.sql": (ORDERS + view + SECURED).encode()})
    assert postgres.script("load.sql").ok
    assert postgres.table("seen").column("id") == [2]


ESCALATIONS = {
    "a view that writes": """
        CREATE TABLE proof (n int);
        CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO public.proof VALUES (1); RETURN 1; END $$;
        CREATE VIEW orders AS SELECT public.evil() AS id;""",
    "a view that leaves its read-only transaction": """
        CREATE TABLE proof (n int);
        CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            SET TRANSACTION READ WRITE; INSERT INTO public.proof VALUES (1); RETURN 1; END $$;
        CREATE VIEW orders AS SELECT public.evil() AS id;""",
    "a view that becomes somebody else": """
        CREATE TABLE proof (n int);
        CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            EXECUTE 'SET ROLE postgres'; INSERT INTO public.proof VALUES (1); RETURN 1; END $$;
        CREATE VIEW orders AS SELECT public.evil() AS id;""",
    "a view that runs a program": """
        CREATE TABLE proof (n int);
        CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            COPY public.proof FROM PROGRAM 'echo 1'; RETURN 1; END $$;
        CREATE VIEW orders AS SELECT public.evil() AS id;""",
    "an operator of its own": """
        CREATE TABLE proof (n int);
        CREATE TABLE orders (id int);
        CREATE FUNCTION evil(int, int) RETURNS boolean LANGUAGE sql AS
            $$ INSERT INTO public.proof VALUES (1) RETURNING true $$;
        CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil);
        INSERT INTO orders VALUES (1);
        CREATE VIEW seen AS SELECT id FROM orders WHERE id OPERATOR(public.=) 1;
        ALTER TABLE orders RENAME TO hidden; ALTER VIEW seen RENAME TO orders;""",
}


@pytest.mark.parametrize("hostile", ESCALATIONS.values(), ids=ESCALATIONS.keys())
def test_reading_never_writes(postgres: Postgres, lab: Lab, hostile: str) -> None:
    lab.box.put("work", {"load.sql": hostile.encode()})
    assert postgres.script("load.sql").ok, postgres.script("load.sql").explain()
    with pytest.raises(SubmissionFault):
        postgres.table("orders")
    assert len(postgres.table("proof")) == 0


TRAPS = {
    "trigger": "CREATE TRIGGER trap BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION evil();"
    "ALTER TABLE orders ENABLE ALWAYS TRIGGER trap;",
    "check": "ALTER TABLE orders ADD CHECK (evil_check(id));",
    "default": "ALTER TABLE orders ADD extra boolean DEFAULT evil_check(1);",
}
EVIL = """
CREATE TABLE orders (id int);
CREATE TABLE proof (who text, super boolean);
CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil_check(1); RETURN NEW; END $$;
CREATE FUNCTION evil_check(n int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.proof SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user;
    BEGIN
        COPY public.proof FROM PROGRAM 'echo program,true' WITH (FORMAT csv);
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    RETURN true;
END $$;
"""


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS.keys())
def test_what_is_hung_on_a_table_runs_without_a_superusers_rights(postgres: Postgres, lab: Lab, trap: str) -> None:
    lab.box.put("work", {"load.sql": (EVIL + trap).encode()})
    assert postgres.script("load.sql").ok, postgres.script("load.sql").explain()
    postgres.copy("public.orders", ["id"], [(1,)])
    postgres.execute("INSERT INTO public.orders (id) VALUES (2)")
    assert set(postgres.table("proof").rows) == {("upstream", False)}


def test_the_submission_cant_come_near_the_server(postgres: Postgres, lab: Lab) -> None:
    driver = lab.box.path("driver")
    for user, host in (("postgres", None), ("reader", None), ("upstream", None), ("loader", f"{driver}/postgres")):
        variables = {"PGUSER": user, "PGDATABASE": "postgres" if user == "postgres" else "warehouse"}
        for password in ("", "template", "postgres", "loader", "reader"):
            given = {**variables, "PGPASSWORD": password} | ({"PGHOST": host} if host else {})
            done = lab.box.run(["psql", "-w", "-c", "SELECT 1"], variables=given)
            if host and not lab.box.space.path("driver").startswith("/driver"):
                continue  # the embedded sandbox confines nobody
            assert not done.ok, (user, host, password)
    for statement in (
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "ALTER SYSTEM SET fsync = on",
        "CREATE ROLE x SUPERUSER",
        "SET ROLE postgres",
        "SET ROLE upstream",
        "SET ROLE reader",
        "ALTER ROLE reader PASSWORD 'x'",
    ):
        assert not lab.run("psql", "-v", "ON_ERROR_STOP=1", "-c", statement).ok, statement


# -- states ------------------------------------------------------------------------------------------------------------


WAIT = """
import psycopg2
link = psycopg2.connect("")
cursor = link.cursor()
while True:
    cursor.execute("UPDATE orders SET amount = amount + 1")
    link.commit()
"""


def test_a_command_at_work_keeps_its_sessions_while_the_grader_reads(postgres: Postgres, lab: Lab) -> None:
    assert postgres.script("load.sql").ok
    with service(lab.box, "python", "-c", WAIT) as running:
        before = postgres.table("orders").rows
        assert running.until(lambda: postgres.table("orders").rows != before, 20)
        with postgres.holding("orders"):
            assert running.until(postgres.waits, 20)
        before = postgres.table("orders").rows
        assert running.until(lambda: postgres.table("orders").rows != before, 20)
    assert not running.ending.result().ok
    assert not postgres.waits()


def test_save_and_restore(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    saved = postgres.save()
    lab.run("psql", "-qc", "INSERT INTO orders VALUES (2, 1); CREATE TABLE more (n int)")
    both = postgres.save()
    postgres.restore(saved)
    assert ids(postgres) == [1]
    with pytest.raises(SubmissionFault):
        postgres.table("more")
    postgres.restore(both)
    assert ids(postgres) == [1, 2]
    assert lab.run("psql", "-qc", "INSERT INTO orders VALUES (3, 1)").ok


def test_reset_brings_back_an_empty_database(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    lab.run("psql", "-qc", "CREATE SCHEMA s; ALTER ROLE loader SET search_path = s; ALTER ROLE loader PASSWORD 'other'")
    postgres.reset()
    assert ids(postgres) is None
    assert lab.run("psql", "-Atc", "SHOW search_path").stdout == '"$user", public\n'
    assert postgres.query("SELECT nspname FROM pg_namespace WHERE nspname = 's'").rows == ()


# -- crash points ------------------------------------------------------------------------------------------------------

SCRIPT = """
CREATE TABLE IF NOT EXISTS orders (id int);
INSERT INTO orders VALUES (1);
BEGIN;
INSERT INTO orders VALUES (2);
INSERT INTO orders VALUES (3);
COMMIT;
INSERT INTO orders VALUES (4);
"""
PSYCOPG2 = """
import io, psycopg2
link = psycopg2.connect("")
with link, link.cursor() as cursor:
    cursor.execute("CREATE TABLE orders (id int)")
with link, link.cursor() as cursor:
    cursor.executemany("INSERT INTO orders VALUES (%s)", [(1,), (2,)])
with link, link.cursor() as cursor:
    cursor.copy_expert("COPY orders FROM STDIN", io.StringIO("3\\n4\\n"))
"""
# For each way to load: what is run, the status after each statement, and what stands there after so many.
LOADS: dict[str, tuple[str, list[str], str, list[list[int] | None]]] = {
    "psql": (SCRIPT, ["psql", "-qf", "load"], "IITTTII", [None, [], [1], [1], [1], [1], [1, 2, 3], [1, 2, 3, 4]]),
    "psycopg2": (
        PSYCOPG2,
        ["python", "load"],
        "TTITTTITTI",
        [None, None, None, [], [], [], [], [1, 2], [1, 2], [1, 2], [1, 2, 3, 4]],
    ),
    "one message": (
        SCRIPT,
        ["bash", "-c", 'psql -qc "$(cat load)"'],
        "I",
        [None, [1, 2, 3, 4]],
    ),
    "two sessions": (
        SCRIPT,
        ["bash", "-c", "psql -qc 'CREATE TABLE orders (id int)' && psql -qc 'INSERT INTO orders VALUES (1)'"],
        "II",
        [None, [], [1]],
    ),
}


@pytest.mark.parametrize(("text", "argv", "statuses", "states"), LOADS.values(), ids=LOADS.keys())
def test_a_kill_after_any_statement(
    postgres: Postgres, lab: Lab, text: str, argv: list[str], statuses: str, states: list[list[int] | None]
) -> None:
    lab.box.put("work", {"load": text.encode()})
    postgres.count()
    assert lab.run(*argv).ok
    assert postgres.stop_counting() == list(statuses)
    assert ids(postgres) == states[-1]
    for after, wanted in enumerate(states):
        postgres.reset()
        postgres.crash(after)
        done = lab.run(*argv)
        assert len(postgres.stop_counting()) == after
        assert done.killed == "killed", f"after {after}: {done.explain()}"
        assert ids(postgres) == wanted, f"killed after {after} statements"


def test_a_crash_point_beyond_the_end_kills_nobody(postgres: Postgres, lab: Lab) -> None:
    postgres.crash(99)
    assert postgres.script("load.sql").ok
    assert postgres.stop_counting() == ["I", "I"]


def test_a_failed_transactions_status_is_told(postgres: Postgres, lab: Lab) -> None:
    postgres.count()
    lab.run("psql", "-c", "BEGIN", "-c", "SELECT 1/0", "-c", "ROLLBACK")
    assert postgres.stop_counting() == ["T", "E", "I"]


def test_a_fork_that_survives_the_kill_changes_nothing(postgres: Postgres, lab: Lab) -> None:
    """A second process waits for the end of the first, to do its work after all."""
    script = "psql -qc 'CREATE TABLE orders (id int)'; psql -qc 'INSERT INTO orders VALUES (1)'"
    aside = f'(setsid bash -c "{script}" &) ; {script}'
    postgres.crash(1)
    lab.run("bash", "-c", aside)
    postgres.stop_counting()
    assert ids(postgres) in (None, [])


def test_crash_everywhere_tells_a_transaction_from_none(postgres: Postgres, lab: Lab) -> None:
    def killed(text: str) -> list[list[int] | None]:
        lab.submission = lab.submission.overlaid({"load.sql": text.encode()})
        points = crash_everywhere(
            lab, postgres, prepare=lab.fresh, act=lambda: postgres.script("load.sql"), observe=lambda: ids(postgres)
        )
        return [point.seen for point in points]

    load: Callable[[str], str] = lambda inserts: f"CREATE TABLE IF NOT EXISTS orders (id int);\n{inserts}"  # noqa: E731
    plain = load("DELETE FROM orders;\nINSERT INTO orders VALUES (1);\nINSERT INTO orders VALUES (2);")
    assert killed(plain) == [[1, 2]] * 5
    appending = load("INSERT INTO orders VALUES (1);\nINSERT INTO orders VALUES (2);")
    assert killed(appending) == [[1, 2], [1, 2], [1, 1, 2], [1, 1, 2, 2]]


def test_a_run_that_never_speaks_to_the_database_fails(postgres: Postgres, lab: Lab) -> None:
    with pytest.raises(SubmissionFault, match="no statement"):
        crash_everywhere(lab, postgres, prepare=lab.fresh, act=lambda: lab.run("true"), observe=lambda: None)


# -- somebody else at work -----------------------------------------------------------------------------------------


def test_an_open_transaction_commits_once_the_submission_waits_for_it(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    lab.box.put("work", {"more.sql": b"UPDATE orders SET amount = amount + 1;\n"})
    with postgres.open_transaction("UPDATE orders SET amount = 5", "INSERT INTO orders VALUES (2, 5)"):
        assert postgres.script("more.sql", timeout=20).ok
    # It began before the second row was there to be seen, and waited for the first.
    assert sorted(postgres.table("orders").rows) == [(1, Decimal("6.00")), (2, Decimal("5.00"))]


def test_an_open_transaction_goes_on_once_the_submission_waits_for_it(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    lab.box.put("work", {"more.sql": b"UPDATE orders SET amount = amount + 1;\n"})
    with postgres.open_transaction("UPDATE orders SET amount = 5", then=["UPDATE orders SET amount = amount * 2"]):
        assert postgres.script("more.sql", timeout=20).ok
    assert postgres.table("orders").rows == ((1, Decimal("11.00")),)


def test_an_open_transaction_is_not_seen_by_a_submission_that_waits_for_nothing(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    lab.box.put("work", {"copy.sql": b"CREATE TABLE copied AS TABLE orders;\n"})
    with postgres.open_transaction("DELETE FROM orders"):
        assert postgres.script("copy.sql").ok
    assert len(postgres.table("copied")) == 1
    assert len(postgres.table("orders")) == 0


def test_another_session_writes_while_the_submission_waits_for_an_open_transaction(
    postgres: Postgres, lab: Lab
) -> None:
    postgres.script("load.sql")
    lab.box.put("work", {"more.sql": b"UPDATE orders SET amount = amount + 1;\nCREATE TABLE copied AS TABLE orders;\n"})
    with postgres.open_transaction("SELECT FROM orders FOR UPDATE", meanwhile=["INSERT INTO orders VALUES (2, 5)"]):
        assert postgres.script("more.sql", timeout=20).ok
    assert sorted(postgres.table("copied").rows) == [(1, Decimal("10.90")), (2, Decimal("5.00"))]


def test_a_session_that_the_submission_keeps_waiting_writes_once_it_is_done(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    alone = b"BEGIN; LOCK orders IN SHARE ROW EXCLUSIVE MODE; UPDATE orders SET amount = amount + 1; COMMIT;"
    lab.box.put("work", {"alone.sql": alone})
    with postgres.open_transaction("SELECT FROM orders FOR UPDATE", meanwhile=["UPDATE orders SET amount = 9"]):
        assert postgres.script("alone.sql", timeout=30).ok
    assert postgres.table("orders").rows == ((1, Decimal("9.00")),)


def test_an_open_transaction_ends_for_whoever_polls_for_its_end(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    polls = b"""DO $$ BEGIN
        WHILE EXISTS (SELECT FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'RowExclusiveLock') LOOP
            PERFORM pg_sleep(0.1);
        END LOOP;
    END $$;"""
    lab.box.put("work", {"wait.sql": polls})
    with postgres.open_transaction("DELETE FROM orders"):
        assert postgres.script("wait.sql", timeout=30).ok


def test_an_open_transaction_is_there_until_a_submission_that_has_other_work_first_reads(
    postgres: Postgres, lab: Lab
) -> None:
    postgres.script("load.sql")
    works = b"""DO $$ DECLARE done timestamptz := clock_timestamp() + interval '5 seconds'; BEGIN
        WHILE clock_timestamp() < done LOOP NULL; END LOOP;
    END $$;
    CREATE TABLE copied AS TABLE orders;"""
    lab.box.put("work", {"copy.sql": works})
    with postgres.open_transaction("DELETE FROM orders"):
        assert postgres.script("copy.sql").ok
    assert len(postgres.table("copied")) == 1


def test_what_is_read_of_one_table_is_not_made_good_by_dropping_another(postgres: Postgres, lab: Lab) -> None:
    postgres.script("load.sql")
    more = (
        "CREATE TABLE old AS SELECT FROM generate_series(1, 500); CREATE TABLE new AS TABLE old; TABLE old; TABLE old;"
    )
    reads = "SELECT count(*) FROM new; DROP TABLE old;"
    lab.box.put("work", {"more.sql": more.encode(), "reads.sql": reads.encode()})
    assert postgres.script("more.sql").ok
    before = rows_read(postgres)
    assert postgres.script("reads.sql").ok
    assert sum(rows_read(postgres, before).values()) >= 500


def test_an_app_whose_statement_is_refused_is_the_submissions_fault(postgres: Postgres) -> None:
    with pytest.raises(SubmissionFault, match="nowhere"), postgres.open_transaction("DELETE FROM nowhere"):
        pass


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_table_without_end_is_the_submissions_fault(postgres: Postgres, lab: Lab) -> None:
    lab.run("psql", "-qc", "CREATE VIEW orders AS SELECT 1 AS id FROM generate_series(1, 600000)")
    with pytest.raises(SubmissionFault, match="orders can't be read"):
        postgres.table("orders")
    assert postgres.query("SELECT 1").rows == ((1,),)


def test_rubbish_on_the_door_disturbs_nobody(postgres: Postgres, lab: Lab) -> None:
    code = """
import os, socket
rubbish = [b"", b"\\0", b"\\xff" * 8, b"\\0\\0\\0\\4\\0\\0\\0\\0", b"GET / HTTP/1.0\\r\\n\\r\\n"]
for start in [*rubbish, b"\\x7f\\xff\\xff\\xff" + b"x" * 100000]:
    link = socket.socket(socket.AF_UNIX)
    link.connect(os.environ["PGHOST"] + "/.s.PGSQL.5432")
    try:
        link.sendall(start)
        link.shutdown(socket.SHUT_WR)
        link.settimeout(5)
        link.recv(1)
    except OSError:
        pass
    link.close()
"""
    assert lab.run("python", "-c", code, timeout=60).ok
    assert postgres.script("load.sql").ok
    assert ids(postgres) == [1]
