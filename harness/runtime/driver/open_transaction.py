"""A transaction of somebody else's that is open while the submission is at work: ``open_transaction.py HOST DATABASE``.

The first line on standard input is ``{"user": …, "password": …, "statements": […], "then": […]}``; once the first are
executed it says ``{"open": true}``. It executes the others and commits as soon as a session waits for it; where none
does, PATIENCE seconds after one has come (which may be waiting for it to end without a lock), or at the end of standard
input. Then it says ``{"committed": …}``.
"""

from __future__ import annotations

import contextlib
import json
import select
import sys

PATIENCE, GLANCE = 3.0, 0.05  # seconds
# How much longer it waits for a session that is at work: what it does before it reads may take its time.
BUSY = 5
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))"
IS_THERE = """
    SELECT state <> 'active' OR coalesce(wait_event_type, '') IN ('Client', 'Timeout') AS rests
    FROM pg_stat_activity WHERE usename = 'loader' AND datname = current_database()
"""


def say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    import psycopg2

    host, database = sys.argv[1:3]
    request = json.loads(sys.stdin.readline())
    account = {"host": host, "dbname": database, "user": request["user"], "password": request["password"]}
    try:
        with (
            contextlib.closing(psycopg2.connect(**account, options="-c lock_timeout=20000")) as link,
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
                link.commit()
        say(committed=True)
    except psycopg2.Error as error:
        say(error=f"{type(error).__name__}: {error}".strip())


if __name__ == "__main__":
    main()
