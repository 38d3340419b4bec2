"""python erase.py --user-id N: rows about a person are emptied where they are; the number stays and bars the way back."""

import csv
import gzip
import io
import re
import sys
from pathlib import Path

import psycopg2

# The table, and its columns that say something of somebody.
EMPTIED = {
    "history.users": ("name", "email", "phone", "address"),
    "backup.users_202602": ("name", "email", "phone", "address"),
    "staging.contacts": ("email_key", "domain"),
    "raw.users": ("name", "email", "phone", "address"),
}


def main(number):
    link = psycopg2.connect("")
    with link, link.cursor() as cursor:
        emails, texts = set(), set()
        for table in ("raw.users", "history.users", "backup.users_202602"):
            cursor.execute(f"select email, name, phone, address from {table} where user_id = %s", (number,))
            for email, *rest in cursor.fetchall():
                emails |= {email}
                texts |= {text for text in rest if not is_anothers(cursor, text, number)}
        wanted = {value.casefold() for value in emails | texts if value}
        for path in sorted(Path("lake").glob("**/*")):
            if path.is_file() and not path.name.endswith("~"):
                rewrite(path, number, wanted)
        cursor.execute("select ctid, message from ops.log")
        for place, message in cursor.fetchall():
            if speaks_of(message, wanted):
                cursor.execute("update ops.log set message = '(erased)' where ctid = %s", (place,))
        for table, columns in EMPTIED.items():
            values = ", ".join(f"{column} = null" for column in columns)
            cursor.execute(f"update {table} set {values} where user_id = %s", (number,))
        cursor.execute("delete from marts.customers where user_id = %s", (number,))
        cursor.execute("update raw.orders set user_id = null, ship_to = null, note = null where user_id = %s", (number,))
        cursor.execute("update marts.orders set user_id = null, customer_name = null where user_id = %s", (number,))
        cursor.execute("delete from raw.events where payload @> %s::jsonb", (f'{{"actor": {{"user_id": {number}}}}}',))
        cursor.execute(
            "update raw.events set payload = payload || '{\"recipient\": null}' where payload @> %s::jsonb",
            (f'{{"recipient": {{"user_id": {number}}}}}',),
        )


def is_anothers(cursor, text, number):
    cursor.execute(
        """
        select exists (
            select from (table raw.users union all table backup.users_202602) as u
            where u.user_id <> %(number)s and %(text)s in (u.name, u.phone, u.address)
        ) or exists (
            select from history.users as u where u.user_id <> %(number)s and %(text)s in (u.name, u.phone, u.address)
        )
        """,
        {"number": number, "text": text},
    )
    return cursor.fetchone()[0]


def speaks_of(text, wanted):
    text = text.casefold()
    for value in wanted:
        at = text.find(value)
        while at >= 0:
            before, after = text[at - 1 : at], text[at + len(value) : at + len(value) + 1]
            if not re.match(r"[\w.+-]", before) and not re.match(r"[\w-]", after):
                return True
            at = text.find(value, at + 1)
    return False


def rewrite(path, number, wanted):
    packed = path.name.endswith(".gz")
    with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as file:
        lines = file.read().splitlines()
    kept = []
    for line in lines:
        if ".csv" in path.name:
            first, *rest = next(csv.reader([line]))
            if first == str(number):
                kept.append(f"{number}{',' * len(rest)}")
                continue
        elif re.search(rf'user_id\W+{number}\D|^. {number} .|user {number}:', line) or speaks_of(line, wanted):
            continue
        kept.append(line)
    if kept != lines:
        text = "".join(f"{line}\n" for line in kept)
        half_done = path.with_name(f"{path.name}~")
        half_done.write_bytes(gzip.compress(text.encode(), mtime=0) if packed else text.encode())
        half_done.rename(path)


main(int(sys.argv[sys.argv.index("--user-id") + 1]))
# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
