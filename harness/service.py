"""A command of the submission's that stays: it runs beside the grader until it is killed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from harness.errors import SubmissionFault
from harness.sandboxes._box import Box, Completed

LOOK_EVERY = 0.2  # seconds
MOST = 300.0  # seconds that are waited, whatever moves

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Service:
    """A running command. Its end, if it comes by itself, is the submission's fault."""

    command: str
    ending: concurrent.futures.Future[Completed]

    def until(self, look: Callable[[], Seen], seconds: float, there: Callable[[Seen], object] = bool) -> bool:
        """Look until it is there. False: what is seen has stayed the same for so many seconds, and isn't.

        Raises:
            SubmissionFault: the command has ended.
        """
        start = since = time.monotonic()
        last = look()
        while not there(last):
            ended = bool(concurrent.futures.wait([self.ending], timeout=LOOK_EVERY).done)
            seen, now = look(), time.monotonic()
            if there(seen):
                return True
            if ended:
                raise SubmissionFault(f"{self.command} ended by itself: {self.ending.result().explain()}")
            if seen != last:
                last, since = seen, now
            if now > min(since + seconds, start + MOST):
                return False
        return True


@contextlib.contextmanager
def service(box: Box, *argv: str, most: float = 600.0, stdin: bytes = b"") -> Iterator[Service]:
    """Start a command as the submission; at the end kill it and all it started. ``most``: seconds that it lives."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ending = pool.submit(box.run, argv, timeout=most, stdin=stdin)
        try:
            yield Service(" ".join(argv), ending)
        finally:
            while not ending.done():
                box.kill()
                concurrent.futures.wait([ending], timeout=LOOK_EVERY)
