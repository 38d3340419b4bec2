"""Stands for Snowflake's service: the emulated account behind fakesnow's server, which speaks to the real connector.

``python snowflake_server.py FOLDER`` prints its port. Added is what the grader asks of an account and the emulation
has not: databases that are made, cloned and dropped, sessions with numbers, transactions that others see and abort.
It runs in the environment ``snowflake``, with ``harness/runtime`` on its path.
"""

from __future__ import annotations

import gzip
import importlib
import itertools
import json
import os
import re
import shutil
import socket
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])
USER, PASSWORD = "GRADER", "a token"
os.environ |= {"SNOWFLAKE_STORAGE": str(FOLDER), "SNOWFLAKE_ACCOUNT": "own", "SNOWFLAKE_DATABASE": "THEIRS",
               "SNOWFLAKE_SCHEMA": "PUBLIC", "SNOWFLAKE_USER": USER, "SNOWFLAKE_PASSWORD": PASSWORD}  # fmt: skip

import sqlglot  # noqa: E402
import uvicorn  # noqa: E402
from emulated_snowflake import account  # noqa: E402
from fakesnow import info_schema, macros, transforms  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402
from starlette.routing import Route  # noqa: E402

MAKE = re.compile(r"CREATE OR REPLACE TRANSIENT DATABASE (\w+)\s+(?:CLONE (\w+) )?DATA_RETENTION_TIME_IN_DAYS = 0")
DROP = re.compile(r"DROP DATABASE IF EXISTS (\w+)")
ABORT = re.compile(r"SELECT SYSTEM\$ABORT_TRANSACTION\((\d+)\)")
TRANSACTION = "SELECT {0} AS id, 'GRADER' AS user, {0} AS session, '' AS name, 'running' AS state"

server = importlib.import_module("fakesnow.server")  # the package has a function of that name
numbers = itertools.count(1001)
links: dict[int, account.Connection] = {}
whole = account.Account()


class Shared:
    @staticmethod
    def connect(database, schema, autocommit=True, **_):
        cursor = whole.duck_conn.cursor()
        link = account.Connection(cursor, whole.results_cache, database, schema, False, False, whole.db_path)
        link.autocommits = bool(autocommit)
        return link


def drop(name):
    whole.duck_conn.execute(f"DETACH DATABASE IF EXISTS {name}")
    for suffix in (".db", ".db.wal"):
        (FOLDER / f"{name}{suffix}").unlink(missing_ok=True)


def make(name, source):
    drop(name)
    if source:
        whole.duck_conn.execute(f"CHECKPOINT {source}")
        shutil.copyfile(FOLDER / f"{source}.db", FOLDER / f"{name}.db")
    whole.duck_conn.execute(f"ATTACH '{FOLDER / name}.db' AS {name}")
    if not source:
        whole.duck_conn.execute(info_schema.per_db_creation_sql(name))
        whole.duck_conn.execute(macros.creation_sql(name))
        whole.duck_conn.execute(f"CREATE SCHEMA {name}.PUBLIC")


def run(cursor, text):
    answer = transforms.SUCCESS_NOP.copy()
    if found := MAKE.fullmatch(text):
        make(*found.groups())
    elif found := DROP.fullmatch(text):
        drop(found[1])
    elif found := ABORT.fullmatch(text):
        links[int(found[1])].end("rollback")
    elif text == "SHOW TRANSACTIONS":
        rows = [TRANSACTION.format(number) for number, link in links.items() if link.is_open]
        answer = sqlglot.parse_one(" UNION ALL ".join(rows) or f"{TRANSACTION.format(0)} WHERE FALSE", read="duckdb")
    else:
        emulated(cursor, text)
        return
    cursor._execute(answer)


async def login(request: Request) -> JSONResponse:
    """With the number of the session, which fakesnow's answer lacks, and a look at the password."""
    answer = await server.login_request(request)
    content = json.loads(answer.body)
    body = await request.body()
    packed = request.headers.get("Content-Encoding") == "gzip"
    given = json.loads(gzip.decompress(body) if packed else body)["data"]
    if (given["LOGIN_NAME"], given["PASSWORD"]) != (USER, PASSWORD):
        return JSONResponse({"data": None, "code": "390100", "message": "Incorrect username or password was specified.",
                             "success": False})  # fmt: skip
    number = next(numbers)
    links[number] = server.sessions[content["data"]["token"]]
    content["data"]["sessionId"] = number
    return JSONResponse(content)


emulated = account.Cursor.run
account.Cursor.run = run
server.shared_fs = Shared
server.app.routes.insert(0, Route("/session/v1/login-request", login, methods=["POST"]))

with socket.socket() as listening:
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(server.app, log_level="error")).run(sockets=[listening])
