"""Loads the shop's daily file of orders: one file, one day, one run. See DELIVERABLE.md."""

from __future__ import annotations

import datetime
import logging

from airflow.sdk import dag, task

log = logging.getLogger(__name__)


@dag(
    dag_id="daily_orders_load",
    description="The shop's orders file of the logical date into public.orders",
    schedule="0 4 * * *",
    start_date=datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc),
    catchup=False,
    default_args={
        "owner": "data-engineer",
        "retries": 3,
        "retry_delay": datetime.timedelta(minutes=5),
    },
    tags=["orders"],
    doc_md=__doc__,
)
def daily_orders_load():
    @task
    def load(ds: str) -> dict[str, int]:
        """Replace the day in both tables, in one transaction."""
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        from orders_file import read_day

        # Read the whole file first: if it is missing or unreadable, the database isn't touched.
        day = read_day(ds)

        # Leaving the block commits; an exception rolls everything back.
        with PostgresHook("warehouse").get_conn() as link, link.cursor() as cursor:
            # Two loads of one day take turns; other days run beside each other.
            cursor.execute("select pg_advisory_xact_lock(hashtext('daily_orders_load ' || %s))", (ds,))
            cursor.execute("delete from public.orders where file_day = %s", (ds,))
            cursor.execute("delete from public.orders_rejected where file_day = %s", (ds,))
            with cursor.copy(
                "copy public.orders (file_day, order_id, customer_id, city, ordered_at, status, amount) from stdin"
            ) as copy:
                for order in day.orders:
                    copy.write_row((ds, *order))
            with cursor.copy("copy public.orders_rejected (file_day, reason, record) from stdin") as copy:
                for rejected in day.rejected:
                    copy.write_row((ds, *rejected))
        return {"loaded": len(day.orders), "rejected": len(day.rejected)}

    @task
    def report(counts: dict[str, int], ds: str) -> None:
        """Say what was loaded; a warning if rows were rejected."""
        if counts["rejected"]:
            log.warning("%s: %d orders, %d rows REJECTED: see public.orders_rejected", ds, *counts.values())
        else:
            log.info("%s: %d orders, none rejected", ds, counts["loaded"])

    report(load())


daily_orders_load()
# canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
