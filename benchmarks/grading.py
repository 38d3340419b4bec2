"""What grading each task's reference takes: the engine's floor, and what we add to it.

    floor     the submission's own commands (scripts, DAGs, dbt commands, jobs) as bare processes on warm engines: no
              sandbox, and what is warmed once a box isn't counted
    overhead  all the rest of a whole grading in the sandbox: walls, starting and resetting engines, delivering rows,
              reading tables back, the checks themselves

``--parts`` splits the whole grading instead:

    engine commands   what the submission runs, as the ticket starts it, under the box's supervisor
    engine start      what is imported, warmed and served before that, once a box
    world and tables  delivering rows, resetting databases, reading tables back
    the rest          the sandbox, files, the checks themselves, in this process as well

Processor time of this process and the box's, in seconds, not wall time: it hardly depends on what else the machine
does. What a database server does for a command is counted with the part that waits for it.

python benchmarks/grading.py [--sandbox bubblewrap] [--parts] [TASK…]
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
from harness.engines._server import SteeredServer
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


def part_of_steering(server: SteeredServer, op: str, **_: object) -> str:
    return START if op == "start" else TABLES


@contextlib.contextmanager
def measuring() -> Iterator[Meter]:
    meter, measured = Meter(), []
    for owner, name, part in (
        (Box, "_supervised", part_of_a_command),
        (Box, "_exchange", part_of_a_request),
        (SteeredServer, "ask", part_of_steering),
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


def parts(task: Task, sandbox: str) -> tuple[list[str], list[str]]:
    """Titles and cells of a task's row."""
    spent = split(task, sandbox)
    return [*PARTS, "all"], [f"{seconds:.1f}" for seconds in (*(spent[part] for part in PARTS), sum(spent.values()))]


def floor_and_overhead(task: Task, sandbox: str) -> tuple[list[str], list[str]]:
    """Titles and cells of a task's row."""
    floor, whole = split(task, "embedded")[COMMANDS], sum(split(task, sandbox).values())
    share = f"{(whole - floor) / floor:.0%}" if floor else "–"
    return ["floor", "overhead", "of the floor"], [f"{floor:.1f}", f"{whole - floor:.1f}", share]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # In Docker, a box's processes are the engine's children, not ours.
    parser.add_argument("--sandbox", choices=["bubblewrap", "embedded"], default="bubblewrap")
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    options = parser.parse_args()
    tasks = [task for task in load_suite() if not options.tasks or task.id in options.tasks]
    if unknown := set(options.tasks) - {task.id for task in tasks}:
        parser.error(f"no such task: {', '.join(sorted(unknown))}")
    for place, task in enumerate(tasks):
        _choice.load(options.sandbox).prepare(task.manifest.environment)
        titles, cells = (parts if options.parts else floor_and_overhead)(task, options.sandbox)
        if not place:
            print(f"| task | {' | '.join(titles)} |\n|:--|{'--:|' * len(titles)}")
        print(f"| {task.id} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
