"""Killed with SIGKILL at random moments, a run loses no finished trial, does none twice, and ends as if undisturbed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.sandboxes import _choice
from harness.sandboxes._box import Box
from harness.sandboxes._leftovers import owner_mark
from tests.cli.tiny import make_suite, tasks_of
from tests.faults.kills import Experiment, Kind, boxes_of, kill_supervisors
from tests.provider import ProviderServer, solving
from tests.provider.fixture import provider

__all__ = ["provider"]

SEED = 20260107
KEY = {"ANTHROPIC_API_KEY": "sk-of-the-test"}


def kinds(touches: int, times: int, boxes: int) -> list[Kind]:
    drawn: list[Kind] = [*["at a touch"] * touches, *["at a time"] * times, *["its boxes"] * boxes]  # type: ignore[list-item]
    random.Random(SEED).shuffle(drawn)
    return drawn


def of_a_model(provider: ProviderServer, sandbox: str, folder: Path, *tasks: str) -> Experiment:
    suite = make_suite(folder / "suite", *tasks)
    provider.script = solving(*tasks_of(suite))
    asked = ("run", "--model", "anthropic/claude-sonnet-4-6", "--base-url", provider.base_url("anthropic"))
    return Experiment((*asked, "--sandbox", sandbox), suite, folder, random.Random(f"{SEED} {sandbox}"), KEY)


def of_a_baseline(folder: Path, attempts: int) -> Experiment:
    suite = make_suite(folder / "suite", "one", "two", "three")
    asked = ("run", "--model", "simulated/0.5", "--attempts", str(attempts))
    return Experiment(asked, suite, folder, random.Random(f"{SEED} simulated"))


def survive(experiment: Experiment, kinds: list[Kind]) -> None:
    number = len(kinds)
    experiment.undisturbed()
    try:
        experiment.kill(list(kinds))
    finally:
        print(experiment.tally)
    assert experiment.tally.kills.total() == number
    assert experiment.tally.harmless, experiment.tally


@pytest.mark.bubblewrap
def test_a_models_run_survives(provider: ProviderServer, tmp_path: Path) -> None:
    survive(of_a_model(provider, "bubblewrap", tmp_path, "one", "two"), kinds(2, 1, 1))


def test_a_baselines_run_survives(tmp_path: Path) -> None:
    survive(of_a_baseline(tmp_path, attempts=1), kinds(3, 0, 0))


@pytest.mark.bubblewrap
def test_a_box_killed_from_outside_is_not_blamed_on_what_runs_in_it() -> None:
    with Box(_choice.load("bubblewrap"), "core") as box:
        assert box.run(["true"]).ok
        inside = box.run(["bash", "-c", "kill -9 $PPID"])
        assert inside.killed == "lost"
        assert box.run(["true"]).ok
        folders, _ = boxes_of(owner_mark(os.getpid()))
        assert sum(map(kill_supervisors, folders))
        with pytest.raises(InfrastructureError) as caught:
            box.run(["true"])
    assert caught.value.cause == "sandbox-lost"


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("sandbox", "drawn"),
    [
        pytest.param("bubblewrap", kinds(40, 14, 8), marks=pytest.mark.bubblewrap, id="bubblewrap"),
        pytest.param("docker", kinds(6, 2, 6), marks=pytest.mark.docker, id="docker"),
    ],
)
def test_a_models_run_survives_often(provider: ProviderServer, sandbox: str, drawn: list[Kind], tmp_path: Path) -> None:
    survive(of_a_model(provider, sandbox, tmp_path, "one", "two", "three"), drawn)


@pytest.mark.nightly
def test_a_baselines_run_survives_often(tmp_path: Path) -> None:
    survive(of_a_baseline(tmp_path, attempts=3), kinds(24, 8, 0))
