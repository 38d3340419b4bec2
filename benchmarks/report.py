"""How soon the report of a large run opens in headless Chromium. Fails if a page takes longer than the target.

Writes a run of 2,000 trials with transcripts of 200 turns (or as many as asked for) and its report, and opens each
kind of page from disk, each time in a new browser context: from the request until the page is laid out and idle. For
a trial also until its transcript is shown, after the click that opens it.

python benchmarks/report.py [--trials 2000] [--turns 200] [--repeats 7] [--browser /usr/bin/chromium] [--keep SITE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from results.records import CheckRecord, PersonaRecord, RunRecord, SuiteRecord, TaskRecord, Times, TrialRecord, Usage
from results.report import Site, read, write_site
from results.run_directory import RunDirectory

TARGET = 2.0
BEGAN = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
ATTEMPTS = 5
DIMENSIONS = ("correctness", "idempotency", "durability", "late_data", "schema_evolution", "deliverable")
EVIDENCE = "a day loaded twice: orders: 2004 rows, expected 2000; columns: id, name, city\n4 unexpected:\n" + "\n".join(
    f'  ({number}, Kim, "Bonn, Beuel")' for number in range(4)
)


def transcript(turns: int) -> Iterator[str]:
    """A conversation in which every turn thinks, calls a tool and reads a screenful."""
    clock = BEGAN
    screen = "\n".join(
        f"{number:6} | order {number} | 2025-01-02 | Bonn | {number * 3.5:10.2f}" for number in range(25)
    )
    events: list[dict[str, object]] = [
        {"event": "system", "text": "You are a data engineer. " * 200},
        {"event": "user", "text": "Please load the orders of each day, and mind the late ones. " * 20},
    ]
    for turn in range(turns):
        thought = f"Turn {turn}: the query returned rows that the load hasn't seen; I look at them before I go on. " * 3
        call = {"id": str(turn), "name": "bash", "arguments": {"command": f"psql -c 'select * from orders -- {turn}'"}}
        events += [
            {"event": "assistant", "text": thought, "usage": {"output_tokens": 180}, "seconds": 4.2},
            {"event": "tool_call", **call},
            {"event": "tool_result", "id": str(turn), "text": screen, "failed": False, "seconds": 0.3},
        ]
    for event in events:
        clock += timedelta(seconds=2)
        yield json.dumps({"time": clock.isoformat(), **event}) + "\n"


def trial(task: str, attempt: int, random: np.random.Generator) -> TrialRecord:
    passed = random.random(18) < 0.9
    checks = tuple(
        CheckRecord(
            id=f"check_number_{number}_holds_for_every_row",
            dimension=DIMENSIONS[number % len(DIMENSIONS)],
            clauses=(f"constraints/clause-{number % 9}",),
            required=number % 3 == 0,
            passed=bool(one),
            evidence="" if one else EVIDENCE,
        )
        for number, one in enumerate(passed)
    )
    return TrialRecord(
        task=task,
        attempt=attempt,
        seed=1009,
        status="graded",
        score=float(passed.mean()),
        resolved=all(check.passed for check in checks if check.required),
        dimensions={name: float(passed[place :: len(DIMENSIONS)].mean()) for place, name in enumerate(DIMENSIONS)},
        checks=checks,
        cost=Decimal("0.42"),
        usage=Usage(input=90_000, output=12_000),
        times=Times(agent=600, provider=500),
        turns=200,
        technologies=("postgres", "airflow"),
        difficulty="hard",
        perturbations=("the day was loaded twice", "batch 3 came after batch 4"),
    )


def make_run(path: Path, trials: int, turns: int) -> None:
    random = np.random.default_rng(1)
    tasks = [f"sql/task-{number:04}" for number in range(trials // ATTEMPTS)]
    record = RunRecord(
        run=path.name,
        created=BEGAN,
        harness_version="0.1.0",
        suite=SuiteRecord(name="generated", digest="0"),
        tasks={task: TaskRecord(digest=task, grader_digest="g") for task in tasks},
        persona=PersonaRecord(name="data-engineer", digest="0", text="You are a data engineer."),
        agent="tools",
        model="generated/model",
        simulated=True,
        sandbox="docker",
        attempts=ATTEMPTS,
        seeds=(1009,),
        planned=tuple(tasks),
    )
    run = RunDirectory.create(path, record)
    said = "".join(transcript(turns))
    keys = [(task, attempt) for task in tasks for attempt in range(1, ATTEMPTS + 1)]
    run.trials_file.write_text("".join(f"{trial(*key, random).model_dump_json()}\n" for key in keys))
    for key in keys:
        folder = run.trial(*key)
        folder.submission.mkdir(parents=True)
        folder.transcript.write_text(said)
        (folder.submission / "DELIVERABLE.md").write_text("# Load\n\nIt loads orders.\n" * 40)
        (folder.submission / "load.sql").write_text("insert into orders select * from landing;\n" * 60)


@dataclass(frozen=True)
class Taken:
    """Seconds by the clock, and of the page's main thread at work: a busy machine lengthens the first alone."""

    clock: float
    work: float


def opened(browser: Browser, path: Path, then: Callable[[Page], object] | None = None) -> Taken:
    """What it takes until the page is laid out and idle; or, of something more, what that takes."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work() -> float:
        return sum(
            one["value"] for one in session.send("Performance.getMetrics")["metrics"] if one["name"] == "TaskDuration"
        )

    marks = [(time.perf_counter(), 0.0)]
    page.goto(path.as_uri(), wait_until="load")
    painted(page)
    marks.append((time.perf_counter(), work()))
    if then:
        then(page)
        painted(page)
        marks.append((time.perf_counter(), work()))
    context.close()
    (began, before), (ended, after) = marks[-2:]
    return Taken(ended - began, after - before)


def painted(page: Page) -> None:
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def read_transcript(page: Page) -> None:
    page.locator("#transcript > summary").click()
    page.wait_for_selector(".transcript[aria-busy=false]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    parser.add_argument("--keep", type=Path, help="write the site here; if it is here, measure it without writing it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        site = options.keep or Path(folder, "site")
        if not site.exists():
            make_run(Path(folder, "runs", "large"), options.trials, options.turns)
            began = time.perf_counter()
            files = write_site(Site(read([Path(folder, "runs")])), site)
            took = time.perf_counter() - began
            written = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
            print(f"{files:,} files, {written / 1e6:,.0f} MB, written in {took:.0f} s\n")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
            slow = measured(browser, site, options.repeats)
            browser.close()
    if slow:
        sys.exit(f"slower than {TARGET} s: {', '.join(slow)}")


def measured(browser: Browser, site: Path, repeats: int) -> list[str]:
    """Print the table; the names of the pages that are too slow."""
    trial = sorted(site.glob("trials/large/*.html"))[0]
    data = site / "transcripts" / "large" / f"{trial.stem}.js"
    pages = {
        "leaderboard": site / "index.html",
        "runs": site / "runs.html",
        "the run": site / "runs" / "large.html",
        "tasks": site / "tasks.html",
        "one task": sorted(site.glob("tasks/*/*.html"))[0],
        "one trial": trial,
    }
    opened(browser, trial, read_transcript)  # what is slow the first time is the browser's start
    print("| page | size | opens in | slowest | main thread |\n|---|--:|--:|--:|--:|")
    slow = [
        name
        for name, path in pages.items()
        if told(name, path, [opened(browser, path) for _ in range(repeats)]) >= TARGET
    ]
    if (
        told("its transcript, on a click", data, [opened(browser, trial, read_transcript) for _ in range(repeats)])
        >= TARGET
    ):
        slow.append("its transcript")
    return slow


def told(name: str, path: Path, taken: list[Taken]) -> float:
    """Print a line of the table; the median by the clock."""
    clocks = [one.clock for one in taken]
    median, work = statistics.median(clocks), statistics.median(one.work for one in taken)
    print(f"| {name} | {path.stat().st_size / 1000:,.0f} kB | {median:.2f} s | {max(clocks):.2f} s | {work:.2f} s |")
    return median


if __name__ == "__main__":
    main()
