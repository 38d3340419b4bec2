"""
### daily_orders_load

`stage` copies the file of the logical date as text into a staging table of that day; `publish` validates it with SQL
and replaces the day in `orders` and `orders_rejected` in one transaction; `drop_stage` clears up.
"""
import csv
import io
import json
import os
from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator

NEEDED = ["order_id", "customer_id", "city", "ordered_at", "status", "amount"]


def stage_file(ds, ds_nodash, **_):
    path = os.path.join(os.environ["DATA"], "orders", f"orders_{ds}.csv")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"the shop delivered no {path}")
    buffer = io.StringIO()
    out = csv.writer(buffer)
    with open(path, newline="", encoding="utf-8") as f:
        reader = csv.DictReader(f)
        missing = set(NEEDED) - set(reader.fieldnames or [])
        if missing:
            raise ValueError(f"{path}: missing columns {sorted(missing)}")
        for number, row in enumerate(reader, start=1):
            out.writerow([number, *(row[c] for c in NEEDED), json.dumps(row, ensure_ascii=False)])

    hook = PostgresHook(postgres_conn_id="warehouse")
    stage = f"stage_orders_{ds_nodash}"
    conn = hook.get_conn()
    try:
        with conn.cursor() as cur:
            cur.execute(f"DROP TABLE IF EXISTS {stage}")
            cur.execute(
                f"CREATE TABLE {stage} (row_number int, order_id text, customer_id text, city text,"
                " ordered_at text, status text, amount text, record text)"
            )
            with cur.copy(f"COPY {stage} FROM STDIN WITH (FORMAT csv, NULL '')") as copy:
                copy.write(buffer.getvalue())
        conn.commit()
    finally:
        conn.close()


with DAG(
    dag_id="daily_orders_load",
    doc_md=__doc__,
    start_date=datetime(2026, 3, 2),
    schedule="0 4 * * *",
    catchup=False,
    default_args={"owner": "data-engineer", "retries": 2, "retry_delay": timedelta(minutes=3)},
    template_searchpath=[os.path.join(os.path.dirname(__file__), "sql")],
) as dag:
    start = EmptyOperator(task_id="start")
    stage = PythonOperator(task_id="stage", python_callable=stage_file)
    publish = SQLExecuteQueryOperator(
        task_id="publish", conn_id="warehouse", sql="publish_orders.sql", split_statements=True, autocommit=False
    )
    drop_stage = SQLExecuteQueryOperator(
        task_id="drop_stage", conn_id="warehouse", sql="DROP TABLE IF EXISTS stage_orders_{{ ds_nodash }}"
    )
    start >> stage >> publish >> drop_stage
# canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
