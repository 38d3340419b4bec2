"""Sites of synthetic runs, and a browser to look at them with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from results.report import Site, read, write_site
from results.run_directory import RunDirectory
from tests.conftest import browser_program
from tests.report.looking import FLAGS
from tests.results.comparisons import drawn_trials, on_disk, task_names, with_submission

TASKS = task_names(4)
TRANSCRIPT = """\
{"time": "2025-01-02T03:04:05+00:00", "event": "system", "text": "You are a data engineer."}
{"time": "2025-01-02T03:04:05+00:00", "event": "user", "text": "Please load the orders."}
{"time": "2025-01-02T03:04:09+00:00", "event": "assistant", "text": "I look first.", "stop": "tools", \
"usage": {"input_tokens": 9, "output_tokens": 1234}, "seconds": 3.5, "waited": 0}
{"time": "2025-01-02T03:04:09+00:00", "event": "tool_call", "id": "1", "name": "bash", \
"arguments": {"command": "ls -l"}}
{"time": "2025-01-02T03:04:10+00:00", "event": "tool_result", "id": "1", "text": "orders.csv", "failed": false, \
"seconds": 0.25}
{"time": "2025-01-02T03:05:15+00:00", "event": "note", "text": "ended: submitted"}
"""
DELIVERABLE = "# Load\n\nIt *loads* orders.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```sql\nselect 1\n```\n"
EVIDENCE = """\
a day loaded twice: orders: 3 rows, expected 3; columns: id, name, city
1 missing:
  (1, Kim, NULL)
2 unexpected:
  (1, Kim, "Bonn, Beuel")
  … and 1 more"""


def ordinary_run(path: Path, skill: float, seed: int = 1, **changes: object) -> RunDirectory:
    """A run of four tasks with two attempts each, with submissions and transcripts."""
    trials = drawn_trials(dict.fromkeys(TASKS, skill), 2, np.random.default_rng(seed))
    notes = {
        "perturbations": ("batch 3 came after batch 4", "the day was loaded twice"),
        "technologies": ("postgres",),
        "difficulty": "hard",
    }
    told = [
        trial.model_copy(
            update={
                **notes,
                "checks": tuple(
                    check if check.passed else check.model_copy(update={"evidence": EVIDENCE}) for check in trial.checks
                ),
            }
        )
        for trial in trials
    ]
    run = on_disk(path, told, **changes)
    for trial in told:
        with_submission(run, *trial.key, {"DELIVERABLE.md": DELIVERABLE, "load.sql": f"insert into {path.name}\n"})
        run.trial(*trial.key).transcript.write_text(TRANSCRIPT)
    return run


@pytest.fixture(scope="session")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two models: its folder; the runs lie beside it in ``runs``."""
    folder = tmp_path_factory.mktemp("ordinary")
    ordinary_run(folder / "runs" / "good", 0.9, model="anthropic/good")
    terse = {"name": "terse", "digest": "0f", "text": ""}
    ordinary_run(folder / "runs" / "bad", 0.4, 2, model="openai/bad", persona=terse)
    write_site(Site(read([folder / "runs"])), folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser_program(), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails its test if a script of the site fails or its policy is broken."""
    context = browser.new_context(reduced_motion="reduce")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []
