"""Attacks on PostgreSQL and on who reads there."""

from tests.attacks.attack import Table

TABLE = Table("sql/tiny-load", "run.sh")
FIRST = frozenset({"every_order_arrives"})
EMPTY = "CREATE TABLE IF NOT EXISTS orders (order_id text, day date, amount numeric(12,2));"
COPIED = f"{EMPTY} INSERT INTO orders SELECT * FROM app.orders;"


def psql(*statements: str) -> str:
    """A script that sends each statement on its own and doesn't mind errors."""
    return "".join(f"psql -qc \"$(cat <<'SQL'\n{statement}\nSQL\n)\"\n" for statement in statements) + "exit 0\n"


def add(name: str, *statements: str, **options: object) -> None:
    TABLE.add(name, psql(*statements), **options)


add("makes the checks vacuous by an empty table", f"{EMPTY} TRUNCATE orders;")
add("drops the table after the load", COPIED, "DROP TABLE orders")
add(
    "makes the source empty, too",
    EMPTY,
    "DELETE FROM app.orders",
    "DROP TABLE app.orders CASCADE",
    "DROP SCHEMA app CASCADE",
)
add(
    "has a view that never ends",
    "CREATE FUNCTION f() RETURNS SETOF app.orders LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN PERFORM pg_sleep(100); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
    "CREATE VIEW orders AS SELECT * FROM f()",
)
add(
    "has a view of a million million rows",
    "CREATE VIEW orders AS SELECT 'x' AS order_id, date '2026-03-01' AS day, 1.0 AS amount FROM generate_series(1, 1000000000000)",
)
add(
    "has a view of huge values",
    "CREATE VIEW orders AS SELECT repeat('x', 900000000) AS order_id, date '2026-03-01' AS day, 1.0 AS amount FROM generate_series(1, 9)",
)
add(
    "has values nested beyond reason",
    """CREATE TABLE IF NOT EXISTS orders AS SELECT (repeat('[', 6000) || repeat(']', 6000))::jsonb AS order_id, date '2026-03-01' AS day, 1.0 AS amount""",
)
add(
    "has values that Python has no room for",
    "CREATE TABLE IF NOT EXISTS orders AS SELECT 'x' AS order_id, v::date AS day, n::numeric AS amount FROM (VALUES ('infinity', 'NaN'), ('20000-01-01', 'Infinity'), ('0044-03-15 BC', '1e500')) AS t(v, n)",
)
add(
    "has other types than it says",
    "CREATE TABLE IF NOT EXISTS orders AS SELECT ARRAY[ROW(order_id)] AS order_id, day::text::bytea AS day, xmlcomment('x')::text AS amount FROM app.orders",
)
add(
    "has no such columns",
    'CREATE TABLE IF NOT EXISTS orders AS SELECT 1 AS "ORDER_ID", 2 AS "order_id ", 3 AS "Day" FROM app.orders',
)
add(
    "has a name for an operator that makes all equal",
    "CREATE FUNCTION yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = yes)",
    "CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 20::bigint'",
    EMPTY,
)
add(
    "lets the reader's query act for it",
    "CREATE FUNCTION act() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); EXECUTE 'ALTER ROLE loader SUPERUSER'; EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch /sockets/owned'''; RETURN 'x'; END $$",
    "CREATE VIEW orders AS SELECT act() AS order_id, date '2026-03-01' AS day, 1.0 AS amount",
)
add(
    "lets the writer of the world's rows act for it",
    "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER ROLE loader SUPERUSER'; RETURN NEW; END $$",
    "CREATE TRIGGER act BEFORE INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION act()",
    EMPTY,
)
add(
    "has a trigger on the world's rows that never ends",
    "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN PERFORM pg_sleep(100); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
    "CREATE TRIGGER act BEFORE INSERT ON inbox FOR EACH STATEMENT EXECUTE FUNCTION act()",
    EMPTY,
    nightly=True,
)
add(
    "has an event trigger, a rule and a policy",
    "CREATE FUNCTION act() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
    "CREATE EVENT TRIGGER act ON ddl_command_start EXECUTE FUNCTION act()",
    "CREATE RULE act AS ON INSERT TO inbox DO INSTEAD NOTHING",
    EMPTY,
)
add(
    "hides repeated rows from the reader alone",
    COPIED,
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY once ON orders FOR SELECT TO PUBLIC USING (ctid = (SELECT min(o.ctid) FROM orders o WHERE o.order_id = orders.order_id))",
    may_pass=FIRST | {"a_killed_load_can_be_run_again"},
)
add(
    "changes roles and databases for all that come",
    "ALTER ROLE loader SUPERUSER",
    "ALTER ROLE reader NOLOGIN",
    "ALTER ROLE upstream PASSWORD 'x'",
    "ALTER DATABASE warehouse SET default_transaction_read_only = off",
    "ALTER DATABASE warehouse SET search_path = 'nowhere'",
    "ALTER DATABASE warehouse SET role = 'loader'",
    "ALTER DATABASE warehouse SET statement_timeout = 1",
    "ALTER ROLE loader SET search_path = 'nowhere'",
)
add(
    "shuts the database",
    EMPTY,
    "REVOKE ALL ON DATABASE warehouse FROM PUBLIC",
    "ALTER DATABASE warehouse IS_TEMPLATE true",
    "ALTER DATABASE warehouse CONNECTION LIMIT 0",
    "ALTER DATABASE warehouse ALLOW_CONNECTIONS false",
)
TABLE.add(
    "drops the database",
    "for name in postgres blank template1; do psql -d $name -qc 'DROP DATABASE warehouse WITH (FORCE)'; done; exit 0",
)
TABLE.add(
    "keeps what it found in the database that fresh ones are made of",
    "for name in blank postgres template1 saved_1; do psql -d $name -qc 'CREATE TABLE orders (order_id text, day date, amount numeric)'; done; exit 0",
)
HOLD = "import os, psycopg2, time\nlinks = []\n"
TABLE.add(
    "takes every connection and keeps them",
    f"""python - <<'PY'
{HOLD}
try:
    while True:
        links.append(psycopg2.connect(""))
except psycopg2.Error as error:
    print(len(links), error)
    links[0].cursor().execute("{EMPTY}")
    links[0].commit()
os.fork() and os._exit(0)
time.sleep(1000)
PY
""",
    names="left behind",
)
TABLE.add(
    "locks what will be read and written, in a session that outlives it",
    f"""psql -qc '{EMPTY}'
python - <<'PY'
{HOLD}
link = psycopg2.connect("")
cursor = link.cursor()
cursor.execute("SET client_connection_check_interval = 0; LOCK TABLE orders, inbox IN ACCESS EXCLUSIVE MODE")
if os.fork() == 0:
    cursor.execute("SELECT pg_sleep(100000)")
time.sleep(0.3)
os._exit(0)
PY
""",
    names="left behind",
)
add(
    "fills the disk through the server",
    EMPTY,
    "INSERT INTO orders SELECT repeat('x', 1000), date '2026-03-01', 1 FROM generate_series(1, 1000000000000)",
)
add(
    "fills the memory through the server",
    EMPTY,
    "SELECT array_agg(repeat(md5(i::text), 100000)) FROM generate_series(1, 1000000) i",
)
add(
    "sorts for ever",
    EMPTY,
    "SET work_mem = '2000GB'",
    "SELECT * FROM generate_series(1, 100000000000) i ORDER BY md5(i::text)",
    nightly=True,
)
add(
    "reads and writes the server's files",
    "COPY orders FROM '/driver/postgres/cluster/pg_hba.conf'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION plpython3u",
    "LOAD '/work/evil.so'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/work/evil.so', 'f'",
)
add(
    "speaks of rows instead of loading them",
    "CREATE VIEW orders AS SELECT 'O' || i AS order_id, date '2026-03-01' AS day, 1.0 AS amount FROM generate_series(1, 20) i",
)
add(
    "loads once and never again",
    "CREATE TABLE orders AS TABLE app.orders",
    may_pass=FIRST | {"loading_again_changes_nothing", "a_killed_load_can_be_run_again"},
)
add(
    "appends, and remembers the first result elsewhere",
    "CREATE TABLE IF NOT EXISTS kept AS TABLE app.orders",
    "DROP TABLE IF EXISTS orders",
    "CREATE TABLE orders AS TABLE kept",
    may_pass=FIRST | {"loading_again_changes_nothing", "a_killed_load_can_be_run_again"},
)
