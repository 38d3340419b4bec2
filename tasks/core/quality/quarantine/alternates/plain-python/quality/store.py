"""All versions of an order are kept by batch; `orders` is a view on the newest of each."""

from datetime import datetime, time

import duckdb

COLUMNS = "order_id user_id email ordered_at updated_at quantity unit_price total_amount status note".split()

SCHEMA = [
    """create table if not exists accepted_records (
        batch date, line integer, order_id text, user_id text, email text, ordered_at timestamp, updated_at timestamp,
        quantity integer, unit_price decimal(12,2), total_amount decimal(12,2), status text, note text)""",
    """create or replace view orders as
        select * exclude (batch, line, nth) from (
            select *, row_number() over (partition by order_id order by updated_at desc, batch desc) as nth
            from accepted_records)
        where nth = 1""",
    "create table if not exists quarantine (batch date, line integer, reason text, record text)",
    "create table if not exists review (batch date, line integer, order_id text, flag text)",
    "create table if not exists alerts (batch date, kind text, message text)",
    "create table if not exists batches (batch date, records int, accepted int, merged int, rejected int)",
]


def save(path, batch, judged):
    rejected = [line for line in judged.lines if line.reasons]
    newest = max((row["updated_at"] for _, row in judged.accepted.values()), default=None)
    con = duckdb.connect(path)
    con.execute("begin transaction")
    for statement in SCHEMA:
        con.execute(statement)
    for table in ("accepted_records", "quarantine", "review", "alerts", "batches"):
        con.execute(f"delete from {table} where batch = ?", [batch])

    def insert(table, rows):
        rows = list(rows)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            con.executemany(f"insert into {table} values ({marks})", rows)

    insert(
        "accepted_records",
        ([batch, line.number, *(row[c] for c in COLUMNS)] for line, row in judged.accepted.values()),
    )
    insert("quarantine", ([batch, l.number, reason, l.text] for l in rejected for reason in l.reasons))
    insert("review", ([batch, *flag] for flag in judged.flags))
    if not judged.lines:
        insert("alerts", [[batch, "empty", f"batch {batch} has no orders"]])
    elif newest and newest < datetime.combine(batch, time()):
        insert("alerts", [[batch, "stale", f"newest record is of {newest}"]])
    insert("batches", [[batch, len(judged.lines), len(judged.accepted), judged.merged, len(rejected)]])
    con.execute("commit")
    con.close()
# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
