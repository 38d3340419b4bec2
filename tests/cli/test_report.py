"""``bench report`` and ``bench view`` as a user meets them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from subprocess import PIPE

import pytest

from harness import cli
from tests.cli.program import COMMAND, environment
from tests.results.comparisons import graded, on_disk, task_names

TASKS = task_names(3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, passed in (("old", True), ("new", False)):
        on_disk(tmp_path / "runs" / name, [graded(task, 1, (passed,) * 4) for task in TASKS])
    return tmp_path


def test_a_report_of_all_runs_is_written_to_site(folder, capsys):
    assert cli.execute(["report"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("site/index.html: 2 runs, 6 trials\n", "")
    assert (folder / "site" / "index.html").is_file()
    assert len(list((folder / "site" / "trials").rglob("*.html"))) == 6
    assert len(list((folder / "site" / "compare").iterdir())) == 1


def test_the_baseline_is_the_run_that_all_are_compared_with(folder, capsys):
    on_disk(folder / "runs" / "third", [graded(task, 1, (True,) * 4) for task in TASKS])
    assert cli.execute(["report", "runs/old", "runs/new", "--baseline", "runs/third", "-o", "out/it"]) == 0
    assert capsys.readouterr().out == "out/it/index.html: 3 runs, 9 trials\n"
    compare = (folder / "out" / "it" / "compare.html").read_text()
    assert len(list((folder / "out" / "it" / "compare").iterdir())) == 2
    assert compare.count(">third</span>") == 2


def test_what_is_left_out_is_told(folder, capsys):
    (folder / "runs" / "new" / "run.json").write_text("{")
    assert cli.execute(["report"]) == 0
    told = capsys.readouterr()
    assert told.out == "site/index.html: 1 runs, 3 trials\n"
    assert told.err == "left out: runs/new/run.json is damaged: it is not JSON\n"


@pytest.mark.parametrize("there", [True, False])
def test_without_a_run_the_report_says_how_to_make_one(tmp_path, monkeypatch, capsys, there):
    monkeypatch.chdir(tmp_path)
    if there:
        (tmp_path / "runs").mkdir()
    assert cli.execute(["report"]) == 2
    told = capsys.readouterr().err
    assert told == "error: there is no readable run below runs\n  make one: bench run --model reference\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report", "nowhere"], "nowhere does not exist"),
        (["report", "runs/new", "-o", "mine"], "mine holds something that is no report"),
        (["report", "--baseline", "mine"], "mine is not a run directory"),
        (["view", "nowhere", "--no-open"], "nowhere does not exist"),
        (["view", "--baseline", "mine", "--no-open"], "mine is not a run directory"),
    ],
)
def test_bad_input_is_told_and_mended(folder, capsys, arguments, told):
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").touch()
    assert cli.execute(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {told}")
    assert len(err.splitlines()) == 2
    assert not (folder / "site").exists()


def test_a_port_that_is_taken_is_told(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.execute(["view", "--no-open", "--port", str(taken.getsockname()[1])]) == 2
    assert "can't be used" in capsys.readouterr().err


def test_view_serves_until_it_is_interrupted(folder):
    arguments = [*COMMAND, "view", "--no-open", "--port", "0"]
    # Ctrl-C is heard also where the tests were started by something that ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    viewing = subprocess.Popen(arguments, env=environment(), stdout=PIPE, stderr=PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with viewing:
        assert viewing.stdout
        assert viewing.stderr
        line = viewing.stdout.readline()  # it says its address as soon as it listens
        address = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)  \(Ctrl-C ends it\)\n", line)
        try:
            assert address, line
            with urllib.request.urlopen(address[1]) as answer:
                assert b"Leaderboard" in answer.read()
        finally:
            viewing.send_signal(signal.SIGINT)
        assert viewing.wait() == 0
        assert viewing.stderr.read() == ""
