"""What a grader does to the world: shared pieces that a task's scenarios are put together from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.engines import CrashingEngine
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed

Seen = TypeVar("Seen")
MOST_POINTS = 16
# How often a kill is tried of a run that reads a stream, whose portions hang on how fast it comes.
TRIES = 3


@dataclass(frozen=True)
class AfterCrash(Generic[Seen]):
    """What was seen after a run was killed once ``after`` of its ``of`` statements had finished, and run again.

    ``between`` is what stood there before the second run.
    """

    after: int
    of: int
    between: Seen
    seen: Seen


def must_end_well(done: Completed, what: str) -> Completed:
    """The submission's command succeeded; otherwise the check at hand fails with what it said."""
    if not done.ok:
        raise SubmissionFault(f"{what}: {done.explain()}")
    return done


def crash_everywhere(
    lab: Lab,
    engine: CrashingEngine,
    *,
    prepare: Callable[[], None],
    act: Callable[[], Completed],
    observe: Callable[[], Seen],
    most: int = MOST_POINTS,
    meanwhile: Callable[[], None] = lambda: None,
    within: int = 0,
) -> list[AfterCrash[Seen]]:
    """Kill ``act`` after each of its statements in turn, run it again, and observe.

    ``prepare`` brings the world to where ``act`` starts from (it begins with ``lab.fresh()`` or a restored state);
    ``meanwhile`` is what the world does before it is run again. Every statement is a crash point; where there are more
    than ``most``, the commits are, for between two commits the database stands as it stood after the first; where those
    are too many, as many of them as ``most``, spread evenly, the first and the last among them. Then ``within``
    statements in the midst of transactions are points, too, for what a run does elsewhere (the offsets of a stream)
    needn't wait for its commit. A run without so many, as each of its statements is a commit, is killed behind as many
    that follow each other: far apart, they might all be the last of what belongs together. And a kill that came upon
    another run than the undisturbed one, with transactions of other lengths, is tried again; so is one that never
    came, as the run ended earlier.
    """

    def counted(begin: Callable[[], None]) -> tuple[Completed, list[str]]:
        prepare()
        begin()
        try:
            done = act()
        finally:  # or else the kill waits for the next scenario's run
            statuses = engine.stop_counting()
        return done, statuses

    done, statuses = counted(engine.count)
    must_end_well(done, "undisturbed")
    if not statuses:
        raise SubmissionFault("the run sent no statement to the database")
    found = []
    for after in crash_points(statuses, most, within):
        for _ in range(TRIES):
            _, until_killed = counted(functools.partial(engine.crash, after))
            if until_killed[:after] == statuses[:after] or (not within and len(until_killed) >= after):
                break
        else:
            if not within:
                raise SubmissionFault(
                    f"it sent {len(statuses)} statements to the database, and another time, with the same data, only "
                    f"{len(until_killed)}: it can't be killed after statement {after}"
                )
        between = observe()
        meanwhile()
        must_end_well(act(), f"run again after a kill behind statement {after} of {len(statuses)}")
        found.append(AfterCrash(after, len(statuses), between, observe()))
    lab.note(
        f"killed after statement {', '.join(str(point.after) for point in found)} of {len(statuses)}, then run again"
    )
    return found


def crash_points(statuses: Sequence[str], most: int, within: int = 0) -> list[int]:
    """How many statements finish before each kill. ``statuses`` as ``CrashingEngine.stop_counting`` gives them."""
    every = list(range(len(statuses) + 1))
    if len(every) <= most:
        return every
    commits = [0, *(number for number, status in enumerate(statuses, 1) if status == "I")]
    others = [number for number, status in enumerate(statuses, 1) if status != "I"]
    middle = len(commits) // 2
    neighbours = commits[middle : middle + max(within - len(others), 0)]
    return sorted({*spread(commits, most), *spread(others, within), *neighbours})


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly, the first and the last among them where there is room for two."""
    if len(numbers) <= most:
        return list(numbers)
    step = (len(numbers) - 1) / max(most - 1, 1)
    return sorted({numbers[round(index * step)] for index in range(most)})


def on_another_machine(lab: Lab, keeping: str) -> None:
    """Of what runs have left, only this folder in the work folder is there; the submission is beside it, as new."""
    folders = [lab.box.path("work"), lab.box.path("tmp")]
    found = ["find", *folders, "-mindepth", "1", "-maxdepth", "1", "!", "-path", f"{folders[0]}/{keeping}"]
    must_end_well(lab.run(*found, "-exec", "rm", "-rf", "--", "{}", "+"), "clearing the work folder")
    own = {path: content for path, content in lab.submission.files.items() if path.partition("/")[0] != keeping}
    lab.box.put("work", own)


def without_room(lab: Lab, *command: str, kilobytes: int = 1) -> Completed:
    """Run it while the disk is full, as it were: no file gets longer than this, whoever writes more gets an error."""
    return lab.run("bash", "-c", f'ulimit -f {kilobytes} && exec "$0" "$@"', *command)


def twice(lab: Lab, act: Callable[[], Completed], observe: Callable[[], Seen], what: str) -> tuple[Seen, Seen]:
    """Run the same thing twice; what was seen after each."""
    must_end_well(act(), what)
    first = observe()
    must_end_well(act(), f"{what}, a second time")
    lab.note(f"{what}: run twice")
    return first, observe()


Step = TypeVar("Step")


def each(act: Callable[[Step], Completed], steps: Iterable[Step], what: str) -> None:
    """Run it for every step (day, batch) in this order."""
    for step in steps:
        must_end_well(act(step), f"{what} {step}")
