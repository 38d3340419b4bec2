"""Airbyte's CDK runs a declarative source; the platform and the destination around it are a few rules of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pydantic

from harness.engines import Engine
from harness.errors import SubmissionFault
from harness.sandboxes._box import Completed
from harness.tables import Table

CALLS, PROGRAM = "connector_calls", "source-declarative-manifest"
MANIFEST, COMPONENTS = "manifest.yaml", "components.py"
CONFIG, CATALOG, STATE = "config.json", "catalog.json", "state.json"
MOST_OUTPUT = 16 << 20  # bytes of messages of one command
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a command of the source ended. ``succeeded``: it left with 0 and reported no error."""

    done: Completed
    messages: tuple[Message, ...]

    @property
    def succeeded(self) -> bool:
        return self.done.ok and not self.errors

    @property
    def errors(self) -> list[str]:
        traces = [content(message, "trace") for message in self.messages if message["type"] == "TRACE"]
        return [str(content(trace, "error").get("message")) for trace in traces if trace.get("type") == "ERROR"]

    @property
    def said(self) -> str:
        """Everything that goes to a log: all but records and states."""
        kept = [message for message in self.messages if message["type"] not in ("RECORD", "STATE")]
        others = [line for line in self.done.stdout.splitlines() if read_message(line) is None]
        return "\n".join([*map(json.dumps, kept), *others, self.done.stderr])

    def explain(self) -> str:
        return "; ".join(self.errors)[:1500] or self.done.explain()


@dataclass(frozen=True)
class Stream:
    """A stream as the source describes it. ``keys``: of its primary key; ``cursor``: empty if there is none."""

    name: str
    described: Message
    keys: tuple[str, ...]
    cursor: str

    @property
    def is_incremental(self) -> bool:
        return bool(self.cursor)

    def configured(self) -> Message:
        return {
            "stream": self.described,
            "sync_mode": "incremental" if self.is_incremental else "full_refresh",
            "destination_sync_mode": "append_dedup" if self.is_incremental else "overwrite",
            "cursor_field": [self.cursor] if self.is_incremental else [],
            "primary_key": [[key] for key in self.keys],
        }


class Airbyte(Engine):
    """The submission is a ``manifest.yaml``, with a ``components.py`` if it needs one."""

    name: ClassVar[str] = "airbyte"
    programs: ClassVar[tuple[str, ...]] = ("source-declarative-manifest",)
    fidelity: ClassVar[str] = (
        "Airbyte's CDK 7, the real thing, runs the manifest; platform and destination are ours: they keep what a STATE "
        "covers, drop the rest of a failed sync, deduplicate by primary key. No typing, no image of the connector."
    )
    # Not a sync, which takes a second: but a grade has dozens of them, and most wait for somebody.
    starts_slowly: ClassVar[bool] = True

    def variables(self) -> dict[str, str]:
        return {"AIRBYTE_ENABLE_UNSAFE_CODE": "true"}

    def configure(self, config: Mapping[str, Any]) -> None:
        self.deliver(**{CONFIG: config})

    def deliver(self, **files: Any) -> None:
        self.box.put("data", {name: json.dumps(content).encode() for name, content in files.items()})

    def run(self, project: Mapping[str, bytes], command: str, *options: str, timeout: float = 120.0) -> Ended:
        """One command of the source, with the grader's configuration, in a fresh copy of the project."""
        arguments = {"program": PROGRAM, "arguments": [*self._words(project, command), *options]}
        done = self.box.call(CALLS, "run", arguments, timeout=timeout, output_limit=MOST_OUTPUT)
        if done.truncated and not done.killed:
            raise SubmissionFault(f"{command} printed more than {MOST_OUTPUT >> 20} MiB")
        return Ended(done, tuple(filter(None, map(read_message, done.stdout.splitlines()))))

    def _words(self, project: Mapping[str, bytes], command: str) -> list[str]:
        self.box.clear("work")
        self.box.put("work", project)
        self.box.preload(CALLS, program=PROGRAM)
        words = [command, "--config", f"{self.box.path('data')}/{CONFIG}", "--manifest-path", MANIFEST]
        return [*words, "--components-path", COMPONENTS] if COMPONENTS in project else words

    def secrets(self, project: Mapping[str, bytes]) -> frozenset[str]:
        """The fields of the configuration that the source's spec calls secret; a platform shows the others."""
        done = self.box.call(CALLS, "specification", {"arguments": self._words(project, "check")})
        if not isinstance(done.result, dict):
            raise SubmissionFault(f"the manifest has no spec that can be read: {done.explain()}")
        fields = content(done.result, "properties")
        return frozenset(name for name in fields if content(fields, name).get("airbyte_secret") is True)

    def check(self, project: Mapping[str, bytes]) -> tuple[bool, Ended]:
        """Whether the source says that it can connect."""
        ended = self.run(project, "check")
        found = [content(message, "connectionStatus") for message in ended.messages]
        return any(status.get("status") == "SUCCEEDED" for status in found), ended

    def discover(self, project: Mapping[str, bytes]) -> tuple[Stream, ...]:
        """The streams that the source says it has."""
        ended = self.run(project, "discover")
        catalogs = [content(message, "catalog") for message in ended.messages if message["type"] == "CATALOG"]
        if not catalogs:
            raise SubmissionFault(f"discover gave no catalog: {ended.explain()}")
        try:
            return tuple(streams_of(catalogs[-1]))
        except pydantic.ValidationError as error:
            raise SubmissionFault(f"discover gave a catalog that can't be read: {error}") from None


@dataclass
class Connection:
    """What Airbyte keeps between the syncs of a source: rows by stream, in the order they came, and the last states."""

    airbyte: Airbyte
    project: Mapping[str, bytes]
    streams: tuple[Stream, ...]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    states: dict[str, Message] = field(default_factory=dict)

    def sync(self, *options: str, timeout: float = 120.0) -> Ended:
        folder = self.airbyte.box.path("data")
        incremental = {stream.name for stream in self.streams if stream.is_incremental}
        states = [state for name, state in self.states.items() if name in incremental]
        catalog = {"streams": [stream.configured() for stream in self.streams]}
        self.airbyte.deliver(**{CATALOG: catalog, STATE: states})
        options = ("--catalog", f"{folder}/{CATALOG}", "--state", f"{folder}/{STATE}", *options)
        ended = self.airbyte.run(self.project, "read", *options, timeout=timeout)
        self.store(ended, incremental)
        return ended

    def store(self, ended: Ended, incremental: set[str]) -> None:
        waiting: dict[str, list[dict[str, Any]]] = {stream.name: [] for stream in self.streams}
        for message in ended.messages:
            if message["type"] == "RECORD":
                record = content(message, "record")
                if isinstance(record.get("data"), dict):
                    waiting.setdefault(str(record.get("stream")), []).append(record["data"])
            elif message["type"] == "STATE":
                state = content(message, "state")
                name = str(content(content(state, "stream"), "stream_descriptor").get("name"))
                self.states[name] = state
                if name in incremental:
                    self.rows.setdefault(name, []).extend(waiting.pop(name, []))
                    waiting[name] = []
        if ended.succeeded:
            for name, rows in waiting.items():
                self.rows[name] = [*self.rows.get(name, []), *rows] if name in incremental else rows

    def table(self, name: str) -> Table:
        """The rows of a stream, of each primary key the one with the latest cursor, of these the last that came."""
        stream = next((stream for stream in self.streams if stream.name == name), None)
        if stream is None:
            raise SubmissionFault(f"there is no stream {name}; there are {', '.join(one.name for one in self.streams)}")
        latest: dict[str | int, dict[str, Any]] = {}
        for number, row in enumerate(self.rows.get(name, [])):
            key = json.dumps([row.get(column) for column in stream.keys]) if stream.keys else number
            known = latest.get(key)
            if known is None or str(row.get(stream.cursor, "")) >= str(known.get(stream.cursor, "")):
                latest[key] = row
        columns = tuple(dict.fromkeys(column for row in latest.values() for column in row))
        rows = tuple(tuple(row.get(column) for column in columns) for row in latest.values())
        return Table(name, columns, rows)


class RawStream(pydantic.BaseModel):
    """What is asked of an AirbyteStream: said by the submission's own process."""

    name: str
    supported_sync_modes: list[str] = []
    default_cursor_field: list[str] = []
    source_defined_primary_key: list[list[str]] = []


def streams_of(catalog: Message) -> Iterator[Stream]:
    for described in pydantic.TypeAdapter(list[dict[str, Any]]).validate_python(catalog.get("streams")):
        raw = RawStream.model_validate({name: value for name, value in described.items() if value is not None})
        cursor = raw.default_cursor_field if "incremental" in raw.supported_sync_modes else []
        keys = tuple(".".join(path) for path in raw.source_defined_primary_key)
        yield Stream(raw.name, described, keys, ".".join(cursor))


def read_message(line: str) -> Message | None:
    """A message of Airbyte's protocol; None: the line is something else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("type"), str) else None


def content(message: Message, name: str) -> Message:
    """A part of a message that should be an object, and is treated as an empty one if it isn't."""
    found = message.get(name)
    return found if isinstance(found, dict) else {}


ENGINE = Airbyte
