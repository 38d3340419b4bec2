"""Amazon Redshift: PostgreSQL behind a door that speaks Redshift's dialect; S3 is a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.engines.postgres import Postgres
from harness.errors import SubmissionFault, UsageError
from harness.sandboxes._box import Box

S3 = "s3"


@dataclass(frozen=True)
class TableFacts:
    """What is declared of a table.

    ``diststyle``: AUTO, EVEN, ALL or KEY; ``sortstyle``: AUTO, COMPOUND or INTERLEAVED.
    """

    diststyle: str = "AUTO"
    distkey: str | None = None
    sortstyle: str = "AUTO"
    sortkey: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    encodings: Mapping[str, str] | None = None


class Redshift(Postgres):
    """Reached by ``psql`` and psycopg2, as Redshift itself is. An object ``s3://bucket/key`` is a file of ``$S3``."""

    name: ClassVar[str] = "redshift"
    fidelity: ClassVar[str] = (
        "PostgreSQL 16 behind Redshift's dialect: keys that nobody enforces, TRUNCATE that commits, COPY, UNLOAD,"
        " MERGE, lengths in bytes; distribution, sorting and encodings are declared facts, which change no plan."
    )
    SERVER: ClassVar[str] = "driver/redshift_server.py"
    LISTING: ClassVar[str] = Postgres.LISTING + " AND n.nspname <> 'redshift'"

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.buckets = f"{box.path('data')}/{S3}"

    def _further_folders(self) -> tuple[str, ...]:
        return (self.buckets,)

    def variables(self) -> dict[str, str]:
        return {**super().variables(), "S3": self.buckets}

    def dump(self) -> dict[str, bytes]:
        # What is declared of the tables hangs on their numbers, which a dump doesn't keep.
        raise UsageError("tasks on redshift can't be exported", "leave them out: name the others")

    def upload(self, objects: Mapping[str, bytes | str]) -> None:
        """Put objects into S3, by ``bucket/key``; what was there under the key is replaced."""
        contents = {f"{S3}/{name}": text.encode() if isinstance(text, str) else text for name, text in objects.items()}
        self.box.put("data", contents)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """What lies in a bucket, by key."""
        prefix = f"{S3}/{bucket}/"
        return {
            path.removeprefix(prefix): content
            for path, content in self.box.collect("data").items()
            if path.startswith(prefix)
        }

    def declare(self, table: str, facts: TableFacts) -> None:
        """Of a table of the world's, which is made in PostgreSQL's words."""
        said = {
            "diststyle": facts.diststyle,
            "distkey": facts.distkey,
            "sortstyle": facts.sortstyle,
            "sortkey": facts.sortkey,
        }
        self.execute(f"SELECT redshift.alter('{table}', '{json.dumps(said)}')")

    def facts(self, table: str) -> TableFacts:
        """What is declared of a table of the submission's, schema-qualified."""
        schema, _, name = table.rpartition(".")
        found = self.query(
            "SELECT f.diststyle, f.distkey, f.sortstyle, f.sortkey, f.primary_key, f.encodings"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " LEFT JOIN redshift.facts f ON f.relation = c.oid"
            f" WHERE n.nspname = '{schema or 'public'}' AND c.relname = '{name}' AND c.relkind = 'r'",
            table,
        )
        if not len(found):
            raise SubmissionFault(f"there is no table {table}")
        row: Mapping[str, Any] = next(iter(found))
        if row["diststyle"] is None:
            return TableFacts()
        return TableFacts(
            row["diststyle"],
            row["distkey"],
            row["sortstyle"],
            tuple(row["sortkey"]),
            tuple(row["primary_key"]),
            row["encodings"],
        )


ENGINE = Redshift
