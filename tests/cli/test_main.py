"""``bench`` as a user meets it: every way it can end has a message and an exit code."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harness import cli
from harness.errors import InfrastructureError, UsageError
from results.errors import RunDirectoryError, RunWriteError
from results.run_directory import RunDirectory
from results.text import printable
from tests.results.builders import run_record, trial_record

ROOT = Path(__file__).parents[2]


def bench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def program_that_raises(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such thing", "use another"), 2),
        (InfrastructureError("engine", "no such thing", "use another"), 3),
        (RunDirectoryError("no such thing", "use another"), 2),
        (RunWriteError("no such thing", "use another"), 3),
    ],
)
def test_an_error_shows_its_problem_and_its_mend(error, code, capsys):
    assert cli.execute([], program_that_raises(error)) == code
    assert capsys.readouterr() == ("", "error: no such thing\n  use another\n")


def test_an_error_that_quotes_hostile_text_drives_no_terminal(capsys):
    cli.execute([], program_that_raises(UsageError("bad \x1b]0;owned\x07id \x9b2J", "\x1b[2Jmend")))
    assert capsys.readouterr().err == "error: bad id \n  mend\n"


def test_a_fault_of_ours_is_short_unless_the_traceback_is_wanted(capsys, monkeypatch):
    monkeypatch.delenv("BENCH_TRACEBACK", raising=False)
    assert cli.execute([], program_that_raises(ZeroDivisionError("by zero"))) == 3
    told = capsys.readouterr().err
    assert told.startswith("error: unexpected ZeroDivisionError: by zero\n")
    assert "BENCH_TRACEBACK=1" in told
    assert "Traceback" not in told
    monkeypatch.setenv("BENCH_TRACEBACK", "1")
    assert cli.execute([], program_that_raises(ZeroDivisionError("by zero"))) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_may_return_its_exit_code(returned, code):
    assert cli.execute([], click.Command("gate", callback=lambda: returned)) == code


def test_an_interrupt_exits_130(capsys):
    assert cli.execute([], program_that_raises(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


WAITS = """
import sys, threading, click
from harness import cli

@click.command()
def command():
    print("waiting", flush=True)
    threading.Event().wait()

sys.exit(cli.execute([], command))
"""


def test_ctrl_c_exits_130():
    process = subprocess.Popen([sys.executable, "-c", WAITS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert (process.returncode, told.strip()) == (130, b"interrupted")


def test_usage_errors_exit_2(tmp_path):
    for arguments in (["no-such-command"], ["leaderboard", "--no-such-option"]):
        ended = bench(*arguments, cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "no-such" in ended.stderr


def test_version_is_told(tmp_path):
    ended = bench("--version", cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stdout.startswith("bench 0.")


def test_help_names_every_command_and_imports_none(tmp_path):
    program = (
        "import sys; from harness import cli; cli.execute(['--help']);"
        "heavy = ('harness.cli.', 'pandas', 'rich', 'pydantic');"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    for path in (ROOT / "harness" / "cli").glob("[!_]*.py"):
        assert f"\n  {path.stem.replace('_', '-')} " in shown.stdout
    assert "Rank the configurations of finished and unfinished runs" in shown.stdout
    assert shown.stdout.endswith("[]\n")


def test_a_leaderboard_imports_no_slow_library_that_it_needs_nothing_of(tmp_path):
    RunDirectory.create(tmp_path / "runs" / "r1", run_record())
    program = (
        "import sys; from harness import cli; cli.execute(['leaderboard', '--json', sys.argv[1]]);"
        "slow = ('scipy.stats', 'scipy.optimize', 'sqlglot', 'docker', 'graders.truth');"
        "print([name for name in slow if name in sys.modules])"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "runs")]
    shown = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("[]\n")


def test_a_reader_that_has_enough_is_no_failure(tmp_path):
    run = RunDirectory.create(tmp_path / "runs" / "r1", run_record())
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", "leaderboard", str(run.path)],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


# bench leaderboard


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, simulated in (("r1", False), ("r2", True)):
        run = RunDirectory.create(tmp_path / "runs" / name, run_record(run=name, simulated=simulated))
        with run.writing() as writer:
            writer.append_trial(trial_record(cost="0.5"))
    return tmp_path


def test_the_leaderboard_of_all_runs_below_the_folder(runs):
    ended = bench("leaderboard", cwd=runs)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("anthropic/some-model") == 2
    assert ended.stdout.index("SIMULATED") > ended.stdout.index("suite core")


@pytest.mark.parametrize("form", ["--json", "--csv", "--markdown"])
def test_the_leaderboard_of_one_run_in_every_form(runs, form):
    ended = bench("leaderboard", "runs/r1", form, cwd=runs)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "anthropic/some-model" in ended.stdout
    if form == "--json":
        assert len(json.loads(ended.stdout)["tables"]) == 1


def test_a_run_that_cannot_be_read_is_an_error_only_if_it_was_named(runs):
    (runs / "runs" / "r2" / "run.json").write_text("{}")
    ended = bench("leaderboard", "--json", cwd=runs)
    assert ended.returncode == 0
    assert len(json.loads(ended.stdout)["tables"]) == 1
    assert ended.stderr.startswith("left out: runs/r2/run.json is damaged")
    ended = bench("leaderboard", "runs/r2", cwd=runs)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: runs/r2/run.json is damaged")


def test_of_two_copies_of_a_run_the_one_with_more_graded_trials_counts(runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    shutil.copytree("runs/r1", "runs/a-copy")
    (runs / "runs" / "a-copy" / "trials.jsonl").write_text("")
    assert cli.execute(["leaderboard", "runs", "runs/r1", "--json"]) == 0
    both = capsys.readouterr()
    assert both.err == "left out: runs/a-copy is the run r1 once more, which is taken from runs/r1\n"
    shutil.rmtree("runs/a-copy")
    assert cli.execute(["leaderboard", "--json"]) == 0
    assert capsys.readouterr().out == both.out


@pytest.mark.parametrize("command", ["leaderboard", "scorecard"])
def test_two_forms_at_once_are_refused(command, runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    assert cli.execute([command, "runs/r1", "--markdown", "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "error: --markdown and --json are two forms of one output\n  choose one of them\n"


def test_without_a_run_the_leaderboard_says_how_to_make_one(tmp_path):
    ended = bench("leaderboard", cwd=tmp_path)
    assert ended.returncode == 2
    assert "bench run --model reference" in ended.stderr
    ended = bench("leaderboard", "nowhere", cwd=tmp_path)
    assert ended.returncode == 2
    assert "nowhere does not exist" in ended.stderr


def test_the_leaderboard_on_a_terminal(runs):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from harness.cli import main; main()", "leaderboard", "runs/r1"],
        cwd=runs,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "xterm"},
        stdout=slave,
    )
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 4096):
            shown += part
    except OSError:  # how a pseudo-terminal says that the other side is closed
        pass
    os.close(master)
    assert process.wait() == 0
    assert b"suite core" in shown
    assert b"\x1b[1m" in shown
    assert max(len(line) for line in printable(shown.decode()).splitlines()) <= 80
