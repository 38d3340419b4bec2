"""Fivetran's tester as the grader drives it: what survives from sync to sync, and how bad connectors end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graders.commands import Command
from graders.operation import Operation
from graders.trying import problem_of
from harness.engines.fivetran import Fivetran
from harness.errors import SubmissionFault
from harness.lab import Lab
from tests.engines.conftest import begin, open_lab

pytestmark = pytest.mark.engines

CONNECTOR = """
import os, pathlib
from fivetran_connector_sdk import Connector, Operations as op

def schema(configuration):
    amount = {"type": "DECIMAL", "precision": 9, "scale": 2}
    return [{"table": "rows", "primary_key": ["id"], "columns": {"amount": amount}}]

def update(configuration, state):
    notes = [pathlib.Path(path) for path in ("kept.txt", "files/kept.txt", "/tmp/kept.txt", "sealed/kept.txt")]
    n = state.get("n", 0) + 1
    found = os.path.exists("sealed") or any(note.exists() for note in notes)
    op.upsert("rows", {"id": f"r{n}", "amount": "1.10", "found": found, "said": configuration["word"]})
    os.mkdir("sealed")
    for note in notes:
        note.write_text("here")
    os.chmod("sealed", 0)
    op.checkpoint({"n": n})
    if n == 2:
        op.upsert("rows", {"id": "waiting"})
        raise ValueError("the second sync fails")

connector = Connector(update=update, schema=schema)
"""
STUB = "from fivetran_connector_sdk import Connector\nconnector = Connector(update=lambda configuration, state: %s)\n"
BAD = {
    "does not parse": ("def f(:\n", None, "SyntaxError"),
    "has no connector": ("x = 1\n", None, "connector"),
    "hangs": (STUB % "__import__('time').sleep(1000)", "timeout", ""),
    "floods its output": (STUB % "[print('x' * 100_000) for _ in iter(int, 1)]", "output", ""),
    "fills the memory": (STUB % "[b'x' * 2**20 for _ in range(5000)]", "memory", ""),
}


@pytest.fixture(scope="module")
def opened() -> Iterator[Lab]:
    with open_lab(["fivetran"], "connectors") as lab:
        yield lab


def prepared(lab: Lab, connector: str) -> Fivetran:
    begin(lab, {"connector.py": connector})
    fivetran = lab.use(Fivetran)
    fivetran.configure({"word": "hello"})
    return fivetran


def test_a_sync_finds_state_and_rows_of_the_last_one_and_nothing_else(opened: Lab) -> None:
    fivetran = prepared(opened, CONNECTOR)
    project = opened.submission.files
    assert fivetran.sync(project).ok
    failed = fivetran.sync(project)
    assert not failed.ok and "the second sync fails" in failed.stdout + failed.stderr
    assert fivetran.sync(project).ok
    rows = {(row["id"], str(row["amount"]), row["found"], row["said"]) for row in fivetran.table("rows")}
    # What came after the last checkpoint of a sync that failed is gone, and so are files of its own.
    assert rows == {(f"r{n}", "1.10", False, "hello") for n in (1, 2, 3)}
    fivetran.forget_state()
    assert fivetran.sync(project).ok
    assert len(fivetran.table("rows")) == 3


def test_a_command_of_the_ticket_needs_no_network_either(opened: Lab) -> None:
    prepared(opened, "import requests\n" + CONNECTOR)
    done = opened.run("bash", "-c", "fivetran debug --configuration $DATA/configuration.json")
    assert done.ok, done.explain()
    assert done.seconds < 30 and "retrying" not in done.stdout and not opened.box.incidents


def test_what_a_runbooks_command_asks_is_answered(opened: Lab) -> None:
    fivetran = prepared(opened, CONNECTOR)
    assert fivetran.sync(opened.submission.files).ok
    reset = Command("fivetran reset", "fivetran reset", "fivetran", by_hand=False)
    assert not opened.run("bash", "-c", reset.script).ok
    assert problem_of(opened, reset, None, Operation(reset.script, (), None, {}), 60) == ""
    with pytest.raises(SubmissionFault, match="rows can't be read"):
        fivetran.table("rows")


def test_a_table_that_isnt_there_is_the_submissions_fault(opened: Lab) -> None:
    with pytest.raises(SubmissionFault, match="rows can't be read"):
        prepared(opened, CONNECTOR).table("rows")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_connector_ends_within_its_limits(opened: Lab, name: str) -> None:
    connector, killed, said = BAD[name]
    fivetran = prepared(opened, connector)
    done = fivetran.sync(opened.submission.files, timeout=5)
    assert not done.ok and done.killed == killed, done.explain()
    assert said in done.stdout + done.stderr
    opened.fresh()
    assert opened.run("true").ok
