"""Where untrusted code runs: one module a sandbox, each opening boxes.

A box is a private file system with two users and no network. The **submission** user runs what a model wrote;
the **driver** user runs the servers and readers the grader relies on, out of the submission's reach.

Folders of a box, by name (``box.path(name)`` gives the path inside):

    work     the submission's own: it starts here, may write here, and is collected from here
    data     what the world delivers: the driver writes, the submission reads
    driver   the driver's own: the submission sees nothing of it
    sockets  where servers listen: the driver writes, the submission connects
    tmp      the temporary folder
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Role = Literal["submission", "driver"]
FolderName = Literal["work", "data", "driver", "sockets", "tmp"]


@dataclass(frozen=True)
class BoxLimits:
    """What one box may use: MiB, processes, cores. Times are given with each command."""

    memory: int = 3072
    disk: int = 512
    processes: int = 256
    cores: float = 2.0


@dataclass(frozen=True)
class Diagnosis:
    """Whether a sandbox works on this machine, and if not, why and how to mend it."""

    works: bool
    detail: str
    mend: str = ""


class Stream(Protocol):
    """A process in a box, spoken to by its standard input and output (binary, unbuffered)."""

    def write(self, data: bytes) -> None: ...

    def read(self, size: int, timeout: float) -> bytes:
        """At most ``size`` bytes; empty at the end. Raises TimeoutError when nothing comes for ``timeout`` seconds."""
        ...

    def was_killed_outside(self) -> bool:
        """Asked at its end: whether something outside the box, where nothing in it reaches, killed the process.

        False where that can't be told apart from what happens inside.
        """
        ...

    def close(self) -> None:
        """End the process; a second call does nothing."""
        ...


class Space(Protocol):
    """What a sandbox itself provides of a box: paths, and processes by role. ``Box`` builds the rest on it."""

    def path(self, folder: FolderName) -> str: ...

    def spawn(self, argv: list[str], role: Role, variables: Mapping[str, str]) -> Stream: ...

    @property
    def interpreter(self) -> str:
        """The environment's Python, as a path inside."""
        ...

    @property
    def runtime(self) -> str:
        """The folder of ``harness/runtime``, as a path inside."""
        ...

    def close(self) -> None: ...


class Sandbox(Protocol):
    """One way to confine. ``confines`` is false only for the embedded one, for trusted baselines."""

    name: str
    confines: bool

    def diagnose(self) -> Diagnosis: ...

    def prepare(self, environment: str) -> str:
        """Build the environment if it is not built yet; returns the digest of what was built."""
        ...

    def is_prepared(self, environment: str) -> bool: ...

    def open(self, environment: str, limits: BoxLimits) -> Space: ...

    def reap(self, *, own: bool = False) -> int:
        """Remove what runs that died left behind; returns how many boxes. ``own``: this process's boxes, too."""
        ...


def runtime_folder() -> Path:
    """The scripts that run inside boxes (standard library only, no import of this package)."""
    return Path(__file__).parent.parent / "runtime"
