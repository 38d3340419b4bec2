"""The sales of our four stores, a file each and day, into the warehouse.

Sensors wait for the day's files; `load` brings in whatever is there of the last 14 days, whatever came of the waiting;
`complete` fails if a file of the day itself is missing.
"""

import csv
import datetime
import logging
import os
from pathlib import Path

from airflow.exceptions import AirflowFailException
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, task

DROP = Path(os.environ["DATA"]) / "drop"
STORES = ("graz", "linz", "wels", "wien")
FIRST = datetime.date(2026, 3, 2)
DAYS_BACK = 13
log = logging.getLogger(__name__)


def rows_of(day, store):
    """The rows of a file; None if it isn't there."""
    path = DROP / day / f"{store}.csv"
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        return [(day, store, row["receipt"], row["amount"]) for row in csv.DictReader(file)]


def was_loaded(cursor, day, store):
    """Files go after 30 days: whose day was loaded, and who wasn't missing then, isn't missing now."""
    cursor.execute("select 1 from daily_totals where day = %s", (day,))
    if not cursor.fetchone():
        return False
    cursor.execute("select 1 from missing_files where day = %s and store = %s", (day, store))
    return not cursor.fetchone()


def load_day(cursor, day):
    """What is there of a day, in place of what was known of it; the stores that are missing."""
    missing = []
    for store in STORES:
        rows = rows_of(day, store)
        if rows is None:
            if not was_loaded(cursor, day, store):
                missing.append(store)
            continue
        cursor.execute("delete from sales where day = %s and store = %s", (day, store))
        cursor.executemany("insert into sales values (%s, %s, %s, %s)", rows)
    cursor.execute("delete from daily_totals where day = %s", (day,))
    cursor.execute(
        "insert into daily_totals select day, count(*), sum(amount) from sales where day = %s group by day", (day,)
    )
    cursor.execute("delete from missing_files where day = %s", (day,))
    cursor.executemany("insert into missing_files values (%s, %s)", [(day, store) for store in missing])
    return missing


with DAG(
    "store_sales",
    schedule="0 4 * * *",
    start_date=datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC),
    catchup=False,
    default_args={"retries": 2, "retry_delay": datetime.timedelta(minutes=5)},
):

    @task(trigger_rule="all_done")
    def load(ds=None):
        last = datetime.date.fromisoformat(ds)
        days = [last - datetime.timedelta(days=back) for back in range(DAYS_BACK, -1, -1)]
        found = {}
        for day in (str(day) for day in days if day >= FIRST):
            with PostgresHook("warehouse").get_conn() as link, link.cursor() as cursor:
                if missing := load_day(cursor, day):
                    log.warning("of %s there is nothing from %s", day, ", ".join(missing))
                link.commit()
            found[day] = missing
        return found[ds]

    @task
    def complete(missing, ds=None):
        if missing:
            raise AirflowFailException(f"of {ds} there is nothing from {', '.join(missing)}")

    loaded = load()
    complete(loaded)
    for store in STORES:
        arrived = FileSensor(
            task_id=f"wait_for_{store}",
            filepath=f"{DROP}/{{{{ ds }}}}/{store}.csv",
            mode="reschedule",
            poke_interval=300,
            timeout=7200,
        )
        arrived >> loaded
# canary: 23cf9560-f05b-4155-b66a-505e8860571c
