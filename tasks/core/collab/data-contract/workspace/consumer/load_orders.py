"""Loads a file of order events into the warehouse: python consumer/load_orders.py EVENTS

The file may repeat events; an event counts once. Types of events that aren't known here are skipped.
"""

import datetime
import decimal
import json
import os
import sys

import duckdb

EURO = {"EUR": decimal.Decimal("1"), "CHF": decimal.Decimal("1.05"), "GBP": decimal.Decimal("1.17")}
STATUS = {"customer": "cancelled", "fraud": "blocked", "stock": "failed"}

TABLES = """
CREATE TABLE IF NOT EXISTS seen (event_id VARCHAR PRIMARY KEY);
CREATE TABLE IF NOT EXISTS orders (
    order_id VARCHAR PRIMARY KEY, customer_id VARCHAR, country VARCHAR, channel VARCHAR, is_gift BOOLEAN,
    placed_at TIMESTAMP, items INTEGER, total_eur DECIMAL(12, 2)
);
CREATE TABLE IF NOT EXISTS payments (event_id VARCHAR PRIMARY KEY, order_id VARCHAR, paid_eur DECIMAL(12, 2), method VARCHAR);
CREATE TABLE IF NOT EXISTS cancellations (order_id VARCHAR PRIMARY KEY, status VARCHAR, cancelled_at TIMESTAMP);
"""


def moment(event: dict) -> datetime.datetime:
    return datetime.datetime.fromisoformat(event["occurred_at"]).astimezone(datetime.timezone.utc).replace(tzinfo=None)


def load(link: duckdb.DuckDBPyConnection, event: dict) -> None:
    if link.execute("SELECT 1 FROM seen WHERE event_id = ?", [event["event_id"]]).fetchone():
        return
    link.execute("INSERT INTO seen VALUES (?)", [event["event_id"]])
    if event["event_type"] == "order_placed":
        customer, lines = event["customer"], event["lines"]
        values = [
            event["order_id"],
            customer["customer_id"],
            customer["country"],
            event["channel"],
            bool(event["is_gift"]),
            moment(event),
            sum(int(line["quantity"]) for line in lines),
            decimal.Decimal(event["total"]) * EURO[event["currency"]],
        ]
        link.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    elif event["event_type"] == "order_paid":
        paid = decimal.Decimal(event["amount"]) * EURO[event["currency"]]
        link.execute("INSERT INTO payments VALUES (?, ?, ?, ?)", [event["event_id"], event["order_id"], paid, event["method"]])
    elif event["event_type"] == "order_cancelled":
        values = [event["order_id"], STATUS[event["reason"]], moment(event)]
        link.execute("INSERT OR REPLACE INTO cancellations VALUES (?, ?, ?)", values)


def main() -> None:
    with duckdb.connect(os.environ["WAREHOUSE"]) as link:
        link.begin()
        link.execute(TABLES)
        with open(sys.argv[1], encoding="utf-8") as file:
            for line in file:
                load(link, json.loads(line))
        link.commit()


if __name__ == "__main__":
    main()
