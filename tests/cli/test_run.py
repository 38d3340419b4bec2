"""``bench run`` from the command to the stored run: baselines unconfined, models in a sandbox, on a local server."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from harness.task import load_suite, select
from results.records import TrialRecord
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import bench
from tests.cli.tiny import make_suite, tasks_of
from tests.provider import Answer, Failure, ProviderServer, Request, solving

KEYS = {"ANTHROPIC_API_KEY": "sk-of-the-test", "OPENAI_API_KEY": "sk-of-the-test"}
SCD2 = "sql/scd2-users"


def the_run(folder: Path) -> RunDirectory:
    (path,) = find_runs(folder / "runs")
    return RunDirectory.open(path)


def the_record(folder: Path) -> TrialRecord:
    (record,) = the_run(folder).records()
    return record


# Baselines


@pytest.mark.engines
def test_the_reference_scores_one_and_is_stored(tmp_path: Path) -> None:
    done = bench("run", "--model", "reference", "--task", SCD2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run, record = the_run(tmp_path), the_record(tmp_path)
    assert (record.score, record.resolved, record.cost) == (1.0, True, 0)
    assert f"run: runs/{run.record.run}" in done.stdout
    assert "[1/1] sql/scd2-users #1  score 1.00  resolved" in done.stderr
    assert {"correctness", "idempotency", "durability"} <= set(record.dimensions)
    assert run.trial(SCD2, 1).submission.joinpath("load.sql").is_file()
    assert json.loads(run.trial(SCD2, 1).checks.read_text())["score"] == 1.0
    # Built environments are kept: the second run has nothing to prepare.
    again = bench("run", "--model", "nop", "--task", SCD2, "--runs", "others", cwd=tmp_path)
    assert again.returncode == 0
    assert "building" not in again.stderr
    (path,) = find_runs(tmp_path / "others")
    (nothing,) = RunDirectory.open(path).records()
    assert (nothing.score, nothing.resolved, nothing.status) == (0.0, False, "graded")


def test_a_simulated_model_is_marked_as_such_everywhere(suite: Path, tmp_path: Path) -> None:
    done = bench("run", "--model", "simulated/0.5", "--attempts", "4", "--suite", str(suite), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = the_run(tmp_path)
    assert run.record.simulated
    assert run.finished() == {("text/one", attempt) for attempt in (1, 2, 3, 4)}
    assert {record.seed for record in run.records()} == {1009, 2003, 3001}
    assert "SIMULATED" in done.stdout
    other = bench("run", "--model", "reference", "--suite", str(suite), cwd=tmp_path)
    assert other.returncode == 0
    shown = bench("leaderboard", "--json", cwd=tmp_path)
    tables = json.loads(shown.stdout)["tables"]
    assert sorted(table["simulated"] for table in tables) == [False, True]


# Models


@pytest.mark.docker
@pytest.mark.engines
def test_a_model_with_tools_solves_a_real_task_in_docker(provider: ProviderServer, tmp_path: Path) -> None:
    (task,) = select(load_suite(), (SCD2,))
    provider.script = solving(task)
    url = provider.base_url("anthropic")
    model = "anthropic/claude-sonnet-4-6"
    done = bench("run", "--model", model, "--task", SCD2, "--base-url", url, cwd=tmp_path, **KEYS)
    assert done.returncode == 0, done.stderr
    run, record = the_run(tmp_path), the_record(tmp_path)
    assert (record.score, record.resolved, record.stop_reason) == (1.0, True, "submitted")
    assert (run.record.agent, run.record.sandbox, run.record.persona.name) == ("tools", "docker", "data-engineer")
    assert provider.requests[0].system == run.record.persona.text
    calls = len(provider.requests)
    assert (record.turns, record.usage.input, record.usage.output) == (calls, 100 * calls, 20 * calls)
    assert record.cost == calls * (100 * Decimal(3) + 20 * Decimal(15)) / 1_000_000
    assert "sk-of-the-test" not in "".join(path.read_text() for path in run.path.rglob("*.json*"))


@pytest.mark.docker
@pytest.mark.parametrize("agent", ["tools", "oneshot"])
@pytest.mark.parametrize("name", ["openai", "openai-compatible"])
def test_every_provider_and_agent(name: str, agent: str, provider: ProviderServer, suite: Path, tmp_path: Path) -> None:
    provider.script = solving(*tasks_of(suite))
    asked = ["--model", f"{name}/of-the-test", "--agent", agent, "--base-url", provider.base_url(name)]
    done = bench("run", *asked, "--suite", str(suite), "--persona", "none", cwd=tmp_path, **KEYS)
    assert done.returncode == 0, done.stderr
    record = the_record(tmp_path)
    assert (record.score, record.resolved) == (1.0, True)
    # Nobody knows what this model costs, and unknown isn't nothing.
    assert record.cost is None
    assert record.usage.output == 20 * len(provider.requests)
    assert "spent unknown" in done.stderr
    assert "unknown" in done.stdout
    assert the_run(tmp_path).record.agent == agent
    assert provider.requests[0].system is None


@pytest.mark.bubblewrap
def test_a_model_in_bubblewrap_with_prices_of_ones_own(provider: ProviderServer, suite: Path, tmp_path: Path) -> None:
    provider.script = solving(*tasks_of(suite))
    (tmp_path / "prices.toml").write_text(
        'date = "2026-01-31"\n[models]\n'
        '"openai-compatible/mine" = { input = 1, output = 5, cache_read = 0, cache_write = 0 }\n'
    )
    asked = ["--model", "openai-compatible/mine", "--base-url", provider.base_url("openai-compatible")]
    more = ["--suite", str(suite), "--sandbox", "bubblewrap", "--prices", "prices.toml"]
    done = bench("run", *asked, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = the_record(tmp_path)
    assert (record.score, the_run(tmp_path).record.sandbox) == (1.0, "bubblewrap")
    assert record.cost == len(provider.requests) * (100 + 5 * Decimal(20)) / 1_000_000


@pytest.mark.docker
def test_a_provider_that_fails_for_good_makes_an_invalid_trial_that_can_be_tried_again(
    provider: ProviderServer, tmp_path: Path
) -> None:
    suite = make_suite(tmp_path / "tiny", "one", "two")
    solved = solving(*tasks_of(suite))

    def fails_in_the_second_call_of_two(request: Request) -> Answer | Failure:
        if "greet.sh of two" in request.opening and request.turns == 1:
            return Failure(404, "no such deployment")
        return solved(request)  # type: ignore[return-value]

    provider.script = fails_in_the_second_call_of_two
    asked = ["--model", "anthropic/claude-sonnet-4-6", "--base-url", provider.base_url("anthropic")]
    done = bench("run", *asked, "--suite", str(suite), cwd=tmp_path, **KEYS)
    assert done.returncode == 3
    run = the_run(tmp_path)
    one, two = sorted(run.records(), key=lambda record: record.task)
    assert (one.status, one.score) == ("graded", 1.0)
    assert (two.status, two.cause, two.score) == ("invalid", "provider-request", None)
    assert "no such deployment" in (two.problem or "")
    # The call that was answered is paid for, whatever came of the trial.
    price = (100 * Decimal(3) + 20 * Decimal(15)) / 1_000_000
    assert (two.turns, two.cost) == (1, price)
    assert f"spent ${one.cost + price:.2f}" in done.stderr  # type: ignore[operator]
    assert f"bench run --resume runs/{run.record.run} --suite {suite} --retry-invalid" in done.stderr

    # Without being asked for, it isn't tried again.
    asked_before = len(provider.requests)
    again = bench("run", "--resume", str(run.path), "--suite", str(suite), cwd=tmp_path, **KEYS)
    assert (again.returncode, len(provider.requests)) == (3, asked_before)

    provider.script = solved
    again = bench("run", "--resume", str(run.path), "--suite", str(suite), "--retry-invalid", cwd=tmp_path, **KEYS)
    assert again.returncode == 0, again.stderr
    assert [record.score for record in run.records()] == [1.0, 1.0]
    openings = [request.turns for request in provider.requests if "greet.sh of two" in request.opening]
    assert openings == [0, 1, 1, 2]
    assert (run.records()[-1].cost, run.records()[-1].turns) == (3 * price, 3)


@pytest.mark.docker
def test_a_refused_key_ends_the_run_at_once(provider: ProviderServer, tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "tiny", "one", "two", "three")
    provider.script = lambda request: Failure(401, "invalid x-api-key", "authentication_error")
    asked = ["--model", "anthropic/any", "--base-url", provider.base_url("anthropic"), "--concurrency", "1"]
    done = bench("run", *asked, "--suite", str(suite), cwd=tmp_path, **KEYS)
    assert done.returncode == 3
    assert len(provider.requests) == 1
    assert "ANTHROPIC_API_KEY" in done.stderr
    assert f"--resume runs/{the_run(tmp_path).record.run}" in done.stderr
    assert the_record(tmp_path).cause == "provider-auth"


def test_what_nobody_expected_spoils_one_trial_only(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "tiny", "one", "two")
    world = suite / "text" / "two" / "world.py"
    world.write_text(
        world.read_text().replace("    return World", "    assert False, 'a broken world'\n    return World")
    )
    done = bench("run", "--model", "reference", "--suite", str(suite), cwd=tmp_path)
    assert done.returncode == 3
    one, two = sorted(the_run(tmp_path).records(), key=lambda record: record.task)
    assert (one.score, two.status, two.cause) == (1.0, "invalid", "grader")
    assert "a broken world" in done.stderr
    assert "graded" in done.stdout


def test_nothing_is_left_in_memory_or_on_disk(suite: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes"
    boxes.mkdir()
    done = bench("run", "--model", "reference", "--suite", str(suite), cwd=tmp_path, TMPDIR=str(boxes))
    assert done.returncode == 0
    assert list(boxes.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"boxes", "runs", "suites"}
