"""Grading what exists: folders made elsewhere, stored runs again, a suite's own proof; and what there is to list."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from harness import cli
from harness.engines import dbt
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import bench
from tests.cli.tiny import CHECKS, DELIVERABLE, REFERENCE, make_suite, tasks_of
from tests.provider import ProviderServer, solving
from tests.turns import CONFINING


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A submission that somebody made elsewhere."""
    made = tmp_path / "made"
    made.mkdir()
    (made / "greet.sh").write_text(REFERENCE)
    (made / "DELIVERABLE.md").write_text(DELIVERABLE.read_text())
    return made


def grade(folder: Path, suite: Path, *more: str) -> int:
    return cli.execute(["grade", str(folder), "--task", "text/one", "--suite", str(suite), *more])


# bench grade


@pytest.mark.parametrize("sandbox", CONFINING)
def test_a_folder_that_resolves_the_task(
    sandbox: str, folder: Path, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grade(folder, suite, "--sandbox", sandbox) == 0
    said = capsys.readouterr()
    assert "text/one: score 1.00, resolved" in said.out
    assert sandbox in said.err


@pytest.mark.bubblewrap
def test_a_folder_that_does_not_resolve_the_task(folder: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "greet.sh").write_text('printf "Hello %s! \\x1b[2J" "$(cat $DATA/who.txt)"')
    assert grade(folder, suite, "--sandbox", "bubblewrap", "--json") == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["resolved"] is False
    assert 0 < shown["score"] < 1
    assert [check["id"] for check in shown["checks"] if not check["passed"]] == ["the_line_ends_well"]
    assert grade(folder, suite, "--sandbox", "bubblewrap") == 1
    said = capsys.readouterr()
    assert "not resolved" in said.out
    assert "\x1b[2J" not in said.out + said.err


@pytest.mark.bubblewrap
def test_a_link_leads_nowhere(folder: Path, suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere.sh").write_text(REFERENCE)
    (folder / "greet.sh").unlink()
    (folder / "greet.sh").symlink_to(tmp_path / "elsewhere.sh")
    (folder / "etc").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    assert grade(folder, suite, "--sandbox", "bubblewrap", "--json") == 1
    assert json.loads(capsys.readouterr().out)["score"] == 0


@pytest.mark.parametrize("size", ["one file", "many files"])
def test_too_big_a_folder_is_refused(size: str, folder: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if size == "one file":
        (folder / "big").write_bytes(bytes(6_000_000))
    else:
        for number in range(401):
            (folder / f"{number}.txt").touch()
    assert grade(folder, suite) == 2
    assert "can't be a submission" in capsys.readouterr().err


def test_what_cannot_be_graded(folder: Path, suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["grade", str(folder), "--task", "text/none", "--suite", str(suite)]) == 2
    assert "known: text/one" in capsys.readouterr().err
    assert grade(folder / "greet.sh", suite) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert grade(folder, suite, "--sandbox", "embedded") == 2
    assert "doesn't confine" in capsys.readouterr().err


# bench regrade


def test_grades_follow_the_checks_and_no_model_is_asked(provider: ProviderServer, tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "tiny", "one", "two")
    done = bench("run", "--model", "reference", "--suite", str(suite), cwd=tmp_path)
    assert done.returncode == 0
    (path,) = find_runs(tmp_path / "runs")
    run = RunDirectory.open(path)
    before, written = run.records(), (path / "run.json").read_text()

    same = bench("regrade", str(path), "--suite", str(suite), cwd=tmp_path)
    assert (same.returncode, "0 grades changed" in same.stdout) == (0, True), same.stderr
    assert [record.score for record in run.records()] == [record.score for record in before]

    # Stricter than the reference is.
    (suite / "text" / "two" / "checks.py").write_text(CHECKS.replace('assert "Hello" in', 'assert "Good day" in'))
    stale = bench("run", "--resume", str(path), "--suite", str(suite), cwd=tmp_path)
    assert stale.returncode == 2
    assert "bench regrade" in stale.stderr
    changed = bench("regrade", str(path), "--suite", str(suite), cwd=tmp_path)
    assert changed.returncode == 0, changed.stderr
    assert "text/two #1: 1.00 resolved -> 0.85 not resolved" in changed.stdout
    assert "1 grades changed" in changed.stdout
    after = {record.task: record for record in RunDirectory.open(path).records()}
    assert (after["text/one"].score, after["text/two"].resolved) == (1.0, False)
    assert json.loads(run.trial("text/two", 1).checks.read_text())["resolved"] is False
    # The old grades and what they came from are kept.
    assert [json.loads(line)["score"] for line in (path / "trials.2.jsonl").read_text().splitlines()] == [1.0, 1.0]
    assert (path / "run.1.json").read_text() == written
    digests = RunDirectory.open(path).record.tasks
    assert digests["text/two"].grader_digest != run.record.tasks["text/two"].grader_digest
    assert digests["text/one"] == run.record.tasks["text/one"]
    assert provider.requests == []


def test_a_run_that_is_not_whole_is_not_regraded_in_part(suite: Path, tmp_path: Path) -> None:
    assert bench("run", "--model", "reference", "--suite", str(suite), "--attempts", "2", cwd=tmp_path).returncode == 0
    (path,) = find_runs(tmp_path / "runs")
    shutil.rmtree(RunDirectory.open(path).trial("text/one", 2).path)
    trials = (path / "trials.jsonl").read_text()
    refused = bench("regrade", str(path), "--suite", str(suite), cwd=tmp_path)
    assert refused.returncode == 2
    assert "lacks the submissions of 1 graded trials, of which one is text/one #2" in refused.stderr
    assert (path / "trials.jsonl").read_text() == trials
    (path / "trials.jsonl").unlink()
    refused = bench("regrade", str(path), "--suite", str(suite), cwd=tmp_path)
    assert (refused.returncode, "has no finished trial" in refused.stderr) == (2, True), refused.stderr


def test_a_submission_that_was_touched_is_not_graded_as_if_it_were_the_agents(suite: Path, tmp_path: Path) -> None:
    assert bench("run", "--model", "nop", "--suite", str(suite), cwd=tmp_path).returncode == 0
    (path,) = find_runs(tmp_path / "runs")
    (RunDirectory.open(path).trial("text/one", 1).submission / "greet.sh").write_text(REFERENCE)
    done = bench("regrade", str(path), "--suite", str(suite), cwd=tmp_path)
    assert done.returncode == 3
    (record,) = RunDirectory.open(path).records()
    assert (record.status, record.cause) == ("invalid", "submission-changed")


@pytest.mark.bubblewrap
def test_what_a_model_left_is_regraded_confined(provider: ProviderServer, suite: Path, tmp_path: Path) -> None:
    provider.script = solving(*tasks_of(suite))
    asked = ["--model", "openai-compatible/any", "--base-url", provider.base_url("openai-compatible")]
    more = ["--suite", str(suite), "--sandbox", "bubblewrap"]
    assert bench("run", *asked, *more, cwd=tmp_path).returncode == 0
    (path,) = find_runs(tmp_path / "runs")
    calls, (before,) = len(provider.requests), RunDirectory.open(path).records()
    refused = bench("regrade", str(path), "--suite", str(suite), "--sandbox", "embedded", cwd=tmp_path)
    assert (refused.returncode, "doesn't confine" in refused.stderr) == (2, True)
    done = bench("regrade", str(path), "--suite", str(suite), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (after,) = RunDirectory.open(path).records()
    assert (after.score, after.usage, after.turns) == (1.0, before.usage, before.turns)
    assert len(provider.requests) == calls


# bench verify


def test_a_proven_suite_is_green(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["verify", "--suite", str(suite), "--seeds", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["green"] is True
    assert {(case["kind"], case["name"]) for case in shown["cases"]} >= {("reference", ""), ("mutant", "rude")}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("checks.py", 'assert "Hello" in greeted', 'assert "Good day" in greeted', "the_greeting_is_hello failed"),
        ("checks.py", 'assert "Hello" in greeted', 'assert "o" in greeted', "the_greeting_is_hello passed"),
        ("mutants.toml", '"the_greeting_is_hello"', '"no_such_check"', "which is no check"),
        ("checks.py", "assert world.who", "assert wurld.who", "no grade"),
    ],
)
def test_an_unproven_suite_is_not(
    file: str, old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = make_suite(tmp_path / "tiny")
    path = suite / "text" / "one" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert cli.execute(["verify", "--suite", str(suite), "--seeds", "1", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["green"] is False
    assert said in json.dumps(shown)


def test_a_selection_of_nothing_proves_nothing(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["verify", "--suite", str(suite), "--only", "mutant nobody"]) == 2
    assert "label holds 'mutant nobody'" in capsys.readouterr().err


# bench tasks, bench engines


def test_tasks_are_listed_and_one_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = make_suite(tmp_path / "tiny", "one", "two")
    assert cli.execute(["tasks"]) == 0
    assert "sql/scd2-users" in capsys.readouterr().out
    assert cli.execute(["tasks", "--suite", str(suite), "--json"]) == 0
    assert [task["id"] for task in json.loads(capsys.readouterr().out)] == ["text/one", "text/two"]
    assert cli.execute(["tasks", "text/two", "--suite", str(suite)]) == 0
    shown = capsys.readouterr().out
    assert "greet.sh of two" in shown
    assert "text/one" not in shown


def test_engines_are_listed_with_what_is_real_about_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["engines", "list", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["engines"]["dbt"] == dbt.Dbt.fidelity
    assert set(shown["sandboxes"]) == {"docker", "bubblewrap", "embedded"}
    assert set(shown["environments"]) >= {"core", "airflow3"}
    assert cli.execute(["engines"]) == 0
    assert "PostgreSQL 16" in capsys.readouterr().out


@pytest.mark.bubblewrap
def test_an_environment_is_built_ahead(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["engines", "build", "core", "--sandbox", "bubblewrap"]) == 0
    assert capsys.readouterr().out.startswith("core ")


def test_an_unknown_environment_cannot_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["engines", "build", "nothing"]) == 2
    assert "known: airflow3, connectors, core" in capsys.readouterr().err
