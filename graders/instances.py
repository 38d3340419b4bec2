"""Programs that run until they are stopped, several at a time, started again when they end, as a supervisor does."""

from __future__ import annotations

import concurrent.futures
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.service import Service, service

LOOK_EVERY = 0.1  # seconds
# Seconds without progress after which nothing more is expected, though the machine may be busy; and seconds in all.
PATIENCE, MOST = 30.0, 300.0


@dataclass(frozen=True)
class Instances:
    """Instances of one command, by name. All of them are killed at the end of the block, or by ``Box.kill``."""

    lab: Lab
    service: Service
    signs: str
    command: str

    def start(self, name: str) -> None:
        self._sign(f"start-{name}")

    def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL after twenty seconds."""
        self._sign(f"stop-{name}")

    def sees(
        self, seen: Callable[[], bool], seconds: float = PATIENCE, progress: Callable[[], object] = lambda: None
    ) -> bool:
        """Wait for something to be seen; whether it was before ``progress`` had been the same for so many seconds.

        That the instances keep ending is a fault.
        """
        ending = self.service.ending
        start = since = time.monotonic()
        last = progress()
        while not seen():
            if ending.done() and not seen():
                raise SubmissionFault(f"{self.command} doesn't stay: {ending.result().explain()}")
            now, latest = time.monotonic(), progress()
            if latest != last:
                since, last = now, latest
            if now > min(since + seconds, start + MOST):
                return False
            concurrent.futures.wait([ending], timeout=LOOK_EVERY)
        return True

    def must_see(
        self,
        seen: Callable[[], bool],
        what: str,
        seconds: float = PATIENCE,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        if not self.sees(seen, seconds, progress):
            raise SubmissionFault(f"not seen, and nothing moved for {seconds:.0f} s: {what}")

    @property
    def killed(self) -> bool:
        return self.service.ending.done() and self.service.ending.result().killed == "killed"

    def end(self) -> Completed:
        """Kill those that run; well if every one that was stopped before had ended with exit code 0."""
        self._sign("end")
        return self.service.ending.result(timeout=60)

    def _sign(self, name: str) -> None:
        # Beside the sockets: the driver writes there, the submission only reads.
        self.lab.box.put("sockets", {f"{self.signs}/{name}": b""})


@contextmanager
def supervised(lab: Lab, *command: str) -> Iterator[Instances]:
    """One instance, ``first``, and more if they are started."""
    signs = f"instances-{secrets.token_hex(4)}"
    lab.box.put("sockets", {f"{signs}/start-first": b""})
    space = lab.box.space
    script = [space.interpreter, "-I", "-S", f"{space.runtime}/supervisor.py"]
    with service(lab.box, *script, f"{lab.box.path('sockets')}/{signs}", *command) as running:
        yield Instances(lab, running, signs, " ".join(command))
