"""Where the grading of each task's reference spends its processor time, in seconds, of this process and of the box's.

    engine commands   what the submission runs: scripts, DAGs, dbt commands, as the ticket starts them
    engine start      what is imported, warmed and served before that, once a box
    world and tables  delivering rows, resetting databases, reading tables back
    the rest          the sandbox, files, the checks themselves, in this process as well

Processor time, not wall time: it hardly depends on what else the machine does. What the database server does for a
command is counted with the part that waits for it. The first part runs in the box, under its supervisor: it is not
the time of a bare script without a sandbox.

python benchmarks/grading.py [--sandbox bubblewrap] [TASK…]
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from graders.grade import grade
from harness.engines.postgres import Postgres
from harness.grading import suite_contract
from harness.lab import Lab
from harness.sandboxes import _choice
from harness.sandboxes._box import Box
from harness.task import HIDDEN_SEEDS, Task, load_suite

COMMANDS, START, TABLES, REST = PARTS = ("engine commands", "engine start", "world and tables", "the rest")
TICKS = os.sysconf("SC_CLK_TCK")


def processor_time() -> float:
    """Of this process and all that descend from it, ended and waited-for children included; the box's are among them.

    Fields of ``/proc/PID/stat`` as in proc(5): 4 is the parent, 14 to 17 are the times.
    """
    times: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                times[int(folder.name)] = sum(map(int, fields[11:15]))
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    family = [os.getpid()]
    for process in family:
        family += children.get(process, [])
    return sum(times[process] for process in family) / TICKS


class Meter:
    """Adds up processor time by part; within a part that another one interrupts, only its own."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]
        self._own = 0.0

    def read(self) -> float:
        """Processor time without what it took to read it."""
        began = time.thread_time()
        spent = processor_time() - self._own
        self._own += time.thread_time() - began
        return spent

    def around(self, function: Callable[..., Any], part: Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(function)
        def measured(*arguments: Any, **options: Any) -> Any:
            began = self.read()
            self._inner.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                spent = self.read() - began
                self.spent[part(*arguments, **options)] += spent - self._inner.pop()
                self._inner[-1] += spent

        return measured


def part_of_a_command(box: Box, role: str, *_: object) -> str:
    return COMMANDS if role == "submission" else TABLES


def part_of_a_request(box: Box, resident: object, request: dict[str, Any], *_: object) -> str:
    return START if request["op"] == "preload" else REST


def part_of_steering(engine: Postgres, request: dict[str, Any]) -> str:
    return START if request["op"] == "start" else TABLES


@contextlib.contextmanager
def measuring() -> Iterator[Meter]:
    meter, measured = Meter(), []
    for owner, name, part in (
        (Box, "_supervised", part_of_a_command),
        (Box, "_exchange", part_of_a_request),
        (Postgres, "_steer", part_of_steering),
    ):
        measured.append(mock.patch.object(owner, name, meter.around(getattr(owner, name), part)))
    # When a lab closes, its processes' times go with them: the sum is taken before.
    close = Lab.close

    def closed(lab: Lab) -> None:
        meter.spent["all"] += meter.read()
        close(lab)
        meter.spent["all"] -= meter.read()

    measured.append(mock.patch.object(Lab, "close", closed))
    with contextlib.ExitStack() as stack:
        for patch in measured:
            stack.enter_context(patch)
        yield meter


def split(task: Task, sandbox: str) -> dict[str, float]:
    """Seconds of processor time by part, for grading the reference in one hidden world."""
    with measuring() as meter:
        began = meter.read()
        done = grade(task, task.reference, _choice.load(sandbox), HIDDEN_SEEDS[0], suite_contract())
        total = meter.read() - began + meter.spent.pop("all")
    if done.score < 1:
        sys.exit(f"{task.id}: the reference fails {sorted(done.failed)}: what is measured is no whole grading")
    spent = {part: meter.spent[part] for part in PARTS}
    return {**spent, REST: total - sum(spent[part] for part in PARTS if part != REST)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # In Docker, a box's processes are the engine's children, not ours.
    parser.add_argument("--sandbox", choices=["bubblewrap", "embedded"], default="bubblewrap")
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    options = parser.parse_args()
    tasks = [task for task in load_suite() if not options.tasks or task.id in options.tasks]
    if unknown := set(options.tasks) - {task.id for task in tasks}:
        parser.error(f"no such task: {', '.join(sorted(unknown))}")
    print(f"| task | {' | '.join(PARTS)} | all |")
    print(f"|:--|{'--:|' * (len(PARTS) + 1)}")
    for task in tasks:
        _choice.load(options.sandbox).prepare(task.manifest.environment)
        spent = split(task, options.sandbox)
        print(
            f"| {task.id} | {' | '.join(f'{spent[part]:.1f}' for part in PARTS)} | {sum(spent.values()):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
