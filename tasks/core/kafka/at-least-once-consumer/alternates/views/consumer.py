"""Keeps a log of the messages; what is asked for are views of it, so that nothing can get out of step."""

import json
import os
import signal

import psycopg2
from confluent_kafka import Consumer, TopicPartition
from psycopg2.extras import execute_values

SCHEMA = """
create table if not exists movement_log (
    movement_id text primary key, sku text, kind text, quantity int, part int, place bigint, unique (part, place)
);
create or replace view movements as
with counts as (
    select *, count(*) filter (where kind = 'counted') over (partition by sku order by part, place) as era
    from movement_log
)
select movement_id, sku, kind, quantity, sum(case kind when 'sold' then -quantity else quantity end)
    over (partition by sku, era order by part, place)::int as on_hand, part, place
from counts;
create or replace view stock as
select distinct on (sku) sku, on_hand from movements order by sku, part desc, place desc;
"""


class Terminated(BaseException):
    pass


def terminate(*_):
    raise Terminated


def connect():
    link = psycopg2.connect(os.environ.get("DATABASE_URL", ""))
    with link, link.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(1)")
        cursor.execute("select to_regclass('public.stock')")
        if cursor.fetchone()[0] is None:
            cursor.execute(SCHEMA)
    return link


def run():
    link = connect()
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "stock-loader",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "false",
            "enable.auto.offset.store": False,
            "partition.assignment.strategy": "cooperative-sticky",
        }
    )
    consumer.subscribe(["stock.movements"])
    signal.signal(signal.SIGTERM, terminate)
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                print(message.error(), flush=True)
                continue
            event = json.loads(message.value())
            row = (*(event[name] for name in ("movement_id", "sku", "kind", "quantity")),)
            with link, link.cursor() as cursor:
                execute_values(
                    cursor,
                    "insert into movement_log values %s on conflict do nothing",
                    [(*row, message.partition(), message.offset())],
                )
            place = TopicPartition(message.topic(), message.partition(), message.offset() + 1)
            consumer.commit(offsets=[place], asynchronous=True)
    except Terminated:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    run()
# canary: 99a39e01-6aae-4f30-8016-35079a1014de
