"""Whatever stands in a task's files: a task, or an error that says what is wrong with which file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.task import Task, read_task, suites_folder
from tests.cli.tiny import make_suite
from tests.fuzz.strangers import DEEP, bounded, meddled_bytes, said

CORE = sorted(path.parent for path in suites_folder().glob("core/*/*/task.toml"))
MANIFESTS = [(folder / "task.toml").read_bytes() for folder in CORE]
MUTANTS = [(folder / "mutants.toml").read_bytes()[:3000] for folder in CORE]
PIECES = (
    "[limits]\n",
    "turns = -1",
    "id = 7",
    '"""',
    "'",
    "[[x]]",
    "{a = 1}",
    "2026-01-01",
    "inf",
    f"a = {DEEP}",
    "\n",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_suite(tmp_path_factory.mktemp("suite")) / "text" / "one"


@given(content=st.sampled_from(MANIFESTS).flatmap(lambda valid: meddled_bytes(valid, PIECES)) | st.binary(max_size=60))
def test_any_manifest(folder: Path, content: bytes) -> None:
    """Under its own name and its folder's: that they differ is told first otherwise."""
    (folder / "task.toml").write_bytes(content.replace(b'id = "', b'id = "text/one" #', 1))
    with bounded():
        try:
            task = read_task(folder, "suite")
        except UsageError as error:
            assert str(folder) in error.problem
            error.problem.encode()
        else:
            assert isinstance(task, Task)


@given(content=st.sampled_from(MUTANTS).flatmap(lambda valid: meddled_bytes(valid, PIECES)) | st.binary(max_size=60))
def test_any_mutants(folder: Path, content: bytes) -> None:
    (folder / "mutants.toml").write_bytes(content)
    with bounded():
        try:
            assert isinstance(Task("suite", folder, read_task(CORE[0], "core").manifest).mutants, dict)
        except UsageError as error:
            assert "mutants.toml" in error.problem


TITLES = ("[/red]", "[bold", "\\u001b[2J", "[link=x]", "\\u0000", "x" * 500, "\\u202e")


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
@given(
    title=st.sampled_from(TITLES),
    content=st.sampled_from(MANIFESTS).flatmap(lambda valid: meddled_bytes(valid, PIECES)),
)
def test_the_program_lists_it_or_says_why_not(folder: Path, form: list[str], title: str, content: bytes) -> None:
    own = content.replace(b'id = "', b'id = "text/one" #', 1).replace(b'title = "', f'title = "{title}'.encode(), 1)
    (folder / "task.toml").write_bytes(own)
    code, out, err = said(["tasks", "--suite", str(folder.parents[1]), *form])
    assert code in (0, 2), err
    assert "\x1b" not in out + err


@pytest.mark.parametrize(
    "name", ["task.toml", "mutants.toml", "instruction.md", "world.py", "checks.py", "workspace", "reference"]
)
@pytest.mark.parametrize("kind", ["folder", "link to nowhere", "link to itself", "nothing"])
def test_a_file_that_is_none(tmp_path: Path, name: str, kind: str) -> None:
    folder = make_suite(tmp_path / "suite") / "text" / "one"
    path = folder / name
    path.rename(tmp_path / "was") if path.exists() else None
    match kind:
        case "folder":
            path.mkdir()
        case "link to nowhere":
            path.symlink_to("nowhere")
        case "link to itself":
            path.symlink_to(name)
    try:
        task = read_task(folder, "suite")
        _ = (task.instruction, task.workspace, task.reference, task.alternates, task.digest, task.grader_digest)
        _ = (task.world, task.checks, task.mutants)
    except UsageError as error:
        assert error.problem
    else:
        assert name in ("workspace", "reference")
