"""``bench compare`` as a user and as CI meet it."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from harness import cli
from results.records import slug
from tests.results.comparisons import graded, on_disk, task_names, with_submission

TASKS = task_names(8)
GOOD, BAD = (True,) * 4, (True, False, True, True)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, passed in (("base", GOOD), ("same", GOOD), ("worse", BAD)):
        run = on_disk(tmp_path / name, [graded(task, 1, passed) for task in TASKS])
        for task in TASKS:
            with_submission(run, task, 1, {"load.sql": f"insert into t -- {name}\n"})
    return tmp_path


@pytest.mark.parametrize(
    ("candidate", "options", "code", "verdict"),
    [
        ("same", [], 0, "underpowered"),
        ("same", ["--fail-on", "underpowered"], 1, "underpowered"),
        ("same", ["--margin", "0.5"], 0, "not regressed"),
        ("same", ["--margin", "0.5", "--fail-on", "underpowered"], 0, "not regressed"),
        ("worse", [], 1, "regressed"),
        ("worse", ["--fail-on", "underpowered"], 1, "regressed"),
    ],
)
def test_the_exit_code_says_whether_the_gate_failed(runs, capsys, candidate, options, code, verdict):
    assert cli.execute(["compare", "base", candidate, *options]) == code
    told = capsys.readouterr()
    assert told.out.startswith(f"{verdict}: score 1.000 → ")
    assert told.err == ""


def test_json_says_what_failed(runs, capsys):
    assert cli.execute(["compare", "base", "worse", "--json", "--diffs"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["failed"], found["fail_on"]) == ("regressed", True, "regression")
    assert [row["name"] for row in found["dimensions"] if row["verdict"] == "regressed"] == ["idempotency"]
    assert len(found["flips"]) == 8
    assert found["flips"][0]["diff"].endswith("-insert into t -- base\n+insert into t -- worse")


def test_markdown_folds_the_diffs(runs, capsys):
    assert cli.execute(["compare", "base", "worse", "--markdown", "--diffs"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("## regressed: ")
    assert told.count("<details>") == told.count("</details>") == 8
    assert "+insert into t -- worse" in told


def links_of(markdown):
    return [unquote(link) for link in re.findall(r"\[(?:baseline|candidate) #1\]\((.*?)\)", markdown)]


def test_markdown_links_to_the_transcripts_that_there_are(runs, capsys):
    for task in TASKS:
        (runs / "base" / "trials" / slug(task) / "1" / "transcript.jsonl").write_text("{}\n")
    assert cli.execute(["compare", "base", "worse", "--markdown"]) == 1
    told = capsys.readouterr().out
    assert len(links_of(told)) == told.count("candidate: no transcript") == 8
    assert all((runs / link).is_file() for link in links_of(told))


def test_markdown_links_into_a_report(runs, capsys):
    assert cli.execute(["report", "base", "worse", "-o", "a site"]) == 0
    capsys.readouterr()
    assert cli.execute(["compare", "base", "worse", "--markdown", "--report", "a site"]) == 1
    links = links_of(capsys.readouterr().out)
    assert len(set(links)) == 16
    assert all((runs / link).is_file() for link in links)
    assert cli.execute(["compare", "base", "worse", "--markdown", "--report", "https://example.org/site/"]) == 1
    assert f"(https://example.org/site/{links[0].removeprefix('a site/')})" in capsys.readouterr().out
    assert cli.execute(["compare", "base", "worse", "--report", "a site"]) == 2


def test_the_terminal_shows_transcripts_and_diffs(runs, capsys):
    assert cli.execute(["compare", "base", "worse", "--diffs", "--clauses"]) == 1
    told = capsys.readouterr().out
    assert "candidate #1: worse/trials/sql--task-000/1/transcript.jsonl" in told
    assert "    +insert into t -- worse" in told
    assert "constraints/idempotent-pipelines" in told


def test_junit_is_written_beside_any_form(runs, capsys):
    assert cli.execute(["compare", "base", "worse", "--json", "--junit", "gate.xml"]) == 1
    suite = ElementTree.parse(runs / "gate.xml").find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "4"
    assert json.loads(capsys.readouterr().out)["failed"]


def test_the_verdict_is_told_also_if_junit_cannot_be_written(runs, capsys):
    assert cli.execute(["compare", "base", "worse", "--junit", "missing/gate.xml"]) == 3
    told = capsys.readouterr()
    assert told.out.startswith("regressed: score ")
    assert told.err == "error: can't write missing/gate.xml: No such file or directory\n" + (
        "  check that the folder exists and is writable\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["base", "nowhere"], "nowhere does not exist"),
        (["base"], "Missing argument 'CANDIDATE'"),
        (["base", "same", "--fail-on", "mood"], "mood"),
        (["base", "same", "--margin", "2"], "2"),
        (["base", "same", "--markdown", "--json"], "--markdown and --json are two forms"),
        (["base", "same", "--json", "--markdown"], "--json and --markdown are two forms"),
        (["base", "simulated"], "simulated/one is simulated and base is real"),
        (["base", "regraded"], "graded by different checks"),
    ],
)
def test_what_cannot_be_compared_exits_2(runs, capsys, arguments, told):
    trials = [graded(task, 1, GOOD) for task in TASKS]
    on_disk(runs / "simulated" / "one", trials, simulated=True)
    digests = {task: {"digest": f"d-{task}", "grader_digest": "new"} for task in TASKS}
    on_disk(runs / "regraded", trials, tasks=digests)
    arguments = ["simulated/one" if argument == "simulated" else argument for argument in arguments]
    assert cli.execute(["compare", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err
    if arguments[1:] == ["regraded"]:
        assert "bench regrade base; bench regrade regraded" in shown.err
