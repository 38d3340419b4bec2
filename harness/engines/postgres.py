"""PostgreSQL, the real server, one a box, behind a door that can stop after any statement."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from harness.engines import CrashingEngine, QueriedEngine
from harness.engines._server import ServedEngine
from harness.errors import InfrastructureError, SubmissionFault
from harness.sandboxes import Stream
from harness.sandboxes._box import Box, Completed, lines
from harness.tables import Table

DATABASE = "warehouse"
READER = "trusted_reader"
MOST_DISK = 1024  # MiB of the server's files
# Seconds: for reading what a submission left, and for what the world delivers.
READING_TIME, WRITING_TIME = 60.0, 120.0


class Postgres(ServedEngine, QueriedEngine, CrashingEngine):
    """The submission is the role ``loader``, owner of the database ``warehouse``; the grader reads as ``reader``."""

    LISTING: ClassVar[str] = """
        SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    """
    name: ClassVar[str] = "postgres"
    programs: ClassVar[tuple[str, ...]] = ("psql",)
    fidelity: ClassVar[str] = "PostgreSQL 16, the real server; durability to disk is off, as no machine loses power."
    # The script behind the door.
    SERVER: ClassVar[str] = "driver/postgres_server.py"

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._password = secrets.token_hex(16)
        self._saved = 0
        self._limits = {"memory": box.limits.memory // 2, "disk": MOST_DISK}  # MiB

    def start(self) -> None:
        warm = f"{self.box.space.interpreter.removesuffix('/bin/python')}/share/warm/postgres"
        folders = f"{self.box.path('driver')}/postgres", self.box.path("sockets"), *self._further_folders()
        self._serve(f"the server of {self.name}", self.SERVER, warm, *folders, timeout=120)
        self._steer("start", password=self._password, **self._limits)
        self.box.preload(READER, "driver")

    def _further_folders(self) -> tuple[str, ...]:
        """What the script behind the door is told of besides its own folders."""
        return ()

    def variables(self) -> dict[str, str]:
        sockets = self.box.path("sockets")
        return {
            "PGHOST": sockets,
            "PGPORT": "5432",
            "PGUSER": "loader",
            "PGPASSWORD": "loader",
            "PGDATABASE": DATABASE,
            "DATABASE_URL": f"postgresql://loader:loader@/{DATABASE}?host={sockets}",
        }

    # -- the grader's own statements ---------------------------------------------------------------------------

    def execute(self, *statements: str, user: str = "upstream") -> None:
        """Statements of the world's, as ``upstream`` (what it makes is the submission's to read once granted)."""
        self._trusted("postgres_execute", DATABASE, statements=list(statements), user=user)

    def _administer(self, *statements: str) -> None:
        """Statements as superuser, in a database that no submission can write to."""
        self._trusted("postgres_execute", "postgres", statements=list(statements), user="postgres")

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows to a table, as ``upstream``."""
        plain = [[None if value is None else str(value) for value in row] for row in rows]
        self._trusted("postgres_copy", DATABASE, table=table, columns=list(columns), rows=plain)

    def query(self, sql: str, name: str = "result") -> Table:
        """Read as ``reader``. A statement that fails (no such table) is the submission's fault.

        Where no command of the submission's is at work, what is left of its sessions is ended first.
        """
        done = self._call("postgres_query", READING_TIME, database=DATABASE, sql=sql, alone=not self.box.busy)
        if done is None:
            raise SubmissionFault(f"{name} can't be read in {READING_TIME:.0f} s and the box's memory")
        if "lost" in done:
            raise InfrastructureError("engine", f"PostgreSQL doesn't let itself be read: {done['lost']}")
        if "error" in done:
            self._steer("ping")  # if it is the server that is gone, that is another matter
            raise SubmissionFault(f"{name} can't be read: {done['error']}")
        return Table.decoded(name, done)

    def table(self, name: str) -> Table:
        """All rows of a table, schema-qualified; the schema is ``public`` if none is named."""
        return self.query(f"SELECT * FROM {name if '.' in name else 'public.' + name}", name)

    def _trusted(self, function: str, database: str, **arguments: Any) -> None:
        done = self._call(function, WRITING_TIME, database=database, **arguments)
        if done is None:
            raise InfrastructureError("engine", "PostgreSQL didn't come to an end with a statement of the grader's")
        if "error" in done:
            raise InfrastructureError("engine", f"PostgreSQL refused a statement of the grader's: {done['error']}")

    def _call(self, function: str, timeout: float, **arguments: Any) -> dict[str, Any] | None:
        """None: what was to be read took too long, or more memory than there is."""
        # The grader goes through the inner socket: what it does is not counted.
        host = f"{self.box.path('driver')}/postgres"
        arguments |= {"host": host, "password": self._password}
        done = self.box.call(READER, function, arguments, role="driver", timeout=timeout)
        return done.result if isinstance(done.result, dict) else None

    # -- the submission -----------------------------------------------------------------------------------------

    def script(self, path: str, variables: Mapping[str, str] | None = None, timeout: float = 120.0) -> Completed:
        """Run a SQL file of the submission's with psql, stopping at the first error."""
        named = [part for name, value in (variables or {}).items() for part in ("-v", f"{name}={value}")]
        argv = ["psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", *named, "-f", path]
        return self.box.run(argv, timeout=timeout)

    def dump(self) -> dict[str, bytes]:
        """``postgres.sql`` for psql as superuser, and ``postgres.json`` with the server's limits in MiB."""
        # The key is a random one otherwise: the same world must give the same file.
        options = ["-h", f"{self.box.path('driver')}/postgres", "-U", "postgres", "--restrict-key=world"]
        password = {"PGPASSWORD": self._password}
        most = MOST_DISK << 20
        argv = ["pg_dump", *options, DATABASE]
        done = self.box.run(argv, role="driver", variables=password, timeout=WRITING_TIME, output_limit=most)
        if not done.ok or done.truncated:
            raise InfrastructureError("engine", f"PostgreSQL doesn't let itself be dumped: {done.explain()}")
        return {"postgres.sql": done.stdout.encode(), "postgres.json": json.dumps(self._limits).encode()}

    @contextmanager
    def open_transaction(
        self, *statements: str, then: Sequence[str] = (), meanwhile: Sequence[str] = ()
    ) -> Iterator[None]:
        """Statements of another program's, as ``upstream``, committed only while the submission is at work.

        That is: once a session of the submission's waits for it, or has had some seconds without having to, or at the
        end of the block. Before it commits, it executes ``then``, and another session the statements of ``meanwhile``,
        each on its own. Within the block the grader can't read. A statement that is refused is the submission's fault:
        it has changed what the other program writes to.
        """
        given = {"statements": list(statements), "then": list(then), "meanwhile": list(meanwhile)}
        with self._another_program("open_transaction.py", **given) as (program, said):
            yield
            with suppress(OSError):  # it may have committed and ended
                program.write(b"\n")
            self._told(said)

    @contextmanager
    def _another_program(self, script: str, **request: Any) -> Iterator[tuple[Stream, Iterator[bytes]]]:
        """A script of the driver's, connected as ``upstream``; within the block, what was requested has been done."""
        program = self.box.spawn(f"driver/{script}", f"{self.box.path('driver')}/postgres", DATABASE)
        try:
            said = lines(program, timeout=60)
            program.write(json.dumps({"user": "upstream", "password": self._password, **request}).encode() + b"\n")
            self._told(said)
            yield program, said
        finally:
            program.close()

    @staticmethod
    def _told(said: Iterator[bytes]) -> None:
        try:
            message = json.loads(next(said))
        except (OSError, StopIteration, ValueError) as error:
            raise InfrastructureError("engine", f"another program's session was lost: {error!r}") from None
        if "error" in message:
            raise SubmissionFault(f"a transaction that was open meanwhile fails: {message['error']}")

    def end_sessions(self) -> None:
        """End the submission's sessions, as a server does that is started anew."""
        self._administer()

    @contextmanager
    def holding(self, *tables: str) -> Iterator[None]:
        """Within the block another program holds the tables: whoever reads or writes them waits, the grader too."""
        with self._another_program("held_lock.py", tables=tables):
            yield

    def waits(self) -> bool:
        """Whether a session waits for what another one holds."""
        return bool(self.query("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1").rows)

    # -- states -------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        # What a role has set for itself outlives a database.
        self._replace("blank", "ALTER ROLE loader RESET ALL", "ALTER ROLE loader PASSWORD 'loader'")

    def save(self) -> str:
        """Keep the database as it is now; returns a name for ``restore``."""
        self._saved += 1
        name = f"saved_{self._saved}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {DATABASE} ALLOW_CONNECTIONS false")
        return name

    def restore(self, name: str) -> None:
        self._replace(name)

    def _replace(self, template: str, *before: str) -> None:
        self._administer(
            *before,
            f"UPDATE pg_database SET datistemplate = false WHERE datname = '{DATABASE}' AND datistemplate",
            f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)",
            f"CREATE DATABASE {DATABASE} TEMPLATE {template} OWNER loader",
        )

    # -- crash points -------------------------------------------------------------------------------------------

    def count(self) -> None:
        self._steer("count")

    def crash(self, after: int) -> None:
        self._steer("crash", after=after)

    def stop_counting(self) -> list[str]:
        statuses = list(self._steer("open")["statuses"])
        self._administer()  # ends the sessions, and waits until what they held is released
        return statuses


ENGINE = Postgres
