"""How much of everything lay in each depot when six hours were over."""
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, DeltaDataIntervalTimetable

from shop.warehouse import in_one_transaction

DEPOTS = ["north", "south", "harbour"]


def write_levels(depot, **kwargs):
    end = kwargs["data_interval_end"]
    in_one_transaction(
        ("delete from mart.stock_levels where depot = %s and measured_at = %s", (depot, end)),
        (
            "insert into mart.stock_levels (measured_at, depot, sku, quantity, moved)"
            " select %s, depot, sku, sum(quantity), count(*) filter (where moved_at >= %s)"
            " from app.stock_movements where depot = %s and moved_at < %s group by depot, sku",
            (end, kwargs["data_interval_start"], depot, end),
        ),
    )


with DAG(
    "shop_stock_levels",
    schedule=DeltaDataIntervalTimetable(timedelta(hours=6)),
    start_date=datetime(2026, 2, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"owner": "shop-data", "retries": 1, "retry_delay": timedelta(minutes=2)},
    tags=["shop"],
) as dag:
    begin = EmptyOperator(task_id="begin")
    end = EmptyOperator(task_id="end")
    for depot in DEPOTS:
        levels = PythonOperator(
            task_id="levels_" + depot,
            python_callable=write_levels,
            op_kwargs={"depot": depot},
        )
        begin >> levels >> end
# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
