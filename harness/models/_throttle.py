"""How many calls are under way at a provider at once: what it bears is found out, as TCP finds out about a network.

Until the first refusal each answered call makes room for one more; from then on it takes a whole window of them. A
refusal (429, 503, 529) halves the window, once for all calls that were under way together, and what it asks to wait
(``retry-after``) holds for every caller. Who waited goes on at a moment of their own, not all at the same.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FIRST_WINDOW = 4.0
LONGEST_SPREAD = 2.0  # seconds


def spread(seconds: float) -> float:
    """A random bit more to wait, so that those who wait for the same moment don't all come at it."""
    return random.uniform(0.0, min(seconds, LONGEST_SPREAD))  # noqa: S311


@dataclass(frozen=True)
class Turn:
    """One call under way; ``era`` tells the refusals that belong together."""

    throttle: Throttle
    era: int

    def answered(self) -> None:
        self.throttle.grow()

    def refused(self, until: float) -> None:
        """The provider is overloaded; nobody asks it again before ``until``, a time of the clock."""
        self.throttle.shrink(self.era, until)


class Throttle:
    """Shared by all threads that call one provider."""

    def __init__(self, window: float = FIRST_WINDOW) -> None:
        self.window = window
        self.under_way = 0
        self._paused_until = float("-inf")
        self._era = 0
        self._free = threading.Condition()

    @contextlib.contextmanager
    def turn(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[Turn]:
        """Wait until another call is welcome; it is under way while the block runs."""
        era = self._enter(clock, sleep)
        try:
            yield Turn(self, era)
        finally:
            with self._free:
                self.under_way -= 1
                self._free.notify_all()

    def _enter(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> int:
        while True:
            with self._free:
                self._free.wait_for(lambda: self.under_way < int(self.window))
                pause = self._paused_until - clock()
                if pause <= 0:
                    self.under_way += 1
                    return self._era
            sleep(pause + spread(pause))

    def grow(self) -> None:
        with self._free:
            if self.under_way < int(self.window):
                return  # it wasn't the window that held anybody back: nothing is known about a wider one
            self.window += 1.0 if self._era == 0 else 1.0 / self.window
            self._free.notify_all()

    def shrink(self, era: int, until: float) -> None:
        with self._free:
            self._paused_until = max(self._paused_until, until)
            if era == self._era:
                self.window = max(1.0, self.window / 2)
                self._era += 1
