"""Where an agent works: a lab furnished with the visible world, spoken to with a shell and files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager

from harness.agents import Workplace
from harness.foreign import workplace as foreign
from harness.lab import Lab
from harness.sandboxes import Sandbox
from harness.sandboxes._box import Completed
from harness.submission import Submission, safe_path
from harness.task import VISIBLE_SEED, Task

LARGEST_FILE = 2_000_000


class LabWorkplace:
    """A ``Workplace`` (see ``harness.agents``) in a box."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def run(self, command: str, timeout: float) -> Completed:
        return self._lab.box.run(["bash", "-c", command], timeout=timeout, output_limit=100_000)

    def read(self, path: str) -> bytes:
        """A file of the box, also outside the work folder; read as the agent's own user."""
        done = self._lab.box.run(["base64", "--wrap=0", "--", path], output_limit=LARGEST_FILE * 2)
        if not done.ok or done.truncated:
            raise OSError(done.stderr.strip().removeprefix("base64: ") or "the file is too big to be read at once")
        try:
            return base64.b64decode(done.stdout, validate=True)
        except binascii.Error as error:
            raise OSError(f"reading failed: {error}") from None

    def write(self, path: str, content: bytes) -> None:
        work = self._lab.box.path("work")
        relative = path.removeprefix(f"{work}/")
        script = 'mkdir -p "$(dirname -- "$1")" && cat > "$1"'
        done = self._lab.box.run(["bash", "-c", script, "write", str(safe_path(relative))], stdin=content)
        if not done.ok:
            raise OSError(done.stderr.strip() or done.explain())

    def collect(self) -> Submission:
        return self._lab.collect()


@contextmanager
def workplace(task: Task, sandbox: Sandbox) -> Iterator[Workplace]:
    """A fresh box with the starting workspace and the visible world; nothing hidden ever enters it."""
    if task.manifest.foreign:
        with foreign.workplace(task, sandbox) as place:
            yield place
        return
    with Lab(task, sandbox, task.workspace) as lab:
        task.world.furnish(task.world.build(VISIBLE_SEED), lab)
        yield LabWorkplace(lab)
