"""COPY from and UNLOAD to S3, whose buckets are folders: what a file holds becomes rows of a table for loading."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
from collections.abc import Callable, Iterator

from redshift_steps import Step, literal, refuse
from sqlglot.tokens import Token

MOST_BYTES = 64 << 20
# Accepted, and without meaning where there is one node and no bill.
MEANINGLESS = {"COMPUPDATE": 1, "STATUPDATE": 1, "REGION": 1, "ENCODING": 1, "COMPROWS": 1, "IAM_ROLE": 1}
MEANINGLESS |= {"CREDENTIALS": 1, "MAXFILESIZE": 1}
FLAGS = {"EMPTYASNULL", "BLANKSASNULL", "TRIMBLANKS", "FILLRECORD", "GZIP"}
FORMATS = ("auto", "YYYY-MM-DD", "YYYY-MM-DD HH:MI:SS")


class Words:
    """A statement's tokens, one after the other."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.place = tokens, 0

    @property
    def left(self) -> bool:
        return self.place < len(self.tokens)

    def peek(self) -> str:
        return self.tokens[self.place].text.upper() if self.left else ""

    def next(self) -> str:
        if not self.left:
            refuse("it ends too early")
        self.place += 1
        return self.tokens[self.place - 1].text

    def expect(self, word: str) -> None:
        if (found := self.next().upper()) != word:
            refuse(f"{word} is expected, not {found}")

    def skip(self, *words: str) -> None:
        while self.peek() in words:
            self.place += 1

    def value(self) -> str:
        self.skip("AS", "=")
        return self.next()


def copy_steps(tokens: list[Token], buckets: str) -> list[Step]:
    words = Words(tokens)
    words.expect("COPY")
    table = words.next()
    if words.peek() == ".":
        words.next()
        table = f"{table}.{words.next()}"
    table = table.lower()
    columns: list[str] = []
    if words.peek() == "(":
        words.next()
        while (word := words.next()) != ")":
            columns += [word.lower()] if word != "," else []
    words.expect("FROM")
    source = words.next()
    options = options_of(words)
    if not source.startswith("s3://"):
        refuse(f"COPY is emulated from s3://…, not from {source}")
    if "IAM_ROLE" not in options and "CREDENTIALS" not in options:
        refuse("COPY needs an IAM_ROLE (IAM_ROLE default)")
    feed = io.StringIO()
    writer = csv.writer(feed, quoting=csv.QUOTE_ALL)
    for name, line, record in records(source, options, buckets):
        writer.writerow([name, line, json.dumps(record)])
    settings = {
        "null": options.get("NULL", "\\N"),
        "maxerror": int(str(options.get("MAXERROR", 0))),
        **{name.lower(): options.get(name, "") == "auto" for name in ("DATEFORMAT", "TIMEFORMAT")},
        **{name.lower(): name in options for name in FLAGS},
    }
    names = "ARRAY[" + ", ".join(map(literal, columns)) + "]::text[]"
    call = f"redshift.load({literal(table)}, {names}, {literal(json.dumps(settings))}::jsonb)"
    return [
        Step("DROP TABLE IF EXISTS pg_temp.redshift_load", hidden=True),
        Step("CREATE TEMP TABLE redshift_load (file text, line bigint, record jsonb)", hidden=True),
        Step("COPY pg_temp.redshift_load FROM STDIN (FORMAT csv)", hidden=True, feed=feed.getvalue().encode()),
        Step(f"SELECT {call}", hides_rows=True, tag="COPY"),
        Step("DROP TABLE pg_temp.redshift_load", hidden=True),
    ]


def options_of(words: Words) -> dict[str, str]:
    found: dict[str, str] = {}
    while words.left:
        name = words.next().upper()
        if name in ("FORMAT", "AS", "WITH"):
            continue
        if name in MEANINGLESS or name in ("DELIMITER", "NULL", "QUOTE", "IGNOREHEADER", "MAXERROR"):
            found[name] = words.value()
        elif name in ("DATEFORMAT", "TIMEFORMAT"):
            found[name] = words.value()
            if found[name] not in FORMATS:
                refuse(f"{name} {found[name]} isn't emulated")
        elif name == "JSON":
            words.skip("AS")
            found["JSON"] = words.next() if words.left and words.peek() in ("AUTO", "AUTO IGNORECASE") else "auto"
        elif name == "CSV" or name in FLAGS:
            found[name] = ""
        else:
            refuse(f"the option {name} of COPY isn't emulated")
    if len(found.get("DELIMITER", ",")) != 1 or len(found.get("QUOTE", '"')) != 1:
        refuse("DELIMITER and QUOTE are one character")
    return found


def place_of(source: str, buckets: str) -> tuple[str, str]:
    """The bucket's folder, and the key or prefix in it."""
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", bucket) or ".." in key.split("/"):
        refuse(f"{source} is no place in S3")
    return os.path.join(buckets, bucket), key


def keys_with(source: str, buckets: str) -> list[str]:
    """The objects whose keys begin with the prefix: ``batch=1`` is the beginning of ``batch=10/…``, too."""
    folder, prefix = place_of(source, buckets)
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            key = os.path.relpath(path, folder)
            if key.startswith(prefix) and stat.S_ISREG(os.lstat(path).st_mode):
                found.append(key)
    if not found:
        refuse(f"The specified S3 prefix '{prefix}' does not exist")
    if sum(os.path.getsize(os.path.join(folder, key)) for key in found) > MOST_BYTES:
        refuse(f"more than {MOST_BYTES >> 20} MB can't be loaded at once")
    return sorted(found)


def records(source: str, options: dict[str, str], buckets: str) -> Iterator[tuple[str, int, object]]:
    """File, line and what stands there: a list of fields, or of JSON an object."""
    folder, _ = place_of(source, buckets)
    bucket = os.path.basename(folder)
    for key in keys_with(source, buckets):
        with open(os.path.join(folder, key), "rb") as file:
            raw = file.read()
        try:
            text = (gzip.decompress(raw) if "GZIP" in options else raw).decode()
        except (OSError, EOFError, UnicodeDecodeError) as error:
            refuse(f"s3://{bucket}/{key} can't be read: {error}")
        if len(text) > MOST_BYTES:
            refuse(f"more than {MOST_BYTES >> 20} MB can't be loaded at once")
        if "\0" in text:
            refuse(f"s3://{bucket}/{key}: a NUL can't be loaded")
        for line, record in lines_of(text, options, f"s3://{bucket}/{key}"):
            yield f"s3://{bucket}/{key}", line, record


def lines_of(text: str, options: dict[str, str], name: str) -> Iterator[tuple[int, object]]:
    if "JSON" in options:
        decoder, place = json.JSONDecoder(), 0
        while match := re.compile(r"\s*(?=\S)").match(text, place):
            try:
                record, place = decoder.raw_decode(text, match.end())
            except ValueError as error:
                refuse(f"{name}: Invalid JSON: {error}")
            if not isinstance(record, dict):
                refuse(f"{name}: COPY takes objects, one after the other, not an array")
            yield text.count("\n", 0, match.end()) + 1, {key.lower(): value for key, value in record.items()}
        return
    ignored = int(options.get("IGNOREHEADER", "0"))
    if "CSV" in options:
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=options.get("DELIMITER", ","),
            quotechar=options.get("QUOTE", '"'),
            strict=True,
        )
        try:
            before = 0
            for number, record in enumerate(reader):
                if number >= ignored and record:
                    yield before + 1, record
                before = reader.line_num
        except csv.Error as error:
            refuse(f"{name}, line {reader.line_num}: {error}")
        return
    for number, line in enumerate(text.split("\n")[ignored:], ignored + 1):
        if line:
            yield number, line.removesuffix("\r").split(options.get("DELIMITER", "|"))


def unload_step(tokens: list[Token], buckets: str, query_of: Callable[[str], str]) -> Step:
    words = Words(tokens)
    words.expect("(")
    query = query_of(words.next())
    words.expect(")")
    words.expect("TO")
    target, options = words.next(), set()
    parallel = True
    while words.left:
        name = words.next().upper()
        if name in ("FORMAT", "AS"):
            continue
        if name in ("IAM_ROLE", "CREDENTIALS", "REGION", "MAXFILESIZE"):
            words.value()
        elif name == "PARALLEL":
            parallel = words.value().upper() not in ("OFF", "FALSE")
        elif name in ("CSV", "HEADER", "ALLOWOVERWRITE"):
            options.add(name)
        else:
            refuse(f"the option {name} of UNLOAD isn't emulated")
    if "CSV" not in options:
        refuse("UNLOAD is emulated in FORMAT CSV")
    folder, prefix = place_of(target, buckets)
    path = os.path.join(folder, f"{prefix}{'0000_part_00' if parallel else '000'}")
    if os.path.lexists(path) and "ALLOWOVERWRITE" not in options:
        refuse("Specified unload destination on S3 is not empty: another prefix, or ALLOWOVERWRITE")
    header = ", HEADER" if "HEADER" in options else ""
    return Step(f"COPY ({query}) TO STDOUT (FORMAT csv{header})", tag="UNLOAD", unload=path)
