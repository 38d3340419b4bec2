"""PostgreSQL for one box, behind a door that counts statements and can stop after any of them.

``postgres_server.py TEMPLATE DATA-FOLDER DOOR-FOLDER``: starts the server on a socket only the driver sees, and a
proxy on the socket that submissions use. Lines of JSON on standard input steer it:

    {"op": "start", "password": …, "memory": …, "disk": …}   start the server, give its own roles that password
    {"op": "ping"}                   answers if the server runs
    {"op": "count"}                  begin counting statements
    {"op": "crash", "after": n}      begin counting; after the n-th statement finished, its client hears no more
    {"op": "open"}                   stop counting; answers with what was counted; ends held connections

Sessions of submissions are ended when the server's processes or files grow beyond ``memory`` and ``disk`` (MiB).

A statement is over when the server says ReadyForQuery (frontend/backend protocol 3.0, "Message Formats"); the
byte after it tells whether a transaction is still open (``T``), failed (``E``) or none is (``I``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated mode leaves it out

from prepare import binaries
from unprivileged import as_unprivileged

PORT = "5432"
WATCH = 0.5  # seconds
# Most connections, and how many of them the submission may have.
CONNECTIONS, SHARE = 40, 24
# ``upstream`` delivers the world's rows. It may do all that ``loader`` may, but is no superuser: what a submission
# hangs on its tables (triggers, defaults, functions) runs with the rights of whoever writes to them.
# A database that others are made from is nobody's to connect to.
OWN_ROLES = f"""
ALTER ROLE postgres PASSWORD %(password)s;
ALTER ROLE reader PASSWORD %(password)s;
CREATE ROLE upstream LOGIN PASSWORD %(password)s;
GRANT loader TO upstream;
ALTER ROLE loader CONNECTION LIMIT {SHARE};
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
ALTER DATABASE blank OWNER TO postgres;
ALTER DATABASE blank ALLOW_CONNECTIONS false
"""
NEGOTIATION = {80877103, 80877104}  # SSLRequest, GSSENCRequest: declined, as over a UNIX socket


class Door:
    def __init__(self, inner: str) -> None:
        self.inner = inner
        self.connected = 0
        self.counting = False
        self.crash_after: int | None = None
        self.statuses: list[str] = []
        self.crashed = asyncio.Event()
        self.reopened = asyncio.Event()

    def begin(self, crash_after: int | None) -> None:
        self.counting, self.crash_after, self.statuses = True, crash_after, []
        self.crashed, self.reopened = asyncio.Event(), asyncio.Event()

    def open(self) -> list[str]:
        self.counting, self.crash_after = False, None
        self.reopened.set()
        return self.statuses

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            if self.crashed.is_set() and not self.reopened.is_set():
                await self.reopened.wait()
                return
            startup = await self.startup(client, answer)
            server, query = await asyncio.open_unix_connection(self.inner)
            query.write(startup)
            session = self.session()
            up = asyncio.create_task(self.up(client, query, session))
            self.connected += 1
            try:
                await self.down(server, answer, query, session)
            finally:
                self.connected -= 1
                up.cancel()
                query.close()
        answer.close()

    def session(self) -> Any:
        """What is remembered of a client's connection, for ``up`` and ``heard``."""
        return None

    async def up(self, client: asyncio.StreamReader, query: asyncio.StreamWriter, session: Any) -> None:
        """What the client says to the server."""
        await pump(client, query)

    def heard(self, session: Any, kind: bytes, body: bytes, query: asyncio.StreamWriter) -> bytes | None:
        """What the client is told of a message of the server's; None: nothing."""
        return body

    async def startup(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> bytes:
        while True:
            head = await client.readexactly(8)
            if int.from_bytes(head[4:], "big") not in NEGOTIATION:
                return head + await client.readexactly(int.from_bytes(head[:4], "big") - 8)
            answer.write(b"N")
            await answer.drain()

    async def down(
        self, server: asyncio.StreamReader, answer: asyncio.StreamWriter, query: asyncio.StreamWriter, session: Any
    ) -> None:
        greeted, crashed = False, self.crashed
        reopened = self.reopened
        while True:
            head = await server.readexactly(5)
            body = await server.readexactly(int.from_bytes(head[1:], "big") - 4)
            if crashed.is_set() and self.crash_after is not None:
                break
            if head[:1] == b"Z" and self.counting:
                if greeted:
                    self.statuses.append(body.decode())
                if self.crash_after is not None and len(self.statuses) >= self.crash_after:
                    self.crashed.set()
                    say({"event": "crashed", "after": len(self.statuses)})
                    reopened = self.reopened
                    break
                crashed, reopened = self.crashed, self.reopened
            if head[:1] == b"Z":
                greeted = True
            told = self.heard(session, head[:1], body, query)
            if told is not None:
                answer.write(head[:1] + (len(told) + 4).to_bytes(4, "big") + told)
                await answer.drain()
        # The client is about to be killed: it hears nothing more, not even that we are gone. The server does.
        self.abandon(server)
        await reopened.wait()

    @staticmethod
    def abandon(server: asyncio.StreamReader) -> None:
        transport = getattr(server, "_transport", None)
        if transport:
            transport.abort()


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
        target.write_eof()


def say(message: dict) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Server:
    def __init__(self, template: str, data: str) -> None:
        self.template, self.data = template, Path(data)
        self.process: subprocess.Popen | None = None
        self.password = ""
        self.most_memory = self.most_disk = 0

    def start(self, password: str, memory: int, disk: int) -> None:
        import psycopg2

        cluster = self.data / "cluster"
        cluster.mkdir(parents=True, mode=0o700)
        subprocess.run(["tar", "-xf", f"{self.template}/cluster.tar", "-C", cluster, "--no-same-owner"], check=True)
        cluster.chmod(0o700)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.data),
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "shared_buffers": "32MB",
            "dynamic_shared_memory_type": "mmap",
            "max_connections": str(CONNECTIONS),
            "max_wal_size": "64MB",
            "temp_file_limit": f"{disk}MB",
            "client_connection_check_interval": "200ms",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "autovacuum": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = (self.data / "server.log").open("wb")
        self.process = subprocess.Popen(
            [binaries() / "postgres", "-D", cluster, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **as_unprivileged(),
        )
        most = (memory << 20, memory << 20)  # of every session, which inherits it
        resource.prlimit(self.process.pid, resource.RLIMIT_AS, most)
        deadline = time.monotonic() + 60
        while True:
            try:
                link = psycopg2.connect(host=str(self.data), user="postgres", password="template", dbname="postgres")
                break
            except psycopg2.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = (self.data / "server.log").read_text()[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start: {error}\n{text}") from None
                time.sleep(0.02)
        link.autocommit = True
        with link.cursor() as cursor:
            for statement in OWN_ROLES.split(";"):
                cursor.execute(statement, {"password": password})
        link.close()
        self.password, self.most_memory, self.most_disk = password, memory << 20, disk << 20

    def ping(self) -> None:
        if not self.process or self.process.poll() is not None:
            raise RuntimeError("the server ended")
        self.connect().close()

    def connect(self):
        import psycopg2

        return psycopg2.connect(
            host=str(self.data), user="postgres", password=self.password, dbname="postgres", connect_timeout=10
        )

    def is_overused(self) -> bool:
        return self.memory() > self.most_memory or folder_bytes(self.data) > self.most_disk

    def memory(self) -> int:
        """What the server's processes have of their own: the sessions' memory."""
        assert self.process
        total = 0
        for pid in (self.process.pid, *children_of(self.process.pid)):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as status:
                total += sum(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon:"))
        return total

    def end_sessions(self) -> None:
        with contextlib.closing(self.connect()) as link, link.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'loader'")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]
    return []


def folder_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{parent}/{name}").st_blocks * 512
    return total


async def keep_within_limits(server: Server, door: Door) -> None:
    """While a submission is connected, end its sessions when they take more than their box may."""
    while True:
        await asyncio.sleep(WATCH)
        if door.connected and server.process and await asyncio.to_thread(server.is_overused):
            with contextlib.suppress(Exception):  # it may just have come down: the next request says so
                await asyncio.to_thread(server.end_sessions)


async def main(server_type: type[Server] = Server, door_type: type[Door] = Door) -> None:
    template, data, door_folder = sys.argv[1:4]  # what follows is a derived door's
    server, door = server_type(template, data), door_type(f"{data}/.s.PGSQL.{PORT}")
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    listener = watch = None
    try:
        while line := await reader.readline():
            request = json.loads(line)
            try:
                reply: dict = {"reply": request["op"]}
                if request["op"] == "start":
                    server.start(request["password"], request["memory"], request["disk"])
                    path = f"{door_folder}/.s.PGSQL.{PORT}"
                    listener = await asyncio.start_unix_server(door.serve, path)
                    os.chmod(path, 0o777)
                    watch = asyncio.create_task(keep_within_limits(server, door))
                elif request["op"] == "ping":
                    server.ping()
                elif request["op"] in ("count", "crash"):
                    door.begin(request.get("after"))
                else:
                    reply["statuses"] = door.open()
            except Exception as error:
                reply["error"] = f"{type(error).__name__}: {error}"
            say(reply)
    finally:
        if watch:
            watch.cancel()
        if listener:
            listener.close()
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
