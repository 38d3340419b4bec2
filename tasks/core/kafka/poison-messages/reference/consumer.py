"""Profiles of customers, from the topic crm.profiles into PostgreSQL; what is no profile goes to crm.profiles.dead."""

import json
import os
import re
import signal

import psycopg2
from confluent_kafka import Consumer, KafkaException, Producer

TOPIC, DEAD, GROUP = "crm.profiles", "crm.profiles.dead", "profile-loader"
BATCH, WAIT = 100, 0.3
DELIVERY = 30  # seconds

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


def is_text(value):
    """Whether PostgreSQL can take it: of Unicode it has neither NUL nor half a surrogate pair."""
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


def refuse(name):
    raise ValueError(f"{name} is no JSON")


def profile_of(message):
    """The profile that a message holds, and why it holds none."""
    if message.key() is None:
        return None, "no_key"
    try:
        profile = json.loads((message.value() or b"").decode("utf-8"), parse_constant=refuse)
    except ValueError:
        return None, "unreadable"
    if not isinstance(profile, dict):
        return None, "unreadable"
    version = profile.get("version")
    is_whole = isinstance(version, int) and not isinstance(version, bool)
    is_good = (
        is_text(profile.get("customer_id"))
        and profile["customer_id"].encode() == message.key()
        and (profile.get("email") is None or is_text(profile["email"]))
        and profile.get("segment") in ("consumer", "business")
        and is_whole
        and 0 < version < 2**31
    )
    return (profile, "") if is_good else (None, "invalid")


def store(link, profiles):
    """All of them or none."""
    with link, link.cursor() as cursor:
        for profile in profiles:
            cursor.execute(STORE, {"email": None, **profile})


def put_aside(producer, messages):
    """Returns when the broker has all of them."""
    problems = []
    for message, reason in messages:
        places = {"dead.reason": reason, "dead.partition": message.partition(), "dead.offset": message.offset()}
        headers = [*(message.headers() or []), *((name, str(value).encode()) for name, value in places.items())]
        producer.produce(
            DEAD,
            message.value(),
            message.key(),
            headers=headers,
            on_delivery=lambda error, _: error and problems.append(error),
        )
    if producer.flush(DELIVERY) or problems:
        raise RuntimeError(f"dead letters can't be delivered: {problems[:1]}")


def main():
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    link = psycopg2.connect("")
    with link, link.cursor() as cursor:
        cursor.execute(TABLE)
    broker = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
    producer = Producer({**broker, "enable.idempotence": True})
    consumer = Consumer({
        **broker,
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
                judged = [(message, *profile_of(message)) for message in messages]
                # What fails here is no message's fault: it ends the process, and all of it is read again.
                store(link, [profile for _, profile, reason in judged if not reason])
                put_aside(producer, [(message, reason) for message, _, reason in judged if reason])
                consumer.commit(asynchronous=False)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
# canary: 7060afc7-4924-4dae-b74b-1a1e394aa796
