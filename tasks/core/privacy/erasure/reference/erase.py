"""Erase a person everywhere: python erase.py --user-id 4711

Files first, the database last and in one transaction: as long as anything is left to be done, the database knows what to
look for, so that a run that died is simply started again.
"""

import argparse
import csv
import gzip
import io
import json
import os
import pathlib
import re

import psycopg2

from erased import make_list

LAKE = pathlib.Path("lake")
PEOPLE = ("raw.users", "history.users", "backup.users_202602")


def values_of(cursor, number):
    """All that is known of a person and of nobody else."""
    union = " union all ".join(f"select user_id, name, email, phone, address from {table}" for table in PEOPLE)
    cursor.execute(f"select name, email, phone, address from ({union}) as p where user_id = %s", (number,))
    own = {value for row in cursor.fetchall() for value in row if value}
    cursor.execute(f"select name, email, phone, address from ({union}) as p where user_id <> %s", (number,))
    others = {value.lower() for row in cursor.fetchall() for value in row if value}
    cursor.execute("select ship_to, note from raw.orders where user_id = %s", (number,))
    own |= {value for row in cursor.fetchall() for value in row if value}
    return {value for value in own if value.lower() not in others}


def finder(values, number):
    """Finds lines that are about the person: by a value as a whole, in any case, or by the number of the user."""
    found = [re.escape(value) for value in sorted(values, key=len, reverse=True)]
    by_number = rf'user_id\\*"?: ?{number}\b|\buser {number}\b|^\| {number} \|'
    by_value = rf"(?<![\w.+-])(?:{'|'.join(found)})(?![\w-])" if found else r"(?!)"
    return re.compile(f"{by_number}|{by_value}", re.IGNORECASE)


def replace_file(path, content):
    """At once: a file is as it was or as it is to be."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    os.replace(beside, path)


def clean_files(number, about):
    # What a run that died has left half written will be written anew.
    for path in sorted(path for path in LAKE.rglob("*") if path.is_file() and path.suffix != ".new"):
        packed = path.suffix == ".gz"
        before = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        text = before.decode("utf-8")
        if path.name.removesuffix(".gz").endswith(".csv"):
            rows = list(csv.reader(io.StringIO(text, newline="")))
            kept = io.StringIO(newline="")
            csv.writer(kept).writerows(row for row in rows if row[0] != str(number))
            after = kept.getvalue()
        elif path.suffix == ".jsonl":
            letters = [line for line in text.splitlines() if line]
            after = "".join(f"{line}\n" for line in letters if not is_of(json.loads(line), number, about))
        else:
            after = "".join(line for line in text.splitlines(keepends=True) if not about.search(line))
        if after != text:
            replace_file(path, gzip.compress(after.encode()) if packed else after.encode())


def is_of(letter, number, about):
    return json.loads(letter["record"]).get("user_id") == number or about.search(letter["reason"] + letter["record"])


def clean_tables(cursor, number, about):
    for table in (*PEOPLE, "staging.contacts", "marts.customers"):
        cursor.execute(f"delete from {table} where user_id = %s", (number,))
    cursor.execute("update raw.orders set user_id = null, ship_to = null, note = null where user_id = %s", (number,))
    cursor.execute("update marts.orders set user_id = null, customer_name = null where user_id = %s", (number,))
    cursor.execute("delete from raw.events where (payload #>> '{actor,user_id}')::int = %s", (number,))
    cursor.execute(
        """
        update raw.events set payload = jsonb_set(payload, '{recipient}', 'null')
        where (payload #>> '{recipient,user_id}')::int = %s
        """,
        (number,),
    )
    cursor.execute("select ctid::text, message from ops.log")
    gone = [row for row, message in cursor.fetchall() if about.search(message)]
    cursor.execute("delete from ops.log where ctid::text = any(%s)", (gone,))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user-id", required=True, type=int)
    number = parser.parse_args().user_id
    with psycopg2.connect("") as link, link.cursor() as cursor:
        about = finder(values_of(cursor, number), number)
        clean_files(number, about)
        clean_tables(cursor, number, about)
        make_list(cursor)
        cursor.execute("insert into ops.erased (user_id) values (%s) on conflict do nothing", (number,))
    print(f"{number} is erased")


if __name__ == "__main__":
    main()
# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
