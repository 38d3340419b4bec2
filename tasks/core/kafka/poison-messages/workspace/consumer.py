"""Profiles of customers, from the topic crm.profiles into PostgreSQL."""

import json
import os
import signal

import psycopg2
from confluent_kafka import Consumer, KafkaException

TOPIC, GROUP = "crm.profiles", "profile-loader"
BATCH, WAIT = 100, 0.3

TABLE = """
CREATE TABLE IF NOT EXISTS profiles (customer_id text PRIMARY KEY, email text, segment text, version integer)
"""
STORE = """
INSERT INTO profiles (customer_id, email, segment, version)
VALUES (%(customer_id)s, %(email)s, %(segment)s, %(version)s)
ON CONFLICT (customer_id) DO UPDATE
SET email = excluded.email, segment = excluded.segment, version = excluded.version
WHERE excluded.version > profiles.version
"""


def store(link, messages):
    """All of them or none."""
    with link, link.cursor() as cursor:
        for message in messages:
            profile = json.loads(message.value())
            cursor.execute(STORE, {"email": None, **profile})


def main():
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    link = psycopg2.connect("")
    with link, link.cursor() as cursor:
        cursor.execute(TABLE)
    consumer = Consumer({
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([TOPIC])
    try:
        while not stopping:
            messages = consumer.consume(BATCH, WAIT)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
            if messages:
                store(link, messages)
                consumer.commit(asynchronous=False)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
