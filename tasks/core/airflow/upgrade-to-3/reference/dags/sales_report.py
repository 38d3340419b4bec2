"""Sales by region: of every calendar day, and on Sundays of the week."""
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, CronDataIntervalTimetable

from shop.periods import ends_a_week, week_before
from shop.warehouse import in_one_transaction, scalar

default_args = {
    "owner": "shop-data",
    "retries": 2,
    "retry_delay": timedelta(minutes=10),
}

dag = DAG(
    "shop_sales_report",
    default_args=default_args,
    # As Airflow 2 read "@daily": a run covers its day and starts when it is over.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 2, 1, tzinfo=timezone.utc),
    catchup=True,  # Airflow 2's default
    max_active_runs=1,
    tags=["shop"],
)


def source_has_caught_up(data_interval_end, **_):
    """The shop's database gets orders in their order: once there is a newer one, the day's are all there."""
    return scalar("select exists (select 1 from app.orders where created_at >= %s)", (data_interval_end,))


def write_daily(data_interval_start, data_interval_end, ds, **_):
    in_one_transaction(
        ("delete from mart.daily_sales where day = %s", (ds,)),
        (
            "insert into mart.daily_sales (day, published_on, region, orders, amount)"
            " select %s, %s, region, count(*), sum(amount) from app.orders"
            " where created_at >= %s and created_at < %s and status <> 'cancelled' group by region",
            (ds, data_interval_end.date(), data_interval_start, data_interval_end),
        ),
    )


def pick(**context):
    return "weekly_report" if ends_a_week(context["data_interval_end"]) else "no_weekly_report"


def write_weekly(**context):
    week = week_before(context["data_interval_end"])
    in_one_transaction(
        ("delete from mart.weekly_sales where week = %s", (week,)),
        (
            "insert into mart.weekly_sales (week, region, orders, amount)"
            " select %s, region, sum(orders), sum(amount) from mart.daily_sales"
            " where day >= %s and day < %s group by region",
            (week, week, context["data_interval_end"].date()),
        ),
    )


orders_are_there = PythonSensor(
    task_id="orders_are_there", python_callable=source_has_caught_up, poke_interval=60, timeout=3600, dag=dag
)

daily_report = PythonOperator(
    task_id="daily_report", python_callable=write_daily, retries=5, dag=dag
)

pick_weekly = BranchPythonOperator(task_id="pick_weekly", python_callable=pick, dag=dag)

weekly_report = PythonOperator(task_id="weekly_report", python_callable=write_weekly, dag=dag)

no_weekly_report = EmptyOperator(task_id="no_weekly_report", dag=dag)

publish = BashOperator(
    task_id="publish",
    bash_command=(
        "psql -v ON_ERROR_STOP=1 --single-transaction"
        " -c \"delete from mart.publications where day = '{{ ds }}'\""
        " -c \"insert into mart.publications (day, valid_until, run_of)"
        " values ('{{ ds }}', '{{ macros.ds_add(ds, 2) }}', '{{ logical_date.isoformat() }}')\""
    ),
    trigger_rule="none_failed_min_one_success",
    dag=dag,
)

orders_are_there.set_downstream(daily_report)
daily_report.set_downstream(pick_weekly)
pick_weekly.set_downstream([weekly_report, no_weekly_report])
publish.set_upstream([weekly_report, no_weekly_report])
# canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
