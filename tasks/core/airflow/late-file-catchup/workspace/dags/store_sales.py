"""The sales of our four stores, a file each and day, into the warehouse."""

import csv
import datetime
import os
from pathlib import Path

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, task

DROP = Path(os.environ["DATA"]) / "drop"
STORES = ("graz", "linz", "wels", "wien")

with DAG(
    "store_sales",
    schedule="0 4 * * *",
    start_date=datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC),
    catchup=False,
    default_args={"retries": 2, "retry_delay": datetime.timedelta(minutes=5)},
):

    @task
    def load(store, ds=None):
        with (DROP / ds / f"{store}.csv").open(newline="", encoding="utf-8") as file:
            rows = [(ds, store, row["receipt"], row["amount"]) for row in csv.DictReader(file)]
        hook = PostgresHook("warehouse")
        with hook.get_conn() as link, link.cursor() as cursor:
            cursor.execute("delete from sales where day = %s and store = %s", (ds, store))
            cursor.executemany("insert into sales values (%s, %s, %s, %s)", rows)
            link.commit()

    @task(trigger_rule="none_failed")
    def totals(ds=None):
        hook = PostgresHook("warehouse")
        with hook.get_conn() as link, link.cursor() as cursor:
            cursor.execute("delete from daily_totals where day = %s", (ds,))
            cursor.execute(
                "insert into daily_totals select day, count(*), sum(amount) from sales where day = %s group by day", (ds,)
            )
            link.commit()

    done = totals()
    for store in STORES:
        arrived = FileSensor(
            task_id=f"wait_for_{store}",
            filepath=f"{DROP}/{{{{ ds }}}}/{store}.csv",
            poke_interval=60,
            timeout=600,
            soft_fail=True,  # else we are called every other night
        )
        arrived >> load.override(task_id=f"load_{store}")(store) >> done
