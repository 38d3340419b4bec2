"""Compares a shop day in the mart with the source: python tools/recount.py 2026-03-05

Exit code 0 if they have the same orders, 1 if not.
"""
import os
import sys
from datetime import date

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dags"))

from shop.periods import shop_day  # noqa: E402


def main(day):
    start, end = shop_day(date.fromisoformat(day))
    with psycopg2.connect("") as conn, conn.cursor() as cur:
        cur.execute("select count(*) from app.orders where created_at >= %s and created_at < %s", (start, end))
        (source,) = cur.fetchone()
        cur.execute("select count(*) from mart.orders where shop_day = %s", (day,))
        (loaded,) = cur.fetchone()
    print("%s: %d orders in the source, %d loaded" % (day, source, loaded))
    return 0 if source == loaded else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
