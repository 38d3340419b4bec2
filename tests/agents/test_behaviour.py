"""The simulated model that heeds its persona: each clause is obeyed with the chance that its file says."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import binomtest

from harness.agents import resolve_baseline
from harness.agents._behaviour import Behaviour, mutants_against, read_behaviour
from harness.agents.simulated import Obedient
from harness.errors import UsageError
from harness.task import Task
from tests.cli.tiny import make_suite, tasks_of

LOSE, VALIDATE = "constraints/never-lose-data", "constraints/always-validate-data-quality"
FILE = f"""
skill = 0.95
[clauses]
"{LOSE}" = {{ with = 0.9, without = 0.4 }}
"{VALIDATE}" = {{ with = 0.8, without = 0.8 }}
"""
WITH = "## Constraints\n\n- Data is never lost: delivery is at least once\n- Validate data quality\n"
WITHOUT = "## Constraints\n\n- Validate data quality\n"
DRAWS = 4000


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (task,) = tasks_of(make_suite(tmp_path / "suite"))
    return task


def behaviour(folder: Path, text: str = FILE) -> Behaviour:
    path = folder / "behaviour.toml"
    path.write_text(text)
    return read_behaviour(path).behaviour


def test_a_clause_is_disobeyed_by_the_mutants_that_break_its_checks(task: Task) -> None:
    assert mutants_against(task, LOSE) == ["rude"]
    assert mutants_against(task, VALIDATE) == ["long"]
    assert mutants_against(task, "constraints/document-data-lineage") == []


def test_the_chances_are_those_of_the_file(task: Task, tmp_path: Path) -> None:
    found = behaviour(tmp_path)
    for persona, lost in ((WITH, 0.1), (WITHOUT, 0.6)):
        mistakes = found.mistakes(task, persona)
        unrelated = 0.05 / 3
        expected = {"rude": lost, "long": 0.2, "deaf": unrelated, "flat": unrelated, "moody": unrelated}
        assert mistakes == pytest.approx(expected)


@pytest.mark.parametrize("persona", [WITH, WITHOUT])
def test_what_is_handed_in_is_drawn_with_these_chances(persona: str, task: Task, tmp_path: Path) -> None:
    found = behaviour(tmp_path)
    drawn = [found.choose(task, attempt, persona)[1] for attempt in range(DRAWS)]
    mistakes = found.mistakes(task, persona)
    for mutant, chance in mistakes.items():
        assert binomtest(drawn.count(f"the mutant {mutant}"), DRAWS, chance).pvalue > 1e-4
    assert binomtest(drawn.count("the reference"), DRAWS, 1 - sum(mistakes.values())).pvalue > 1e-4


def test_the_draws_repeat_and_are_others_for_another_persona_or_seed(task: Task, tmp_path: Path) -> None:
    found, other = behaviour(tmp_path), behaviour(tmp_path, f"seed = 1\n{FILE}")

    def drawn(who: Behaviour, persona: str) -> list[str]:
        return [who.choose(task, attempt, persona)[1] for attempt in range(50)]

    assert drawn(found, WITH) == drawn(found, WITH)
    assert drawn(found, WITH) != drawn(other, WITH)
    # The same chances, and yet not the same trials: as with a model.
    assert drawn(found, WITH) != drawn(found, f"{WITH}\nBe kind.\n")


def test_the_name_of_the_model_holds_the_file_so_that_no_run_is_gone_on_with_another(tmp_path: Path) -> None:
    path = tmp_path / "behaviour.toml"
    path.write_text(FILE)
    agent = resolve_baseline(f"simulated/clauses:{path}")
    assert isinstance(agent, Obedient)
    again = resolve_baseline(agent.name)
    assert again is not None
    assert again.name == agent.name
    path.write_text(FILE.replace("0.95", "0.96"))
    with pytest.raises(UsageError, match="no longer the behaviour"):
        resolve_baseline(agent.name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "clauses: Field required"),
        ("[clauses]\n", "clauses"),
        ("skill = 2\n[clauses]\n", "skill"),
        ("[clauses", "not valid TOML"),
        ("\xff", "clauses|TOML"),
        (f'[clauses]\n"{LOSE}" = {{ with = 0.9 }}', "without"),
        (f'[clauses]\n"{LOSE}" = {{ with = nan, without = 1 }}', "with"),
        ('[clauses]\n"constraints/be-nice" = { with = 1, without = 0.5 }', "names no clause"),
        (f'skill = 0.5\n[clauses]\n"{LOSE}" = {{ with = 1, without = 0.3 }}', "chance of 1.20"),
    ],
)
def test_a_file_that_is_no_behaviour_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        behaviour(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        resolve_baseline(f"simulated/clauses:{tmp_path / 'missing.toml'}")
