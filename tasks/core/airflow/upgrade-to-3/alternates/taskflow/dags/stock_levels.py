"""How much of everything lay in each depot when six hours were over."""
from datetime import datetime, timedelta

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, DeltaTriggerTimetable

from shop.warehouse import CONN_ID

SIX_HOURS = timedelta(hours=6)
END = "{{ logical_date + macros.timedelta(hours=6) }}"

with DAG(
    "shop_stock_levels",
    schedule=DeltaTriggerTimetable(SIX_HOURS, interval=SIX_HOURS),
    start_date=datetime(2026, 2, 1),
    catchup=False,
    default_args={"owner": "shop-data", "retries": 1, "retry_delay": timedelta(minutes=2)},
    tags=["shop"],
):
    levels = [
        SQLExecuteQueryOperator(
            task_id=f"levels_{depot}",
            conn_id=CONN_ID,
            sql=[
                "delete from mart.stock_levels where depot = %(depot)s and measured_at = %(end)s",
                "insert into mart.stock_levels (measured_at, depot, sku, quantity, moved)"
                " select %(end)s, depot, sku, sum(quantity), count(*) filter (where moved_at >= %(start)s)"
                " from app.stock_movements where depot = %(depot)s and moved_at < %(end)s group by depot, sku",
            ],
            parameters={"depot": depot, "start": "{{ logical_date }}", "end": END},
        )
        for depot in ("north", "south", "harbour")
    ]
    EmptyOperator(task_id="begin") >> levels >> EmptyOperator(task_id="end")
# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
