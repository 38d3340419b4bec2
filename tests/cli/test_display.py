"""What is shown of a run under way, on a terminal and elsewhere."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from harness.display import LiveDisplay, PlainDisplay, display, printable
from tests.results.builders import TASKS, trial_record

TRIALS = [(task, attempt) for task in TASKS for attempt in (1, 2)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(live: LiveDisplay) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(live.view())
    return console.file.getvalue()


def test_elsewhere_every_event_is_a_line_of_stable_form():
    stream = io.StringIO()
    with display(stream) as plain:
        plain.note("building environment core")
        plain.plan(TRIALS)
        plain.trial_started(TASKS[1], 2)
        plain.stage(TASKS[1], 2, "grading: second run")
        plain.trial_finished(trial_record(TASKS[1], 2, 1.0))
        plain.trial_finished(trial_record(TASKS[1], 1, 0.25))
        plain.trial_finished(trial_record(TASKS[0], 1, None))
        plain.spent("$1.24 of $5.00")
    assert stream.getvalue().splitlines() == [
        "building environment core",
        "6 trials of 3 tasks",
        "      dbt/snapshot-scd2 #2  started",
        "      dbt/snapshot-scd2 #2  grading: second run",
        "[1/6] dbt/snapshot-scd2 #2  score 1.00  resolved",
        "[2/6] dbt/snapshot-scd2 #1  score 0.25  not resolved",
        "[3/6] airflow/daily-orders-load #1  invalid  engine",
        "spent $1.24 of $5.00",
    ]


def test_numbers_are_aligned():
    stream = io.StringIO()
    with PlainDisplay(stream) as plain:
        plain.plan([(TASKS[0], attempt) for attempt in range(1, 13)])
        plain.trial_finished(trial_record())
    assert stream.getvalue().splitlines()[-1].startswith("[ 1/12] ")


def test_an_unknown_spend_is_said():
    stream = io.StringIO()
    with PlainDisplay(stream) as plain:
        plain.spent("unknown")
    assert stream.getvalue() == "spent unknown\n"


def test_a_stream_that_knows_only_ascii_is_written_to():
    raw = io.BytesIO()
    with PlainDisplay(io.TextIOWrapper(raw, encoding="ascii")) as plain:
        plain.note("größer")
        assert raw.getvalue() == b"gr\\xf6\\xdfer\n"


def test_lines_of_threads_never_mix():
    stream = io.StringIO()
    with PlainDisplay(stream) as plain:
        plain.plan([(TASKS[0], attempt) for attempt in range(1, 401)])

        def finish(first: int) -> None:
            for attempt in range(first, first + 100):
                plain.trial_finished(trial_record(attempt=attempt))

        threads = [threading.Thread(target=finish, args=(first,)) for first in (1, 101, 201, 301)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()[1:]
    assert [line.split("/")[0] for line in lines] == [f"[{number:>3}" for number in range(1, 401)]


def test_the_live_view_shows_progress_spend_rate_and_time_to_go():
    clock = Clock()
    live = display(Terminal(), clock)
    assert isinstance(live, LiveDisplay)
    live.plan(TRIALS)
    live.trial_started(TASKS[1], 2)
    live.trial_started(TASKS[2], 1)
    live.stage(TASKS[2], 1, "grading: late rows")
    live.trial_finished(trial_record(TASKS[0], 1, 0.5, dimensions={"quality": 0.25}))
    live.trial_finished(trial_record(TASKS[1], 2, 1.0, dimensions={"quality": 0.75}))
    live.spent("$0.50 of $2.00")
    clock.now = 40.0
    view = shown(live)
    assert "2/6 trials   3.0 a minute   spent $0.50 of $2.00   about 0:01:20 to go" in view
    lines = {line.split()[0]: line for line in view.splitlines() if line.strip()}
    assert lines[TASKS[2]].split(maxsplit=2)[1:] == ["0/2", "#1 grading: late rows"] or "late rows" in lines[TASKS[2]]
    assert lines[TASKS[1]].split() == [TASKS[1], "1/2", "1.00"]
    assert lines["quality"].split()[-1] == "0.50"


def test_the_live_view_shows_an_invalid_trial_as_done_without_a_score():
    live = LiveDisplay(Terminal(), Clock())
    live.plan(TRIALS)
    live.trial_finished(trial_record(score=None))
    live.spent("unknown")
    assert "1/6 trials" in shown(live)
    assert "spent unknown" in shown(live)
    assert [line.split() for line in shown(live).splitlines() if TASKS[0] in line] == [[TASKS[0], "1/2"]]


def test_the_live_display_draws_on_its_terminal():
    stream = Terminal()
    with LiveDisplay(stream) as live:
        live.note("building environment \x1b]0;owned\x07core")
        live.plan(TRIALS)
        live.trial_started(TASKS[1], 2)
    assert "building environment core" in stream.getvalue()
    assert "0/6 trials" in stream.getvalue()
    assert "owned" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain\ttext\nand ümläuts 数据 🚀", "plain\ttext\nand ümläuts 数据 🚀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[?1049h\x1b[2J\x1b[10;20Hx", "x"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$q\x1b\\x\x1b_apc\x1b\\y\x1b^pm\x1b\\z", "xyz"),
        ("\x9b31mred\x9d0;title\x9cx", "redx"),
        ("\x1b(0x\x1b7y\x1bcz", "xyz"),
        ("100%\rdone\r\nnext", "100%done\nnext"),
        ("back\x08space\x7f\x00\x0e", "backspace"),
        ("\u202egpj.exe\u200b\ufeff", "gpj.exe"),
        ("\ud800broken", "broken"),
        ("ends in \x1b", "ends in "),
        ("ends in \x1b[", "ends in "),
        ("never closed \x1b]0;title", "never closed "),
        ("\x1b\x1b[31m[31m", "[31m"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
    ],
)
def test_hostile_text_is_made_printable(text, clean):
    assert printable(text) == clean


def test_a_task_cannot_write_lines_that_look_like_ours():
    stream = io.StringIO()
    with PlainDisplay(stream) as plain:
        plain.plan(TRIALS)
        plain.stage(TASKS[0], 1, "x\n[6/6] dbt/snapshot-scd2 #1  score 1.00  resolved\u2028y\x85z")
    assert len(stream.getvalue().splitlines()) == 2
