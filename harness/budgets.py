"""What a run may use, and what a trial of it may use besides its task's limits.

A run's budget ends the run, not the trials: when it is spent, no further call is made, and trials that would need one
stay unfinished, to go on when the run is resumed with more. Grading what is there by then would blame a model for
somebody else's wallet. A trial's limits are part of what was asked: they end its work, and what it left is graded.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation

from harness.errors import EXIT_GATE_FAILED, BenchError, UsageError
from harness.models import Usage
from harness.models._prices import Prices
from harness.task import Limits
from results.records import TRIAL_BUDGET, Setting

SECONDS = {"s": 1, "m": 60, "h": 3600}


class BudgetSpentError(BenchError):
    """The run's budget is spent: no further call may be made; ``problem`` names the budget."""

    exit_code = EXIT_GATE_FAILED


@dataclass(frozen=True)
class Budgets:
    """What ``bench run`` was given. Dollars, tokens of all four kinds, seconds; ``None`` is no limit.

    ``max_*`` is for the run: cost and tokens over all its sessions, time for each of them. ``trial_max_*`` is for
    each trial, besides the limits of its task: whichever is less counts.
    """

    max_cost: Decimal | None = None
    max_tokens: int | None = None
    max_time: float | None = None
    trial_max_cost: Decimal | None = None
    trial_max_output_tokens: int | None = None
    trial_max_turns: int | None = None
    trial_max_time: float | None = None

    @property
    def need_a_price(self) -> bool:
        return self.max_cost is not None or self.trial_max_cost is not None

    def of_a_trial(self, limits: Limits) -> Limits:
        """The limits of a task's trial, without the one on cost."""
        own = {
            "working_time": self.trial_max_time,
            "turns": self.trial_max_turns,
            "output_tokens": self.trial_max_output_tokens,
        }
        less = {name: min(own_one, getattr(limits, name)) for name, own_one in own.items() if own_one is not None}
        return limits.model_copy(update=less)

    def recorded(self) -> dict[str, Setting]:
        """As ``run.json`` holds them: only those that were given, dollars as text."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in given.items()
            if value is not None
        }

    @classmethod
    def resumed(cls, recorded: dict[str, Setting], now: Budgets) -> Budgets:
        """Those a run was begun with; for the run itself, those that are given now go before."""
        known: dict[str, Setting | Decimal] = {field.name: recorded.get(field.name) for field in fields(cls)}
        for name, value in known.items():
            if isinstance(value, str):
                known[name] = Decimal(value)
        for name, value in now.recorded().items():
            if not name.startswith(TRIAL_BUDGET):
                known[name] = Decimal(value) if isinstance(value, str) else value
        return cls(**known)  # type: ignore[arg-type]


class RunBudget:
    """What the run may still use; shared by its threads. ``cost_of`` prices tokens, ``None`` for an unknown price.

    ``tell`` is told what is spent, ``note`` why a provider is waited for.
    """

    def __init__(self, budgets: Budgets | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.budgets = budgets or Budgets()
        self.cost_of: Callable[[Usage], Decimal | None] = lambda usage: None
        self.tell: Callable[[str], None] = lambda text: None
        self.note: Callable[[str], None] = lambda text: None
        self._clock = clock
        self._began = clock()
        self._usage = Usage()
        # Of other models than the one that works: a judge's.
        self._besides = Usage()
        self._cost_besides: Decimal | None = Decimal(0)
        self._changed = threading.Condition()

    @property
    def cost(self) -> Decimal | None:
        """What was paid; a price is proportional to tokens, so that of the sum is the sum of those."""
        own = self.cost_of(self._usage) if _count(self._usage) else Decimal(0)
        return None if own is None or self._cost_besides is None else own + self._cost_besides

    @property
    def tokens(self) -> int:
        return _count(self._usage) + _count(self._besides)

    def pay(self, usage: Usage, cost_of: Callable[[Usage], Decimal | None] | None = None) -> None:
        """Count what a call used, or what earlier sessions of the run did; ``cost_of`` prices another model's."""
        with self._changed:
            if cost_of is None:
                self._usage += usage
            else:
                self._besides += usage
                cost = cost_of(usage)
                self._cost_besides = None if cost is None or self._cost_besides is None else self._cost_besides + cost
            self._changed.notify_all()
            if self.tokens:
                self.tell(str(self))

    def permit_call(self) -> None:
        """
        Raises:
            BudgetSpentError: no call may be made any more.
        """
        self.permit_work()
        limits = self.budgets
        if limits.max_cost is not None and (self.cost is None or self.cost >= limits.max_cost):
            self._refuse("max-cost", dollars(limits.max_cost), f"{dollars(self.cost)} of it")
        if limits.max_tokens is not None and self.tokens >= limits.max_tokens:
            self._refuse("max-tokens", f"{limits.max_tokens:,}", f"{self.tokens:,}")

    def permit_work(self) -> None:
        """
        Raises:
            BudgetSpentError: the session's time is over.
        """
        limit = self.budgets.max_time
        if limit is not None and self._clock() - self._began >= limit:
            self._refuse("max-time", duration(limit), duration(self._clock() - self._began))

    def sleep(self, seconds: float) -> None:
        """Wait, for a provider that is asked again then; not longer than there is a budget.

        Raises:
            BudgetSpentError: it was spent meanwhile.
        """
        until = self._clock() + seconds
        if self.budgets.max_time is not None:
            until = min(until, self._began + self.budgets.max_time)
        with self._changed:
            while (left := until - self._clock()) > 0:
                self.permit_call()
                self._changed.wait(left)
        self.permit_call()

    def say_wait(self, text: str) -> None:
        """Tell ``note``, which is set after the model that waits was connected."""
        self.note(text)

    def __str__(self) -> str:
        """What is spent and of how much, as it is shown."""
        limits = self.budgets
        parts = [dollars(self.cost) + (f" of {dollars(limits.max_cost)}" if limits.max_cost is not None else "")]
        if limits.max_tokens is not None:
            parts.append(f"{self.tokens:,} of {limits.max_tokens:,} tokens")
        if limits.max_time is not None:
            parts.append(f"{duration(self._clock() - self._began)} of {duration(limits.max_time)}")
        return ", ".join(parts)

    def _refuse(self, option: str, limit: str, used: str) -> None:
        raise BudgetSpentError(f"the run's budget is spent: --{option} {limit}, used {used}", f"--{option} MORE")


def need_price(model: str, prices: Prices, budgets: Budgets) -> None:
    """
    Raises:
        UsageError: dollars are limited, and nobody knows what the model costs.
    """
    if budgets.need_a_price and prices.cost(model, Usage()) is None:
        raise UsageError(
            f"nobody knows what {model} costs, and a budget of dollars needs a price",
            f'give one: --prices FILE, with date = "2026-01-31", [models], "{model}" = '
            "{ input = 1, output = 5, cache_read = 0.1, cache_write = 1.25 } (dollars a million tokens)",
        )


def _count(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens


def dollars(cost: Decimal | None) -> str:
    """Cents, or as many places as there are below them."""
    if cost is None:
        return "unknown"
    return f"${cost:.2f}" if cost >= 1 or cost == round(cost, 2) else f"${cost.normalize():f}"


def duration(seconds: float) -> str:
    """``90s``, ``45m``, ``1.5h``: as ``parse_duration`` reads it."""
    unit = "h" if seconds >= 2 * 3600 else "m" if seconds >= 2 * 60 else "s"
    return f"{round(seconds / SECONDS[unit], 1):g}{unit}"


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``45m``, ``1.5h``.

    Raises:
        UsageError: it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip(), re.ASCII)
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{text!r} is no duration", "write 90s, 45m or 1.5h")
    return float(found[1]) * SECONDS[found[2] or "s"]


def parse_dollars(text: str) -> Decimal:
    """
    Raises:
        UsageError: no positive amount.
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount <= 0:
        raise UsageError(f"{text!r} is no amount of dollars", "write 5 or 0.50")
    return amount
