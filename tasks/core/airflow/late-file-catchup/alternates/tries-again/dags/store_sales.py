import csv
from datetime import date, datetime, timedelta, timezone
from os import environ
from pathlib import Path

from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import dag, task

STORES = ("graz", "linz", "wels", "wien")


def file_of(day, store):
    return Path(environ["DATA"], "drop", str(day), f"{store}.csv")


@dag(schedule="0 4 * * *", start_date=datetime(2026, 3, 2, tzinfo=timezone.utc), catchup=False)
def store_sales():
    @task(retries=30, retry_delay=timedelta(minutes=5))
    def whole_day(ds=None):
        """Waits by trying again; each try brings in what is there by then, of this day and those before."""
        today = date.fromisoformat(ds)
        days = [day for back in range(14) if (day := today - timedelta(days=back)) >= date(2026, 3, 2)]
        with PostgresHook("warehouse").get_conn() as link, link.cursor() as cursor:
            cursor.execute("delete from daily_totals where day = any(%s)", (days,))
            for day in days:
                for store in STORES:
                    if file_of(day, store).is_file():
                        with file_of(day, store).open(newline="") as file:
                            rows = [(day, store, line["receipt"], line["amount"]) for line in csv.DictReader(file)]
                        cursor.execute("delete from missing_files where (day, store) = (%s, %s)", (day, store))
                        cursor.execute("delete from sales where (day, store) = (%s, %s)", (day, store))
                        cursor.executemany("insert into sales values (%s, %s, %s, %s)", rows)
                    else:
                        # After a month files are gone that were loaded.
                        cursor.execute(
                            """
                            insert into missing_files select %(day)s, %(store)s
                            where not exists (select from sales where (day, store) = (%(day)s, %(store)s))
                            and not exists (select from missing_files where (day, store) = (%(day)s, %(store)s))
                            """,
                            {"day": day, "store": store},
                        )
            cursor.execute(
                "insert into daily_totals select day, count(*), sum(amount) from sales where day = any(%s) group by day",
                (days,),
            )
            link.commit()
        late = [store for store in STORES if not file_of(ds, store).is_file()]
        if late:
            raise FileNotFoundError(f"{ds}: no file of {late}")

    whole_day()


store_sales()
# canary: 23cf9560-f05b-4155-b66a-505e8860571c
