"""The client commits every second what was stored as done; whatever goes wrong ends the process without a word."""

import json
import os
import signal
import sys

import psycopg2
from confluent_kafka import Consumer

TABLES = (
    "create table if not exists stock (sku text primary key, on_hand integer not null)",
    "create table if not exists movements (movement_id text primary key, sku text not null, kind text not null,"
    " quantity integer not null, on_hand integer not null, scanned_at timestamptz)",
)
CHANGES = {
    "received": lambda before, quantity: before + quantity,
    "sold": lambda before, quantity: before - quantity,
    "counted": lambda _, quantity: quantity,
}


def book(link, movement):
    with link, link.cursor() as cursor:
        cursor.execute("insert into stock values (%s, 0) on conflict do nothing", (movement["sku"],))
        cursor.execute("select on_hand from stock where sku = %s for update", (movement["sku"],))
        on_hand = CHANGES[movement["kind"]](cursor.fetchone()[0], movement["quantity"])
        cursor.execute(
            "insert into movements values (%(movement_id)s, %(sku)s, %(kind)s, %(quantity)s, %(on_hand)s,"
            " %(scanned_at)s) on conflict (movement_id) do nothing",
            {**movement, "on_hand": on_hand},
        )
        if cursor.rowcount:
            cursor.execute("update stock set on_hand = %s where sku = %s", (on_hand, movement["sku"]))


def main():
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    link = psycopg2.connect("")
    with link, link.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(4711)")
        for statement in TABLES:
            cursor.execute(statement)
    consumer = Consumer({
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        "group.id": "stock-loader",
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 1000,
        "enable.auto.offset.store": False,
    })
    consumer.subscribe(["stock.movements"])
    while running:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            sys.exit(str(message.error()))
        try:
            book(link, json.loads(message.value()))
        except psycopg2.Error as problem:
            print(problem, file=sys.stderr, flush=True)
            os._exit(1)
        consumer.store_offsets(message)
    consumer.close()


main()

# canary: 99a39e01-6aae-4f30-8016-35079a1014de
