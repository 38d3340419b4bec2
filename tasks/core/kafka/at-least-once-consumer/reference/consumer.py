"""Books the movements of the topic stock.movements in PostgreSQL: python consumer.py

A batch of messages is one transaction; the offsets are committed after it. Whatever happens in between is read again,
and a movement that is booked already changes nothing.
"""

import json
import os
import signal
import sys

import psycopg2
from confluent_kafka import Consumer, KafkaException

TOPIC, GROUP = "stock.movements", "stock-loader"
BATCH, WAIT = 200, 0.3

TABLES = """
SELECT pg_advisory_xact_lock(482913);  -- instances that start together would make the tables at the same moment
CREATE TABLE IF NOT EXISTS movements (
    movement_id text PRIMARY KEY, sku text NOT NULL, kind text NOT NULL, quantity integer NOT NULL,
    on_hand integer NOT NULL, booked_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS stock (sku text PRIMARY KEY, on_hand integer NOT NULL);
"""
BOOKED = "SELECT movement_id FROM movements WHERE movement_id = ANY(%s)"
APPLY = """
INSERT INTO stock AS s (sku, on_hand) VALUES (%(sku)s, %(change)s)
ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand + CASE WHEN %(counted)s THEN 0 ELSE s.on_hand END
RETURNING on_hand
"""
BOOK = """
INSERT INTO movements (movement_id, sku, kind, quantity, on_hand)
VALUES (%(movement_id)s, %(sku)s, %(kind)s, %(quantity)s, %(on_hand)s)
"""


class Stop:
    """Set by SIGTERM: the batch at hand is finished first."""

    asked = False

    def __call__(self, *_):
        self.asked = True


def book(link, movements):
    """All of them or none, in the order of the topic."""
    with link, link.cursor() as cursor:
        cursor.execute(BOOKED, ([movement["movement_id"] for movement in movements],))
        booked = {movement_id for (movement_id,) in cursor}
        for movement in movements:
            if movement["movement_id"] in booked:
                continue
            booked.add(movement["movement_id"])
            sign = -1 if movement["kind"] == "sold" else 1
            values = {"change": sign * movement["quantity"], "counted": movement["kind"] == "counted"}
            cursor.execute(APPLY, {**movement, **values})
            cursor.execute(BOOK, {**movement, "on_hand": cursor.fetchone()[0]})


def main():
    stop = Stop()
    signal.signal(signal.SIGTERM, stop)
    link = psycopg2.connect("")
    with link, link.cursor() as cursor:
        cursor.execute(TABLES)
    consumer = Consumer({
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([TOPIC])
    try:
        while not stop.asked:
            messages = consumer.consume(BATCH, WAIT)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
            if messages:
                book(link, [json.loads(message.value()) for message in messages])
                consumer.commit(asynchronous=False)
    finally:
        consumer.close()
        link.close()
    print("stopped", file=sys.stderr)


if __name__ == "__main__":
    main()
# canary: 99a39e01-6aae-4f30-8016-35079a1014de
