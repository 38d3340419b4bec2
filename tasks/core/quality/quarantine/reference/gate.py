"""The gate for order files: python gate.py --batch 2026-03-02

Reads $DATA/incoming/orders_<batch>.csv line by line, applies the rules below in SQL, and writes the outcome of the
batch to $WAREHOUSE in one transaction. Running a batch again replaces what it wrote with the same.
"""

import argparse
import csv
import datetime
import os
import pathlib
import sys

import duckdb

COLUMNS = [
    "order_id",
    "user_id",
    "email",
    "ordered_at",
    "updated_at",
    "quantity",
    "unit_price",
    "total_amount",
    "status",
    "note",
]
REQUIRED = [column for column in COLUMNS if column not in ("email", "note")]

MOMENT = r"'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$'"
AMOUNT = r"'^\d+(\.\d{1,2})?$'"

# What holds for a value that is there; values are text.
FORM = {
    "ordered_at": f"regexp_matches(ordered_at, {MOMENT}) AND try_cast(ordered_at AS TIMESTAMP) IS NOT NULL",
    "updated_at": f"regexp_matches(updated_at, {MOMENT}) AND try_cast(updated_at AS TIMESTAMP) IS NOT NULL",
    "quantity": r"regexp_matches(quantity, '^\d+$') AND coalesce(try_cast(quantity AS INTEGER), 0) > 0",
    "unit_price": f"regexp_matches(unit_price, {AMOUNT}) AND try_cast(unit_price AS DECIMAL(12, 2)) IS NOT NULL",
    "total_amount": f"regexp_matches(total_amount, {AMOUNT}) AND try_cast(total_amount AS DECIMAL(12, 2)) IS NOT NULL",
    "status": "status IN ('placed', 'paid', 'shipped', 'cancelled')",
}

# Rejected: the reason, and when.
REJECT = {
    **{f"missing_{column}": f"{column} IS NULL" for column in REQUIRED},
    **{f"invalid_{column}": f"{column} IS NOT NULL AND NOT ({form})" for column, form in FORM.items()},
    "unknown_user": "user_id IS NOT NULL AND user_id NOT IN (SELECT user_id FROM users)",
}

# Flagged: the same for accepted records, on values of their type.
FLAG = {
    "odd_email": r"NOT regexp_matches(email, '^[^@\s]+@[^@\s]+\.[^@\s]+$')",
    "odd_total": "abs(total_amount - quantity * unit_price) > 0.01",
    "odd_times": "updated_at < ordered_at",
}

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    order_id VARCHAR PRIMARY KEY, user_id VARCHAR, email VARCHAR, ordered_at TIMESTAMP, updated_at TIMESTAMP,
    quantity INTEGER, unit_price DECIMAL(12, 2), total_amount DECIMAL(12, 2), status VARCHAR, note VARCHAR
);
CREATE TABLE IF NOT EXISTS quarantine (batch DATE, line INTEGER, reason VARCHAR, record VARCHAR);
CREATE TABLE IF NOT EXISTS review (batch DATE, line INTEGER, order_id VARCHAR, flag VARCHAR);
CREATE TABLE IF NOT EXISTS alerts (batch DATE, kind VARCHAR, message VARCHAR);
CREATE TABLE IF NOT EXISTS batches (batch DATE, records INTEGER, accepted INTEGER, merged INTEGER, rejected INTEGER);
"""


def fields_of(line: bytes) -> list[str] | None:
    """The fields of one line; None if it can't be read. Lines are read one by one: a bad one can't swallow others."""
    try:
        rows = list(csv.reader([line.decode("utf-8")], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows[0] if rows else None


def read_file(path: pathlib.Path) -> list[dict]:
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    header = [name.strip() for name in fields_of(lines[0]) or []]
    absent = [column for column in COLUMNS if column not in header]
    if absent:
        sys.exit(f"{path} has no column {', '.join(absent)}")
    records = []
    for number, line in enumerate(lines[1:], 2):
        values = fields_of(line)
        readable = values is not None and len(values) == len(header)
        named = dict(zip(header, values)) if readable else {}
        record = {column: value if (value := named.get(column, "")).strip() else None for column in COLUMNS}
        records.append({"line": number, "record": line.decode("utf-8", "replace"), "readable": readable, **record})
    return records


def stage(link: duckdb.DuckDBPyConnection, records: list[dict], users: pathlib.Path) -> None:
    """The file's records as they came, and the users that exist, as temporary tables."""
    columns = ", ".join(f"{column} VARCHAR" for column in COLUMNS)
    link.execute(f"CREATE TEMP TABLE incoming (line INTEGER, record VARCHAR, readable BOOLEAN, {columns})")
    if records:
        names = list(records[0])
        lists = ", ".join(f"unnest(${name})" for name in names)
        link.execute(
            f"INSERT INTO incoming SELECT {lists}", {name: [record[name] for record in records] for name in names}
        )
    with users.open(newline="", encoding="utf-8") as file:
        # Lines without a user_id left out: one NULL among them, and NOT IN would let everybody pass.
        known = [row["user_id"] for row in csv.DictReader(file) if row["user_id"]]
    link.execute("CREATE TEMP TABLE users AS SELECT unnest($1::VARCHAR[]) AS user_id", [known])


def judge(link: duckdb.DuckDBPyConnection) -> None:
    """What is wrong with each record, which ones are accepted, and what is odd about those."""
    rejected = "\n".join(
        f"UNION ALL SELECT line, '{reason}' FROM incoming WHERE readable AND ({condition})"
        for reason, condition in REJECT.items()
    )
    link.execute(
        f"CREATE TEMP TABLE faults AS SELECT line, 'unreadable' AS reason FROM incoming WHERE NOT readable {rejected}"
    )
    link.execute("""
        CREATE TEMP TABLE good AS
        SELECT
            line, order_id, user_id, email,
            CAST(ordered_at AS TIMESTAMP) AS ordered_at, CAST(updated_at AS TIMESTAMP) AS updated_at,
            CAST(quantity AS INTEGER) AS quantity, CAST(unit_price AS DECIMAL(12, 2)) AS unit_price,
            CAST(total_amount AS DECIMAL(12, 2)) AS total_amount, status, note
        FROM incoming
        ANTI JOIN faults USING (line)
    """)
    link.execute("""
        CREATE TEMP TABLE accepted AS
        SELECT * FROM good QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY updated_at DESC, line) = 1
    """)
    flagged = "\nUNION ALL ".join(
        f"SELECT line, order_id, '{flag}' AS flag FROM accepted WHERE {condition}" for flag, condition in FLAG.items()
    )
    link.execute(f"CREATE TEMP TABLE flags AS {flagged}")


def publish(link: duckdb.DuckDBPyConnection, batch: str) -> None:
    """Replace what the warehouse says of the batch. The caller's transaction makes it all or nothing."""
    for table in ("quarantine", "review", "alerts", "batches"):
        link.execute(f"DELETE FROM {table} WHERE batch = $1", [batch])
    link.execute(
        "INSERT INTO quarantine SELECT $1, line, reason, record FROM faults JOIN incoming USING (line)", [batch]
    )
    link.execute("INSERT INTO review SELECT $1, line, order_id, flag FROM flags", [batch])
    link.execute(
        """
        INSERT INTO batches
        SELECT
            $1, (SELECT count(*) FROM incoming), (SELECT count(*) FROM accepted),
            (SELECT count(*) FROM good) - (SELECT count(*) FROM accepted), (SELECT count(DISTINCT line) FROM faults)
        """,
        [batch],
    )
    link.execute(
        """
        INSERT INTO alerts
        SELECT $1, 'empty', 'the file has no orders' WHERE NOT EXISTS (SELECT 1 FROM incoming)
        UNION ALL
        SELECT $1, 'stale', 'the newest accepted record is of ' || max(updated_at) FROM accepted
        HAVING max(updated_at) < CAST($1 AS DATE)
        """,
        [batch],
    )
    # An order never goes back to an older state, whatever batch brings it.
    changes = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS if column != "order_id")
    link.execute(f"""
        INSERT INTO orders BY NAME SELECT {", ".join(COLUMNS)} FROM accepted
        ON CONFLICT (order_id) DO UPDATE SET {changes} WHERE excluded.updated_at > orders.updated_at
    """)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", required=True, type=lambda text: datetime.date.fromisoformat(text).isoformat())
    batch = parser.parse_args().batch
    data = pathlib.Path(os.environ["DATA"])
    path = data / "incoming" / f"orders_{batch}.csv"
    if not path.is_file():
        sys.exit(f"{path} is not there yet")
    records = read_file(path)
    with duckdb.connect(os.environ["WAREHOUSE"]) as link:
        stage(link, records, data / "reference" / "users.csv")
        judge(link)
        link.begin()
        link.execute(TABLES)
        publish(link, batch)
        link.commit()
        accepted, rejected = link.execute(
            "SELECT accepted, rejected FROM batches WHERE batch = $1", [batch]
        ).fetchone()
        alerts = link.execute("SELECT kind, message FROM alerts WHERE batch = $1", [batch]).fetchall()
    print(f"{batch}: {len(records)} records, {accepted} accepted, {rejected} rejected")
    for kind, message in alerts:
        print(f"ALERT {kind}: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
# canary: 083f606c-16c5-406a-a9ae-885d367e6f15
