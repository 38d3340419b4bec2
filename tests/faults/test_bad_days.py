"""A provider that fails three calls of ten: no trial is lost, none is blamed for it, and the money adds up."""

from __future__ import annotations

import dataclasses
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness import models
from harness.models import Model, ModelParameters, Usage, _prices
from harness.models._retry import RetryPolicy
from results.records import TrialRecord
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import Bench
from tests.cli.tiny import make_suite, tasks_of
from tests.faults.bad_days import ALL, BadDays
from tests.provider import Answer, Cut, Failure, Garbled, ProviderServer, Request, Slow, patient, solving
from tests.provider.script import Happening

SEED = 20260214
# One that has a price, of each provider whose wire format differs.
MODELS = {
    "anthropic": "anthropic/claude-sonnet-4-6",
    "openai": "openai/any",
    "openai-compatible": "openai-compatible/any",
}
PRICES = 'date = "2026-01-31"\n[models]\n' + "".join(
    f'"{model}" = {{ input = 3, output = 15, cache_read = 0.3, cache_write = 3.75 }}\n' for model in MODELS.values()
)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same client, but it gives silence up after seconds and waits milliseconds between its tries."""
    connect = models.connect

    def hurried(model: str, parameters: ModelParameters, retry: RetryPolicy | None = None) -> Model:
        retry = dataclasses.replace(retry or RetryPolicy(), first_wait=0.01, longest_wait=0.05)
        made: Any = connect(model, parameters, retry)
        return dataclasses.replace(made, client=made.client.with_options(timeout=15.0))  # type: ignore[no-any-return]

    monkeypatch.setattr(models, "connect", hurried)


CALLS_A_TRIAL = 4


def asked(provider: ProviderServer, name: str, suite: Path, folder: Path, *more: str) -> list[str]:
    (folder / "prices.toml").write_text(PRICES)
    model = ["--model", MODELS[name], "--base-url", provider.base_url(name), "--prices", str(folder / "prices.toml")]
    return ["run", *model, "--suite", str(suite), "--sandbox", "bubblewrap", *more]


def the_run(folder: Path) -> RunDirectory:
    (path,) = find_runs(folder / "runs")
    return RunDirectory.open(path)


def used(records: list[TrialRecord]) -> Usage:
    return sum(
        (Usage(one.usage.input, one.usage.output, one.usage.cache_read, one.usage.cache_write) for one in records),
        Usage(),
    )


def endure(provider: ProviderServer, name: str, trials: int, folder: Path, bench: Bench) -> BadDays:
    """A run on bad days, with all that must hold after it."""
    names = [f"t{number}" for number in range(trials)]
    suite = make_suite(folder / "tiny", *names)
    provider.script = days = BadDays(patient(*tasks_of(suite)), SEED)
    done = bench(*asked(provider, name, suite, folder, "--concurrency", "6"))
    assert done.returncode in (0, 3), done.stderr
    records = the_run(folder).records()
    assert Counter(record.task for record in records) == Counter(f"text/{one}" for one in names)
    met = {
        record.task: kinds
        for record in records
        for opening, kinds in days.met.items()
        if f"greet.sh of {record.task.partition('/')[2]} say" in opening
    }
    for record in records:
        kinds = met.get(record.task, [])
        if record.status == "invalid":
            # The one fault that looks like a wrong address, which patience doesn't mend.
            assert (record.cause, "wrong content type" in kinds) == ("provider-request", True), record
            assert record.problem
        elif "refusal" in kinds:
            # What was there by then is graded; after the last file that may be all.
            assert record.score is not None
            assert record.turns < len(kinds) + CALLS_A_TRIAL
        else:
            assert (record.score, record.stop_reason) == (1.0, "submitted"), (record, kinds)
    assert used(records) == provider.spent
    priced = _prices.load_prices(folder / "prices.toml").cost(MODELS[name], provider.spent)
    assert sum((record.cost or Decimal(0) for record in records), Decimal(0)) == priced
    print(
        f"{name}: {days.injected.total()} faults in {len(provider.requests)} calls of {trials} trials: 0 lost, ", end=""
    )
    print(f"{sum(record.status == 'invalid' for record in records)} invalid {dict(days.injected)}")
    return days


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "anthropic" else pytest.mark.nightly) for name in sorted(MODELS)]
)
def test_every_trial_ends_and_the_money_adds_up(
    name: str, provider: ProviderServer, tmp_path: Path, bench: Bench
) -> None:
    days = endure(provider, name, 4, tmp_path, bench)
    assert len(days.injected) >= 3


@pytest.mark.nightly
@pytest.mark.bubblewrap
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_one_of_many_trials_ends_and_the_money_adds_up(
    name: str, provider: ProviderServer, tmp_path: Path, bench: Bench
) -> None:
    days = endure(provider, name, 60, tmp_path, bench)
    assert set(days.injected) == set(ALL)


DOOMS: dict[str, tuple[Happening, str]] = {
    "limited": (Failure(429, retry_after=0.01), "provider-rate-limit"),
    "broken": (Failure(500), "provider-error"),
    "overloaded": (Failure(529, kind="overloaded_error"), "provider-error"),
    "cut": (Cut("half way"), "provider-error"),
    "garbled": (Garbled(), "provider-error"),
    "refused": (Failure(400, "no such parameter", "invalid_request_error"), "provider-request"),
}


@pytest.mark.bubblewrap
def test_what_never_passes_makes_a_trial_invalid_by_its_cause_and_no_other(
    provider: ProviderServer, tmp_path: Path, bench: Bench
) -> None:
    suite = make_suite(tmp_path / "tiny", *DOOMS, "lucky")
    tasks = tasks_of(suite)
    doomed = {f"greet.sh of {name} say": happening for name, (happening, _) in DOOMS.items()}
    provider.script = BadDays(patient(*tasks), SEED, share=0.0, doomed=doomed)
    bench(*asked(provider, "anthropic", suite, tmp_path, "--concurrency", "7"))
    run = the_run(tmp_path)
    found = {record.task.partition("/")[2]: (record.status, record.cause, record.score) for record in run.records()}
    assert found.pop("lucky") == ("graded", None, 1.0)
    assert found == {name: ("invalid", cause, None) for name, (_, cause) in DOOMS.items()}
    provider.script = solving(*tasks)
    mended = bench("run", "--resume", str(run.path), "--suite", str(suite), "--retry-invalid")
    assert mended.returncode == 0, mended.stderr
    assert {record.score for record in run.records()} == {1.0}


PEACE, THOUGHT = 0.5, 0.05  # seconds


def test_after_a_refusal_all_wait_and_nobody_storms(provider: ProviderServer, tmp_path: Path, bench: Bench) -> None:
    """Twelve trials begin at once at a provider that wants half a second of peace after its first call."""
    suite = make_suite(tmp_path / "tiny", *(f"t{number}" for number in range(12)))
    answer = patient(*tasks_of(suite))

    def asks_for_peace(request: Request) -> Happening:
        if len(provider.requests) == 1:
            return Failure(429, retry_after=PEACE)
        reply = answer(request)
        assert isinstance(reply, Answer)
        # The rest of the first window is answered after the peace, so that no turn falls free in it.
        return Slow(reply, PEACE if len(provider.requests) <= 4 else THOUGHT)

    provider.script = asks_for_peace
    done = bench(*asked(provider, "anthropic", suite, tmp_path, "--concurrency", "12"))
    assert done.returncode == 0, done.stderr
    assert {record.score for record in the_run(tmp_path).records()} == {1.0}
    first, *others = provider.arrivals
    # The window is four wide at first: three more may have been sent already.
    assert sum(moment < first + PEACE for moment in others) <= 3
    # Then it is half of what it was. Until the first of those that waited is answered, nobody else has a turn.
    again = min(moment for moment in others if moment >= first + PEACE)
    assert sum(again <= moment < again + THOUGHT for moment in others) <= 4
