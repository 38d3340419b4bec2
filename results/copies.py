"""A run may lie in several folders (``cp -r``, a backup); its trials must not count twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from results.tables import Run


def copies(runs: Mapping[Path, Run]) -> dict[Path, str]:
    """The run directories that hold a run once more and are to be left out, each with the message that says so.

    The copy with the most graded trials stays, of equal ones the first.
    """
    kept: dict[str, Path] = {}
    for path, run in runs.items():
        other = kept.setdefault(run.record.run, path)
        if _graded(run) > _graded(runs[other]):
            kept[run.record.run] = path
    return {
        path: f"{path} is the run {run.record.run} once more, which is taken from {kept[run.record.run]}"
        for path, run in runs.items()
        if kept[run.record.run] != path
    }


def _graded(run: Run) -> int:
    return sum(trial.status == "graded" for trial in run.trials)
