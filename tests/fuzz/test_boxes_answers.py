"""Whatever comes out of a box: frames of its wire, accounts that a submission's own process gives, files. What a
submission can write there is never more than its own failure."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.check import CheckResult
from graders.grade import failed
from harness.engines import airflow, dbt
from harness.sandboxes._box import HEADER, Completed, LostError, Resident, completed
from harness.submission import SubmissionError, SubmissionLimits, from_files, from_folder, safe_path
from tests.fuzz.strangers import DEEP, bounded, meddled, meddled_bytes, texts, values

DONE = {"exit_code": 0, "killed": None, "truncated": False, "seconds": 0.5, "outlived": 0, "sizes": [2, 1]}
DBT = {
    "success": True,
    "exception": "",
    "nodes": {"model.shop.orders": {"status": "success", "message": "OK", "failures": None}},
    "manifest": {"model.shop.orders": {"name": "orders"}},
}
MOMENT = "2026-03-01T00:00:00+00:00"
RUNS = {
    "runs": [{"logical_date": MOMENT, "state": "success", "tasks": {"load": "success"}}],
    "problem": "",
    "errors": {},
}
TASK = {
    "type": "PythonOperator", "retries": 1, "retry_delay": 1.0, "downstream": ["b"], "owner": "x",
    "trigger_rule": "all_success", "depends_on_past": False,
}  # fmt: skip
DAG = {
    "runs": [[MOMENT] * 4], "schedule": "@daily", "catchup": False, "start_date": MOMENT, "max_active_runs": 1,
    "tags": [], "tasks": {"load": TASK},
}  # fmt: skip
PARSED = {"dags": {"load": DAG}, "errors": {}, "deprecations": []}


class Replayed:
    """A stream that says what it was given, and ends."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def read(self, size: int, timeout: float) -> bytes:
        part, self.content = self.content[: min(size, 7)], self.content[min(size, 7) :]
        return part


def framed(text: bytes, blob: bytes) -> bytes:
    return HEADER.pack(len(text), len(blob)) + text + blob


FRAME = framed(json.dumps(DONE).encode(), b"ok!" + json.dumps(DBT).encode())


@given(
    content=meddled_bytes(FRAME)
    | st.binary(max_size=40)
    | st.sampled_from([framed(DEEP.encode(), b""), framed(b"7", b"")])
)
def test_any_frame_is_a_reply_or_a_loss(content: bytes) -> None:
    with bounded():
        try:
            reply, blob = Resident(Replayed(content)).receive(1.0)
            done = completed(reply, blob)
        except LostError:
            return
    assert isinstance(done, Completed)
    assert done.explain()


@given(reply=meddled(DONE), blob=st.binary(max_size=20) | st.sampled_from([b"ok!" + DEEP.encode(), b"ok!NaN"]))
def test_any_outcome_is_one_or_a_loss(reply: Any, blob: bytes) -> None:
    try:
        done = completed(reply, blob)
    except LostError:
        return
    assert done.ok in (True, False)
    assert isinstance(done.stdout + done.stderr, str)
    assert type(done.outlived) is int


def ended(result: Any) -> Completed:
    return Completed(0, "out", "err", result=json.loads(json.dumps(result)))


@given(result=meddled(DBT) | values)
def test_any_account_of_dbt(result: Any) -> None:
    with bounded():
        told = dbt.read(ended(result))
    assert told.success in (True, False)
    assert told.completed.ok == told.success
    assert told.named("orders") is None or isinstance(told.named("orders"), dbt.Node)


@given(result=meddled(RUNS) | meddled(PARSED) | values)
def test_any_account_of_airflow(result: Any) -> None:
    with bounded():
        runs = airflow.validated(airflow.RawRuns, ended(result).result)
        parsed = airflow.validated(airflow.RawParsed, ended(result).result)
    assert runs is None or all(isinstance(run.state, str) for run in runs.runs)
    for dag_id, raw in (parsed.dags if parsed else {}).items():
        assert airflow.dag_from(dag_id, raw).edges is not None


@given(evidence=texts | st.binary(max_size=30).map(lambda raw: raw.decode(errors="surrogateescape")))
def test_any_evidence_can_be_written_down(evidence: str) -> None:
    class Told:
        id, dimension, clauses, weight, required = "x", "correctness", (), 1.0, True

    result: CheckResult = failed(Told, evidence)  # type: ignore[arg-type]
    assert result.evidence.encode() is not None


NAMES = texts | st.sampled_from(
    ["a", "a/b", "../x", "/x", "a//b", "./a", "a/.", "A", "a\\b", "CON", "x" * 255, "é" * 128, "é", "e\u0301"]
)


@given(files=st.dictionaries(NAMES, st.binary(max_size=9), max_size=5))
def test_any_files_are_a_submission_or_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    try:
        submission = from_files(files, limits=SubmissionLimits(files=4, file_bytes=8, total_bytes=20))
    except SubmissionError as error:
        str(error).encode()
        return
    assert all(not path.startswith("/") and ".." not in path.split("/") for path in submission.files)
    assert len(submission.digest) == 64
    folder = tmp_path / submission.digest
    submission.write(folder)
    assert set(from_folder(folder, ignored=frozenset()).files) == {str(safe_path(path)) for path in submission.files}
    assert folder.parent == tmp_path


RAW_NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
)
KINDS = ("file", "folder", "link", "loop", "pipe", "locked", "sparse")


@given(left=st.dictionaries(RAW_NAMES, st.sampled_from(KINDS), max_size=4))
def test_any_folder_is_a_submission_or_refused(
    tmp_path_factory: pytest.TempPathFactory, left: dict[bytes, str]
) -> None:
    folder = tmp_path_factory.mktemp("left")
    for name, kind in left.items():
        path = folder / os.fsdecode(name)
        match kind:
            case "file":
                path.write_bytes(name)
            case "folder":
                (path / path.name).mkdir(parents=True)
            case "link":
                path.symlink_to("/etc/passwd")
            case "loop":
                path.symlink_to(path.name)
            case "pipe":
                os.mkfifo(path)
            case "locked":
                path.mkdir(0o000)
            case "sparse":
                path.touch()
                os.truncate(path, 10**12)
    try:
        files = from_folder(folder).files
    except SubmissionError as error:
        str(error).encode()
    else:
        assert files == {os.fsdecode(name): name for name, kind in left.items() if kind == "file"}
