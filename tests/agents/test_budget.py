"""Limits, what is used of them, and how the agent is told."""

from __future__ import annotations

from decimal import Decimal

from harness.agents import Budget
from harness.models import Message, Reply, Usage
from harness.task import Limits


def reply(output: int = 100, seconds: float = 1.0, waited: float = 0.0) -> Reply:
    return Reply(Message("assistant", ""), "end", Usage(10, output), seconds, waited)


def test_the_first_limit_reached_is_named() -> None:
    budget = Budget.of(Limits(turns=2, output_tokens=1_000, working_time=100))
    assert budget.exhausted == ""
    budget.spend(reply())
    assert budget.exhausted == ""
    budget.work(99.0)
    assert budget.exhausted == "working_time"
    budget.spend(reply())
    assert budget.exhausted == "turns"
    budget = Budget.of(Limits(output_tokens=150))
    budget.spend(reply())
    budget.spend(reply())
    assert budget.exhausted == "output_tokens"


def test_waiting_for_the_provider_is_kept_apart() -> None:
    budget = Budget.of(Limits(working_time=10))
    budget.spend(reply(seconds=3, waited=500))
    budget.work(4)
    assert (budget.time_used, budget.waited, budget.time_left, budget.exhausted) == (7, 500, 3, "")


def test_cost_is_limited_where_it_is_known() -> None:
    budget = Budget.of(Limits(), Decimal("0.50"), lambda usage: Decimal("0.20"))
    budget.spend(reply())
    budget.spend(reply())
    assert budget.exhausted == ""
    assert budget.left().endswith("$0.10.")
    budget.spend(reply())
    assert budget.exhausted == "cost"
    assert budget.cost == Decimal("0.60")
    assert budget.left().endswith("$0.00.")


def test_an_unknown_cost_stays_unknown() -> None:
    prices = iter([Decimal(1), None, Decimal(1)])
    budget = Budget.of(Limits(), Decimal("0.50"), lambda usage: next(prices))
    budget.spend(reply())
    assert budget.cost == 1
    budget.spend(reply())
    budget.spend(reply())
    assert budget.cost is None
    assert budget.exhausted == ""
    assert "$" not in budget.left()


def test_what_is_left_is_told_in_words() -> None:
    budget = Budget.of(Limits(turns=2, output_tokens=12_345, working_time=600))
    assert budget.left() == "Left for this ticket: 2 steps, 10 minutes, 12,345 tokens of output."
    budget.spend(reply(output=20_000, seconds=499))
    assert budget.left() == "Left for this ticket: 1 step, 101 seconds, 0 tokens of output."
    budget.work(1000)
    assert "0 seconds" in budget.left()
