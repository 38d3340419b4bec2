"""A transaction of somebody else's that is open while the submission is at work: ``open_transaction.py HOST DATABASE``.

The first line on standard input is ``{"user": …, "password": …, "statements": […], "then": […], "meanwhile": […]}``;
once the statements are executed it says ``{"open": true}``. It ends as soon as a session waits for it; where none does,
PATIENCE seconds after one has come (which may be waiting for it to end without a lock), or at the end of standard
input: it executes ``then``, another session what is to be done meanwhile, and it commits. Then it says
``{"committed": …}``.
"""

from __future__ import annotations

import contextlib
import json
import select
import sys
import threading

PATIENCE, GLANCE = 3.0, 0.05  # seconds
OPTIONS = "-c lock_timeout=20000"
# How much longer it waits for a session that is at work: what it does before it reads may take its time.
BUSY = 5
# What is done meanwhile may itself wait for the session that waits.
AT_MOST = 2.0
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))"
IS_THERE = """
    SELECT state <> 'active' OR coalesce(wait_event_type, '') IN ('Client', 'Timeout') AS rests
    FROM pg_stat_activity WHERE usename = 'loader' AND datname = current_database()
"""


def say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def write(account: dict[str, str], statements: list[str], errors: list[Exception]) -> None:
    """Execute each statement in a transaction of its own, up to the first error."""
    import psycopg2

    if not statements:
        return
    try:
        with contextlib.closing(psycopg2.connect(**account, options=OPTIONS)) as link, link.cursor() as cursor:
            link.autocommit = True
            for statement in statements:
                cursor.execute(statement)
    except psycopg2.Error as error:
        errors.append(error)


def main() -> None:
    import psycopg2

    host, database = sys.argv[1:3]
    request = json.loads(sys.stdin.readline())
    account = {"host": host, "dbname": database, "user": request["user"], "password": request["password"]}
    try:
        with (
            contextlib.closing(psycopg2.connect(**account, options=OPTIONS)) as link,
            contextlib.closing(psycopg2.connect(**account)) as watch,
        ):
            watch.autocommit = True
            with link.cursor() as cursor, watch.cursor() as glance:
                for statement in request["statements"]:
                    cursor.execute(statement)
                say(open=True)
                seen = 0.0
                while seen < PATIENCE and not select.select([sys.stdin], [], [], GLANCE)[0]:
                    glance.execute(WAITS, (link.get_backend_pid(),))
                    if glance.fetchone()[0]:
                        break
                    glance.execute(IS_THERE)
                    sessions = glance.fetchall()
                    seen += GLANCE / (1 if any(rests for (rests,) in sessions) else BUSY) if sessions else 0
                for statement in request["then"]:
                    cursor.execute(statement)
                errors: list[Exception] = []
                writer = threading.Thread(target=write, args=(account, request["meanwhile"], errors))
                writer.start()
                writer.join(AT_MOST)
                link.commit()
                writer.join()
                if errors:
                    raise errors[0]
        say(committed=True)
    except psycopg2.Error as error:
        say(error=f"{type(error).__name__}: {error}".strip())


if __name__ == "__main__":
    main()
