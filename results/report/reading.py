"""What a report is made of: the runs that can be read, and which were left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

from results import report_paths as paths
from results.comparable import NotComparable, require_comparable
from results.comparison import Comparison, compare
from results.copies import copies
from results.errors import RunDirectoryError
from results.leaderboard import By, Leaderboard, Run, leaderboards
from results.records import TrialRecord, slug
from results.rendering import Row
from results.run_directory import RunDirectory, TrialFolder, find_runs

# Comparisons of every run with every other, unless a baseline is named: beyond it nobody reads them all.
MOST_PAIRS = 15


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """A run with its trials. ``name`` is its id as one safe file name. ``unfinished``: begun, without a record."""

    directory: RunDirectory
    trials: tuple[TrialRecord, ...]
    unfinished: Mapping[tuple[str, int], TrialFolder]

    @property
    def id(self) -> str:
        return self.directory.record.run

    @cached_property
    def name(self) -> str:
        return paths.run_name(self.id)

    @property
    def path(self) -> str:
        return paths.run_path(self.id)

    def trial_path(self, task: str, attempt: int) -> str:
        return paths.trial_path(self.id, task, attempt)

    def transcript_path(self, task: str, attempt: int) -> str:
        return paths.transcript_path(self.id, task, attempt)

    @cached_property
    def by_key(self) -> dict[tuple[str, int], TrialRecord]:
        return {trial.key: trial for trial in self.trials}

    @property
    def counted(self) -> Run:
        """The run as leaderboards count it."""
        return Run(self.directory.record, self.trials)

    @cached_property
    def row(self) -> Row:
        """The run as a leaderboard's row of its own."""
        [board] = leaderboards([self.counted])
        return board.rows()[0]


@dataclass(frozen=True)
class Part:
    """Some of a board's tasks, by what they have in common, and what each of its rows scored in them."""

    name: str
    tasks: int
    scores: list[float | None]


@dataclass(frozen=True, eq=False)
class Board:
    """A leaderboard with the runs that it is made of; ``name`` tells it from all others, also in a later report."""

    table: Leaderboard
    runs: tuple[ReportedRun, ...]

    @cached_property
    def name(self) -> str:
        record = self.runs[0].directory.record
        tasks = sorted(
            f"{task} {record.tasks[task].digest} {record.tasks[task].grader_digest}" for task in record.planned
        )
        return paths.digest("\n".join([str(record.simulated), record.suite.name, *tasks]))

    @cached_property
    def rows(self) -> list[Row]:
        """The table's rows, best first."""
        return self.table.rows()

    def parts(self, by: By) -> list[Part]:
        """The scores in each technology, say: one for each of ``rows``."""
        tables = leaderboards([run.counted for run in self.runs], by)
        found = []
        for table in tables:
            scores = {_configuration(row): row["score"] for row in table.rows()}
            found.append(Part(str(table.part), len(table.tasks), [scores[_configuration(row)] for row in self.rows]))
        return found

    def runs_of(self, row: Row) -> list[ReportedRun]:
        ids = set(str(row["runs"]).split())
        return [run for run in self.runs if run.id in ids]

    def task_path(self, task: str) -> str:
        return f"tasks/{self.name}/{slug(task)}.html"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs to compare."""

    baseline: ReportedRun
    candidate: ReportedRun

    @property
    def path(self) -> str:
        return f"compare/{paths.digest(self.baseline.id)}-{paths.digest(self.candidate.id)}.html"

    @cached_property
    def obstacle(self) -> str:
        """Why the two can't be compared; empty if they can."""
        try:
            require_comparable(self.baseline.directory, self.candidate.directory)
        except NotComparable as error:
            return error.problem
        return ""

    @cached_property
    def comparison(self) -> Comparison | str:
        """The comparison, or what stands in its way."""
        try:
            return compare(self.baseline.directory, self.candidate.directory)
        except RunDirectoryError as error:
            return error.problem


@dataclass(frozen=True, eq=False)
class Source:
    """All that a report is made of. ``left_out``: what couldn't be read, as messages."""

    runs: tuple[ReportedRun, ...]
    left_out: tuple[str, ...] = ()
    baseline: ReportedRun | None = None

    @cached_property
    def boards(self) -> list[Board]:
        tables = leaderboards(run.counted for run in self.runs)
        boards = []
        for table in tables:
            ids = {run for row in table.rows() for run in str(row["runs"]).split()}
            boards.append(Board(table, tuple(run for run in self.runs if run.id in ids)))
        return boards

    def board_of(self, run: ReportedRun) -> Board:
        return next(board for board in self.boards if run in board.runs)

    @property
    def chronicle(self) -> list[ReportedRun]:
        """The runs, oldest first."""
        return sorted(self.runs, key=lambda run: (run.directory.record.created, run.id))

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every run with the baseline, or all with all, the older run as the baseline."""
        if self.baseline:
            return [Pair(self.baseline, run) for run in self.chronicle if run is not self.baseline]
        return [Pair(old, new) for old, new in combinations(self.chronicle, 2)]

    @cached_property
    def comparable_pairs(self) -> list[Pair]:
        return [pair for pair in self.pairs if not pair.obstacle]

    @property
    def compared(self) -> list[Pair]:
        """The pairs that have a page: without a baseline, the newest ones."""
        return self.comparable_pairs if self.baseline else self.comparable_pairs[-MOST_PAIRS:]


def read(folders: Sequence[Path], baseline: Path | None = None, *, strict: bool = True) -> Source:
    """The runs at or below the folders.

    A run that can't be read is left out with its reason if it was found below a folder. ``strict``: one that was
    named is an error. Of a run that lies there several times one copy is shown, also if another is the baseline.

    Raises:
        RunDirectoryError: a named run can't be read; or the baseline can't be.
    """
    found: dict[Path, ReportedRun] = {}
    left_out: list[str] = []
    for path in _paths([*folders, *([baseline] if baseline else [])]):
        try:
            found[path.resolve()] = _read(path)
        except RunDirectoryError as error:
            if strict and path in {*folders, baseline}:
                raise
            left_out.append(error.problem)
    copied = copies({run.directory.path: run.counted for run in found.values()})
    runs = tuple(run for run in found.values() if run.directory.path not in copied)
    named = found.get(baseline.resolve()) if baseline else None
    yardstick = next((run for run in runs if named and run.id == named.id), None)
    return Source(runs, (*left_out, *copied.values()), yardstick)


def _paths(folders: Iterable[Path]) -> list[Path]:
    """Run directories; a folder without any is kept, for reading it says what is wrong with it."""
    return [path for folder in folders for path in find_runs(folder) or [folder]]


def _read(path: Path) -> ReportedRun:
    directory = RunDirectory.open(path)
    if len(directory.record.run.split()) != 1:
        raise RunDirectoryError(f"{path / 'run.json'} is damaged: its run has no name of one word")
    planned = set(directory.record.planned_trials)
    trials = directory.records()
    if strangers := sorted({trial.key for trial in trials} - planned):
        task, attempt = strangers[0]
        raise RunDirectoryError(
            f"{directory.trials_file} holds {len(strangers)} trials that the run never planned, e.g. {task} #{attempt}",
            "restore run.json and trials.jsonl from one copy",
        )
    finished = {trial.key for trial in trials}
    unfinished = {key: folder for key, folder in directory.unfinished().items() if key not in finished}
    return ReportedRun(directory, tuple(trials), unfinished)


def _configuration(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("model", "agent", "persona", "persona_digest", "parameters"))
