"""The orders of a shop day (02:00 to 02:00 UTC) from the shop's database into the mart."""
import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from shop.warehouse import in_one_transaction, scalar


@dag(
    dag_id="shop_orders_load",
    # Starts at the end of its interval of a day; the logical date is the interval's start.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="UTC", interval=pendulum.duration(days=1)),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_tasks=4,
    max_active_runs=1,
    default_args={"owner": "shop-data", "retries": 3, "retry_delay": pendulum.duration(minutes=5)},
    tags=["shop"],
)
def orders_load():
    @task
    def count_source():
        context = get_current_context()
        return scalar(
            "select count(*) from app.orders where created_at >= %s and created_at < %s",
            (context["data_interval_start"], context["data_interval_end"]),
        )

    @task
    def load_orders(data_interval_start=None, data_interval_end=None, ds=None):
        in_one_transaction(
            (
                "delete from mart.orders where created_at >= %s and created_at < %s",
                (data_interval_start, data_interval_end),
            ),
            (
                "insert into mart.orders (order_id, shop_day, region, status, amount, created_at)"
                " select order_id, %s, region, status, amount, created_at from app.orders"
                " where created_at >= %s and created_at < %s",
                (ds, data_interval_start, data_interval_end),
            ),
        )

    @task
    def reconcile(ds=None, data_interval_end=None, ti=None):
        source_rows = ti.xcom_pull(task_ids="count_source")
        loaded_rows = scalar("select count(*) from mart.orders where shop_day = %s", (ds,))
        in_one_transaction(
            ("delete from mart.load_audit where shop_day = %s", (ds,)),
            (
                "insert into mart.load_audit (shop_day, period_end, source_rows, loaded_rows) values (%s, %s, %s, %s)",
                (ds, data_interval_end, source_rows, loaded_rows),
            ),
        )
        if source_rows is not None and source_rows != loaded_rows:
            raise ValueError(f"{ds}: {source_rows} orders in the source, {loaded_rows} loaded")

    EmptyOperator(task_id="start") >> count_source() >> load_orders() >> reconcile() >> EmptyOperator(task_id="finish")


orders_load()
# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
