"""``bench persona`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import cli

TEXT = """# Dee

## Identity
- Role: plumber [/bold] of data

## Constraints
- Never lose data
- Handle errors gracefully

## Standards
### Consumer
```python
consumer = KafkaConsumer('events')
```

## Deliverable
### Overview
- Name: [bold]
"""


@pytest.fixture
def dee(tmp_path: Path) -> str:
    path = tmp_path / "dee.md"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.execute(["persona", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_show_names_identity_clauses_and_contract(capsys: pytest.CaptureFixture[str], dee: str) -> None:
    code, out, err = bench(capsys, "show", dee)
    assert (code, err) == (0, "")
    for shown in (
        "plumber [/bold] of data",
        "constraints/never-lose-data",
        "example in python, 3 lines",
        "Name ([bold])",
    ):
        assert shown in out


def test_show_says_that_there_is_no_contract(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "short.md"
    path.write_text("## Constraints\n- Never lose data\n", encoding="utf-8")
    assert "no contract" in bench(capsys, "show", str(path))[1]
    assert json.loads(bench(capsys, "show", str(path), "--json")[1])["contract"] is None


def test_show_as_json_holds_all(capsys: pytest.CaptureFixture[str], dee: str) -> None:
    data = json.loads(bench(capsys, "show", dee, "--json")[1])
    assert data["identity"] == {
        "title": "Dee",
        "fields": [{"name": "Role", "value": "plumber [/bold] of data"}],
        "role": "",
    }
    clause = next(clause for clause in data["clauses"] if clause["id"] == "constraints/never-lose-data")
    assert (clause["lines"], clause["canonical"]) == ([7, 7], ["constraints/never-lose-data"])
    assert data["contract"]["sections"][0]["parts"][0]["hint"] == "[bold]"


def test_without_a_file_the_bundled_persona_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(bench(capsys, "show", "--json")[1])
    assert data["name"] == "data-engineer"
    assert len(data["contract"]["sections"]) == 6


def test_lint_fails_on_errors_only(capsys: pytest.CaptureFixture[str], dee: str) -> None:
    code, out, _ = bench(capsys, "lint", dee)
    assert code == 1
    assert "line 13: error: contradictory: standards/consumer [consumer-commits-by-itself]" in out
    assert out.endswith("1 error, 1 warning\n")
    path = Path(dee)
    path.write_text(TEXT.replace("'events'", "'events', enable_auto_commit=False"), encoding="utf-8")
    code, out, _ = bench(capsys, "lint", dee, "--json")
    assert (code, [finding["rule"] for finding in json.loads(out)]) == (0, ["vague-manner"])


def test_diff_shows_old_and_new(capsys: pytest.CaptureFixture[str], dee: str, tmp_path: Path) -> None:
    new = tmp_path / "new.md"
    new.write_text(TEXT.replace("errors gracefully", "errors by retrying").replace("- Never lose data\n", ""), "utf-8")
    code, out, _ = bench(capsys, "diff", dee, str(new))
    assert code == 0
    assert "~ constraints/handle-errors-gracefully → constraints/handle-errors-by-retrying" in out
    assert "- constraints/never-lose-data" in out
    assert out.endswith("0 added, 1 removed, 1 changed, 0 moved\n")
    data = json.loads(bench(capsys, "diff", dee, str(new), "--json")[1])
    assert [one["change"] for one in data] == ["changed", "removed"]


def test_coverage_shows_tests_and_gaps(capsys: pytest.CaptureFixture[str], dee: str) -> None:
    code, out, _ = bench(capsys, "coverage", dee)
    assert code == 0
    assert "constraints: 1 of 2" in out
    assert "1 gap among" in out
    assert bench(capsys, "coverage", dee, "--gate")[0] == 1
    data = json.loads(bench(capsys, "coverage", dee, "--json")[1])
    assert data["gaps"] == ["constraints/handle-errors-gracefully"]
    assert next(row for row in data["clauses"] if row["id"] == "constraints/never-lose-data")["tests"]
    assert "by its task" in bench(capsys, "coverage", "--checks")[1]


def test_text_that_drives_a_terminal_does_not(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "evil.md"
    path.write_text(
        "# T\x1b[2J\n\n## Constraints\n- x\x1b]0;owned\x07 gracefully\n## \x1b[31mA\n- b\x9b2J c\n", "utf-8"
    )
    commands = [["show"], ["lint"], ["coverage"], ["diff", "data-engineer"]]
    for command in [*commands, *([*command, "--json"] for command in commands)]:
        out = bench(capsys, *command, str(path))[1]
        assert not set(out) & set("\x1b\x9b\x07")
        assert out


@pytest.mark.parametrize("command", ["show", "lint", "coverage"])
def test_what_can_not_be_read_is_refused_with_a_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    (tmp_path / "big.md").write_bytes(b"x" * 1_000_001)
    (tmp_path / "latin.md").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.md").write_bytes(b"\n")
    for file, said in (
        ("big.md", "larger than"),
        ("latin.md", "not UTF-8"),
        ("empty.md", "is empty"),
        ("missing.md", "no persona"),
    ):
        code, out, err = bench(capsys, command, str(tmp_path / file))
        assert (code, out) == (2, "")
        assert said in err
    code, _, err = bench(capsys, command, "none")
    assert code == 2
    assert "baseline" in err
