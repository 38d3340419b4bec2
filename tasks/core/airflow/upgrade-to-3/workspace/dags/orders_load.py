"""The orders of a shop day (02:00 to 02:00 UTC) from the shop's database into the mart."""
from datetime import timedelta

from airflow import DAG
from airflow.models.baseoperator import chain
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import PythonOperator
from airflow.providers.postgres.operators.postgres import PostgresOperator
from airflow.utils.dates import days_ago

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
        (context["execution_date"], context["next_execution_date"]),
    )
    context["ti"].xcom_push(key="source_rows", value=rows)


def reconcile(**context):
    # Nobody counted if somebody marked count_source as successful by hand: then there is nothing to compare with.
    source_rows = context["ti"].xcom_pull(key="source_rows")
    loaded_rows = scalar("select count(*) from mart.orders where shop_day = %s", (context["ds"],))
    in_one_transaction(
        ("delete from mart.load_audit where shop_day = %s", (context["ds"],)),
        (
            "insert into mart.load_audit (shop_day, period_end, source_rows, loaded_rows) values (%s, %s, %s, %s)",
            (context["ds"], context["next_execution_date"], source_rows, loaded_rows),
        ),
    )
    if source_rows is not None and source_rows != loaded_rows:
        raise ValueError("%s: %s orders in the source, %s loaded" % (context["ds"], source_rows, loaded_rows))


with DAG(
    dag_id="shop_orders_load",
    default_args=default_args,
    schedule_interval="0 2 * * *",
    start_date=days_ago(3),
    catchup=False,
    concurrency=4,
    max_active_runs=1,
    tags=["shop"],
) as dag:
    start = DummyOperator(task_id="start")

    count = PythonOperator(task_id="count_source", python_callable=count_source, provide_context=True)

    load = PostgresOperator(task_id="load_orders", postgres_conn_id=CONN_ID, sql="sql/load_orders.sql")

    check = PythonOperator(task_id="reconcile", python_callable=reconcile, provide_context=True)

    finish = DummyOperator(task_id="finish")

    chain(start, count, load, check, finish)
