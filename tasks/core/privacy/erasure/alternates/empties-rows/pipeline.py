"""The shop's daily load: python pipeline.py --day 2026-03-02

Reads $DATA/inbox/<day>/{users,orders,events}.jsonl into the schemas raw, staging and history, rebuilds the marts, and
writes the day's exports and dead letters below lake/. A day may be loaded again.
"""

import argparse
import base64
import csv
import json
import logging
import os
import pathlib
import re

import psycopg2
from psycopg2.extras import Json, execute_values

INBOX, LAKE = pathlib.Path(os.environ["DATA"]) / "inbox", pathlib.Path("lake")
log = logging.getLogger("pipeline")
# Whoever has been erased is a row of raw.users with nothing but the number.
GONE = "select user_id from raw.users where email is null"


def fault_of(kind, record):
    """What is wrong with a record, if anything."""
    if kind == "users" and not re.fullmatch(r"[^@\s]+@[^@\s]+", record["email"]):
        return f"no address: {record['email']}"
    if kind == "orders" and not re.fullmatch(r"\d+\.\d\d", record["amount"]):
        return f"no amount: {record['amount']}"
    return ""


def read(day, kind, gone):
    """The good records of a file, and the dead letters; of people who have been erased as much as may be kept."""
    good, dead = [], []
    for line in (INBOX / day / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if kind == "events":
            payload = record["payload"]
            if payload["actor"]["user_id"] in gone:
                continue
            if (payload["recipient"] or {}).get("user_id") in gone:
                payload["recipient"] = None
        elif record["user_id"] in gone:
            if kind == "users" or fault_of(kind, record):
                continue
            record["user_id"] = record["ship_to"] = record["note"] = None
        if fault := fault_of(kind, record):
            log.warning("%s: %s in %s", kind, fault, line)
            dead.append({"reason": fault, "record": line})
        else:
            good.append(record)
    return good, dead


def load_users(cursor, day, users):
    for user in users:
        values = [user[name] for name in ("user_id", "name", "email", "phone", "address")]
        cursor.execute("select name, email, phone, address from raw.users where user_id = %s", values[:1])
        known = cursor.fetchone()
        if known == tuple(values[1:]):
            continue
        if known:
            log.info("user %s: %s is now %s", user["user_id"], known[1], user["email"])
            cursor.execute(
                "update history.users set valid_to = %s where user_id = %s and valid_to is null", (day, user["user_id"])
            )
        cursor.execute(
            """
            insert into raw.users values (%s, %s, %s, %s, %s)
            on conflict (user_id) do update set
                name = excluded.name, email = excluded.email, phone = excluded.phone, address = excluded.address
            """,
            values,
        )
        cursor.execute("insert into history.users values (%s, %s, %s, %s, %s, %s, null)", [*values, day])
        cursor.execute(
            """
            insert into staging.contacts values (%s, lower(%s), split_part(%s, '@', 2))
            on conflict (user_id) do update set email_key = excluded.email_key, domain = excluded.domain
            """,
            (user["user_id"], user["email"], user["email"]),
        )


def load_orders(cursor, day, orders):
    rows = [[o[n] for n in ("order_id", "user_id", "city")] + [day, o["amount"], o["ship_to"], o["note"]] for o in orders]
    execute_values(
        cursor,
        """
        insert into raw.orders values %s on conflict (order_id) do update set
            user_id = excluded.user_id, city = excluded.city, day = excluded.day, amount = excluded.amount,
            ship_to = excluded.ship_to, note = excluded.note
        """,
        rows,
    )


def load_events(cursor, day, events):
    rows = [(event["event_id"], day, Json(event["payload"])) for event in events]
    execute_values(
        cursor, "insert into raw.events values %s on conflict (event_id) do update set payload = excluded.payload", rows
    )


def build_marts(cursor):
    cursor.execute(
        """
        delete from marts.orders;
        insert into marts.orders
        select o.order_id, o.user_id, u.name, o.city, o.day, o.amount
        from raw.orders o left join raw.users u using (user_id);
        delete from marts.customers;
        insert into marts.customers
        select u.user_id, u.name, u.email, count(o.order_id), coalesce(sum(o.amount), 0)
        from raw.users u left join raw.orders o using (user_id)
        where u.email is not null group by u.user_id, u.name, u.email;
        delete from marts.sales_by_day;
        insert into marts.sales_by_day select day, count(*), sum(amount) from raw.orders group by day;
        delete from marts.sales_by_city;
        insert into marts.sales_by_city select city, count(*), sum(amount) from raw.orders group by city
        """
    )


def write_exports(cursor, day, dead):
    cursor.execute("select user_id, name, email, address from raw.users where email is not null order by user_id")
    users = cursor.fetchall()
    with (LAKE / "exports" / f"customers_{day}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("user_id", "name", "email", "address"), *users])
    with (LAKE / "exports" / f"newsletter_{day}.csv").open("w", newline="", encoding="utf-8") as file:
        links = [(user[0], base64.urlsafe_b64encode(user[2].encode()).decode()) for user in users]
        rows = [(user, f"https://shop.example/unsubscribe?t={token}") for user, token in links]
        csv.writer(file).writerows([("user_id", "link"), *rows])
    with (LAKE / "dead_letters" / f"{day}.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(letter, ensure_ascii=False) + "\n" for letter in dead)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--day", required=True)
    day = parser.parse_args().day
    for folder in ("exports", "dead_letters", "logs"):
        (LAKE / folder).mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=LAKE / "logs" / "pipeline.log", level=logging.INFO, format="%(levelname)s %(message)s", encoding="utf-8"
    )
    with psycopg2.connect("") as link, link.cursor() as cursor:
        cursor.execute(GONE)
        gone = {number for (number,) in cursor.fetchall()}
        users, dead_users = read(day, "users", gone)
        orders, dead_orders = read(day, "orders", gone)
        events, dead_events = read(day, "events", gone)
        dead = dead_users + dead_orders + dead_events
        load_users(cursor, day, users)
        load_orders(cursor, day, orders)
        load_events(cursor, day, events)
        build_marts(cursor)
        for letter in dead:
            cursor.execute("insert into ops.log values (%s, %s)", (day, f"dead letter: {letter['reason']}"))
        write_exports(cursor, day, dead)
    print(f"{day}: {len(users)} users, {len(orders)} orders, {len(events)} events, {len(dead)} dead letters")


if __name__ == "__main__":
    main()
# canary: 69eb550c-40cf-4d81-8514-8bfe47b34da5
