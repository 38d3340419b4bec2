"""Whether two runs asked the same and were graded the same; if not, what would make them comparable."""

from __future__ import annotations

from results.errors import RunDirectoryError
from results.records import RunRecord
from results.run_directory import RunDirectory
from results.text import one_line

NAMED = 4


class NotComparable(RunDirectoryError):
    """A difference between these runs would not be one between what is compared."""


def require_comparable(baseline: RunDirectory, candidate: RunDirectory) -> None:
    """
    Raises:
        NotComparable: one is simulated and one real; suite, tasks, their versions, worlds or graders differ.
    """
    one, other = baseline.record, candidate.record
    if one.simulated != other.simulated:
        real, simulated = (candidate, baseline) if one.simulated else (baseline, candidate)
        raise NotComparable(
            f"{simulated.path} is simulated and {real.path} is real",
            "simulated results are compared with simulated ones only",
        )
    if one.suite.name != other.suite.name:
        raise NotComparable(
            f"{baseline.path} is of the suite {one.suite.name!r}, {candidate.path} of {other.suite.name!r}",
            "run the candidate on the baseline's suite",
        )
    if unshared := set(one.planned) ^ set(other.planned):
        raise NotComparable(
            f"only one of the two runs has {_named(unshared)}",
            f"run both on the same tasks: bench run {_of_tasks(one)}",
        )
    if changed := {task for task in one.planned if one.tasks[task].digest != other.tasks[task].digest}:
        raise NotComparable(
            f"changed between the two runs: {_named(changed)}",
            "what was asked is no longer the same, and no regrade mends that: run the older of the two again",
        )
    if one.seeds != other.seeds:
        raise NotComparable(
            f"the runs were graded in different worlds (seeds {_listed(one.seeds)} and {_listed(other.seeds)})",
            "run the older of the two again",
        )
    if regraded := {task for task in one.planned if one.tasks[task].grader_digest != other.tasks[task].grader_digest}:
        raise NotComparable(
            f"graded by different checks: {_named(regraded)}",
            f"grade both with the checks as they are now, without asking a model: "
            f"bench regrade {baseline.path}; bench regrade {candidate.path}",
        )


def what_differs(baseline: RunRecord, candidate: RunRecord) -> list[str]:
    """What is compared: the settings in which the runs differ, a line each. Empty: a run and its repetition."""
    lines = [
        f"{name}: {one_line(str(one))} → {one_line(str(other))}"
        for name, one, other in (
            ("model", baseline.model, candidate.model),
            ("agent", baseline.agent, candidate.agent),
            ("parameters", _settings(baseline), _settings(candidate)),
        )
        if one != other
    ]
    one, other = baseline.persona, candidate.persona
    if one.digest != other.digest:
        lines.append(f"persona: {one_line(one.name)}@{one.digest[:7]} → {one_line(other.name)}@{other.digest[:7]}")
    return lines


def cautions(baseline: RunRecord, candidate: RunRecord) -> list[str]:
    """What differs besides and could be mistaken for an effect."""
    found = []
    if baseline.environments != candidate.environments:
        found.append("the engines' environments differ between the runs: a difference may come from them")
    if baseline.sandbox != candidate.sandbox:
        found.append(f"the sandboxes differ: {one_line(baseline.sandbox)} and {one_line(candidate.sandbox)}")
    if baseline.attempts != candidate.attempts:
        found.append(f"attempts a task differ ({baseline.attempts} and {candidate.attempts}); tasks count once each")
    return found


def _settings(record: RunRecord) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(record.settings.items())) or "–"


def _named(tasks: set[str]) -> str:
    shown = sorted(tasks)
    more = f" and {len(shown) - NAMED} more" if len(shown) > NAMED else ""
    return ", ".join(shown[:NAMED]) + more


def _of_tasks(record: RunRecord) -> str:
    if len(record.planned) > NAMED:
        return f"--suite {one_line(record.suite.name)}"
    return " ".join(f"--task {task}" for task in record.planned)


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))
