"""Runs that are empty, tiny, uniform, damaged or mixed: a clear word or a marked gap, never a wrong number."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from results.errors import RunDirectoryError
from results.records import TaskRecord
from results.report import Site, Source, read, write_site
from results.run_directory import RunDirectory
from tests.report.conftest import TASKS, TRANSCRIPT, ordinary_run
from tests.results.builders import run_record, trial_record
from tests.results.comparisons import graded, on_disk, with_submission

GOOD, BAD = (True,) * 4, (False,) * 4
KEY = (TASKS[0], 1)


def page(source: Source, path: str) -> str:
    """A page as the text that a reader sees, in one line."""
    html = Site(source).files[path]().decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition("<main")[2])).split())


def uniform(path: Path, passed: tuple[bool, ...], **changes: object) -> RunDirectory:
    return on_disk(path, [graded(task, attempt, passed) for task in TASKS for attempt in (1, 2)], **changes)


def every_page(source: Source) -> None:
    for make in Site(source).files.values():
        assert make()


def test_a_run_without_a_trial_has_no_score(tmp_path):
    on_disk(tmp_path / "empty", [], planned=TASKS)
    source = read([tmp_path])
    every_page(source)
    run = page(source, "runs/empty.html")
    assert "score – resolved – graded 0/8 partial" in run
    assert run.count("not begun –") == 8
    assert "– – 0/8 $0.00" in page(source, "index.html")


def test_a_folder_without_runs_says_so(tmp_path):
    with pytest.raises(RunDirectoryError) as caught:
        read([tmp_path])
    assert "is not a run directory" in caught.value.problem
    source = read([tmp_path], strict=False)
    assert "There is no run to show yet." in page(source, "index.html")
    assert "is not a run directory" in page(source, "index.html")
    every_page(source)


def test_one_task_has_a_score_and_no_interval(tmp_path):
    on_disk(tmp_path / "one", [graded(TASKS[0], 1, (True, True, True, False))])
    source = read([tmp_path])
    every_page(source)
    assert "score 0.75 resolved 100% graded 1/1" in page(source, "runs/one.html")


@pytest.mark.parametrize(
    ("passed", "told"),
    [(BAD, "score 0.00 0.00–0.49 resolved 0% 0–49%"), (GOOD, "score 1.00 0.51–1.00 resolved 100% 51–100%")],
)
def test_all_failing_and_all_passing_are_not_certain(tmp_path, passed, told):
    uniform(tmp_path / "same", passed)
    source = read([tmp_path])
    every_page(source)
    assert told in page(source, "runs/same.html")


def test_an_invalid_trial_is_no_zero(tmp_path):
    trials = [graded(TASKS[0], 1, GOOD), trial_record(TASKS[1], 1, None, cause="engine", problem="postgres is gone")]
    on_disk(tmp_path / "run", trials)
    source = read([tmp_path])
    every_page(source)
    run = page(source, "runs/run.html")
    assert "score 1.00 resolved 100% graded 1/2" in run
    assert "1 trial invalid (the world failed) and left out; counted as zero, the score is 0.50" in run
    trial = page(source, "trials/run/sql--task-001-1.html")
    assert "Invalid: engine" in trial
    assert "postgres is gone" in trial
    assert "score – checks passed –" in trial
    assert "–" in page(source, "tasks.html")


def test_other_versions_of_a_task_make_a_table_of_their_own_and_no_comparison(tmp_path):
    uniform(tmp_path / "old", GOOD)
    tasks = {task: TaskRecord(digest=f"d-{task}", grader_digest="newer") for task in TASKS}
    uniform(tmp_path / "new", BAD, tasks=tasks, harness_version="0.2.0")
    source = read([tmp_path])
    every_page(source)
    assert len(source.boards) == 2
    assert "Only like is ranked with like" in page(source, "index.html")
    compare = page(source, "compare.html")
    assert "There are no two runs here that can be compared." in compare
    assert "old and new: " in compare or "new and old: " in compare


def test_versions_of_bench_that_are_mixed_are_named(tmp_path):
    uniform(tmp_path / "old", GOOD)
    uniform(tmp_path / "new", BAD, model="other/model", harness_version="0.2.0")
    assert "made by different versions of bench: 0.1.0, 0.2.0" in page(read([tmp_path]), "index.html")


def test_simulated_runs_are_marked_and_apart(tmp_path):
    uniform(tmp_path / "real", GOOD)
    uniform(tmp_path / "simulated", GOOD, model="simulated/0.9", simulated=True)
    source = read([tmp_path])
    assert len(source.boards) == 2
    for path in ("runs/simulated.html", "trials/simulated/sql--task-000-1.html", "index.html", "runs.html"):
        assert "simulated/0.9 simulated" in page(source, path)


def test_a_torn_last_line_is_an_unfinished_trial(tmp_path):
    run = uniform(tmp_path / "run", GOOD)
    with run.trials_file.open("a") as file:
        file.write('{"task": "sql/ta')
    lines = run.trials_file.read_text().splitlines(keepends=True)
    run.trials_file.write_text("".join([*lines[:-2], lines[-1]]))
    source = read([tmp_path])
    every_page(source)
    assert "graded 7/8 partial" in page(source, "runs/run.html")


@pytest.mark.parametrize("line", ["garbage", '{"task": "sql/task-000"}', "[]", '{"task": 3, "attempt": "x"}'])
def test_a_run_with_a_damaged_line_is_left_out_and_named(tmp_path, line):
    uniform(tmp_path / "whole", GOOD)
    damaged = uniform(tmp_path / "damaged", BAD)
    lines = damaged.trials_file.read_text().splitlines()
    damaged.trials_file.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    source = read([tmp_path])
    every_page(source)
    assert [run.id for run in source.runs] == ["whole"]
    index = page(source, "index.html")
    assert "no number on these pages counts it" in index
    assert "damaged/trials.jsonl: line 2 is" in index
    with pytest.raises(RunDirectoryError, match="line 2"):
        read([tmp_path / "damaged"])


def test_trials_that_were_never_planned_are_not_counted(tmp_path):
    run = uniform(tmp_path / "run", GOOD)
    with run.trials_file.open("a") as file:
        file.write(graded("sql/other", 1, BAD).model_dump_json() + "\n")
    with pytest.raises(RunDirectoryError, match=r"never planned, e\.g\. sql/other #1"):
        read([tmp_path / "run"])


def test_a_copy_of_a_run_does_not_count_twice(tmp_path):
    uniform(tmp_path / "run", GOOD)
    shutil.copytree(tmp_path / "run", tmp_path / "zcopy")
    source = read([tmp_path, tmp_path / "run"])
    assert [run.id for run in source.runs] == ["run"]
    assert len(source.left_out) == 1
    assert "once more" in source.left_out[0]


def test_of_two_copies_the_one_with_more_graded_trials_is_shown(tmp_path):
    uniform(tmp_path / "zrun", GOOD)
    shutil.copytree(tmp_path / "zrun", tmp_path / "copied-early")
    (tmp_path / "copied-early" / "trials.jsonl").write_text("")
    source = read([tmp_path], baseline=tmp_path / "copied-early")
    [run] = source.runs
    assert (run.directory.path, len(run.trials)) == (tmp_path / "zrun", 8)
    assert source.baseline is run
    assert source.left_out[0].endswith(
        f"copied-early is the run zrun once more, which is taken from {run.directory.path}"
    )


def test_what_is_missing_of_a_trial_is_a_marked_gap(tmp_path):
    run = ordinary_run(tmp_path / "run", 0.5)
    run.trial(*KEY).transcript.unlink()
    shutil.rmtree(run.trial(*KEY).submission)
    (run.trial(TASKS[1], 1).submission / "DELIVERABLE.md").unlink()
    source = read([tmp_path])
    every_page(source)
    trial = page(source, "trials/run/sql--task-000-1.html")
    assert "There is no transcript:" in trial
    assert "holds no submission of this trial" in trial
    assert "The submission has no DELIVERABLE.md." in page(source, "trials/run/sql--task-001-1.html")


def test_a_trial_under_way_is_shown_and_not_counted(tmp_path):
    run = RunDirectory.create(tmp_path / "run", run_record(run="run", planned=TASKS, attempts=1))
    run.trials_file.write_text(graded(TASKS[0], 1, GOOD).model_dump_json() + "\n")
    begun = run.path / "trials" / "sql--task-001" / ".1.unfinished"
    begun.mkdir(parents=True)
    (begun / "transcript.jsonl").write_text(TRANSCRIPT)
    source = read([tmp_path])
    every_page(source)
    assert "score 1.00 resolved 100% graded 1/4 partial" in page(source, "runs/run.html")
    trial = page(source, "trials/run/sql--task-001-1.html")
    assert "no number counts it" in trial
    assert "Read the transcript" in trial
    assert b"I look first." in Site(source).files["transcripts/run/sql--task-001-1.js"]()


def test_links_in_a_submission_are_not_followed(tmp_path):
    run = on_disk(tmp_path / "run", [graded(TASKS[0], 1, GOOD)])
    with_submission(run, *KEY, {"real.sql": "select 1"})
    (tmp_path / "secret").write_text("the key")
    for name in ("DELIVERABLE.md", "link.sql"):
        (run.trial(*KEY).submission / name).symlink_to(tmp_path / "secret")
    run.trial(*KEY).transcript.symlink_to(tmp_path / "secret")
    files = Site(read([run.path])).files
    assert b"select 1" in files["trials/run/sql--task-000-1.html"]()
    assert not any(b"the key" in make() for make in files.values())


def test_a_report_replaces_a_report_and_nothing_else(tmp_path):
    uniform(tmp_path / "runs" / "one", GOOD)
    site = tmp_path / "site"
    write_site(Site(read([tmp_path / "runs"])), site)
    uniform(tmp_path / "runs" / "two", BAD, model="other/model")
    shutil.rmtree(tmp_path / "runs" / "one")
    write_site(Site(read([tmp_path / "runs"])), site)
    assert [path.name for path in (site / "runs").iterdir()] == ["two.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "site"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(RunDirectoryError, match="something that is no report"):
        write_site(Site(read([tmp_path / "runs"])), mine)
    assert (mine / "thesis.txt").read_text() == "years of work"
