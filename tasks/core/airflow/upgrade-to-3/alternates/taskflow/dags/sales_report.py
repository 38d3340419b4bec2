"""Sales by region: of every calendar day, and on Sundays of the week."""
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import CronTriggerTimetable, TriggerRule, dag, task

from shop.periods import ends_a_week, week_before
from shop.warehouse import in_one_transaction, scalar


@dag(
    "shop_sales_report",
    schedule=CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=timedelta(days=1)),
    start_date=pendulum.datetime(2026, 2, 1),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "shop-data", "retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["shop"],
)
def sales_report():
    @task.sensor(poke_interval=60, timeout=3600)
    def orders_are_there(data_interval_end=None):
        """The shop's database gets orders in their order: once there is a newer one, the day's are all there."""
        return scalar("select exists (select 1 from app.orders where created_at >= %s)", (data_interval_end,))

    @task(retries=5)
    def daily_report(ds=None, data_interval_start=None, data_interval_end=None):
        in_one_transaction(
            ("delete from mart.daily_sales where day = %s", (ds,)),
            (
                "insert into mart.daily_sales (day, published_on, region, orders, amount)"
                " select %s, %s, region, count(*), sum(amount) from app.orders"
                " where created_at >= %s and created_at < %s and status <> 'cancelled' group by region",
                (ds, data_interval_end.to_date_string(), data_interval_start, data_interval_end),
            ),
        )

    @task.branch
    def pick_weekly(data_interval_end=None):
        return "weekly_report" if ends_a_week(data_interval_end) else "no_weekly_report"

    @task
    def weekly_report(data_interval_end=None):
        week = week_before(data_interval_end)
        in_one_transaction(
            ("delete from mart.weekly_sales where week = %s", (week,)),
            (
                "insert into mart.weekly_sales (week, region, orders, amount)"
                " select %s, region, sum(orders), sum(amount) from mart.daily_sales"
                " where day >= %s and day < %s group by region",
                (week, week, data_interval_end.date()),
            ),
        )

    @task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def publish(ds=None, data_interval_end=None, logical_date=None):
        in_one_transaction(
            ("delete from mart.publications where day = %s", (ds,)),
            (
                "insert into mart.publications (day, valid_until, run_of) values (%s, %s, %s)",
                (ds, data_interval_end.date() + timedelta(days=1), logical_date),
            ),
        )

    orders_are_there() >> daily_report() >> (picked := pick_weekly())
    picked >> [weekly_report(), EmptyOperator(task_id="no_weekly_report")] >> publish()


sales_report()
# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
