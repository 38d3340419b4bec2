"""One transaction a record batch: the changes are put into `order-changes` one by one, then everything is committed.

A run that dies before its commit has told changes that the database doesn't know; the next one works them out again,
the same ones, and tells them again. Nothing has to wait in a table.
"""

import json
import logging
import os
import time
from collections import deque

import boto3
import psycopg2
import psycopg2.extras
from botocore.config import Config

log = logging.getLogger("consume")
FIELDS = ("event_id", "order_id", "status")


def no_constant(name):
    raise ValueError(f"JSON has no {name}")


class Database:
    def __init__(self):
        self.link = psycopg2.connect(os.environ["DATABASE_URL"])
        self.cursor = self.link.cursor()
        for statement in (
            "CREATE TABLE IF NOT EXISTS order_changes (event_id text UNIQUE, order_id text, change integer,"
            " previous_status text, status text, changed_in_run timestamptz DEFAULT now())",
            "CREATE TABLE IF NOT EXISTS order_status (order_id text UNIQUE, status text, changes integer)",
            "CREATE TABLE IF NOT EXISTS rejected_records (shard_id text, sequence_number text, data bytea, reason text)",
            "CREATE TABLE IF NOT EXISTS shard_positions (shard_id text UNIQUE, position text, done boolean DEFAULT false)",
        ):
            self.cursor.execute(statement)
        self.link.commit()

    def rows(self, sql, *values):
        self.cursor.execute(sql, values)
        return self.cursor.fetchall()

    def change(self, event):
        """The change that an event makes, None if it is known."""
        if self.rows("SELECT 1 FROM order_changes WHERE event_id = %s", event["event_id"]):
            return None
        found = self.rows("SELECT status, changes FROM order_status WHERE order_id = %s", event["order_id"])
        previous, count = found[0] if found else (None, 0)
        made = {
            "event_id": event["event_id"],
            "order_id": event["order_id"],
            "change": count + 1,
            "previous_status": previous,
            "status": event["status"],
        }
        self.cursor.execute(
            "INSERT INTO order_changes (event_id, order_id, change, previous_status, status) VALUES"
            " (%(event_id)s, %(order_id)s, %(change)s, %(previous_status)s, %(status)s)",
            made,
        )
        self.cursor.execute(
            "INSERT INTO order_status VALUES (%(order_id)s, %(status)s, %(change)s)"
            " ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, changes = excluded.changes",
            made,
        )
        return made

    def move(self, shard, position, done):
        self.cursor.execute(
            "INSERT INTO shard_positions VALUES (%s, %s, %s) ON CONFLICT (shard_id) DO UPDATE"
            " SET position = coalesce(excluded.position, shard_positions.position), done = excluded.done",
            (shard, position, done),
        )


class Consumer:
    def __init__(self):
        self.kinesis = boto3.client("kinesis", config=Config(retries={"mode": "standard", "max_attempts": 10}))
        self.database = Database()
        self.last = {}

    def run(self):
        listed = self.kinesis.describe_stream(StreamName="order-events")["StreamDescription"]["Shards"]
        known = {shard["ShardId"] for shard in listed}
        done = {shard for (shard,) in self.database.rows("SELECT shard_id FROM shard_positions WHERE done")}
        waiting = deque(shard for shard in listed if shard["ShardId"] not in done)
        stuck = 0
        while waiting and stuck < len(waiting):
            shard = waiting.popleft()
            parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & known
            if parents - done:
                waiting.append(shard)
                stuck += 1
                continue
            stuck = 0
            if self.work_off(shard["ShardId"]):
                done.add(shard["ShardId"])

    def work_off(self, shard):
        """Until the shard has no more now; whether it never will."""
        found = self.database.rows("SELECT position FROM shard_positions WHERE shard_id = %s", shard)
        where = dict(ShardIteratorType="TRIM_HORIZON")
        if found and found[0][0]:
            where = dict(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=found[0][0])
        iterator = self.kinesis.get_shard_iterator(StreamName="order-events", ShardId=shard, **where)["ShardIterator"]
        while True:
            answer = self.kinesis.get_records(ShardIterator=iterator, Limit=25)
            iterator = answer.get("NextShardIterator")
            for record in answer["Records"]:
                self.take(shard, record)
            last = answer["Records"][-1]["SequenceNumber"] if answer["Records"] else None
            self.database.move(shard, last, iterator is None)
            self.database.link.commit()
            if iterator is None:
                return True
            if answer["MillisBehindLatest"] == 0:
                return False
            if not answer["Records"]:
                time.sleep(0.25)

    def take(self, shard, record):
        try:
            event = json.loads(str(record["Data"], "utf-8"), parse_constant=no_constant)
            lacking = [name for name in FIELDS if not (isinstance(event[name], str) and event[name])]
            reason = f"no text in {', '.join(lacking)}" if lacking else None
            # The driver refuses NUL and half a surrogate pair with a ValueError.
            self.database.cursor.mogrify("%s %s %s", [str(event[name]) for name in FIELDS])
        except (ValueError, TypeError, KeyError) as error:
            reason = f"not an event: {type(error).__name__}"
        if reason:
            self.database.cursor.execute(
                "INSERT INTO rejected_records VALUES (%s, %s, %s, %s)",
                (shard, record["SequenceNumber"], record["Data"], reason),
            )
            return
        change = self.database.change(event)
        if change:
            order = change["order_id"]
            after = {"SequenceNumberForOrdering": self.last[order]} if order in self.last else {}
            answer = self.kinesis.put_record(
                StreamName="order-changes", PartitionKey=order, Data=json.dumps(change).encode(), **after
            )
            self.last[order] = answer["SequenceNumber"]


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    Consumer().run()
# canary: 42a51bfb-e060-4bbc-90d9-0745c3819970
