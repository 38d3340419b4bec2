"""``bench ablate`` from the question before it begins to the verdicts, on the simulated model whose truth is known."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from harness import cli
from results.run_directory import RunDirectory
from tests.cli.tiny import make_suite

PERSONA = "# Greeter\n\nYou greet.\n\n## Constraints\n\n- Never lose data\n\n## Tone\n\n- Be kind\n"
BEHAVIOUR = '[clauses]\n"constraints/never-lose-data" = { with = 1.0, without = 0.1 }\n'
ARGUMENTS = ["--persona", "p.md", "--model", "simulated/clauses:b.toml", "--suite", "./tiny"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_suite(tmp_path / "tiny")
    (tmp_path / "p.md").write_text(PERSONA)
    (tmp_path / "b.toml").write_text(BEHAVIOUR)
    return tmp_path


def the_ablation(here: Path) -> Path:
    (path,) = (here / "runs").iterdir()
    return path.relative_to(here)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """What ``bench`` says, on stdout and on stderr."""
    capsys.readouterr()
    code = cli.execute(arguments)
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return shown.out, shown.err


def test_the_planted_effect_is_found_and_the_other_is_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = told(capsys, "ablate", *ARGUMENTS, "--attempts", "12", "--yes", "--json")
    found = json.loads(out)
    assert found["simulated"]
    verdicts = {part["id"]: part["verdict"] for part in found["parts"]}
    assert verdicts == {"constraints": "load-bearing", "tone": "can't tell with this budget"}
    (correctness,) = [one for one in found["parts"][0]["effects"] if one["measure"] == "correctness"]
    # A mutant fails one of two checks of the dimension.
    assert correctness["effect"] == pytest.approx(0.45, abs=0.15)
    assert correctness["low"] < 0.45 < correctness["high"]
    assert "p, whole and without each of 2 sections: 1 task × 12 attempts, 36 trials" in err
    assert "cost: about $0.00" in err

    # A kill lost the last trials of one run: they are done again, and nothing else is.
    path = the_ablation(here)
    file = here / path / "without-02-tone" / "trials.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:7]) + '{"task": "text/o')
    other = here / path / "whole" / "trials.jsonl"
    before = other.stat().st_mtime_ns
    resume = ["ablate", "--resume", str(path)]
    out, err = told(capsys, *resume, "--suite", "./tiny", "--persona", "p.md", "--json")
    assert "run 1 of 1: p without tone" in err
    assert "5 trials of 1 tasks" in err
    assert other.stat().st_mtime_ns == before
    assert json.loads(out) == {**found, "ablation": str(path)}

    # A finished one is shown, without its suite.
    out, err = told(capsys, *resume)
    assert out.startswith("SIMULATED · p without each of 2 sections · simulated/clauses:b.toml@")
    assert f"ablation: {path}" in out
    assert err == ""
    assert told(capsys, *resume, "--markdown")[0].startswith("## SIMULATED")
    out, _ = told(capsys, "scorecard", str(path / "whole"), str(path / "without-01-constraints"))
    (row,) = [line for line in out.splitlines() if line.strip().startswith("constraints/never-lose-data ")]
    assert "12 of 12" in row
    assert row.rstrip().endswith("not said")


def test_only_what_is_asked_for_is_left_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--by", "clause", "--part", "tone/*", "--attempts", "1", "--yes", "--json"]
    out, _ = told(capsys, "ablate", *ARGUMENTS, *options)
    assert [part["id"] for part in json.loads(out)["parts"]] == ["tone/be-kind"]
    path = the_ablation(here)
    record = RunDirectory.open(here / path / "without-01-tone-be-kind").record
    assert record.persona.text == PERSONA.replace("- Be kind\n", "")
    assert RunDirectory.open(here / path / "whole").record.persona.text == PERSONA


@pytest.mark.parametrize(
    ("answer", "code", "said"), [("n\n", 0, "nothing was begun"), ("", 2, "--yes"), ("yep\n", 0, "")]
)
def test_nothing_begins_unless_the_user_agrees(
    answer: str, code: int, said: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert cli.execute(["ablate", *ARGUMENTS]) == code
    shown = capsys.readouterr()
    assert "nothing can be shown with fewer than 9 attempts a task" in shown.err
    assert "dead weight" in shown.err
    assert "begin? [y/N]" in shown.err
    assert said in shown.err
    assert shown.out == ""
    assert not (here / "runs").exists()


def test_it_begins_if_the_user_agrees(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert cli.execute(["ablate", *ARGUMENTS, "--attempts", "1", "--part", "tone"]) == 0
    assert "without one section" in capsys.readouterr().out


def test_a_pilot_says_what_it_costs_and_finds(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", *ARGUMENTS, "--attempts", "3", "--runs", "pilots"]
    assert cli.execute(run) == 0
    (pilot,) = (here / "pilots").iterdir()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    options = ["--pilot", str(pilot), "--trial-cost", "0.25", "--attempts", "20"]
    assert cli.execute(["ablate", *ARGUMENTS, *options]) == 0
    said = capsys.readouterr().err
    assert "cost: about $15.00 ($0.25 a trial)" in said
    assert "the pilot's 3 attempts at 1 tasks" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "nop", "--persona", "none"], "has nothing to leave out"),
        (["--model", "nop", "--persona", "plain.md"], "has no sections\n  try --by clause"),
        (["--model", "nop", "--persona", "one.md"], "is one section: without it nothing is left"),
        (["--model", "nop", "--persona", "point.md", "--by", "clause"], "is one clause"),
        (["--model", "nop", "--persona", "bare.md", "--by", "clause"], "has no clauses\n  try --by section"),
        (["--model", "nop", "--persona", "missing.md"], "no persona 'missing.md'"),
        (["--model", "nop", "--part", "tome"], "has no section 'tome'\n  known: constraints, tone"),
        (["--persona", "p.md"], "which model?"),
        (["--model", "simulated/clauses:missing.toml"], "missing.toml can't be read"),
        (["--model", "nop", "--pilot", "nowhere"], "nowhere does not exist"),
        (["--model", "nop", "--retry-invalid"], "belongs to an ablation that exists"),
        (["--resume", "nowhere"], "nowhere is not an ablation directory"),
        (["--resume", "tiny", "--attempts", "3", "--model", "nop"], "it takes no --attempts, --model"),
        (["--model", "nop", "--margin", "0"], "--margin"),
    ],
)
def test_what_cannot_be_ablated_is_said_before_anything_is_begun(
    arguments: list[str], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {
        "plain": "You greet.\n\n- Be kind\n",
        "one": "## Rules\n\n- a\n- b\n",
        "point": "- Be kind\n",
        "bare": "#\n",
    }
    for name, text in texts.items():
        (here / f"{name}.md").write_text(text)
    own = [] if {"--persona", "--resume"} & set(arguments) else ["--persona", "p.md"]
    suite = [] if "--resume" in arguments else ["--suite", "./tiny", "--yes"]
    assert cli.execute(["ablate", *arguments, *own, *suite]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
    assert not (here / "runs").exists()


def test_an_ablation_is_gone_on_with_only_as_what_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["ablate", *ARGUMENTS, "--attempts", "1", "--yes", "--part", "tone"]) == 0
    path = the_ablation(here)
    (here / "other.md").write_text("## A\n\n- a\n\n## B\n\n- b\n")
    for arguments, said in (
        (["--resume", str(path), "--persona", "other.md"], "is an ablation of another persona: p@"),
        (["--resume", str(path / "whole")], "is a run, not an ablation"),
    ):
        capsys.readouterr()
        assert cli.execute(["ablate", *arguments]) == 2
        assert said in capsys.readouterr().err
    (here / path / "without-01-tone" / "run.json").unlink()
    assert cli.execute(["ablate", "--resume", str(path)]) == 2
    assert "is not a run directory" in capsys.readouterr().err
