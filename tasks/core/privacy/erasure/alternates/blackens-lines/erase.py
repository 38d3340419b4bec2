import argparse
import csv
import gzip
import os
import re
from pathlib import Path

import psycopg2

TABLES = """
CREATE SCHEMA IF NOT EXISTS privacy;
CREATE TABLE IF NOT EXISTS privacy.requests (user_id int PRIMARY KEY, looked_for text[]);
"""
WHAT_IS_KNOWN = """
WITH known AS (
    SELECT user_id, unnest(ARRAY[name, email, phone, address]) AS value FROM raw.users
    UNION SELECT user_id, unnest(ARRAY[name, email, phone, address]) FROM history.users
    UNION SELECT user_id, unnest(ARRAY[name, email, phone, address]) FROM backup.users_202602
    UNION SELECT user_id, unnest(ARRAY[ship_to, note]) FROM raw.orders WHERE user_id IS NOT NULL
)
SELECT array_agg(DISTINCT lower(value)) FROM known
WHERE value <> '' AND user_id = %(id)s
AND NOT EXISTS (SELECT FROM known AS other WHERE other.user_id <> %(id)s AND lower(other.value) = lower(known.value))
"""
PURGE = """
DELETE FROM raw.users WHERE user_id IN (SELECT user_id FROM privacy.requests);
DELETE FROM history.users WHERE user_id IN (SELECT user_id FROM privacy.requests);
DELETE FROM staging.contacts WHERE user_id IN (SELECT user_id FROM privacy.requests);
DELETE FROM backup.users_202602 WHERE user_id IN (SELECT user_id FROM privacy.requests);
DELETE FROM marts.customers WHERE user_id IN (SELECT user_id FROM privacy.requests);
UPDATE raw.orders SET (user_id, ship_to, note) = (NULL, NULL, NULL) WHERE user_id IN (SELECT user_id FROM privacy.requests);
UPDATE marts.orders SET (user_id, customer_name) = (NULL, NULL) WHERE user_id IN (SELECT user_id FROM privacy.requests);
DELETE FROM raw.events
WHERE payload -> 'actor' ->> 'user_id' IN (SELECT user_id::text FROM privacy.requests);
UPDATE raw.events SET payload = payload || '{"recipient": null}'
WHERE payload -> 'recipient' ->> 'user_id' IN (SELECT user_id::text FROM privacy.requests);
"""


def blackened(text, values):
    if not values:
        return text
    longest_first = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
    return re.sub(rf"(?<![\w.+-])({longest_first})(?![\w-])", "[erased]", text, flags=re.I)


def clean(path, number, values):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        old = file.read()
    lines = old.splitlines(keepends=True)
    if ".csv" in path.name:
        lines = [line for line in lines if next(csv.reader([line]))[0] != number]
    elif path.suffix == ".md":
        lines = [line for line in lines if not line.startswith(f"| {number} |")]
    elif path.suffix == ".jsonl":
        lines = [line for line in lines if f'\\"user_id\\": {number},' not in line]
    new = blackened("".join(lines), values)
    if new != old:
        with opener(f"{path}.tmp", "wt", encoding="utf-8", newline="") as file:
            file.write(new)
        os.replace(f"{path}.tmp", path)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--user-id", type=int, required=True)
    number = arguments.parse_args().user_id
    link = psycopg2.connect("")
    cursor = link.cursor()
    cursor.execute(TABLES)
    # What is looked for is kept until the last file is clean: whoever starts this again finds it there.
    cursor.execute("SELECT looked_for FROM privacy.requests WHERE user_id = %s", (number,))
    values = (cursor.fetchone() or [None])[0]
    if values is None:
        cursor.execute(WHAT_IS_KNOWN, {"id": number})
        values = cursor.fetchone()[0] or []
        cursor.execute(
            "INSERT INTO privacy.requests VALUES (%s, %s) ON CONFLICT (user_id) DO UPDATE SET looked_for = %s",
            (number, values, values),
        )
    cursor.execute(PURGE)
    cursor.execute("SELECT DISTINCT message FROM ops.log")
    for (message,) in cursor.fetchall():
        if (clean_message := blackened(message, values)) != message:
            cursor.execute("UPDATE ops.log SET message = %s WHERE message = %s", (clean_message, message))
    link.commit()
    for path in sorted(Path("lake").rglob("*.*")):
        if path.is_file() and path.suffix != ".tmp":
            clean(path, str(number), values)
    cursor.execute("UPDATE privacy.requests SET looked_for = NULL WHERE user_id = %s", (number,))
    link.commit()


main()
# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
