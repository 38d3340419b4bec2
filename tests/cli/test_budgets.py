"""A run's budget ends it without a call too many, and more money ends it as if nothing had been."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.records import TrialRecord
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import Bench
from tests.cli.tiny import make_suite, tasks_of
from tests.provider import Failure, ProviderServer, solving

CALLS_A_TRIAL = 3
# Of one call of the server's; it costs $0.0006: 100 tokens at $3 and 20 at $15 a million.
TOKENS = 120

pytestmark = pytest.mark.bubblewrap


@pytest.fixture
def four_tasks(provider: ProviderServer, tmp_path: Path) -> Path:
    suite = make_suite(tmp_path / "tiny", "a", "b", "c", "d")
    provider.script = solving(*tasks_of(suite))
    return suite


def asked(provider: ProviderServer, suite: Path, *more: str) -> list[str]:
    url = provider.base_url("anthropic")
    model = ["--model", "anthropic/claude-sonnet-4-6", "--base-url", url, "--sandbox", "bubblewrap"]
    return ["run", *model, "--suite", str(suite), *more]


def the_run(folder: Path) -> RunDirectory:
    (path,) = find_runs(folder / "runs")
    return RunDirectory.open(path)


def outcome(record: TrialRecord) -> tuple[object, ...]:
    return record.key, record.score, record.usage, record.cost, record.turns, record.submission, record.stop_reason


def test_spent_money_ends_the_run_and_more_goes_on_with_it(
    provider: ProviderServer, four_tasks: Path, tmp_path: Path, bench: Bench
) -> None:
    # Four calls cost more than this; the fourth is made when a third of it is left.
    done = bench(*asked(provider, four_tasks, "--concurrency", "1", "--max-cost", "0.002"))
    assert done.returncode == 1
    assert len(provider.requests) == 4
    run = the_run(tmp_path)
    assert [record.key for record in run.records()] == [("text/a", 1)]
    assert "spent: --max-cost $0.002, used $0.0024" in done.stderr
    assert f"go on with: bench run --resume runs/{run.record.run} --suite {four_tasks} --max-cost" in done.stderr
    assert set(run.unfinished()) == {("text/b", 1)}
    assert "1/4" in done.stdout, "what is finished is shown"

    again = ["run", "--resume", str(run.path), "--suite", str(four_tasks)]
    same = bench(*again)
    assert same.returncode == 1
    assert len(provider.requests) == 4, "the budget is the run's, not the session's"
    tokens = bench(*again, "--max-cost", "1", "--max-tokens", str(6 * TOKENS), "--concurrency", "1")
    assert tokens.returncode == 1
    assert "--max-tokens 720, used 720" in tokens.stderr
    more = bench(*again, "--max-cost", "1")
    assert more.returncode == 0, more.stderr
    assert "spent $0.0072 of $1.00" in more.stderr
    assert len(provider.requests) == 4 * CALLS_A_TRIAL, "no call was made twice"

    assert bench(*asked(provider, four_tasks, "--runs", "calm")).returncode == 0
    (calm,) = find_runs(tmp_path / "calm")
    assert sorted(map(outcome, run.records())) == sorted(map(outcome, RunDirectory.open(calm).records()))


def test_side_by_side_it_is_exceeded_by_the_calls_under_way_at_most(
    provider: ProviderServer, four_tasks: Path, tmp_path: Path, bench: Bench
) -> None:
    done = bench(*asked(provider, four_tasks, "--max-tokens", str(5 * TOKENS)))
    assert done.returncode == 1, done.stderr
    assert 5 <= len(provider.requests) <= 5 - 1 + 4


def test_what_only_waits_for_its_grade_is_graded_without_a_budget(
    provider: ProviderServer, four_tasks: Path, tmp_path: Path, bench: Bench
) -> None:
    arguments = asked(provider, four_tasks, "--concurrency", "1", "--max-tokens", str(CALLS_A_TRIAL * TOKENS))
    assert bench(*arguments).returncode == 1
    run = the_run(tmp_path)
    (before,) = run.records()
    # As a kill leaves it that comes while the trial is graded.
    run.trials_file.write_text("")
    placed = run.trial("text/a", 1).path
    placed.joinpath("checks.json").unlink()
    placed.rename(placed.with_name(".1.unfinished"))
    done = bench("run", "--resume", str(run.path), "--suite", str(four_tasks))
    assert done.returncode == 1
    assert [outcome(record) for record in run.records()] == [outcome(before)]
    assert len(provider.requests) == CALLS_A_TRIAL


def test_the_time_of_the_run_ends_also_who_waits_for_the_provider(
    provider: ProviderServer, suite: Path, tmp_path: Path, bench: Bench
) -> None:
    provider.script = lambda request: Failure(429, retry_after=600)
    done = bench(*asked(provider, suite, "--max-time", "3s"))
    assert done.returncode == 1, done.stderr
    assert "--max-time 3s, used 3" in done.stderr
    run = the_run(tmp_path)
    assert not run.records()
    provider.script = solving(*tasks_of(suite))
    more = bench("run", "--resume", str(run.path), "--suite", str(suite), "--max-time", "1h")
    assert more.returncode == 0, more.stderr
    (record,) = run.records()
    assert record.score == 1.0


def test_a_trials_limits_end_its_work_and_are_part_of_what_the_run_is(
    provider: ProviderServer, suite: Path, tmp_path: Path, bench: Bench
) -> None:
    provider.script = solving(*tasks_of(suite))
    done = bench(*asked(provider, suite, "--trial-max-turns", "2", "--trial-max-cost", "9"))
    assert done.returncode == 0, done.stderr
    run = the_run(tmp_path)
    (record,) = run.records()
    assert (record.stop_reason, record.turns, record.score) == ("turns", 2, 1.0), "what it left is graded"
    assert run.record.budgets == {"trial_max_turns": 2, "trial_max_cost": "9"}
    assert "Left for this ticket: 2 steps, " in provider.requests[0].opening
    assert ", $9.00." in provider.requests[0].opening
    assert "1 step, " in provider.requests[1].results[-1]
    shown = bench("leaderboard", "--json")
    assert "trial_max_turns=2" in json.dumps(json.loads(shown.stdout))
    refused = bench("run", "--resume", str(run.path), "--trial-max-turns", "9")
    assert refused.returncode == 2
    assert "it takes no --trial-max-turns" in refused.stderr


@pytest.mark.parametrize("option", ["--max-cost", "--trial-max-cost"])
def test_dollars_need_a_price(option: str, provider: ProviderServer, suite: Path, tmp_path: Path, bench: Bench) -> None:
    asked = ["run", "--model", "anthropic/unheard-of", "--base-url", provider.base_url("anthropic")]
    done = bench(*asked, "--suite", str(suite), option, "5")
    assert done.returncode == 2
    assert "nobody knows what anthropic/unheard-of costs" in done.stderr
    assert "--prices FILE" in done.stderr
    assert not (tmp_path / "runs").exists()
    # A baseline costs nothing, which is known.
    assert bench("run", "--model", "nop", "--suite", str(suite), option, "5").returncode == 0


@pytest.mark.parametrize(("option", "value"), [("--max-cost", "much"), ("--max-time", "soon"), ("--max-tokens", "0")])
def test_what_is_no_budget_is_refused(option: str, value: str, tmp_path: Path, bench: Bench) -> None:
    done = bench("run", "--model", "nop", option, value)
    assert done.returncode == 2
    assert value in done.stderr
