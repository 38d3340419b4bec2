"""How soon the report of a large run opens in headless Chromium. Fails if a page takes longer than the target.

Writes a run of 2,000 trials with transcripts of 200 turns (or as many as asked for) and its report, and opens each
kind of page from disk, each time in a new browser context: from the request until the page is laid out and idle. For
a trial also until its transcript is shown, after the click that opens it.

python benchmarks/report.py [--trials 2000] [--turns 200] [--repeats 7] [--browser /usr/bin/chromium]
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


def opened(browser: Browser, path: Path, then: Callable[[Page], object] = lambda _: None) -> tuple[float, float]:
    """Seconds until the page is laid out and idle, and those that something more takes."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(path.as_uri(), wait_until="load")
    painted(page)
    there = time.perf_counter()
    then(page)
    painted(page)
    done = time.perf_counter()
    context.close()
    return there - began, done - there


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
    options = parser.parse_args()
    slow = []
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        runs, site = Path(folder, "runs"), Path(folder, "site")
        make_run(runs / "large", options.trials, options.turns)
        began = time.perf_counter()
        files = write_site(Site(read([runs])), site)
        took = time.perf_counter() - began
        bytes_written = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        print(f"{options.trials:,} trials of {options.turns} turns: {files:,} files, {bytes_written / 1e6:,.0f} MB, "
              f"written in {took:.0f} s\n")  # fmt: skip
        one = sorted(site.glob("trials/large/*.html"))[0]
        pages = {"leaderboard": "index.html", "runs": "runs.html", "the run": "runs/large.html", "tasks": "tasks.html",
                 "one task": next(iter(site.glob("tasks/*/*.html"))).relative_to(site), "one trial": one}  # fmt: skip
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
            opened(browser, site / "index.html")
            print("| page | size | median | slowest |\n|---|--:|--:|--:|")
            for name, path in pages.items():
                times = [opened(browser, site / path)[0] for _ in range(options.repeats)]
                slow += tell(name, (site / path).stat().st_size, times)
            data = site / "transcripts" / "large" / f"{one.stem}.js"
            times = [opened(browser, one, read_transcript)[1] for _ in range(options.repeats)]
            slow += tell("its transcript, on a click", data.stat().st_size, times)
            browser.close()
    if slow:
        sys.exit(f"slower than {TARGET} s: {', '.join(slow)}")


def tell(name: str, size: int, times: list[float]) -> list[str]:
    """Print a line of the table; the name again if it is too slow."""
    print(f"| {name} | {size / 1000:,.0f} kB | {statistics.median(times):.2f} s | {max(times):.2f} s |")
    return [name] if statistics.median(times) >= TARGET else []


if __name__ == "__main__":
    main()
