import os
from datetime import datetime, timedelta

import pandas as pd
import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import dag, get_current_context, task
from sqlalchemy import text

STATUSES = ["placed", "paid", "shipped", "cancelled", "returned"]
COLUMNS = ["order_id", "customer_id", "city", "ordered_at", "status", "amount"]


def validate(raw: pd.DataFrame) -> pd.Series:
    """The reason why a row is rejected; empty where it is good."""
    reason = pd.Series("", index=raw.index)
    amount = pd.to_numeric(raw["amount"], errors="coerce")
    when = pd.to_datetime(raw["ordered_at"], errors="coerce", utc=True, format="ISO8601")
    rules = [
        (raw[COLUMNS].eq("").any(axis=1), "missing value"),
        (~raw["order_id"].str.fullmatch(r"\d+"), "order_id is not an integer"),
        (when.isna(), "ordered_at is not a timestamp"),
        (~raw["status"].isin(STATUSES), "unknown status"),
        (amount.isna(), "amount is not a number"),
        (amount < 0, "amount is negative"),
        (~raw["amount"].str.fullmatch(r"\d+(\.\d{1,2})?"), "amount has more than two decimals"),
    ]
    for broken, why in rules:
        reason = reason.mask(broken & (reason == ""), why)
    good = raw[reason == ""]
    reason[good.index[good.duplicated("order_id", keep="last")]] = "repeated later in the same file"
    return reason


@dag(
    "daily_orders_load",
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 3, 2, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
)
def daily_orders_load():
    @task
    def find_file() -> str:
        day = get_current_context()["logical_date"].strftime("%Y-%m-%d")
        path = os.path.join(os.environ["DATA"], "orders", f"orders_{day}.csv")
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        return path

    @task
    def load(path: str, data_interval_end=None):
        day = data_interval_end.date()
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
        reason = validate(raw)
        good = raw.loc[reason == "", COLUMNS].astype({"order_id": "int64"})
        good["ordered_at"] = pd.to_datetime(good["ordered_at"], utc=True)
        good["amount"] = good["amount"].astype(float)
        good.insert(0, "file_day", day)
        good["loaded_at"] = datetime.now()
        broken = pd.DataFrame({"file_day": day, "reason": reason, "record": raw.apply(",".join, axis=1)} if len(raw) else
                              {"file_day": [], "reason": [], "record": []})
        broken = broken[broken["reason"] != ""]

        engine = PostgresHook("warehouse").get_sqlalchemy_engine()
        with engine.begin() as conn:
            conn.execute(text("ALTER TABLE public.orders ADD COLUMN IF NOT EXISTS loaded_at timestamp"))
            for table, frame in (("orders", good), ("orders_rejected", broken)):
                conn.execute(text(f"DELETE FROM public.{table} WHERE file_day = :day"), {"day": day})
                frame.to_sql(table, conn, schema="public", if_exists="append", index=False)

    load(find_file())


daily_orders_load()
# canary: 397beb0a-c978-4032-992b-b9ab0fae30ea
