"""Programs that run until they are stopped, several at a time, started again when they end, as a supervisor does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.service import Service, service

# Seconds without progress after which nothing more is expected, though the machine may be busy.
PATIENCE = 60.0

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Instances:
    """Instances of one command, by name. All of them are killed at the end of the block, or by ``Box.kill``."""

    lab: Lab
    service: Service
    signs: str

    def start(self, name: str) -> None:
        self._sign(f"start-{name}")

    def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL after twenty seconds."""
        self._sign(f"stop-{name}")

    def sees(self, look: Callable[[], Seen], seconds: float = PATIENCE, there: Callable[[Seen], object] = bool) -> bool:
        """Whether it is there before what is seen has stayed the same for so many seconds.

        That the instances keep ending is a fault.
        """
        return self.service.until(look, seconds, there)

    def must_see(
        self,
        look: Callable[[], Seen],
        what: str,
        seconds: float = PATIENCE,
        there: Callable[[Seen], object] = bool,
    ) -> None:
        if not self.sees(look, seconds, there):
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
        yield Instances(lab, replace(running, command=" ".join(command)), signs)
