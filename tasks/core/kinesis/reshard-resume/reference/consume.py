"""Works off the stream `order-events`: into PostgreSQL, and from there into the stream `order-changes`.

A batch of records, its changes, the messages about them and the shard's checkpoint are one transaction. The messages
wait in a table until Kinesis has them, so a run that dies at any point is taken up by the next one. `with link` ends
a transaction that writes; what is read before belongs to it.
"""

import json
import os
import re
import time

import boto3
import psycopg2
from psycopg2.extras import execute_values

SOURCE, TARGET = "order-events", "order-changes"
BATCH, MOST_IN_A_CALL = 500, 500
FIELDS = ("event_id", "order_id", "status")

TABLES = """
CREATE TABLE IF NOT EXISTS order_changes (
    event_id text PRIMARY KEY, order_id text NOT NULL, change int NOT NULL, previous_status text, status text NOT NULL,
    UNIQUE (order_id, change));
CREATE TABLE IF NOT EXISTS order_status (order_id text PRIMARY KEY, status text NOT NULL, changes int NOT NULL);
CREATE TABLE IF NOT EXISTS rejected_records (
    shard_id text, sequence_number text, data bytea NOT NULL, reason text NOT NULL,
    PRIMARY KEY (shard_id, sequence_number));
CREATE TABLE IF NOT EXISTS untold_changes (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id text NOT NULL, message text NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoints (shard_id text PRIMARY KEY, sequence_number text, finished boolean NOT NULL);
"""


def main():
    kinesis = boto3.client("kinesis")
    link = psycopg2.connect(os.environ["DATABASE_URL"])
    with link, link.cursor() as cursor:
        cursor.execute(TABLES)
    tell(kinesis, link)
    read_to_the_end = set()
    while shard := next_shard(kinesis, link, read_to_the_end):
        read(kinesis, link, shard)
        read_to_the_end.add(shard)
    link.close()


def next_shard(kinesis, link, read_to_the_end):
    """A shard that this run hasn't read and whose parents are finished, if they are still kept at all."""
    shards = {}
    for page in kinesis.get_paginator("list_shards").paginate(StreamName=SOURCE):
        shards |= {shard["ShardId"]: shard for shard in page["Shards"]}
    with link.cursor() as cursor:
        cursor.execute("SELECT shard_id FROM checkpoints WHERE finished")
        finished = {shard for (shard,) in cursor}
    for name, shard in shards.items():
        parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & shards.keys()
        if name not in finished | read_to_the_end and parents <= finished:
            return name
    return None


def read(kinesis, link, shard):
    with link.cursor() as cursor:
        cursor.execute("SELECT sequence_number FROM checkpoints WHERE shard_id = %s", [shard])
        row = cursor.fetchone()
    start = {"ShardIteratorType": "TRIM_HORIZON"}
    if row and row[0]:
        start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": row[0]}
    iterator = kinesis.get_shard_iterator(StreamName=SOURCE, ShardId=shard, **start)["ShardIterator"]
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=BATCH)
        iterator = answer.get("NextShardIterator")
        if answer["Records"] or not iterator:
            with link, link.cursor() as cursor:
                store(cursor, shard, answer["Records"])
                checkpoint(cursor, shard, answer["Records"], finished=not iterator)
            tell(kinesis, link)
        elif answer["MillisBehindLatest"]:
            time.sleep(0.2)  # there is more, it only doesn't come yet
        if not answer["MillisBehindLatest"] and iterator:
            return


def store(cursor, shard, records):
    events, rejected = {}, []
    for record in records:
        event, reason = parsed(record["Data"])
        if reason:
            rejected.append((shard, record["SequenceNumber"], record["Data"], reason))
        else:
            events.setdefault(event["event_id"], event)
    if rejected:
        execute_values(cursor, "INSERT INTO rejected_records VALUES %s ON CONFLICT DO NOTHING", rejected)

    cursor.execute("SELECT event_id FROM order_changes WHERE event_id = ANY(%s)", [list(events)])
    known = {event for (event,) in cursor}
    orders = [event["order_id"] for event in events.values()]
    cursor.execute("SELECT order_id, status, changes FROM order_status WHERE order_id = ANY(%s)", [orders])
    state = {order: (status, changes) for order, status, changes in cursor}
    changes = []
    for event in events.values():
        if event["event_id"] not in known:
            before, count = state.get(event["order_id"], (None, 0))
            state[event["order_id"]] = event["status"], count + 1
            changes.append((event["event_id"], event["order_id"], count + 1, before, event["status"]))
    if not changes:
        return
    execute_values(cursor, "INSERT INTO order_changes VALUES %s", changes)
    execute_values(
        cursor,
        "INSERT INTO order_status VALUES %s ON CONFLICT (order_id) "
        "DO UPDATE SET status = excluded.status, changes = excluded.changes",
        [(order, *state[order]) for order in {change[1] for change in changes}],
    )
    names = ("event_id", "order_id", "change", "previous_status", "status")
    messages = [(change[1], json.dumps(dict(zip(names, change)))) for change in changes]
    execute_values(cursor, "INSERT INTO untold_changes (order_id, message) VALUES %s", messages)


def parsed(data):
    """The event, or why it is none."""
    try:
        event = json.loads(data.decode("utf-8"), parse_constant=refuse)
    except ValueError:
        return None, "not_json"
    if not isinstance(event, dict):
        return None, "not_an_object"
    for name in FIELDS:
        if not isinstance(event.get(name), str) or not event[name].strip():
            return None, f"missing_{name}"
        # PostgreSQL's text has neither NUL nor half a surrogate pair.
        if re.search("[\0\ud800-\udfff]", event[name]):
            return None, f"unstorable_{name}"
    return event, None


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def checkpoint(cursor, shard, records, finished):
    cursor.execute(
        "INSERT INTO checkpoints VALUES (%s, %s, %s) ON CONFLICT (shard_id) DO UPDATE SET "
        "sequence_number = coalesce(excluded.sequence_number, checkpoints.sequence_number), finished = excluded.finished",
        [shard, records[-1]["SequenceNumber"] if records else None, finished],
    )


def tell(kinesis, link):
    """Put what waits, at most one message of an order in a call: a refused one then can't be overtaken."""
    pause = 0.05
    while True:
        with link.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT ON (order_id) place, order_id, message FROM untold_changes ORDER BY order_id, place"
            )
            waiting = sorted(cursor.fetchall())[:MOST_IN_A_CALL]
        if not waiting:
            return
        records = [{"PartitionKey": order, "Data": message.encode()} for _, order, message in waiting]
        answer = kinesis.put_records(StreamName=TARGET, Records=records)
        told = [place for (place, *_), result in zip(waiting, answer["Records"]) if "ErrorCode" not in result]
        with link, link.cursor() as cursor:
            cursor.execute("DELETE FROM untold_changes WHERE place = ANY(%s)", [told])
        if answer["FailedRecordCount"]:
            time.sleep(pause)
            pause = min(2 * pause, 5)


if __name__ == "__main__":
    main()
# canary: 42a51bfb-e060-4bbc-90d9-0745c3819970
