import datetime

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime.datetime(2026, 1, 1), catchup=False, default_args={"retries": 2})
def load():
    @task
    def orders(ds=None):
        link = PostgresHook("warehouse").get_conn()
        with link, link.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS orders (order_id text, day date, amount numeric(12,2))")
            cursor.execute("DELETE FROM orders WHERE day = %s", (ds,))
            cursor.execute("INSERT INTO orders SELECT * FROM app.orders WHERE day = %s", (ds,))

    orders()


load()
