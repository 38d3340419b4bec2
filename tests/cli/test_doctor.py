"""What differs on this machine is found, told and ends in the exit code that says so."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from harness import cli, doctor, worlds
from harness.doctor import Examination, Finding
from harness.sandboxes import Diagnosis, _choice, _diagnosis
from harness.sandboxes.bubblewrap import Bubblewrap
from harness.sandboxes.docker import Docker
from tests.cli.program import bench
from tests.cli.tiny import make_suite, tasks_of


def findings(text: str) -> dict[str, Finding]:
    return {finding["about"]: Finding(**finding) for finding in json.loads(text)["findings"]}


@pytest.mark.docker
@pytest.mark.bubblewrap
@pytest.mark.engines
def test_a_sound_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = make_suite(tmp_path / "tiny")
    for name in ("docker", "bubblewrap"):
        _choice.load(name).prepare("core")
    assert cli.execute(["doctor", "--suite", str(suite), "--record-worlds", "--json"]) == 0
    found = findings(capsys.readouterr().out)
    assert {finding.judgement for finding in found.values()} == {"fine"}
    assert found["docker: network"].seen == found["bubblewrap: network"].seen == "unreachable"
    assert "duckdb" in found["bubblewrap: core"].seen
    assert "PostgreSQL) 16" in found["bubblewrap: core"].seen
    assert found["worlds of text/one"].seen == "as recorded, for the seeds 7, 1009, 2003, 3001"


def test_where_nothing_confines(tmp_path: Path) -> None:
    alone = {"PATH": str(Path("/nowhere")), "DOCKER_HOST": "unix:///nowhere", "BENCH_CACHE": str(tmp_path / "cache")}
    sick = bench("doctor", "--suite", str(make_suite(tmp_path / "tiny")), "--record-worlds", cwd=tmp_path, **alone)
    assert sick.returncode == 3
    assert "nothing here confines" in sick.stderr
    assert "bwrap is not installed" in sick.stdout


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only bubblewrap is there, and nothing is built for it: what is looked at is quick."""
    for kind in (Docker, Bubblewrap):
        monkeypatch.setattr(kind, "is_prepared", lambda self, environment: False)
    monkeypatch.setattr(_choice.load("embedded"), "is_prepared", lambda environment: False)
    monkeypatch.setattr(Bubblewrap, "diagnose", lambda self: Diagnosis(True, "bwrap"))
    monkeypatch.setattr(Docker, "diagnose", lambda self: Diagnosis(False, "no engine", "start it"))


def examined(suite: Path) -> Examination:
    return doctor.examine(tasks_of(suite), lambda _: None)


def about(found: Examination, name: str) -> Finding:
    return next(finding for finding in found.findings if finding.about == name)


@pytest.mark.usefixtures("quiet")
def test_a_world_that_is_another_one_here(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "tiny")
    (task,) = tasks_of(suite)
    assert about(examined(suite), "worlds of text/one").seen == "nothing was recorded"
    worlds.record(task)
    assert about(examined(suite), "worlds of text/one").judgement == "fine"
    path = worlds.record_file(task)
    path.write_text(path.read_text().replace('2003 = "', '2003 = "0', 1))
    found = examined(suite)
    assert about(found, "worlds of text/one").seen == "others than recorded, for the seeds 2003"
    assert found.exit_code == 1


@pytest.mark.usefixtures("quiet")
def test_too_little_room_and_a_clock_that_was_never_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = make_suite(tmp_path / "tiny")
    monkeypatch.setattr(doctor, "available_memory", lambda: 100 << 20)
    monkeypatch.setattr(doctor, "free", lambda folder: 5 << 20)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    found = examined(suite)
    assert about(found, "memory").seen == "100 MiB are free; one trial may take 3,072"
    assert {name: about(found, name).judgement for name in ("memory", "disk for boxes", "clock", "cores")} == {
        "memory": "broken",
        "disk for boxes": "broken",
        "clock": "differs",
        "cores": "differs",
    }
    assert found.exit_code == 3


def test_a_wall_that_gives_way_is_broken() -> None:
    assert {finding.judgement for finding in doctor.of_walls("x", dict(_diagnosis.EXPECTED))} == {"fine"}
    seen = {**_diagnosis.EXPECTED, "network": "REACHABLE or unknown"}
    (broken,) = (finding for finding in doctor.of_walls("x", seen) if finding.judgement != "fine")
    assert (broken.about, broken.judgement) == ("x: network", "broken")


@pytest.mark.bubblewrap
@pytest.mark.engines
def test_another_version_than_the_lock_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "locked_versions", lambda _: {"duckdb": {"0.1", "0.2"}, "not-for-this-python": {"1"}})
    found = doctor.of_packages("core", _choice.load("bubblewrap"), "core")
    assert found.judgement == "differs"
    assert "instead of 0.1 or 0.2" in found.seen
    assert "not-for-this-python" not in found.seen
