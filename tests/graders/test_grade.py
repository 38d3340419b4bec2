"""Grading a tiny task: what is played, what fails with what, and what is nobody's grade."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graders.check import DIMENSIONS, Check, check, checks_of, parameters, scenarios_of
from graders.grade import Grade, grade, weighted
from harness.errors import InfrastructureError
from harness.grading import suite_contract
from harness.sandboxes import _choice
from harness.submission import Submission
from harness.task import Task
from tests.cli.tiny import CHECKS, make_suite, tasks_of

TEXT_CHECKS = {"deliverable", "communication"}

Graded = Callable[..., Grade]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return tasks_of(make_suite(tmp_path / "tiny"))[0]


@pytest.fixture
def graded(task: Task) -> Graded:
    """Grades a submission, the reference if none is given, with these checks instead of the task's."""

    def grade_it(
        checks: str | None = None,
        submission: Submission | None = None,
        reference: Submission | None = None,
        seed: int = 1009,
    ) -> Grade:
        if checks is not None:
            (task.folder / "checks.py").write_text(checks)
        if reference is not None:
            reference.write(task.folder / "reference")
        return grade(task, submission or task.reference, _choice.load("embedded"), seed, suite_contract())

    return grade_it


def evidence(done: Grade, name: str) -> str:
    return next(result.evidence for result in done.checks if result.id == name)


def test_the_reference_earns_everything(graded: Graded) -> None:
    done = graded()
    assert done.score == 1.0
    assert done.resolved
    assert done.failed == frozenset()
    assert all(value == 1.0 for value in done.dimensions.values())
    assert {"correctness", "quality", "idempotency", *TEXT_CHECKS} == set(done.dimensions)


def test_a_grade_is_the_same_twenty_times(graded: Graded, task: Task) -> None:
    for submission in (task.reference, task.mutants["rude"][1]):
        assert len({graded(submission=submission).checks for _ in range(10)}) == 1


def test_a_flaw_costs_its_check_alone(graded: Graded, task: Task) -> None:
    done = graded(submission=task.mutants["rude"][1])
    assert done.failed == {"the_greeting_is_hello"}
    assert not done.resolved
    assert 0.5 < done.score < 1
    assert "Go Kim" in evidence(done, "the_greeting_is_hello")


def test_text_earns_nothing_where_nothing_runs(graded: Graded, task: Task) -> None:
    only_text = Submission({"DELIVERABLE.md": task.reference.files["DELIVERABLE.md"]})
    done = graded(submission=only_text)
    assert done.score == 0
    assert not done.resolved
    texts = [result for result in done.checks if result.dimension in TEXT_CHECKS]
    assert {result.evidence for result in texts} == {"nothing of what it describes works"}


def test_text_alone_never_decides_what_is_resolved(graded: Graded, task: Task) -> None:
    done = graded(submission=task.reference.without(["DELIVERABLE.md"]))
    assert done.resolved
    assert done.score < 1
    assert {result.dimension for result in done.checks if not result.passed} <= TEXT_CHECKS


def test_an_empty_submission_earns_nothing(graded: Graded) -> None:
    done = graded(submission=Submission())
    assert done.score == 0
    assert all(result.evidence for result in done.checks)


PREAMBLE = """
from graders.check import check, scenario
from harness.errors import InfrastructureError, SubmissionFault
"""


def test_a_scenario_is_played_once_in_a_fresh_lab(graded: Graded, tmp_path: Path) -> None:
    log = tmp_path / "played"
    checks = f"""{PREAMBLE}
@scenario
def first(lab):
    open({str(log)!r}, "a").write("first ")
    lab.run("touch", "left-behind")
    return lab.run("ls").stdout

@scenario
def second(lab, first):
    open({str(log)!r}, "a").write("second ")
    return lab.run("ls").stdout

@check("correctness")
def one(first): assert "left-behind" in first

@check("correctness")
def two(first, second): assert "left-behind" in first and "left-behind" not in second

@check("correctness")
def three(second): assert "greet.sh" in second
"""
    assert graded(checks).failed == frozenset()
    assert log.read_text() == "first second "


@pytest.mark.parametrize("raised", ["AssertionError('nothing came')", "SubmissionFault('nothing came')"])
def test_a_failed_scenario_fails_all_that_look_at_it_once(graded: Graded, tmp_path: Path, raised: str) -> None:
    log = tmp_path / "played"
    checks = f"""{PREAMBLE}
@scenario
def broken(lab):
    open({str(log)!r}, "a").write("broken ")
    raise {raised}

@scenario
def built_on_it(broken): return 1

@check("correctness")
def one(broken): pass

@check("correctness")
def two(built_on_it): pass

@check("correctness")
def three(lab): pass
"""
    done = graded(checks)
    assert {name for name in done.failed if name in ("one", "two", "three")} == {"one", "two"}
    assert evidence(done, "one") == evidence(done, "two") == "nothing came"
    assert log.read_text() == "broken "


@pytest.mark.parametrize("bug", ["1 / 0", "world.no_such_thing", "raise KeyError('x')", "import no_such_module"])
def test_a_bug_in_a_check_makes_no_grade(graded: Graded, bug: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        graded(f"{PREAMBLE}\n@check('correctness')\ndef buggy(world):\n    {bug}\n")
    assert caught.value.cause == "grader"
    assert "text/one: the check buggy itself failed" in caught.value.problem
    assert "(checks.py, line 7)" in caught.value.problem


def test_a_bug_in_a_scenario_or_an_unknown_name_makes_no_grade(graded: Graded) -> None:
    with pytest.raises(InfrastructureError, match="ZeroDivisionError"):
        graded(f"{PREAMBLE}\n@scenario\ndef seen(lab): return 1 / 0\n@check('correctness')\ndef looks(seen): pass\n")


def test_a_name_nobody_knows_makes_no_grade(graded: Graded) -> None:
    with pytest.raises(InfrastructureError, match="KeyError"):
        graded(f"{PREAMBLE}\n@check('correctness')\ndef looks(no_such_scenario): pass\n")


def test_what_only_a_strange_submission_makes_a_check_stumble_on_is_its_own_fault(graded: Graded) -> None:
    checks = f"""{PREAMBLE}
@check('correctness')
def stumbles(lab):
    lab.fresh()
    int(lab.run("bash", "greet.sh").stdout.split()[0] == "Hello" or "no number")
"""
    done = graded(checks, Submission({"greet.sh": b"echo rubbish\n"}))
    assert "stumbles" in done.failed
    assert "can't be judged" in evidence(done, "stumbles")


def test_a_scenario_that_stumbles_is_not_played_for_each_check(graded: Graded, tmp_path: Path) -> None:
    log = tmp_path / "played"
    checks = f"""{PREAMBLE}
@scenario
def counted(lab):
    open({str(log)!r}, "a").write("played ")
    return int(lab.run("bash", "-c", "cat number").stdout)

@check("correctness")
def one(counted): pass

@check("correctness")
def two(counted): pass
"""
    reference = Submission({"number": b"1"})
    done = graded(checks, Submission({"number": b"one"}), reference)
    assert {"one", "two"} <= done.failed
    assert evidence(done, "one") == evidence(done, "two")
    assert log.read_text() == "played played "  # once for the submission, once for the control


UNLUCKY = f"""{PREAMBLE}
plays = dict.fromkeys("abcd", 0)

def played(lab, name, unlucky):
    assert lab.box.run(["true"]).ok, "a lab that is open"
    plays[name] += 1
    if plays[name] <= unlucky:
        raise InfrastructureError("engine", "it is gone")
    return name
"""


def test_what_three_scenarios_lose_once_is_nobodys_fault(graded: Graded) -> None:
    lines = [f"@scenario\ndef {name}(lab): return played(lab, {name!r}, {int(name != 'd')})" for name in "abcd"]
    lines += [f"@check('correctness')\ndef looks_at_{name}({name}): pass" for name in "abcd"]
    assert graded("\n".join([UNLUCKY, *lines])).failed == frozenset()


def test_what_a_scenario_loses_twice_is_its_fault(graded: Graded) -> None:
    lines = ["@scenario\ndef a(lab): played(lab, 'a', 2)", "@check('correctness')\ndef looks_at_a(a): pass"]
    lines += ["@scenario\ndef b(lab): played(lab, 'b', 0)", "@check('correctness')\ndef looks_at_b(b): pass"]
    done = graded("\n".join([UNLUCKY, *lines]))
    assert done.failed & {"looks_at_a", "looks_at_b"} == {"looks_at_a"}
    assert evidence(done, "looks_at_a").startswith("it brought down what it ran on, again and again")


def test_a_scenario_is_played_in_the_lab_that_another_one_was_lost_for(graded: Graded) -> None:
    """What it was to be played in is closed once what it asks for had to be played in a new one."""
    checks = f"""{UNLUCKY}
@scenario
def a(lab): return played(lab, "a", 1)

@scenario
def b(lab, a): return played(lab, "b", 0)

@check("correctness")
def looks(b): assert (b, plays) == ("b", {{"a": 2, "b": 1, "c": 0, "d": 0}})
"""
    assert graded(checks).failed == frozenset()


def test_a_world_that_cant_be_built_makes_no_grade(graded: Graded, task: Task) -> None:
    (task.folder / "world.py").write_text("def build(seed, scale=1.0): raise ValueError('no such seed')\n")
    with pytest.raises(InfrastructureError, match="the world of seed 5 can't be built: ValueError"):
        graded(CHECKS.replace("from .world import furnish", ""), seed=5)


def test_an_infrastructure_failure_of_the_harness_is_passed_on(graded: Graded) -> None:
    with pytest.raises(InfrastructureError) as caught:
        graded(
            f"{PREAMBLE}\n@check('correctness')\ndef looks(lab): raise InfrastructureError('engine', 'it is gone')\n"
        )
    assert caught.value.cause == "engine"


def test_evidence_is_bounded_and_can_be_written(graded: Graded) -> None:
    done = graded(f"{PREAMBLE}\n@check('correctness')\ndef talks(lab): assert False, '\\ud800' + 'x' * 100_000\n")
    said = evidence(done, "talks")
    assert len(said) < 5000
    assert said.encode()


def test_a_failure_without_words_is_told_by_its_name(graded: Graded) -> None:
    done = graded(f"{PREAMBLE}\n@check('correctness')\ndef rows_are_kept(lab): assert []\n")
    assert evidence(done, "rows_are_kept") == "rows are kept"


def test_weights_and_optional_checks(graded: Graded) -> None:
    checks = f"""{PREAMBLE}
@check('correctness', weight=3)
def heavy(lab): pass
@check('quality', weight=1, required=False)
def light(lab): assert False, 'missing'
"""
    done = graded(checks)
    own = [result for result in done.checks if result.id in ("heavy", "light")]
    assert weighted(own) == 0.75
    assert done.resolved
    assert done.dimensions["quality"] == 0
    assert weighted([]) == 0


def test_notes_are_kept_once_each(graded: Graded) -> None:
    checks = f"{PREAMBLE}\n@check('correctness')\ndef looks(lab):\n    for n in (1, 1, 2): lab.note(f'run {{n}}')\n"
    assert graded(checks).notes == ("run 1", "run 2")


# -- marks -------------------------------------------------------------------------------------------------------------


def test_checks_and_scenarios_are_found_in_the_order_they_stand(task: Task) -> None:
    found = checks_of(task.checks)
    assert [one.id for one in found][:2] == ["the_right_one_is_greeted", "the_greeting_is_hello"]
    assert list(scenarios_of(task.checks)) == ["greeted"]
    assert parameters(found[0].function) == ["greeted", "world"]


def test_a_check_carries_what_it_was_marked_with() -> None:
    @check("late_data", clauses=["a/b"], weight=2, required=False)
    def late_rows_arrive() -> None: ...

    marked = late_rows_arrive.__check__  # type: ignore[attr-defined]
    assert marked == Check("late_rows_arrive", "late_data", ("a/b",), 2, False, late_rows_arrive)


def test_an_unknown_dimension_is_refused() -> None:
    with pytest.raises(AssertionError, match="unknown dimension 'speed'"):
        check("speed")
    assert "scale" in DIMENSIONS
