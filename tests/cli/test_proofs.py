"""``bench verify --proofs``: what was executed stands while all it rests on is the same, and not a byte longer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from graders.grade import Grade
from harness import cli, proofs, verify
from harness.submission import Submission
from harness.task import Task
from tests.cli.tiny import CHECKS, MUTANTS, REFERENCE

CASES = ["reference", "alternate printf", "nop", *(f"mutant {name}" for name in MUTANTS), "furnished"]


class Verified:
    """One ``bench verify --proofs``: its exit code, the cases that it executed, and all that it shows."""

    def __init__(self, suite: Path, file: Path, capsys: pytest.CaptureFixture[str], *more: str) -> None:
        argv = ["verify", "--suite", str(suite), "--seeds", "1", "--proofs", str(file), "--json", *more]
        self.code = cli.execute(argv)
        said = capsys.readouterr()
        self.said = said.err
        told = [line.split(" text/one ", 1)[1] for line in said.err.splitlines() if " text/one " in line]
        self.executed = sorted(line.partition(" (seed")[0] for line in told)
        self.shown = json.loads(said.out) if said.out else None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "proofs.jsonl"


def test_what_stands_is_not_executed_again(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = Verified(suite, file, capsys)
    assert first.code == 0
    assert first.executed == sorted(CASES)
    again = Verified(suite, file, capsys)
    assert again.code == 0
    assert again.executed == []
    assert f"{len(CASES)} of {len(CASES)} verdicts stood in {file}" in again.said
    assert again.shown == first.shown


def test_after_a_kill_only_the_rest_is_executed(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Verified(suite, file, capsys)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])  # killed while it wrote
    again = Verified(suite, file, capsys)
    assert len(again.executed) == 2
    assert {(case["name"], case["score"]) for case in again.shown["cases"]} == {
        (case["name"], case["score"]) for case in whole.shown["cases"]
    }
    assert Verified(suite, file, capsys).executed == []


@pytest.mark.parametrize(
    ("path", "find", "replace", "executed"),
    [
        ("checks.py", CHECKS, CHECKS + "\n# another byte\n", CASES),
        ("world.py", "Kim the", "Kim, the", CASES),
        ("alternates/printf/greet.sh", "printf", "builtin printf", ["alternate printf"]),
        ("mutants.toml", 'replace = "Go"', 'replace = "Away"', ["mutant rude"]),
        ("mutants.toml", '[rude]\nbreaks = ["the', '[gruff]\nbreaks = ["the', ["mutant gruff"]),
        ("reference/greet.sh", REFERENCE, f"# politely\n{REFERENCE}", CASES),
    ],
)
def test_a_change_makes_void_what_rests_on_it(
    path: str, find: str, replace: str, executed: list[str], suite: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Verified(suite, file, capsys).code == 0
    changed = suite / "text" / "one" / path
    assert changed.read_text().count(find) == 1
    changed.write_text(changed.read_text().replace(find, replace))
    again = Verified(suite, file, capsys)
    assert again.code == 0, again.said
    assert again.executed == sorted(executed)


def test_nothing_stands_of_other_code(
    suite: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Verified(suite, file, capsys, "--only", "rude").executed == ["mutant rude"]
    monkeypatch.setattr(proofs, "code_digest", lambda: "another")
    assert Verified(suite, file, capsys, "--only", "rude").executed == ["mutant rude"]


@pytest.mark.bubblewrap
def test_nothing_stands_of_another_sandbox(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for sandbox in ("embedded", "bubblewrap"):
        found = Verified(suite, file, capsys, "--only", "rude", "--sandbox", sandbox)
        assert (found.code, found.executed) == (0, ["mutant rude"])


def test_what_came_out_wrong_stays_wrong(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mutants = suite / "text" / "one" / "mutants.toml"
    mutants.write_text(mutants.read_text().replace('["the_line_ends_well"]', '["there_is_one_line"]'))
    assert Verified(suite, file, capsys, "--only", "flat").code == 1
    again = Verified(suite, file, capsys, "--only", "flat")
    assert (again.code, again.executed) == (1, [])


def test_a_fault_of_the_task_is_a_verdict_of_its_case(
    suite: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends no other case, and is kept."""

    def grade_or_stumble(task: Task, submission: Submission, *others: object, **options: object) -> Grade:
        if submission.digest == task.mutants["rude"][1].digest:
            raise KeyError("no such line")
        return graded(task, submission, *others, **options)

    graded: Callable[..., Grade] = verify.grade
    monkeypatch.setattr(verify, "grade", grade_or_stumble)
    found = Verified(suite, file, capsys)
    assert (found.code, found.executed) == (1, sorted(CASES))
    assert "no grade: KeyError: 'no such line'" in found.said
    assert Verified(suite, file, capsys).executed == []


def test_a_file_that_cant_be_written_is_told_before_anything_is_executed(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Verified(suite, tmp_path / "nowhere" / "proofs.jsonl", capsys)
    assert (found.code, found.executed) == (3, [])
    assert f"can't write {tmp_path / 'nowhere' / 'proofs.jsonl'}" in found.said


def test_a_repeat_is_a_verdict_of_its_own(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(Verified(suite, file, capsys, "--only", "reference", "--repeat", "2").executed) == 2
    again = Verified(suite, file, capsys, "--only", "reference", "--repeat", "3")
    assert again.executed == ["reference"]
    assert len(again.shown["cases"]) == 3


def test_no_grade_is_no_proof(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checks = suite / "text" / "one" / "checks.py"
    checks.write_text(CHECKS.replace('assert "Hello" in greeted', 'assert 1 / 0 or "Hello" in greeted'))
    for _ in range(2):
        assert Verified(suite, file, capsys, "--only", "reference").executed == ["reference"]


def test_another_file_is_refused_and_left_alone(suite: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"trial": 1}\n{"torn')
    found = Verified(suite, file, capsys)
    assert found.code == 2
    assert f"{file}: line 1 is no verdict of bench verify" in found.said
    assert file.read_text() == '{"trial": 1}\n{"torn'
