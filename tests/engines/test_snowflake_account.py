"""A Snowflake account of one's own: the emulation behind fakesnow's server, spoken to by the real connector."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from graders.grade import grade
from harness.engines.snowflake import EXTERNAL, Snowflake
from harness.errors import SubmissionFault, UsageError
from harness.grading import suite_contract
from harness.lab import Lab
from harness.sandboxes import _choice, _environments, runtime_folder
from harness.task import HIDDEN_SEEDS, load_suite, select
from tests.engines.conftest import begin, open_lab
from tests.engines.test_snowflake import CONNECT

pytestmark = pytest.mark.engines

SERVER = Path(__file__).parent / "snowflake_server.py"
EMBEDDED = _choice.load("embedded")
RUN = (
    CONNECT
    + """
link = connect()
for statement in json.loads(sys.argv[1]):
    link.cursor(snowflake.connector.DictCursor).execute(statement)
print(type(link).__module__)
"""
)
LOAD = [
    "CREATE TABLE IF NOT EXISTS t (id NUMBER(38, 0), price NUMBER(12, 2))",
    "BEGIN",
    "DELETE FROM t WHERE id IN (1, 2)",
    "INSERT INTO t VALUES (1, 2.50)",
    "INSERT INTO t VALUES (2, NULL)",
    "COMMIT",
]
ROWS = [(1, Decimal("2.50")), (2, None)]


@dataclass(frozen=True)
class Account:
    folder: Path
    variables: dict[str, str]

    def databases(self) -> set[str]:
        return {file.stem for file in self.folder.glob("*.db")} - {"account"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("snowflake")
    python = _environments.build_venv("snowflake") / "bin" / "python"
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(runtime_folder()), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen([python, SERVER, folder], stdout=subprocess.PIPE, text=True, env=variables) as server:
        try:
            assert server.stdout
            port = server.stdout.readline().strip()
            address = {"SNOWFLAKE_HOST": "127.0.0.1", "SNOWFLAKE_PORT": port, "SNOWFLAKE_PROTOCOL": "http"}
            login = {"SNOWFLAKE_USER": "GRADER", "SNOWFLAKE_PASSWORD": "a token"}
            rights = {"SNOWFLAKE_ROLE": "BENCH", "SNOWFLAKE_WAREHOUSE": "SMALL"}
            yield Account(folder, {EXTERNAL: "own", **login, **rights, **address})
        finally:
            server.kill()


@pytest.fixture
def account(served: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name, value in served.variables.items():
        monkeypatch.setenv(name, value)
    return served


def load(lab: Lab, *statements: str) -> str:
    done = lab.use(Snowflake).run("run.py", json.dumps(statements), timeout=120)
    assert done.ok, done.explain()
    return done.stdout.strip()


def rows(lab: Lab) -> list[tuple[object, ...]]:
    return sorted(lab.use(Snowflake).table("t").rows)


def test_it_takes_the_emulations_place_and_is_left_as_it_was(account: Account) -> None:
    with open_lab(["snowflake"], "snowflake", EMBEDDED) as lab, open_lab(["snowflake"], "snowflake", EMBEDDED) as other:
        begin(lab, {"run.py": RUN})
        assert load(lab, *LOAD) == "snowflake.connector.connection", "it isn't the connector itself that connects"
        assert rows(lab) == ROWS
        load(lab, "CREATE VIEW v AS SELECT id FROM t")
        snowflake = lab.use(Snowflake)
        assert snowflake.tables() == {"public.t", "public.v"} and snowflake.holds("public.t")
        assert not begin(other).use(Snowflake).tables(), "two boxes share a database"
        with pytest.raises(SubmissionFault, match="nothing can't be read"):
            snowflake.table("nothing")
        saved = snowflake.save()
        lab.fresh()
        assert not snowflake.tables()
        snowflake.restore(saved)
        assert rows(lab) == ROWS
        with pytest.raises(UsageError, match="isn't exported"):
            lab.dump()
    assert account.databases() == {"THEIRS"}


def test_a_killed_run_leaves_no_transaction_open(account: Account) -> None:
    with open_lab(["snowflake"], "snowflake", EMBEDDED) as lab:
        begin(lab, {"run.py": RUN})
        snowflake = lab.use(Snowflake)

        snowflake.count()
        load(lab, *LOAD)
        assert snowflake.stop_counting() == ["I", "T", "T", "T", "T", "I"]
        load(lab, "DELETE FROM t WHERE id = 1")
        snowflake.crash(4)
        assert not snowflake.run("run.py", json.dumps(LOAD), timeout=120).ok
        assert snowflake.stop_counting() == ["I", "T", "T", "T"]
        assert rows(lab) == ROWS[1:], "what a killed run had not committed stands in the table"
        load(lab, *LOAD)
        assert rows(lab) == ROWS


@pytest.mark.nightly  # it imports the connector some sixty times
def test_a_reference_scores_there_as_it_does_in_a_box(account: Account) -> None:
    (task,) = select(load_suite(), ("snowflake/merge-cdc",))
    done = grade(task, task.reference, EMBEDDED, HIDDEN_SEEDS[0], suite_contract())
    assert done.score == 1, done.failed
    assert account.databases() == {"THEIRS"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("SNOWFLAKE_WAREHOUSE", "", "SNOWFLAKE_WAREHOUSE isn't set"), ("SNOWFLAKE_PASSWORD", "x", "Incorrect username")],
)
def test_what_it_lacks_is_said(
    account: Account, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said), open_lab(["snowflake"], "snowflake", EMBEDDED):
        pass


@pytest.mark.bubblewrap
def test_no_box_reaches_it(account: Account) -> None:
    box = _choice.load("bubblewrap")
    with (
        pytest.raises(UsageError, match="doesn't let the grader in") as raised,
        open_lab(["snowflake"], "snowflake", box),
    ):
        pass
    assert "--sandbox embedded" in raised.value.mend
