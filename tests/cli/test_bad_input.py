"""What can't be run is said, with its mend, before anything is begun."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from harness import cli
from results.run_directory import RunDirectory, find_runs
from tests.cli.program import bench
from tests.cli.tiny import make_suite

NOTHING = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which model?"),
        (["--model", "anthropic/claude"], "set ANTHROPIC_API_KEY"),
        (["--model", "openai/gpt"], "set OPENAI_API_KEY"),
        (["--model", "openai-compatible/mine"], "give --base-url"),
        (["--model", "gpt"], "known: anthropic/<name>"),
        (["--model", "nobody/some-model"], "known: anthropic/<name>"),
        (["--model", "anthropic/"], "write anthropic/<name>"),
        (["--model", "simulated/lots"], "simulated/0.6"),
        (["--model", "mutant/none-of-this-name"], "has no mutant"),
        (["--model", "reference", "--agent", "tools"], "leave out --agent"),
        (["--model", "openai/gpt", "--agent", "nobody"], "unknown agent"),
        (["--model", "openai/gpt", "--agent", "nop"], "drives no model"),
        (["--model", "nop", "--task", "sql/nothing"], "known: text/one"),
        (["--model", "nop", "--task", "*nothing*"], "known: text/one"),
        (["--model", "nop", "--suite", "nothing"], "unknown suite"),
        (["--model", "nop", "--persona", "missing.md"], "no persona 'missing.md'"),
        (["--model", "nop", "--persona", "latin.md"], "is not UTF-8: byte 1"),
        (["--model", "nop", "--persona", "empty.md"], "is empty"),
        (["--model", "nop", "--sandbox", "nothing"], "known: bubblewrap, docker, embedded"),
        (["--model", "nop", "--prices", "missing.toml"], "missing.toml can't be read"),
        (["--model", "nop", "--attempts", "0"], "--attempts"),
        (["--model", "nop", "--retry-invalid"], "belongs to a run that exists"),
        (["--resume", "nowhere"], "nowhere does not exist"),
        (["--resume", "suite"], "is not a run directory"),
        (["--resume", "nowhere", "--model", "nop", "--attempts", "3"], "it takes no --attempts, --model"),
    ],
)
def test_a_wrong_request_begins_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_suite(tmp_path / "suite")
    (tmp_path / "latin.md").write_bytes(b"h\xe9")
    (tmp_path / "empty.md").write_text(" \n")
    own_suite = [] if "--suite" in arguments else ["--suite", "./suite"]
    assert cli.execute(["run", *arguments, *own_suite]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("task.toml", b"id = ", "task.toml is not valid TOML"),
        ("task.toml", b"\xff\xfe", "task.toml is not valid TOML"),
        ("task.toml", b'id = "text/one"\n', "title: Field required"),
        ("task.toml", None, "no task in"),
        ("instruction.md", None, "instruction.md can't be read"),
        ("instruction.md", b"\xff", "instruction.md is not UTF-8"),
        ("world.py", None, "world.py can't be read"),
        ("world.py", b"def build(", "world.py can't be imported: SyntaxError"),
        ("checks.py", b"from .world import nothing_there", "checks.py can't be imported: ImportError"),
        ("checks.py", None, "checks.py can't be read"),
    ],
)
def test_a_malformed_task_begins_nothing(
    file: str, content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_suite(tmp_path / "suite") / "text" / "one" / file
    path.unlink() if content is None else path.write_bytes(content)
    assert cli.execute(["run", "--model", "reference", "--suite", "./suite"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_without_a_confining_sandbox_a_model_is_refused_and_a_baseline_runs(tmp_path: Path) -> None:
    make_suite(tmp_path / "suite")
    # All that is needed but bwrap.
    (tools := tmp_path / "tools").mkdir()
    for name in ("bash", "cat", "rm", "chmod", "sh", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    alone = {**NOTHING, "PATH": str(tools), "OPENAI_API_KEY": "sk-of-the-test"}
    refused = bench("run", "--model", "openai/gpt", "--suite", "./suite", cwd=tmp_path, **alone)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "no Docker engine answers" in refused.stderr
    assert "bwrap is not installed" in refused.stderr
    assert "install Docker, or the package `bubblewrap`" in refused.stderr
    assert not (tmp_path / "runs").exists()
    refused = bench(
        "run", "--model", "openai/gpt", "--suite", "./suite", "--sandbox", "embedded", cwd=tmp_path, **alone
    )
    assert refused.returncode == 2
    assert "doesn't confine" in refused.stderr
    done = bench("run", "--model", "reference", "--suite", "./suite", cwd=tmp_path, **alone)
    assert done.returncode == 0, done.stderr
    sick = bench("doctor", "--suite", "./suite", cwd=tmp_path, **alone)
    assert sick.returncode == 3
    assert "nothing here confines" in sick.stderr


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RunDirectory:
    make_suite(tmp_path / "suite")
    assert cli.execute(["run", "--model", "nop", "--suite", "./suite"]) == 0
    capsys.readouterr()
    (path,) = find_runs(tmp_path / "runs")
    return RunDirectory.open(path)


def test_a_run_of_another_format_names_the_version_that_reads_it(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    file = run.path / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99, "harness_version": "9.9"}))
    for command in (["run", "--resume"], ["regrade"], ["leaderboard"]):
        assert cli.execute([*command, str(run.path)]) == 2
        said = capsys.readouterr().err
        assert "was written in format 99" in said
        assert "9.9" in said


def test_a_run_whose_task_has_changed_is_not_gone_on_with(
    run: RunDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "suite/text/one/instruction.md").open("a") as file:
        file.write("And hurry.\n")
    for command in (["run", "--resume"], ["regrade"]):
        assert cli.execute([*command, str(run.path), "--suite", "./suite"]) == 2
        said = capsys.readouterr().err
        assert "changed since the run began: text/one" in said
        assert "begin a new run" in said


def test_a_run_whose_suite_is_elsewhere_asks_for_it(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["run", "--resume"], ["regrade"]):
        assert cli.execute([*command, str(run.path)]) == 2
        assert "--suite FOLDER" in capsys.readouterr().err


def test_runs_where_nobody_may_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_suite(tmp_path / "suite")
    (tmp_path / "file").touch()
    assert cli.execute(["run", "--model", "nop", "--suite", "./suite", "--runs", "file/runs"]) == 3
    assert "can't write" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_cannot_be_read_is_no_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = make_suite(tmp_path / "suite")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "greet.sh").touch(mode=0)
    assert cli.execute(["grade", "made", "--task", "text/one", "--suite", str(suite)]) == 2
    assert "can't be a submission" in capsys.readouterr().err
