"""Profiles, one message at a time."""

import json
import os
import signal
import sys
import time

import psycopg2
from confluent_kafka import Consumer, Producer

SETTINGS = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}


class Poison(Exception):
    pass


class Strict(json.JSONDecoder):
    def __init__(self):
        super().__init__(parse_constant=self.no_constant)

    def no_constant(self, name):
        raise ValueError(name)


def parse(message):
    key, value = message.key(), message.value()
    if key is None:
        raise Poison("no_key")
    try:
        profile = json.loads(str(value, "utf-8"), cls=Strict)
        profile["version"], profile.items
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        if isinstance(problem, KeyError):
            raise Poison("invalid") from None
        raise Poison("unreadable") from None
    email, version = profile.get("email"), profile["version"]
    if profile.get("customer_id") != key.decode("utf-8", "replace") or type(version) is not int or version < 1:
        raise Poison("invalid")
    if profile.get("segment") not in ("consumer", "business") or not (email is None or type(email) is str):
        raise Poison("invalid")
    return profile["customer_id"], email, profile["segment"], version


class Database:
    """Connects again for as long as it takes."""

    def __init__(self):
        self.link = None

    def execute(self, statement, values=None):
        while True:
            try:
                if self.link is None:
                    self.link = psycopg2.connect("")
                with self.link, self.link.cursor() as cursor:
                    return cursor.execute(statement, values)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as problem:
                print(problem, file=sys.stderr)
                self.link = None
                time.sleep(0.2)


def deliver(producer, message, reason):
    while True:
        answers = []
        headers = list(message.headers() or ())
        headers.append(("dead.reason", reason))
        headers.append(("dead.partition", f"{message.partition()}"))
        headers.append(("dead.offset", f"{message.offset()}"))
        producer.produce(
            "crm.profiles.dead",
            key=message.key(),
            value=message.value(),
            headers=headers,
            on_delivery=lambda error, _: answers.append(error),
        )
        producer.flush()
        if answers == [None]:
            return
        print(answers, file=sys.stderr)
        time.sleep(0.5)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    database, producer = Database(), Producer(SETTINGS)
    database.execute(
        "create table if not exists profiles (customer_id text primary key, email text, segment text, version integer)"
    )
    group = {"group.id": "profile-loader", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    consumer = Consumer({**SETTINGS, **group})
    consumer.subscribe(["crm.profiles"])
    try:
        while True:
            message = consumer.poll(0.5)
            if message is None or message.error():
                continue
            try:
                database.execute(
                    "insert into profiles as p values (%s, %s, %s, %s) on conflict (customer_id) do update set email ="
                    " excluded.email, segment = excluded.segment, version = excluded.version"
                    " where p.version < excluded.version",
                    parse(message),
                )
            except Poison as poison:
                deliver(producer, message, str(poison))
            except (psycopg2.DataError, ValueError):
                # The database or its driver can't take these values.
                deliver(producer, message, "invalid")
            consumer.commit(message=message, asynchronous=False)
    finally:
        consumer.close()


main()
# canary: 7060afc7-4924-4dae-b74b-1a1e394aa796
