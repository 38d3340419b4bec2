"""A command of the submission's that stays: it runs beside the grader until it is killed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.errors import SubmissionFault
from harness.sandboxes._box import Box, Completed

LOOK_EVERY = 0.3  # seconds


@dataclass(frozen=True)
class Service:
    """A running command. Its end, if it comes by itself, is the submission's fault."""

    command: str
    ending: concurrent.futures.Future[Completed]

    def until(self, seen: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to be seen. False: it isn't there after so many seconds.

        Raises:
            SubmissionFault: the command has ended.
        """
        end = time.monotonic() + seconds
        while not seen():
            done, _ = concurrent.futures.wait([self.ending], timeout=LOOK_EVERY)
            if done:
                raise SubmissionFault(f"{self.command} ended by itself: {self.ending.result().explain()}")
            if time.monotonic() > end:
                return False
        return True


@contextlib.contextmanager
def service(box: Box, *argv: str, most: float = 600.0) -> Iterator[Service]:
    """Start a command as the submission; at the end kill it and all it started. ``most``: seconds that it lives."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ending = pool.submit(box.run, argv, timeout=most)
        try:
            yield Service(" ".join(argv), ending)
        finally:
            while not ending.done():
                box.kill()
                concurrent.futures.wait([ending], timeout=LOOK_EVERY)
