"""What a submission's transactions wrote, as PostgreSQL tells it of each row, and how much they read."""

from __future__ import annotations

from harness.engines.postgres import Postgres


def horizon(postgres: Postgres) -> int:
    """The number of the next transaction: what is written from now on has this one or a higher one."""
    return int(postgres.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS x").column("x")[0])


def largest_transaction(postgres: Postgres, table: str, since: int) -> int:
    """The most rows of a table that one transaction wrote since a ``horizon``, as far as they still stand so."""
    sql = f"SELECT count(*) AS n FROM {table} WHERE xmin::text::bigint >= {since} GROUP BY xmin"
    return max(postgres.query(sql, table).column("n"), default=0)


_READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS read,
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()) AS others
    FROM pg_stat_user_tables
"""


def rows_read(postgres: Postgres) -> int:
    """Of all tables up to now. What a session has read is counted when it ends, a moment after its program has."""
    for _ in range(50):
        ((read, others),) = postgres.query(_READ, "PostgreSQL's statistics").rows
        if not others:
            break
    return int(read or 0)
