"""Keeps every change; CUSTOMERS is a view of the last ones: python load_batch.py --batch 17"""

import argparse
import json
import os
from pathlib import Path

import snowflake.connector

SETUP = (
    """
    create table if not exists change_log (
        batch integer, seq integer, op varchar, customer_id varchar, name varchar, email varchar, segment varchar,
        credit_limit number(12, 2), changed_at timestamp_ntz
    )
    """,
    """
    create or replace view customers as
    select customer_id, name, email, segment, credit_limit, changed_at, seq
    from (select l.*, max(seq) over (partition by customer_id) as last_seq from change_log l)
    where seq = last_seq and op != 'delete'
    """,
    "create table if not exists loaded_batches (batch integer, changes integer)",
)
COLUMNS = ("seq", "op", "customer_id", "name", "email", "segment", "credit_limit", "changed_at")


class Refused(Exception):
    pass


def parse(number, line):
    try:
        change = json.loads(line)
        if change["op"] not in ("insert", "update", "delete") or change["customer_id"] is None:
            raise Refused(f"line {number}: op {change['op']}, customer_id {change['customer_id']}")
        return (int(change["seq"]), *(change.get(column) for column in COLUMNS[1:]))
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"line {number}: {error!r}") from error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    batch = parser.parse_args().batch
    with Path(os.environ["DATA"], "cdc", f"customers_{batch}.jsonl").open(encoding="utf-8") as file:
        changes = [(batch, *parse(number, line)) for number, line in enumerate(file, start=1)]
    settings = ("account", "user", "password", "role", "warehouse", "database", "schema")
    connection = snowflake.connector.connect(**{key: os.environ[f"SNOWFLAKE_{key}".upper()] for key in settings})
    cursor = connection.cursor()
    for statement in SETUP:
        cursor.execute(statement)
    connection.autocommit(False)
    try:
        cursor.execute("delete from change_log where batch = %(batch)s", {"batch": batch})
        cursor.execute("delete from loaded_batches where batch = %(batch)s", {"batch": batch})
        if changes:
            cursor.executemany(
                "insert into change_log (batch, seq, op, customer_id, name, email, segment, credit_limit, changed_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                changes,
            )
        cursor.execute(
            "insert into loaded_batches (batch, changes) values (%(batch)s, %(count)s)",
            {"batch": batch, "count": len(changes)},
        )
        connection.commit()
    finally:
        connection.close()


main()

# canary: 95260fd4-e354-472a-acf6-d44a79896d28
