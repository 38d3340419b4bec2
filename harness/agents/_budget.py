"""What an agent may use, what it has used, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from harness.models import Reply, Usage
from harness.task import Limits


@dataclass
class Budget:
    """Limits and what is used of them. Working time is the model's and the tools', not what was lost waiting
    for a provider; it is added up from what each step reports, so a resumed trial counts the same.

    ``cost_of`` prices one call's usage; one of unknown price makes ``cost`` ``None`` for good: it must not look
    cheaper than it was, and a limit on it can't bite.
    """

    turns: int
    output_tokens: int
    working_time: float
    cost_limit: Decimal | None = None
    cost_of: Callable[[Usage], Decimal | None] = lambda usage: None

    turns_used: int = field(default=0, init=False)
    usage: Usage = field(default_factory=Usage, init=False)
    time_used: float = field(default=0.0, init=False)
    provider_time: float = field(default=0.0, init=False)
    waited: float = field(default=0.0, init=False)
    cost: Decimal | None = field(default=Decimal(0), init=False)

    @classmethod
    def of(
        cls,
        limits: Limits,
        cost_limit: Decimal | None = None,
        cost_of: Callable[[Usage], Decimal | None] = lambda usage: None,
    ) -> Budget:
        return cls(limits.turns, limits.output_tokens, float(limits.working_time), cost_limit, cost_of)

    def spend(self, reply: Reply) -> None:
        """Count one finished call of the model."""
        cost = self.cost_of(reply.usage)
        self.cost = None if cost is None or self.cost is None else self.cost + cost
        self.turns_used += 1
        self.usage += reply.usage
        self.time_used += reply.seconds
        self.provider_time += reply.seconds
        self.waited += reply.waited

    def work(self, seconds: float) -> None:
        """Count time that a tool took."""
        self.time_used += seconds

    @property
    def time_left(self) -> float:
        return max(self.working_time - self.time_used, 0.0)

    @property
    def exhausted(self) -> str:
        """The limit that is reached, as a record names it; empty while there is something left of each."""
        reached = {
            "turns": self.turns_used >= self.turns,
            "output_tokens": self.usage.output_tokens >= self.output_tokens,
            "working_time": self.time_used >= self.working_time,
            "cost": self.cost is not None and self.cost_limit is not None and self.cost >= self.cost_limit,
        }
        return next((limit for limit, is_reached in reached.items() if is_reached), "")

    def left(self) -> str:
        """What is left, as the agent is told."""
        parts = [
            _counted(max(self.turns - self.turns_used, 0), "step"),
            _duration(self.time_left),
            f"{max(self.output_tokens - self.usage.output_tokens, 0):,} tokens of output",
        ]
        if self.cost_limit is not None and self.cost is not None:
            parts.append(f"${max(self.cost_limit - self.cost, Decimal(0)):.2f}")
        return f"Left for this ticket: {', '.join(parts)}."


def _duration(seconds: float) -> str:
    return _counted(int(seconds // 60), "minute") if seconds >= 120 else _counted(int(seconds), "second")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
