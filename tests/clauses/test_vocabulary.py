from __future__ import annotations

import pytest

from graders import common_checks
from graders.check import checks_of
from harness.clauses import resolve, vocabulary
from harness.clauses.sections import Kind
from harness.clauses.vocabulary import canonical_clauses, parties, technologies
from harness.task import Task, load_suite


@pytest.mark.parametrize("task", load_suite(), ids=lambda task: task.id)
def test_every_clause_that_a_task_names_exists(task: Task) -> None:
    named = {name: check.id for check in checks_of(task.checks) for name in check.clauses}
    named |= dict.fromkeys(task.manifest.responsibilities, "task.toml")
    assert not {name: where for name, where in named.items() if not resolve(name)}
    assert not [name for name in task.manifest.collaboration if not parties(name)]


def test_every_clause_that_a_common_check_names_exists() -> None:
    assert not [name for check in checks_of(common_checks) for name in check.clauses if not resolve(name)]


def test_a_name_is_an_id_another_spelling_or_a_group() -> None:
    assert resolve("constraints/never-lose-data") == ("constraints/never-lose-data",)
    assert resolve("rules/never-lose-data") == ("constraints/never-lose-data",)
    assert resolve("collaboration/design-data-contracts") == ("collaboration-protocol/design-data-contracts",)
    assert resolve("data-warehouse-design/slowly-changing-dimensions-scd") == (
        "data-warehouse-design/slowly-changing-dimensions",
    )
    assert len(resolve("deliverable-format")) == 7
    assert len(resolve("collaboration/with-backend")) == 3


@pytest.mark.parametrize("name", ["", "constraints", "constraints/", "constraints/never-lose-dat", "never-lose-data"])
def test_a_name_that_nobody_knows_is_nothing(name: str) -> None:
    assert resolve(name) == ()


def test_every_canonical_clause_is_met_by_its_own_words() -> None:
    for entry in vocabulary().values():
        text = entry.slug.replace("-", " ") or entry.id.replace("-", " ")
        assert entry.id in canonical_clauses(text, entry.kind), entry.id


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Rerunning a day changes nothing", "constraints", "constraints/always-implement-idempotent-pipelines"),
        ("Data loss is never tolerated", "constraints", "constraints/never-lose-data"),
        ("Handle out-of-order events", "constraints", "constraints/plan-for-late-arriving-data"),
        ("State your SLAs", "communication", "communication-style/include-slas-and-freshness-guarantees"),
        ("Use dimensional modelling", "responsibilities", "responsibilities/data-warehouse-design"),
    ],
)
def test_other_words_for_the_same(text: str, kind: Kind, expected: str) -> None:
    assert expected in canonical_clauses(text, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Post to the Slack channel", "communication"),  # no SLA
        ("SQLAlchemy", "expertise"),  # no SQL
        ("Data loss is acceptable in staging", "constraints"),
        ("Pipelines don't have to be idempotent", "constraints"),
        ("", "constraints"),
    ],
)
def test_what_only_looks_alike_is_not_the_same(text: str, kind: Kind) -> None:
    assert canonical_clauses(text, kind) == ()


def test_technologies_and_parties_of_a_manifest() -> None:
    assert technologies(["spark", "python"]) == (
        "expertise-areas/apache-spark",
        "expertise-areas/python",
        "expertise-areas/pyspark",
    )
    assert parties("backend") == parties("With Backend") == resolve("collaboration-protocol/with-backend")
    assert parties("nobody") == parties("") == ()
