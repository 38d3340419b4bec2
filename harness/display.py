"""What `bench run` and `bench verify` show while they work: a live view on a terminal, else plain lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from results.text import one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Display", "Finished", "LiveDisplay", "PlainDisplay", "display", "printable"]

TASKS_SHOWN = 12


class Finished(Protocol):
    """What is shown of a finished trial; a ``TrialRecord`` is one."""

    @property
    def task(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def cause(self) -> str | None: ...
    @property
    def score(self) -> float | None: ...
    @property
    def resolved(self) -> bool | None: ...
    @property
    def dimensions(self) -> Mapping[str, float]: ...


class Display(Protocol):
    """Told of events, from any thread. Entered before the first of them, left after the last."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def plan(self, trials: Sequence[tuple[str, int]]) -> None:
        """The (task, attempt) that will be worked on."""

    def trial_started(self, task: str, attempt: int) -> None: ...

    def stage(self, task: str, attempt: int, text: str) -> None:
        """What a trial does now."""

    def trial_finished(self, record: Finished) -> None: ...

    def note(self, text: str) -> None:
        """Something to say that belongs to no trial, such as the progress of an environment's build."""

    def spent(self, text: str) -> None:
        """What the run has used until now, and of how much."""


def display(stream: TextIO, clock: Callable[[], float] = time.monotonic) -> Display:
    """The display that suits a stream."""
    return LiveDisplay(stream, clock) if stream.isatty() else PlainDisplay(stream)


def outcome(record: Finished) -> str:
    """The result of a trial in words."""
    if record.status == "invalid" or record.score is None:
        return f"invalid  {one_line(record.cause or 'unknown cause')}"
    return f"score {record.score:.2f}  {'resolved' if record.resolved else 'not resolved'}"


class PlainDisplay:
    """One line an event, without times, so that two logs of the same run can be compared."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._planned = self._done = 0
        self._spent = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spent:
            self._say(f"spent {self._spent}")

    def plan(self, trials: Sequence[tuple[str, int]]) -> None:
        self._planned = len(trials)
        self._say(f"{len(trials)} trials of {len({task for task, _ in trials})} tasks")

    def trial_started(self, task: str, attempt: int) -> None:
        self.stage(task, attempt, "started")

    def stage(self, task: str, attempt: int, text: str) -> None:
        margin = " " * (2 * self._digits + 3)
        self._say(f"{margin} {one_line(task)} #{attempt}  {one_line(text)}")

    def trial_finished(self, record: Finished) -> None:
        with self._lock:
            self._done += 1
            number = f"[{self._done:>{self._digits}}/{self._planned}]"
            self._write(f"{number} {one_line(record.task)} #{record.attempt}  {outcome(record)}")

    def note(self, text: str) -> None:
        self._say(one_line(text))

    def spent(self, text: str) -> None:
        self._spent = one_line(text)

    @property
    def _digits(self) -> int:
        return len(str(self._planned))

    def _say(self, line: str) -> None:
        with self._lock:
            self._write(line)

    def _write(self, line: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(line.encode(encoding, errors="backslashreplace").decode(encoding) + "\n")
        self._stream.flush()


@dataclass
class _Progress:
    """Finished trials of a task or a dimension."""

    planned: int = 0
    done: int = 0
    scores: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        return sum(self.scores) / len(self.scores) if self.scores else None


class LiveDisplay:
    """A view that stays in place: progress by task and by dimension, spend, rate and time to go."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.live import Live

        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._planned = self._done = 0
        self._spent = "$0.00"
        self._tasks: dict[str, _Progress] = {}
        self._dimensions: dict[str, _Progress] = {}
        self._active: dict[tuple[str, int], str] = {}
        console = Console(file=stream, highlight=False)
        self._live = Live(console=console, get_renderable=self.view, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._began = self._clock()
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._active.clear()
        self._live.stop()

    def plan(self, trials: Sequence[tuple[str, int]]) -> None:
        with self._lock:
            self._planned = len(trials)
            for task, _ in trials:
                self._tasks.setdefault(task, _Progress()).planned += 1

    def trial_started(self, task: str, attempt: int) -> None:
        self.stage(task, attempt, "started")

    def stage(self, task: str, attempt: int, text: str) -> None:
        with self._lock:
            self._active[task, attempt] = one_line(text)

    def trial_finished(self, record: Finished) -> None:
        with self._lock:
            self._done += 1
            self._active.pop((record.task, record.attempt), None)
            task = self._tasks.setdefault(record.task, _Progress(planned=1))
            task.done += 1
            if record.status != "graded" or record.score is None:
                return
            task.scores.append(record.score)
            for name, score in record.dimensions.items():
                self._dimensions.setdefault(name, _Progress()).scores.append(score)

    def note(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(one_line(text), style="dim"))

    def spent(self, text: str) -> None:
        with self._lock:
            self._spent = one_line(text)

    def view(self) -> RenderableType:
        """What is on the screen now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        with self._lock:
            bar = ProgressBar(total=max(self._planned, 1), completed=self._done, width=40)
            return Group(self._tasks_view(), self._dimensions_view(), Text(self._summary()), bar)

    def _summary(self) -> str:
        elapsed = max(self._clock() - self._began, 1e-9)
        parts = [f"{self._done}/{self._planned} trials"]
        if self._done:
            parts.append(f"{60 * self._done / elapsed:.1f} a minute")
        parts.append(f"spent {self._spent}")
        if 0 < self._done < self._planned:
            to_go = round(elapsed / self._done * (self._planned - self._done))
            parts.append(f"about {to_go // 3600}:{to_go // 60 % 60:02}:{to_go % 60:02} to go")
        return "   ".join(parts)

    def _tasks_view(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        active: dict[str, list[str]] = {}
        for (task, attempt), text in self._active.items():
            active.setdefault(task, []).append(f"#{attempt} {text}")
        # The tasks at work come first, then those with results as far as the screen reaches.
        begun = [task for task in reversed(self._tasks) if self._tasks[task].done and task not in active]
        for task in [*active, *begun][:TASKS_SHOWN]:
            progress = self._tasks.get(task, _Progress())
            table.add_row(
                Text(one_line(task)),
                Text(f"{progress.done}/{progress.planned}"),
                Text("" if progress.mean is None else f"{progress.mean:.2f}"),
                Text("; ".join(active.get(task, [])), style="cyan", overflow="ellipsis", no_wrap=True),
            )
        return table

    def _dimensions_view(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for name, progress in sorted(self._dimensions.items()):
            mean = progress.mean or 0.0
            bar = ProgressBar(total=1, completed=mean, width=20)
            table.add_row(Text(one_line(name), style="dim"), bar, Text(f"{mean:.2f}"))
        return table
