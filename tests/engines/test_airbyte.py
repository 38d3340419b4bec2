"""Airbyte's kit in the box, and the rules of the platform around it: what a state covers is kept, the rest is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.engines.airbyte import Airbyte, Connection, Ended, Stream
from harness.engines.api import Api, Listing
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from tests.engines.conftest import begin, open_lab

pytestmark = pytest.mark.engines

MANIFEST = """
version: 7.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [rows]}
streams:
  - type: DeclarativeStream
    name: rows
    primary_key: [id]
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: "{{ config['base_url'] }}"
        path: /rows
        authenticator: {type: BearerAuthenticator, api_token: "{{ config['key'] }}"}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [rows]}}
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: at
      datetime_format: "%Y-%m-%dT%H:%M:%SZ"
      start_datetime: "2026-03-01T00:00:00Z"
      start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
spec: {type: Spec, connection_specification: {type: object, properties: {key: {type: string, airbyte_secret: true}}}}
"""
COMPONENT = """
import time
from airbyte_cdk.sources.declarative.extractors.record_extractor import RecordExtractor

class Extractor(RecordExtractor):
    def extract_records(self, response):
        %s
        return []
"""
CUSTOM = MANIFEST.replace(
    "{type: DpathExtractor, field_path: [rows]}",
    "{type: CustomRecordExtractor, class_name: source_declarative_manifest.components.Extractor}",
)
BAD = {
    "is no YAML": ({"manifest.yaml": "a: [\n"}, None),
    "is no source": ({"manifest.yaml": "version: 7.0.0\ntype: DeclarativeSource\n"}, None),
    "hangs": ({"manifest.yaml": CUSTOM, "components.py": COMPONENT % "time.sleep(1000)"}, "timeout"),
    "floods its output": (
        {"manifest.yaml": CUSTOM, "components.py": COMPONENT % "while True: print('x' * 100_000)"},
        "output",
    ),
}


@pytest.fixture(scope="module")
def opened() -> Iterator[Lab]:
    with open_lab(["api", "airbyte"], "connectors") as lab:
        yield lab


def prepared(lab: Lab, files: dict[str, str], *ats: str) -> Airbyte:
    begin(lab, files)
    serve(lab, *ats)
    airbyte = lab.use(Airbyte)
    airbyte.configure({"base_url": lab.use(Api).url, "key": "k"})
    return airbyte


def connect(lab: Lab) -> Connection:
    airbyte = lab.use(Airbyte)
    return Connection(airbyte, lab.submission.files, airbyte.discover(lab.submission.files))


def serve(lab: Lab, *ats: str) -> None:
    rows = [{"id": n, "at": f"2026-03-{at}T10:00:00Z", "nested": {"n": n}} for n, at in enumerate(ats)]
    lab.use(Api).serve({"/rows": Listing(rows, "rows", 50, "id", "at", "since")}, key="k")


def test_a_source_syncs_what_is_new_by_its_state(opened: Lab) -> None:
    airbyte = prepared(opened, {"manifest.yaml": MANIFEST}, "01", "02", "03")
    assert airbyte.check(opened.submission.files)[0]
    connection = connect(opened)
    assert connection.streams[0].keys == ("id",) and connection.streams[0].cursor == "at"
    assert connection.sync().succeeded
    serve(opened, "01", "07", "03", "05")
    opened.use(Api).requests()
    assert connection.sync().succeeded
    assert [(request.query, request.rows) for request in opened.use(Api).requests()] == [
        ("since=2026-03-03T10%3A00%3A00Z", 3)
    ]
    found = {row["id"]: (row["at"][8:10], row["nested"]) for row in connection.table("rows")}
    assert found == {n: (at, {"n": n}) for n, at in enumerate(("01", "07", "03", "05"))}
    with pytest.raises(SubmissionFault, match="there is no stream other"):
        connection.table("other")


def test_a_source_that_is_refused_fails(opened: Lab) -> None:
    airbyte = prepared(opened, {"manifest.yaml": MANIFEST}, "01")
    airbyte.configure({"base_url": opened.use(Api).url, "key": "wrong"})
    assert not airbyte.check(opened.submission.files)[0]
    ended = connect(opened).sync()
    assert not ended.succeeded and ended.errors


@pytest.mark.parametrize("name", BAD)
def test_a_bad_source_ends_within_its_limits(opened: Lab, name: str) -> None:
    files, killed = BAD[name]
    airbyte = prepared(opened, files, "01")
    if killed is None:
        with pytest.raises(SubmissionFault, match="discover gave no catalog"):
            airbyte.discover(opened.submission.files)
    else:
        ended = connect(opened).sync(timeout=6)
        assert ended.done.killed == killed and not ended.succeeded
    opened.fresh()
    assert opened.run("true").ok


# -- the platform's rules, on messages as they can come ----------------------------------------------------------------

ROWS = Stream("rows", {"name": "rows"}, ("id",), "at")
WHOLE = Stream("whole", {"name": "whole"}, ("id",), "")


def record(number: int, at: str = "1", stream: str = "rows") -> dict[str, Any]:
    return {"type": "RECORD", "record": {"stream": stream, "data": {"id": number, "at": at}}}


def state(cursor: str, stream: str = "rows") -> dict[str, Any]:
    described = {"stream_descriptor": {"name": stream}, "stream_state": {"at": cursor}}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": described}}


def ended(*messages: dict[str, Any], ok: bool) -> Ended:
    return Ended(Completed(0 if ok else 1), messages)


@pytest.fixture
def connection(opened: Lab) -> Connection:
    return Connection(opened.use(Airbyte), {}, (ROWS, WHOLE))


def ids(connection: Connection, stream: str = "rows") -> list[Any]:
    return sorted(connection.table(stream).column("id")) if connection.rows.get(stream) else []


def test_of_a_failed_sync_what_its_states_cover_is_kept(connection: Connection) -> None:
    connection.store(ended(record(1), state("1"), record(2), ok=False), {"rows"})
    assert ids(connection) == [1]
    connection.store(ended(record(3), ok=True), {"rows"})
    assert ids(connection) == [1, 3]
    assert connection.states["rows"]["stream"]["stream_state"] == {"at": "1"}


def test_the_latest_cursor_wins_and_of_equal_ones_the_last(connection: Connection) -> None:
    connection.store(ended(record(1, "2"), record(1, "1"), record(2, "1"), record(2, "1"), ok=True), {"rows"})
    assert sorted(connection.table("rows").rows) == [(1, "2"), (2, "1")]


def test_a_whole_stream_is_replaced_by_a_sync_that_succeeds(connection: Connection) -> None:
    connection.store(ended(record(1, stream="whole"), ok=True), {"rows"})
    connection.store(ended(record(2, stream="whole"), state("", "whole"), ok=False), {"rows"})
    assert ids(connection, "whole") == [1]
    connection.store(ended(record(3, stream="whole"), ok=True), {"rows"})
    assert ids(connection, "whole") == [3]


@pytest.mark.parametrize(
    "message", [{}, {"record": 1}, {"record": {"stream": ["x"], "data": {}}}, {"record": {"data": 7}}]
)
def test_messages_of_another_form_are_no_rows(connection: Connection, message: dict[str, Any]) -> None:
    connection.store(
        ended({"type": "RECORD", **message}, {"type": "STATE", "state": [json.dumps(message)]}, ok=True), set()
    )
    assert ids(connection) == []
