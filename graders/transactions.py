"""What a submission's transactions wrote, as PostgreSQL tells it of each row, and how much they read."""

from __future__ import annotations

from collections.abc import Mapping

from harness.engines.postgres import Postgres


def horizon(postgres: Postgres) -> int:
    """The number of the next transaction: what is written from now on has this one or a higher one."""
    return int(postgres.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS x").column("x")[0])


def largest_transaction(postgres: Postgres, table: str, since: int) -> int:
    """The most rows of a table that one transaction wrote since a ``horizon``, as far as they still stand so."""
    sql = f"SELECT count(*) AS n FROM {table} WHERE xmin::text::bigint >= {since} GROUP BY xmin"
    return max(postgres.query(sql, table).column("n"), default=0)


_READ = "SELECT relid::bigint AS id, seq_tup_read + coalesce(idx_tup_fetch, 0) AS read FROM pg_stat_user_tables"


def rows_read(postgres: Postgres, since: Mapping[int, int] | None = None) -> dict[int, int]:
    """By table (its number), up to now; or since then. Of a table that was dropped nobody knows it any more."""
    since = since or {}
    read = postgres.query(_READ, "PostgreSQL's statistics").rows
    return {int(table): int(rows) - since.get(int(table), 0) for table, rows in read}
