"""What a run stands on gives way: Docker stops and comes back, the disk is read-only, the clock jumps."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from harness import run
from harness.agents import _transcript
from harness.sandboxes import _choice
from harness.task import Task
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import Bench
from tests.cli.program import bench as bench_process
from tests.cli.tiny import make_suite, tasks_of
from tests.faults.door import DockerDoor
from tests.faults.kills import outcome, the_run
from tests.provider import ProviderServer, Request, solving
from tests.provider.script import Happening


def asked(provider: ProviderServer, suite: Path, *more: str) -> list[str]:
    model = ["--model", "anthropic/any", "--base-url", provider.base_url("anthropic")]
    return ["run", *model, "--suite", str(suite), *more]


def states(run: RunDirectory) -> dict[str, tuple[str, str | None, float | None]]:
    return {record.task: (record.status, record.cause, record.score) for record in run.records()}


@pytest.mark.docker
def test_docker_stops_in_the_middle_of_a_run_and_comes_back(provider: ProviderServer, tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "tiny", "a", "b", "c")
    answers = solving(*tasks_of(suite))
    door = DockerDoor(tmp_path / "docker.sock")

    def stops_at_the_second(request: Request) -> Happening:
        if "greet.sh of b say" in request.opening and door.path.exists():
            door.shut()
        return answers(request)

    provider.script = stops_at_the_second
    variables = {"DOCKER_HOST": door.address, "ANTHROPIC_API_KEY": "sk-of-the-test"}
    arguments = asked(provider, suite, "--sandbox", "docker", "--concurrency", "1")
    bench_process(*arguments, cwd=tmp_path, **variables)
    run = the_run(tmp_path)
    found = states(run)
    assert found["text/a"] == ("graded", None, 1.0)
    assert found["text/b"] in [("invalid", "sandbox-lost", None), ("invalid", "docker", None)]
    assert found["text/c"] == ("invalid", "docker", None)

    again = ["run", "--resume", str(run.path), "--suite", str(suite), "--retry-invalid"]
    without = bench_process(*again, cwd=tmp_path, **variables)
    assert without.returncode == 2
    assert "no Docker engine answers" in without.stderr
    assert states(run) == found, "to ask without an engine changes nothing"

    provider.script = answers
    door.open()
    done = bench_process(*again, cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert set(states(run).values()) == {("graded", None, 1.0)}
    assert not run.unfinished()
    # The box that was open when the engine went is gone too.
    assert _choice.load("docker").reap() == 0
    door.shut()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only for root too."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


def test_read_only_results_are_read_and_not_written(disk: Path, suite: Path, bench: Bench) -> None:
    begin = ["run", "--model", "nop", "--suite", str(suite), "--attempts", "3", "--runs", str(disk / "runs")]
    assert bench(*begin).returncode == 0
    (path,) = find_runs(disk / "runs")
    run = RunDirectory.open(path)
    whole = run.trials_file.read_text()
    cut = "".join(whole.splitlines(keepends=True)[:-1])
    run.trials_file.write_text(cut)
    remount(disk, "ro")
    for command in (begin, ["run", "--resume", str(path), "--suite", str(suite)]):
        refused = bench(*command)
        assert refused.returncode == 3, refused.stderr
        assert "Read-only file system" in refused.stderr
    assert find_runs(disk / "runs") == [path]
    assert bench("leaderboard", str(path)).returncode == 0
    assert run.trials_file.read_text() == cut
    remount(disk, "rw")
    assert bench("run", "--resume", str(path), "--suite", str(suite)).returncode == 0
    assert len(run.records()) == 3
    assert run.trials_file.read_text().startswith(cut)


class Jumping(datetime):
    """A wall clock that is set anew, by up to ten years either way, each time somebody looks."""

    draw = random.Random(20260301)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        moment = super().now(tz)
        return moment + timedelta(days=cls.draw.randint(-3650, 3650))


@pytest.mark.bubblewrap
def test_a_clock_that_jumps_changes_no_grade_and_no_time(
    provider: ProviderServer, tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = make_suite(tmp_path / "tiny", "a", "b")
    tasks: list[Task] = tasks_of(suite)
    provider.script = solving(*tasks)
    arguments = asked(provider, suite, "--sandbox", "bubblewrap", "--max-time", "1h")
    assert bench(*arguments, "--runs", "calm/runs").returncode == 0
    for module in (run, _transcript):
        monkeypatch.setattr(module, "datetime", Jumping)
    draw = random.Random(20260302)
    monkeypatch.setattr("time.time", lambda: draw.uniform(0, 4e9))
    done = bench(*arguments)
    assert done.returncode == 0, done.stderr
    calm, jumpy = the_run(tmp_path / "calm").records(), the_run(tmp_path).records()
    assert sorted(map(outcome, jumpy)) == sorted(map(outcome, calm))
    for record in jumpy:
        assert all(0 <= seconds < 3600 for seconds in vars(record.times).values())
