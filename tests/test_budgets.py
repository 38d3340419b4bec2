"""What a run and a trial may use: how it is given, counted, told, and what happens when it is spent."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from harness.budgets import Budgets, BudgetSpentError, RunBudget, duration, parse_dollars, parse_duration
from harness.errors import UsageError
from harness.models import Usage
from harness.task import Limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_dollar_a_token(usage: Usage) -> Decimal:
    return Decimal(usage.input_tokens + usage.output_tokens)


def budget(clock: Clock | None = None, **limits: object) -> RunBudget:
    made = RunBudget(Budgets(**limits), clock or Clock())  # type: ignore[arg-type]
    made.cost_of = a_dollar_a_token
    return made


def test_a_call_is_permitted_until_the_money_is_spent() -> None:
    ours = budget(max_cost=Decimal(10))
    for _ in range(2):
        ours.permit_call()
        ours.pay(Usage(3, 2))
    with pytest.raises(BudgetSpentError, match=r"--max-cost \$10\.00, used \$10\.00"):
        ours.permit_call()
    ours.permit_work()  # to grade costs nothing


def test_tokens_of_all_kinds_count() -> None:
    ours = budget(max_tokens=10)
    ours.pay(Usage(1, 2, 3, 3))
    ours.permit_call()
    ours.pay(Usage(output_tokens=1))
    with pytest.raises(BudgetSpentError, match="--max-tokens 10, used 10"):
        ours.permit_call()


def test_time_ends_calls_and_work() -> None:
    ours = budget(clock := Clock(), max_time=90.0)
    clock.now = 89.0
    ours.permit_call()
    clock.now = 90.0
    for permit in (ours.permit_call, ours.permit_work):
        with pytest.raises(BudgetSpentError, match="--max-time 90s, used 90s"):
            permit()


def test_who_waits_for_a_provider_is_woken_when_the_budget_is_spent() -> None:
    """An hour of ``retry-after`` must not hold a run whose money is gone; nothing here takes a second."""
    ours = RunBudget(Budgets(max_tokens=10))
    caught: list[BudgetSpentError] = []

    def wait_an_hour() -> None:
        try:
            ours.sleep(3600)
        except BudgetSpentError as error:
            caught.append(error)

    waiting = threading.Thread(target=wait_an_hour, daemon=True)
    waiting.start()
    ours.pay(Usage(output_tokens=10))
    waiting.join(60)
    assert len(caught) == 1


def test_nobody_waits_beyond_the_time_there_is() -> None:
    ours = RunBudget(Budgets(max_time=0.01))
    with pytest.raises(BudgetSpentError, match="max-time"):
        ours.sleep(3600)


def test_what_is_spent_is_told_with_its_limits() -> None:
    ours, told = budget(clock := Clock(), max_cost=Decimal(50), max_tokens=1000, max_time=3600.0), []
    ours.tell = told.append
    ours.pay(Usage())
    assert told == []
    clock.now = 120.0
    ours.pay(Usage(10, 10))
    assert told == ["$20.00 of $50.00, 20 of 1,000 tokens, 2m of 60m"]


def test_an_unknown_price_is_told_and_not_taken_for_nothing() -> None:
    ours = RunBudget(Budgets(max_cost=Decimal(1)))
    assert str(ours) == "$0.00 of $1.00"
    ours.pay(Usage(1, 1))
    assert str(ours) == "unknown of $1.00"
    with pytest.raises(BudgetSpentError):
        ours.permit_call()


def test_a_trial_may_use_the_lesser_of_its_tasks_limits_and_ours() -> None:
    limits = Limits(turns=10, output_tokens=1000, working_time=100)
    less = Budgets(trial_max_turns=5, trial_max_output_tokens=2000).of_a_trial(limits)
    assert (less.turns, less.output_tokens, less.working_time) == (5, 1000, 100)
    assert Budgets().of_a_trial(limits) == limits


def test_another_models_calls_are_paid_from_the_same_budget_at_their_own_price() -> None:
    ours = budget(max_cost=Decimal(10), max_tokens=100)
    ours.pay(Usage(input_tokens=3))
    ours.pay(Usage(input_tokens=2), lambda usage: Decimal(3) * usage.input_tokens)
    assert (ours.cost, ours.tokens) == (Decimal(9), 5)
    ours.permit_call()
    ours.pay(Usage(output_tokens=1), lambda usage: Decimal(1))
    with pytest.raises(BudgetSpentError, match="max-cost"):
        ours.permit_call()
    ours.pay(Usage(output_tokens=1), lambda usage: None)
    assert ours.cost is None, "what has no known price is never nothing"


def test_a_resumed_run_keeps_its_budgets_and_takes_others_for_the_run_only() -> None:
    begun = Budgets(max_cost=Decimal("0.50"), max_tokens=100, trial_max_turns=5, trial_max_cost=Decimal("0.1"))
    recorded = begun.recorded()
    assert recorded == {"max_cost": "0.50", "max_tokens": 100, "trial_max_turns": 5, "trial_max_cost": "0.1"}
    assert Budgets.resumed(recorded, Budgets()) == begun
    raised = Budgets.resumed(recorded, Budgets(max_cost=Decimal(2), trial_max_turns=50))
    assert raised == Budgets(max_cost=Decimal(2), max_tokens=100, trial_max_turns=5, trial_max_cost=Decimal("0.1")), (
        "what a trial may use is part of what the run is"
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("45m", 2700), ("1.5h", 5400), (" 2 m ", 120), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "0", "-3m", "1d", "m", "1:30", "nan", "infs", "٣m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="no duration"):
        parse_duration(text)


def test_dollars() -> None:
    assert [parse_dollars(text) for text in ("5", "$0.50", " 1e2 ")] == [5, Decimal("0.50"), 100]
    for text in ("", "0", "-1", "inf", "nan", "five"):
        with pytest.raises(UsageError, match="no amount"):
            parse_dollars(text)
