"""What a statement of Redshift's becomes: steps for PostgreSQL, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

LONGEST = 1 << 18  # characters of a query


class Refused(Exception):
    """Redshift has no such thing, or it isn't emulated; the message says which."""


def refuse(why: str) -> NoReturn:
    raise Refused(why)


def literal(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{quoted}'"


@dataclass(frozen=True)
class Step:
    """One statement for the server.

    hides_rows: the client hears how it ended, but gets no rows
    hidden:     the client hears nothing of it, unless it fails
    feed:       what the server is given when it asks for a COPY's rows
    tag:        what the client hears in place of the command's own tag
    unload:     the file below the buckets' folder that its rows go to
    """

    sql: str
    hides_rows: bool = False
    hidden: bool = False
    feed: bytes | None = None
    tag: str = ""
    unload: str = ""
