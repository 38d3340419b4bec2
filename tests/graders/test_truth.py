"""What a deliverable claims, against a submission and what came of it, in several phrasings."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from graders import truth
from graders.commands import Command
from graders.operation import Operation
from graders.trying import Operated, Tried
from graders.used import named_technologies
from harness.grading import suite_contract
from harness.submission import Submission
from harness.task import Task, load_suite, select

GOOD = (Path(__file__).parent / "deliverables" / "good.md").read_text()
FILES = {
    "dags/orders.py": b"from airflow.sdk import dag\nimport psycopg\nNAME = 'warehouse.fct_orders'\n",
    "dags/rules.py": b"order_id = amount = ordered_at = rejected_orders = orders_load_audit = 1\n",
}
OPERATION = Operation(
    command="airflow dags test orders_daily 2026-03-01T02:00:00+00:00",
    fills=("warehouse.fct_orders",),
    every=datetime.timedelta(days=1),
    reasons="warehouse.rejected_orders.reason",
    topics={"when a file is complete": "complet", "corrections": "correct"},
)
FIRST = datetime.datetime(2026, 3, 1, 2, tzinfo=datetime.UTC)
OPERATED = Operated(
    tables=frozenset({"warehouse.fct_orders", "warehouse.rejected_orders"}),
    starts={"orders_daily": [FIRST + datetime.timedelta(days=number) for number in range(5)]},
    reasons=frozenset({"amount is negative", "order_id missing"}),
)


@pytest.fixture(scope="module")
def task() -> Task:
    """A task of the suite, with the ends and engines of the example."""
    base = select(load_suite(), ("airflow/daily-orders-load",))[0]
    ends = {"sources": ("landing/orders",), "destinations": ("warehouse.fct_orders",)}
    return dataclasses.replace(base, manifest=base.manifest.model_copy(update=ends))


def edited(*edits: tuple[str, str]) -> str:
    text = GOOD
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def ends(task: Task, text: str, operated: Operated = OPERATED) -> list[str]:
    return truth.stated_ends_are_the_real_ones(suite_contract(), text, task, Submission(FILES), OPERATION, operated)


def technologies(task: Task, text: str) -> list[str]:
    return truth.stated_technologies_are_in_use(suite_contract(), text, task, Submission(FILES))


def rules(task: Task, text: str, operated: Operated = OPERATED) -> list[str]:
    return truth.stated_rules_are_those_that_fire(suite_contract(), text, task, Submission(FILES), OPERATION, operated)


def test_a_true_deliverable_has_no_problem(task: Task) -> None:
    contract = suite_contract()
    assert truth.stated_schedule_is_the_one_that_runs(contract, GOOD, OPERATION, OPERATED) == []
    assert ends(task, GOOD) == []
    assert technologies(task, GOOD) == []
    assert rules(task, GOOD) == []
    assert truth.runbook_commands_do_what_they_say(contract, GOOD, OPERATION, OPERATED) == []
    assert truth.assumptions_concern_this_source(GOOD, OPERATION) == []


def test_a_schedule_that_is_not_the_dags_is_quoted_with_the_dags(task: Task) -> None:
    text = edited(("every day at 02:00 UTC (`0 2 * * *`)", "hourly"))
    said = truth.stated_schedule_is_the_one_that_runs(suite_contract(), text, OPERATION, OPERATED)
    assert len(said) == 1
    assert "hourly" in said[0]
    assert "orders_daily starts Sun 2026-03-01 02:00" in said[0]


def test_ends_in_other_words_are_true(task: Task) -> None:
    assert ends(task, edited(("the shop's daily file `landing/orders/<date>.csv`", "files under landing/orders"))) == []
    assert ends(task, edited(("the table `warehouse.fct_orders` on PostgreSQL", "fct_orders (schema warehouse)"))) == []


def test_ends_that_are_not_there_are_named(task: Task) -> None:
    assert (
        "clicks" in ends(task, edited(("the shop's daily file `landing/orders/<date>.csv`", "topic `clicks.raw`")))[0]
    )
    query = edited(("from warehouse.rejected_orders where", "from lake.bad_rows where"))
    assert ends(task, query) == ["named, but nowhere in ticket, data, submission or database: lake.bad_rows"]
    assert ends(task, query, dataclasses.replace(OPERATED, seen=frozenset({"bad_rows"}))) == []
    nothing = dataclasses.replace(OPERATED, tables=frozenset({"public.other"}))
    assert "no destination was there" in ends(task, GOOD, nothing)[0]


def test_technologies_that_are_not_used_are_named(task: Task) -> None:
    text = edited(("| Validation | Python |", "| Validation | Great Expectations on Spark |"))
    assert ["Apache Spark" in technologies(task, text)[0], len(technologies(task, text))] == [True, 2]
    assert technologies(task, edited(("| Validation | Python |", "| Validation | plain Python, no Spark |"))) == []
    assert technologies(task, edited(("| Orchestration |", "| `dags/gone.py` |"))) == [
        "the file dags/gone.py is listed, but wasn't submitted"
    ]


def test_a_file_that_the_ticket_came_with_may_be_listed_though_it_is_not_submitted() -> None:
    runbook = select(load_suite(), ("docs/runbook",))[0]
    text = runbook.reference.deliverable
    assert "shop.sh" not in runbook.reference.files

    def problems(component: str) -> list[str]:
        assert "| Steps (`shop.sh`) |" in text
        said = text.replace("| Steps (`shop.sh`) |", f"| {component} |")
        return truth.stated_technologies_are_in_use(suite_contract(), said, runbook, runbook.reference)

    assert problems("Steps (`shop.sh`)") == []
    assert problems("Steps (`sales.sh`)") == ["the file sales.sh is listed, but wasn't submitted"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("PostgreSQL 16", ["PostgreSQL"]),
        ("Postgres (psycopg 3)", ["PostgreSQL"]),
        ("dbt-core + DuckDB", ["DuckDB", "dbt"]),
        ("Airflow rather than Dagster", ["Apache Airflow"]),
        ("a deltaic, sparkling heap", []),
        ("Python", []),
    ],
)
def test_technologies_are_known_by_their_names(said: str, found: list[str]) -> None:
    assert sorted(named_technologies(said)) == sorted(found)


def test_rules_are_those_for_which_rows_were_rejected(task: Task) -> None:
    assert rules(task, edited(("`amount` is a number of at least 0", "amounts below zero are refused"))) == []
    other = dataclasses.replace(OPERATED, reasons=frozenset({"currency unknown"}))
    assert "currency unknown" in rules(task, GOOD, other)[0]
    silent = dataclasses.replace(OPERATED, reasons=frozenset())
    assert "was empty" in rules(task, GOOD, silent)[0]


def test_a_command_that_fails_is_quoted_with_its_message() -> None:
    tried = Tried(Command("bash go.sh", "bash go.sh now", "bash", by_hand=True), "exit code 127\nno such file")
    operated = dataclasses.replace(OPERATED, tried=(tried,), filled=False)
    problems = truth.runbook_commands_do_what_they_say(suite_contract(), GOOD, OPERATION, operated)
    assert problems == [
        "`bash go.sh`: exit code 127\nno such file",
        "after `bash go.sh now` there is no row in warehouse.fct_orders",
    ]


def test_assumptions_about_something_else_do_not_count() -> None:
    start, end = GOOD.index("- The shop writes"), GOOD.index("### Service")
    text = f"{GOOD[:start]}- We assume that visitors accept cookies.\n\n{GOOD[end:]}"
    assert truth.assumptions_concern_this_source(text, OPERATION)
