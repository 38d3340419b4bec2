"""The matrix finds what is wrong with a task: a grader that is too lenient, too strict, or proves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.grading import suite_contract
from harness.sandboxes import _choice
from harness.task import Task, load_suite
from harness.task_problems import task_problems
from harness.verify import Matrix, Verdict, cases, check_ids, telling_mutants, verify
from tests.cli.tiny import CHECKS, MUTANTS, make_suite, tasks_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_suite(tmp_path / "tiny") / "text" / "one"


def task_in(folder: Path) -> Task:
    return tasks_of(folder.parent.parent)[0]


def matrix(folder: Path, only: str = "") -> Matrix:
    return verify(
        [task_in(folder)],
        _choice.load("embedded"),
        suite_contract(),
        seeds=[1009],
        jobs=2,
        wanted=lambda case: only in case.label,
    )


def change(folder: Path, name: str, find: str, replace: str) -> None:
    text = (folder / name).read_text()
    assert text.count(find) == 1
    (folder / name).write_text(text.replace(find, replace))


def test_a_sound_task_is_green(folder: Path) -> None:
    told: list[Verdict] = []
    found = verify(
        [task_in(folder)], _choice.load("embedded"), suite_contract(), seeds=[1009], jobs=2, tell=told.append
    )
    assert found.green, [verdict.problems for verdict in found.verdicts]
    labels = [verdict.case.label for verdict in found.verdicts]
    assert labels == ["reference", "alternate printf", "nop", *(f"mutant {name}" for name in MUTANTS), "furnished"]
    assert sorted(verdict.case.label for verdict in told) == sorted(labels)
    scores = {verdict.case.label: verdict.grade.score for verdict in found.verdicts if verdict.grade}
    assert scores["reference"] == scores["alternate printf"] == 1
    assert scores["nop"] == 0


def test_solutions_are_judged_in_every_world_and_mutants_in_one(folder: Path) -> None:
    planned = [(case.label, case.seed) for case in cases(task_in(folder), [1, 2])]
    assert planned.count(("reference", 1)) == planned.count(("reference", 2)) == 1
    assert ("alternate printf", 2) in planned
    assert [seed for label, seed in planned if label.startswith(("mutant", "nop"))] == [1] * 6


def test_a_mutant_that_breaks_less_than_it_says(folder: Path) -> None:
    change(folder, "mutants.toml", '["the_greeting_is_hello"]', '["the_greeting_is_hello", "there_is_one_line"]')
    found = matrix(folder, "rude")
    assert not found.green
    assert found.verdicts[0].problems == ("there_is_one_line passed, and must not",)


def test_a_mutant_that_breaks_more_than_it_says(folder: Path) -> None:
    change(folder, "mutants.toml", 'replace = "Go"', 'replace = "G\\no"')
    found = matrix(folder, "rude")
    (problem,) = found.verdicts[0].problems
    assert problem.startswith("there_is_one_line failed: ")


def test_a_check_that_no_mutant_fails(folder: Path) -> None:
    (folder / "checks.py").write_text(CHECKS + '\n@check("lineage")\ndef it_is_so(greeted): assert greeted\n')
    assert task_problems(task_in(folder)) == ["text/one: no mutant fails 'it_is_so'"]
    assert not matrix(folder, "reference").green


def test_an_untouched_workspace_that_passes_something(folder: Path) -> None:
    (folder / "checks.py").write_text(CHECKS + '\n@check("lineage")\ndef always(lab): pass\n')
    found = matrix(folder, "nop")
    assert found.verdicts[0].problems[0] == "always passed, and must not"


def test_a_check_that_is_too_strict_for_another_style(folder: Path) -> None:
    (folder / "checks.py").write_text(
        CHECKS.replace("def the_line_ends_well(greeted):", "def the_line_ends_well(lab, greeted):\n"
        "    assert b'echo' in lab.submission.files['greet.sh'], 'no echo'")
    )  # fmt: skip
    found = matrix(folder, "alternate")
    assert found.verdicts[0].problems == ("the_line_ends_well failed: no echo",)
    assert not found.green


def test_a_reference_that_fails(folder: Path) -> None:
    (folder / "reference" / "greet.sh").write_text('echo "Hello $(cat "$DATA/who.txt")! "\n')
    assert matrix(folder, "reference").verdicts[0].problems[0].startswith("the_line_ends_well failed")


def test_a_grader_that_fails_is_no_grade(folder: Path) -> None:
    (folder / "checks.py").write_text(CHECKS.replace('assert "Hello" in greeted', 'assert 1 / 0 or "Hello" in greeted'))
    found = matrix(folder, "reference")
    assert found.verdicts[0].grade is None
    assert found.verdicts[0].problems[0].startswith("no grade: text/one: the check the_greeting_is_hello itself failed")


def test_a_mutant_of_a_check_that_isnt_there(folder: Path) -> None:
    change(folder, "mutants.toml", '["the_greeting_is_hello"]', '["the_greeting_is_helo"]')
    broken, unproven = task_problems(task_in(folder))
    assert broken.startswith("text/one: the mutant rude breaks 'the_greeting_is_helo', which is no check; known: ")
    assert "the_greeting_is_hello" in broken
    assert unproven == "text/one: no mutant fails 'the_greeting_is_hello'"


MISTAKES = {
    "a parameter": (
        "checks.py",
        "def the_line_ends_well(greeted)",
        "def the_line_ends_well(greted)",
        "asks for 'greted'",
    ),
    "a clause": ("checks.py", "constraints/never-lose-data", "constraints/never-loose-data", "which is no clause"),
    "a responsibility": (
        "task.toml",
        "responsibilities = [",
        'responsibilities = ["sorcery", ',
        "task.toml names 'sorcery'",
    ),
    "no visible world": ("world.py", "world.who})", "world.who})\n\nfurnish = None", "world.py has no furnish"),
    "a world of chance": (
        "world.py",
        'f"Kim the {seed}th"',
        "__import__('secrets').token_hex()",
        "another world each time",
    ),
    "a world that breaks": ("world.py", 'f"Kim the {seed}th"', "sed", "NameError: name 'sed' is not defined"),
}


@pytest.mark.parametrize(("name", "find", "replace", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_that_green_cases_would_hide(folder: Path, name: str, find: str, replace: str, said: str) -> None:
    change(folder, name, find, replace)
    (problem,) = task_problems(task_in(folder))
    assert said in problem


def test_what_nobody_could_hand_in(folder: Path) -> None:
    change(folder, "task.toml", 'canary = "', 'submit = ["*.sql"]\ncanary = "')
    problems = task_problems(task_in(folder))
    assert [problem.partition(": ")[2].partition(" can't")[0] for problem in problems] == [
        "reference: greet.sh",
        "alternates/printf: greet.sh",
    ]
    assert "submit = ['*.sql']" in problems[0]


COMMON_NAME = "\n@check('lineage')\ndef deliverable_is_filled_in(greeted): assert greeted\n"
TWICE = CHECKS + "\n@check('lineage')\ndef the_line_ends_well(greeted): pass\n"
WEIGHTLESS = CHECKS.replace('@check("quality")', '@check("quality", weight=-1)')


def test_two_checks_of_one_name(folder: Path) -> None:
    (folder / "checks.py").write_text(CHECKS + COMMON_NAME)
    assert "every task has a 'deliverable_is_filled_in' of that name" in "\n".join(task_problems(task_in(folder)))


@pytest.mark.parametrize(("checks", "said"), [(TWICE, "two checks are called"), (WEIGHTLESS, "weight is more than 0")])
def test_checks_that_cant_be_read(folder: Path, checks: str, said: str) -> None:
    (folder / "checks.py").write_text(checks)
    with pytest.raises(UsageError, match=said):
        task_problems(task_in(folder))


def test_a_visible_world_that_cant_be_furnished(folder: Path) -> None:
    change(
        folder, "world.py", "def furnish(world, lab):", "def furnish(world, lab):\n    raise OSError('no such disk')"
    )
    (verdict,) = matrix(folder, "furnished").verdicts
    assert verdict.problems == ("no grade: OSError: no such disk",)


def test_what_a_task_must_have_at_least(folder: Path) -> None:
    (folder / "mutants.toml").write_text("")
    (folder / "alternates" / "printf" / "greet.sh").unlink()
    (folder / "alternates" / "printf").rmdir()
    (folder / "checks.py").write_text("from graders.check import check\n@check('scale')\ndef one(lab): assert 0\n")
    assert task_problems(task_in(folder)) == [
        "text/one: no mutant fails 'one'",
        "text/one: there is no alternate",
        "text/one: 0 mutants; at least 4 are asked for",
        "text/one: at least 5 checks of behaviour in 3 dimensions are asked for",
    ]


OPERATION = """
import datetime
from graders.operation import Operation
OPERATION = Operation("bash greet.sh", (), datetime.timedelta(days=1), {})
"""


@pytest.mark.parametrize(("submit", "passes"), [('["**"]', False), ('["**", "!seen"]', True)])
def test_a_try_that_leaves_something_in_the_submission(submit: str, passes: bool, folder: Path) -> None:
    (folder / "checks.py").write_text(CHECKS + OPERATION)
    greet = 'test -f seen || echo "Hello $(cat "$DATA/who.txt")!" > seen; cat seen\n'
    (folder / "reference" / "greet.sh").write_text(greet)
    change(folder, "task.toml", 'kind = "build"', f'kind = "build"\nsubmit = {submit}')
    verdict = matrix(folder, "tried").verdicts[0]
    assert verdict.grade is not None
    assert ("the_right_one_is_greeted" in verdict.grade.failed) == (not passes)


def test_every_check_is_known_by_its_id(folder: Path) -> None:
    ids = check_ids(task_in(folder))
    assert len(ids) == len(set(ids))
    assert {"the_greeting_is_hello", "deliverable_is_filled_in"} <= set(ids)


@pytest.mark.parametrize("task", load_suite(), ids=lambda task: task.id)
def test_the_telling_mutants_fail_every_check_that_mutants_fail(task: Task) -> None:
    breaks = {name: set(mutant.breaks) for name, (mutant, _) in task.mutants.items()}
    telling = telling_mutants(task)
    assert set().union(*(breaks[name] for name in telling)) == set().union(*breaks.values())
    assert len(telling) < len(breaks)


def test_a_mutant_that_fails_everything_tells_only_of_what_no_other_fails(folder: Path) -> None:
    narrow = telling_mutants(task_in(folder))
    everything = f'\n[broken]\nbreaks = {check_ids(task_in(folder))}\nfile = "greet.sh"\ndelete = true\n'
    mutants = folder / "mutants.toml"
    mutants.write_text(mutants.read_text() + everything)
    assert telling_mutants(task_in(folder)) == narrow | {"broken"}
    mutants.write_text(everything)
    assert telling_mutants(task_in(folder)) == {"broken"}
