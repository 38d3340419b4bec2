import csv
import datetime
import os

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, task

DROP = os.path.join(os.environ["DATA"], "drop")
STORES = ["graz", "linz", "wels", "wien"]


def bring_in(day, store):
    with open(f"{DROP}/{day}/{store}.csv", encoding="utf-8") as file:
        rows = [(day, store, int(row["receipt"]), row["amount"]) for row in csv.DictReader(file)]
    with PostgresHook("warehouse").get_conn() as link:
        link.execute("delete from sales where (day, store) = (%s, %s)", (day, store))
        with link.cursor() as cursor:
            cursor.executemany("insert into sales values (%s, %s, %s, %s)", rows)
        link.execute("delete from missing_files where (day, store) = (%s, %s)", (day, store))
        link.execute("delete from daily_totals where day = %s", (day,))
        link.execute(
            "insert into daily_totals select day, count(*), sum(amount) from sales where day = %s group by 1", (day,)
        )


with DAG(
    dag_id="store_sales",
    schedule="0 4 * * *",
    start_date=datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_tasks=1,
    default_args={"retries": 1, "retry_delay": datetime.timedelta(minutes=2)},
) as dag:
    # Assumed to be missing until it is loaded.
    expect = SQLExecuteQueryOperator(
        task_id="expect",
        conn_id="warehouse",
        sql="""
            insert into missing_files
            select '{{ ds }}'::date, store from unnest(array['graz', 'linz', 'wels', 'wien']) as store
            where not exists (select from sales where day = '{{ ds }}' and sales.store = store.store)
            and not exists (select from missing_files m where m.day = '{{ ds }}' and m.store = store.store)
        """,
    )

    @task
    def load(store, ds=None):
        bring_in(ds, store)

    @task(trigger_rule="all_done")
    def catch_up(ds=None):
        hook = PostgresHook("warehouse")
        for day, store in hook.get_records(
            "select day::text, store from missing_files where day < %s and day >= %s::date - 13", parameters=(ds, ds)
        ):
            if os.path.exists(f"{DROP}/{day}/{store}.csv"):
                bring_in(day, store)

    for store in STORES:
        wait = FileSensor(
            task_id=f"wait_{store}",
            filepath=f"{DROP}/{{{{ ds }}}}/{store}.csv",
            poke_interval=240,
            timeout=2.5 * 3600,
            deferrable=True,
        )
        expect >> wait >> load.override(task_id=f"load_{store}")(store)
    expect >> catch_up()
# canary: 23cf9560-f05b-4155-b66a-505e8860571c
