"""The orders of a shop day (02:00 to 02:00 UTC) from the shop's database into the mart."""
from datetime import datetime, timedelta, timezone

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, chain

from shop.warehouse import CONN_ID, in_one_transaction, scalar

default_args = {
    "owner": "shop-data",
    "depends_on_past": False,
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
}


def count_source(**context):
    rows = scalar(
        "select count(*) from app.orders where created_at >= %s and created_at < %s",
        (context["data_interval_start"], context["data_interval_end"]),
    )
    context["ti"].xcom_push(key="source_rows", value=rows)


def reconcile(**context):
    # Nobody counted if somebody marked count_source as successful by hand: then there is nothing to compare with.
    # Airflow 3 looks at the calling task's own XComs unless told whose.
    source_rows = context["ti"].xcom_pull(task_ids="count_source", key="source_rows")
    loaded_rows = scalar("select count(*) from mart.orders where shop_day = %s", (context["ds"],))
    in_one_transaction(
        ("delete from mart.load_audit where shop_day = %s", (context["ds"],)),
        (
            "insert into mart.load_audit (shop_day, period_end, source_rows, loaded_rows) values (%s, %s, %s, %s)",
            (context["ds"], context["data_interval_end"], source_rows, loaded_rows),
        ),
    )
    if source_rows is not None and source_rows != loaded_rows:
        raise ValueError("%s: %s orders in the source, %s loaded" % (context["ds"], source_rows, loaded_rows))


with DAG(
    dag_id="shop_orders_load",
    default_args=default_args,
    # A plain cron string would start a run at its logical date in Airflow 3, before the day has happened.
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=4,
    max_active_runs=1,
    tags=["shop"],
) as dag:
    start = EmptyOperator(task_id="start")

    count = PythonOperator(task_id="count_source", python_callable=count_source)

    # One transaction: the operator commits when both statements are through.
    load = SQLExecuteQueryOperator(task_id="load_orders", conn_id=CONN_ID, sql="sql/load_orders.sql", autocommit=False)

    check = PythonOperator(task_id="reconcile", python_callable=reconcile)

    finish = EmptyOperator(task_id="finish")

    chain(start, count, load, check, finish)
# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
