"""Brings one batch of changes of the customers into Snowflake: python load_batch.py --batch 17"""

import argparse
import json
import os
import pathlib
import sys

import snowflake.connector

FIELDS = ["name", "email", "segment", "credit_limit", "changed_at"]
OPERATIONS = {"insert", "update", "delete"}

# Deleted customers stay in here, without their data, so that an older change can't bring them back.
TABLES = """
CREATE TABLE IF NOT EXISTS customer_states (
    customer_id VARCHAR NOT NULL, name VARCHAR, email VARCHAR, segment VARCHAR, credit_limit NUMBER(12, 2),
    changed_at TIMESTAMP_NTZ, seq NUMBER(38, 0) NOT NULL, is_deleted BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS loaded_batches (batch NUMBER(38, 0) NOT NULL, changes NUMBER(38, 0) NOT NULL);
CREATE VIEW IF NOT EXISTS customers AS
    SELECT customer_id, name, email, segment, credit_limit, changed_at, seq FROM customer_states WHERE NOT is_deleted;
CREATE OR REPLACE TEMPORARY TABLE incoming (
    seq NUMBER(38, 0), op VARCHAR, customer_id VARCHAR, name VARCHAR, email VARCHAR, segment VARCHAR,
    credit_limit NUMBER(12, 2), changed_at TIMESTAMP_NTZ
)
"""

MERGE = """
MERGE INTO customer_states AS t
USING (
    SELECT *
    FROM incoming
    QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY seq DESC) = 1
) AS s
ON t.customer_id = s.customer_id
WHEN MATCHED AND s.seq > t.seq THEN UPDATE SET
    name = s.name, email = s.email, segment = s.segment, credit_limit = s.credit_limit, changed_at = s.changed_at,
    seq = s.seq, is_deleted = s.op = 'delete'
WHEN NOT MATCHED THEN INSERT
    (customer_id, name, email, segment, credit_limit, changed_at, seq, is_deleted)
    VALUES (s.customer_id, s.name, s.email, s.segment, s.credit_limit, s.changed_at, s.seq, s.op = 'delete')
"""


def read(path):
    """The changes of a file; a line that can't be used ends the run."""
    changes = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            change = json.loads(line)
        except ValueError:
            sys.exit(f"{path.name} is refused: line {number} is no JSON")
        if not isinstance(change, dict):
            sys.exit(f"{path.name} is refused: line {number} is no object")
        if change.get("op") not in OPERATIONS:
            sys.exit(f"{path.name} is refused: line {number} has the op {change.get('op')!r}")
        if not change.get("customer_id") or not isinstance(change.get("seq"), int):
            sys.exit(f"{path.name} is refused: line {number} has no customer_id or no seq")
        changes.append([change["seq"], change["op"], change["customer_id"], *(change.get(name) for name in FIELDS)])
    return changes


def connect():
    names = ("account", "user", "password", "role", "warehouse", "database", "schema")
    return snowflake.connector.connect(**{name: os.environ[f"SNOWFLAKE_{name.upper()}"] for name in names})


def load(link, batch, changes):
    cursor = link.cursor()
    # All DDL comes before the transaction: it would end it.
    for statement in TABLES.split(";"):
        cursor.execute(statement)
    if changes:
        cursor.executemany("INSERT INTO incoming VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", changes)
    cursor.execute("BEGIN")
    cursor.execute(MERGE)
    cursor.execute("DELETE FROM loaded_batches WHERE batch = %s", (batch,))
    cursor.execute("INSERT INTO loaded_batches VALUES (%s, %s)", (batch, len(changes)))
    cursor.execute("COMMIT")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", required=True, type=int)
    batch = parser.parse_args().batch
    path = pathlib.Path(os.environ["DATA"], "cdc", f"customers_{batch}.jsonl")
    if not path.is_file():
        sys.exit(f"{path} is not there yet")
    changes = read(path)
    with connect() as link:
        load(link, batch, changes)
    print(f"batch {batch}: {len(changes)} changes")


if __name__ == "__main__":
    main()
# canary: 95260fd4-e354-472a-acf6-d44a79896d28
