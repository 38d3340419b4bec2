"""Holds tables of a box's PostgreSQL until it is told to let go: ``held_lock.py HOST DATABASE``.

A line of JSON says as whom and which; once they are held, a line answers. The next line, or the end, lets go.
"""

import contextlib
import json
import sys

import psycopg2

host, database = sys.argv[1:3]
request = json.loads(sys.stdin.readline())
try:
    link = psycopg2.connect(host=host, user=request["user"], password=request["password"], dbname=database)
    with contextlib.closing(link), link.cursor() as cursor:
        cursor.execute("SET lock_timeout = 20000")
        cursor.execute(f"LOCK TABLE {', '.join(request['tables'])} IN ACCESS EXCLUSIVE MODE")
        print(json.dumps({"held": True}), flush=True)
        sys.stdin.readline()
except psycopg2.Error as error:
    print(json.dumps({"error": str(error)}), flush=True)
