"""Runs that are killed at random moments and resumed, over and over, until they are done; and what must hold then."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.sandboxes._leftovers import OWNER_FILE, owner_mark
from harness.sandboxes._processes import box_parent
from results.records import TrialRecord
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import environment

Kind = Literal["at a touch", "at a time", "its boxes"]
PATIENCE = 300.0
CONCURRENCY = 2


@dataclass
class Tally:
    """What was tried and what came of it; all but ``kills`` should stay empty."""

    kills: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def harmless(self) -> bool:
        return not (self.lost or self.doubled or self.different or self.left)

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.kills.items()))
        losses = f"{len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.different)} different"
        return f"{self.kills.total()} kill points ({kinds}): {losses}, {len(self.left)} boxes left"


def outcome(record: TrialRecord) -> tuple[object, ...]:
    """What of a trial is the same in every undisturbed repetition."""
    passed = tuple((check.id, check.passed) for check in record.checks)
    return (
        *record.key,
        record.status,
        record.score,
        passed,
        record.usage,
        record.cost,
        record.turns,
        record.submission,
        record.cause,
        record.stop_reason,
    )


@dataclass
class Experiment:
    """One command, done undisturbed first, then killed as often as is asked. ``asked`` begins a run."""

    asked: tuple[str, ...]
    suite: Path
    folder: Path
    draw: random.Random
    variables: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    touches: int = 0
    seconds: float = 0.0
    expected: list[tuple[object, ...]] = field(default_factory=list)

    def undisturbed(self) -> None:
        calm = self.folder / "calm"
        calm.mkdir()
        began = time.monotonic()
        process = self._start(calm, 0, resumed=False)
        assert process.wait(PATIENCE) == 0, self._said(calm)
        self.seconds = time.monotonic() - began
        self.touches = int((calm / "touches").read_text())
        self.expected = sorted(map(outcome, the_run(calm).records()))
        assert self.expected
        assert self.touches > len(self.expected)
        assert {entry[2] for entry in self.expected} == {"graded"}

    def kill(self, kinds: list[Kind]) -> None:
        """Kill at as many moments as there are ``kinds``; a run that is done gives way to a new one."""
        number = 0
        while kinds:
            number += 1
            place = self.folder / f"run-{number}"
            place.mkdir()
            self._until_done(place, kinds)
            self._compare(place)

    def _until_done(self, place: Path, kinds: list[Kind]) -> None:
        resumed = False
        while True:
            kind = kinds[-1] if kinds else None
            before = _lines(place)
            # What is left of a run that was killed before takes less.
            share = self.draw.random() * (0.5 if resumed else 0.9)
            fatal = 1 + int(share * self.touches) if kind == "at a touch" else 0
            began = time.monotonic()
            process = self._start(place, fatal, resumed=resumed)
            if kind == "at a time" and _lives(process, share * self.seconds):
                process.kill()
            if kind == "its boxes" and _lives(process, share * self.seconds) and _end_boxes(process):
                self._count(kinds)
            code = process.wait(PATIENCE)
            # 3: the run came to its end, and trials without a box are invalid.
            assert code in (0, -9, 3), f"exit code {code}: {self._said(place)}"
            if code == -9:
                self._count(kinds)
            self._check_prefix(place, before)
            resumed_before, resumed = resumed, bool(find_runs(place / "runs"))
            if code != -9 and not _invalid(place):
                assert code == 0, self._said(place)
                if not resumed_before:
                    # The machine may be quicker than it was, and what is too late never kills.
                    self.seconds = time.monotonic() - began
                return

    def _count(self, kinds: list[Kind]) -> None:
        self.tally.kills[kinds.pop()] += 1

    def _start(self, place: Path, fatal: int, *, resumed: bool) -> subprocess.Popen[str]:
        asked = ["run", "--resume", str(the_run(place).path), "--retry-invalid"] if resumed else list(self.asked)
        common = ["--suite", str(self.suite), "--concurrency", str(CONCURRENCY)]
        told = [str(fatal), str(place / "touches")]
        with (place / "said").open("a") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.mortal", *told, *asked, *common],
                cwd=place,
                env=environment(**self.variables),
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            )

    def _check_prefix(self, place: Path, before: list[str]) -> None:
        now = _lines(place)
        if now[: len(before)] != before:
            self.tally.lost.append(f"{place.name}: a finished trial's record changed or is gone")
        graded = Counter(key for key, status in _keys(place) if status == "graded")
        self.tally.doubled += [f"{place.name}: {key}" for key, number in graded.items() if number > 1]

    def _compare(self, place: Path) -> None:
        run = the_run(place)
        found = sorted(map(outcome, run.records()))
        missing = {entry[:2] for entry in self.expected} - {entry[:2] for entry in found}
        self.tally.lost += [f"{place.name}: {key}" for key in missing]
        self.tally.different += [f"{place.name}: {entry}" for entry in found if entry not in self.expected]
        self.tally.left += [f"{place.name}: {key}" for key in run.unfinished()]
        shutil.rmtree(place)

    @staticmethod
    def _said(place: Path) -> str:
        return (place / "said").read_text()


def the_run(place: Path) -> RunDirectory:
    (path,) = find_runs(place / "runs")
    return RunDirectory.open(path)


def _lines(place: Path) -> list[str]:
    """The whole lines of ``trials.jsonl``: a record counts as finished from its newline on."""
    found = find_runs(place / "runs")
    return (found[0] / "trials.jsonl").read_text().splitlines(keepends=True) if found else []


def _keys(place: Path) -> Iterator[tuple[tuple[str, int], str]]:
    for line in _lines(place):
        if line.endswith("\n"):
            record = TrialRecord.model_validate_json(line)
            yield record.key, record.status


def _invalid(place: Path) -> bool:
    invalid = [record for record in the_run(place).records() if record.status == "invalid"]
    assert all((record.cause or "").startswith(("docker", "sandbox-", "engine")) for record in invalid), invalid
    return bool(invalid)


def boxes_of(mark: str) -> tuple[list[Path], list[str]]:
    """The folders and the containers of a process's boxes."""
    folders = []
    for parent in {Path(box_parent() or "/tmp"), Path("/tmp")}:
        for file in parent.glob(f"box-*/{OWNER_FILE}"):
            if file.read_text() == mark:
                folders.append(file.parent)
    return folders, _docker("ps", "--all", "--quiet", "--filter", f"label=bench.owner={mark}").split()


def _lives(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it does still, after some seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end_boxes(process: subprocess.Popen[str]) -> bool:
    """Kill what runs in the boxes of a run, which goes on, as soon as there is any; false if there never is."""
    mark = owner_mark(process.pid)
    while _lives(process, 0.05):
        folders, containers = boxes_of(mark)
        killed = sum(map(kill_supervisors, folders))
        if containers:
            _docker("kill", *containers)
        if killed or containers:
            return True
    return False


def kill_supervisors(folder: Path) -> int:
    """Kill every process that was told to make its box of the folder; how many there were."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{folder}/".encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


def _docker(*arguments: str) -> str:
    if not shutil.which("docker"):
        return ""
    listed = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return listed.stdout
