"""Redshift for one box: the door of ``postgres_server``, which also puts each statement into PostgreSQL's words.

``redshift_server.py TEMPLATE DATA-FOLDER DOOR-FOLDER BUCKETS-FOLDER``; steered as ``postgres_server`` is. A client sees
the rows and the outcome of its own statements alone. What isn't emulated is an error of the server's, so that it ends
the transaction it stands in as any other does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated mode leaves it out

from postgres_server import Door, Server, folder_bytes, main
from redshift_dialect import translate
from redshift_files import MOST_BYTES
from redshift_helpers import HELPERS
from redshift_steps import Refused, Step, literal

MOST_MESSAGE = 16 << 20
MOST_STORED = 512 << 20  # bytes in the buckets, when an UNLOAD comes
READING_TIME = 20.0  # seconds for a query to be read
SHOWN = {b"E", b"Z"}  # of a hidden step
ROWS = {b"T", b"D"}


class RedshiftServer(Server):
    def start(self, password: str, memory: int, disk: int) -> None:
        super().start(password, memory, disk)
        import psycopg2

        def run(database: str, *statements: str) -> None:
            link = psycopg2.connect(host=str(self.data), user="postgres", password=password, dbname=database)
            link.autocommit = True
            with contextlib.closing(link), link.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

        run("warehouse", HELPERS)
        made = "CREATE DATABASE blank TEMPLATE warehouse OWNER postgres ALLOW_CONNECTIONS false"
        run("postgres", "DROP DATABASE blank", made)


class Session:
    """What one client has asked for and what has been answered."""

    def __init__(self) -> None:
        self.queries: deque[deque[Step]] = deque()
        self.unloaded = bytearray()

    @property
    def step(self) -> Step | None:
        return self.queries[0][0] if self.queries and self.queries[0] else None


class RedshiftDoor(Door):
    def __init__(self, inner: str) -> None:
        super().__init__(inner)
        self.buckets = sys.argv[4]

    def session(self) -> Session:
        return Session()

    async def steps(self, sql: str) -> list[Step]:
        try:
            # In a thread: other clients, and the grader, don't wait for it.
            return await asyncio.wait_for(asyncio.to_thread(translate, sql, self.buckets), READING_TIME)
        except Refused as refusal:
            return refused(str(refusal))
        except TimeoutError:
            return refused(f"it can't be read in {READING_TIME:.0f} s")

    async def up(self, client: asyncio.StreamReader, query: asyncio.StreamWriter, session: Session) -> None:
        with contextlib.suppress(ConnectionError, OSError, asyncio.IncompleteReadError):
            while True:
                head = await client.readexactly(5)
                size = int.from_bytes(head[1:], "big") - 4
                if not 0 <= size <= MOST_MESSAGE:
                    break
                body = await client.readexactly(size)
                if head[:1] == b"Q":
                    text = body.rstrip(b"\0").decode(errors="replace")
                    steps = await self.steps(text)
                    session.queries.append(deque(steps))
                    # Kept apart by a line: a comment at a statement's end is its own.
                    body = "\n;".join(step.sql for step in steps).encode() + b"\0"
                elif head[:1] == b"P":
                    name, _, rest = body.partition(b"\0")
                    text, _, types = rest.partition(b"\0")
                    steps = await self.steps(text.decode(errors="replace"))
                    if len(steps) > 1 or any(step != Step(step.sql) for step in steps):
                        steps = refused("it isn't emulated as a prepared statement: send it as a simple query")
                    body = name + b"\0" + "".join(step.sql for step in steps).encode() + b"\0" + types
                elif head[:1] not in b"pXBDESHCdcf":
                    break
                query.write(head[:1] + (len(body) + 4).to_bytes(4, "big") + body)
                await query.drain()
        with contextlib.suppress(ConnectionError, OSError):
            query.write_eof()

    def heard(self, session: Session, kind: bytes, body: bytes, query: asyncio.StreamWriter) -> bytes | None:
        """What the client is told of a message of the server's; None: nothing."""
        step = session.step
        if kind == b"Z" and session.queries:
            session.queries.popleft()
            session.unloaded.clear()
        if step is None:
            return body
        if kind == b"G" and step.feed is not None:
            for start in range(0, len(step.feed), 1 << 16):
                part = step.feed[start : start + (1 << 16)]
                query.write(b"d" + (len(part) + 4).to_bytes(4, "big") + part)
            query.write(b"c" + (4).to_bytes(4, "big"))
            return None
        if step.unload and kind in (b"H", b"d", b"c"):
            session.unloaded += body if kind == b"d" else b""
            if len(session.unloaded) > MOST_BYTES:
                raise ConnectionError("an UNLOAD of absurd size")
            return None
        if kind in (b"C", b"I"):
            session.queries[0].popleft()
            if step.unload and folder_bytes(self.buckets) > MOST_STORED:
                raise ConnectionError("the buckets are full")
            if step.unload:
                store(step.unload, bytes(session.unloaded))
            if step.hidden:
                return None
            return step.tag.encode() + b"\0" if step.tag else body
        if step.hidden and kind not in SHOWN:
            return None
        return None if step.hides_rows and kind in ROWS else body


def refused(why: str) -> list[Step]:
    body = f"BEGIN RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = {literal(why[:2000])}; END"
    return [Step(f"DO {literal(body)}")]


def store(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_bytes(content)


if __name__ == "__main__":
    asyncio.run(main(RedshiftServer, RedshiftDoor))
