from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.task import Task, load_suite, read_task, select
from tests.cli.tiny import make_suite, tasks_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_suite(tmp_path / "tiny") / "text" / "one"


def edit(folder: Path, find: str, replace: str, name: str = "task.toml") -> None:
    path = folder / name
    text = path.read_text()
    assert text.count(find) == 1, find
    path.write_text(text.replace(find, replace))


def refused(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_task(folder, "tiny")
    assert str(folder / "task.toml") in caught.value.problem
    return caught.value.problem


@pytest.mark.parametrize(
    ("find", "replace", "said"),
    [
        ('title = "Greet"', "", "title: Field required"),
        ('title = "Greet"', 'title = "  "', "title: String should have at least 1 character"),
        ('title = "Greet"', 'title = "Greet"\ncolour = "red"', "colour: Extra inputs are not permitted"),
        ("version = 1", "version = 0", "version: Input should be greater than or equal to 1"),
        ("version = 1", 'version = "one"', "version: Input should be a valid integer"),
        ('engines = ["dbt"]', "engines = []", "engines: Tuple should have at least 1 item"),
        ('engines = ["dbt"]', 'engines = "dbt"', "engines: Input should be a valid tuple"),
        ('kind = "build"', 'kind = "paint"', "kind: Input should be 'build', 'repair'"),
        ('difficulty = "easy"', 'difficulty = "trivial"', "difficulty: Input should be 'easy', 'medium' or 'hard'"),
        ('sources = ["landing/orders"]', "sources = []", "sources: Tuple should have at least 1 item"),
        ('technologies = ["bash"]', 'technologies = [""]', "technologies.0: String should have at least 1 character"),
        ('canary = "0b5f6e2e', 'canary = "no mark', "canary: String should match pattern"),
        ('id = "text/one"', 'id = "Text One"', "id: String should match pattern"),
        ('id = "text/one"', 'id = "text/two"', "id is 'text/two', but the folder says text/one"),
        ("version = 1", "version = 1\n[limits]\nmemory = 'much'", "limits.memory: Input should be a valid integer"),
        ("version = 1", "version = 1\n[limits]\nspeed = 1", "limits.speed: Extra inputs are not permitted"),
        ("version = 1", "version = ", "is not valid TOML"),
    ],
)
def test_a_malformed_manifest_is_told_with_its_path_and_field(folder: Path, find: str, replace: str, said: str) -> None:
    if "[limits]" in replace:  # a table of its own stands last
        (folder / "task.toml").write_text((folder / "task.toml").read_text() + replace.removeprefix(find))
    else:
        edit(folder, find, replace)
    assert said in refused(folder)


def test_a_manifest_that_is_no_text_or_is_missing(folder: Path) -> None:
    (folder / "task.toml").write_bytes(b"\xff\xfe")
    assert "is not valid TOML" in refused(folder)
    (folder / "task.toml").unlink()
    assert "is missing" in refused(folder)


def test_a_file_that_no_agent_could_hand_in_is_told_with_its_folder(folder: Path) -> None:
    (folder / "reference" / "big.csv").write_bytes(bytes(6_000_000))
    with pytest.raises(UsageError, match=r"'big\.csv' has 6000000 bytes") as caught:
        _ = read_task(folder, "tiny").reference
    assert str(folder / "reference") in caught.value.problem


def test_an_edit_of_what_is_no_text_is_told_with_its_mutant(folder: Path) -> None:
    (folder / "reference" / "greet.sh").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"mutants\.toml: \[\w+\]: greet\.sh is not UTF-8"):
        _ = read_task(folder, "tiny").mutants


@pytest.mark.parametrize("name", ["instruction.md", "world.py", "checks.py"])
def test_a_file_that_is_missing_is_told_with_its_path(folder: Path, name: str) -> None:
    task = read_task(folder, "tiny")
    (folder / name).unlink()
    with pytest.raises(UsageError, match="can't be read") as caught:
        _ = (task.instruction, task.world, task.checks)
    assert str(folder / name) in caught.value.problem


def test_a_module_that_cant_be_imported_is_told_with_its_path(folder: Path) -> None:
    (folder / "checks.py").write_text("from .world import nothing_of_the_kind\n")
    with pytest.raises(UsageError, match=r"checks.py can't be imported: ImportError"):
        _ = read_task(folder, "tiny").checks


def test_tasks_of_one_name_in_two_suites_are_two(tmp_path: Path) -> None:
    one, two = (tasks_of(make_suite(tmp_path / name / "tiny"))[0] for name in "ab")
    (two.folder / "world.py").write_text("def build(seed, scale=1.0): return 'another'\n")
    assert two.world.build(1) == "another"
    assert one.world.build(1) != "another"


# -- solutions ---------------------------------------------------------------------------------------------------------


def test_solutions_are_laid_over_what_the_agent_starts_from(folder: Path) -> None:
    for path, text in {
        "workspace/old.sh": "exit 1",
        "workspace/notes.txt": "ask Kim",
        "reference/.remove": "old.sh\n",
        "alternates/printf/.remove": "notes.txt",
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    task = read_task(folder, "tiny")
    assert set(task.workspace.files) == {"old.sh", "notes.txt"}
    assert set(task.reference.files) == {"notes.txt", "greet.sh", "DELIVERABLE.md"}
    assert set(task.alternates["printf"].files) == {"greet.sh", "DELIVERABLE.md"}
    assert b"printf" in task.alternates["printf"].files["greet.sh"]


def mutated(folder: Path, text: str) -> Task:
    (folder / "mutants.toml").write_text(text)
    return read_task(folder, "tiny")


def test_a_mutant_is_an_edited_reference(folder: Path) -> None:
    task = mutated(
        folder,
        '[many]\nbreaks = ["a"]\nfile = "greet.sh"\nfind = "Hello"\nreplace = "Go"\n'
        'edits = [["greet.sh", "who", "me"]]\n'
        '[gone]\nbreaks = ["a", "b"]\nfile = "greet.sh"\ndelete = true\n',
    )
    many, gone = task.mutants["many"], task.mutants["gone"]
    assert many[1].files["greet.sh"] == b'echo "Go $(cat "$DATA/me.txt")!"\n'
    assert set(gone[1].files) == {"DELIVERABLE.md"}
    assert gone[0].breaks == ("a", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('file = "greet.sh"\nfind = "Goodbye"', "the text to find is 0 times in greet.sh, not once"),
        ('file = "greet.sh"\nfind = "l"', "the text to find is 2 times in greet.sh, not once"),
        ('file = "other.sh"\nfind = "Hello"', "the text to find is 0 times in other.sh, not once"),
        ('file = "other.sh"\ndelete = true', "deletes other.sh, which the reference doesn't have"),
        ('file = "greet.sh"', "changes nothing"),
        ('find = "Hello"', "file: Field required"),
        ('file = "greet.sh"\nfind = "Hello"\ncolour = 1', "colour: Extra inputs are not permitted"),
    ],
)
def test_a_mutant_that_cant_be_made_is_told(folder: Path, text: str, said: str) -> None:
    task = mutated(folder, f'[wrong]\nbreaks = ["a"]\n{text}\n')
    with pytest.raises(UsageError) as caught:
        _ = task.mutants
    assert f"{folder / 'mutants.toml'}: [wrong]" in caught.value.problem
    assert said in caught.value.problem


@pytest.mark.parametrize("text", ['[wrong]\nbreaks = []\nfile = "a"', 'wrong = "no table"', "[wrong"])
def test_mutants_that_make_no_sense(folder: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"mutants\.toml"):
        _ = mutated(folder, text).mutants


def test_a_digest_follows_what_an_answer_depends_on(folder: Path) -> None:
    def digests() -> tuple[str, str]:
        task = read_task(folder, "tiny")
        return task.digest, task.grader_digest

    before = digests()
    assert digests() == before
    (folder / "checks.py").write_text("# new\n")
    assert (digests()[0] == before[0], digests()[1] == before[1]) == (True, False)
    for name in ("instruction.md", "world.py", "task.toml", "workspace/new.txt"):
        earlier = digests()[0]
        (folder / name).parent.mkdir(exist_ok=True)
        with (folder / name).open("a") as file:
            file.write("# new\n")
        assert digests()[0] != earlier, name


# -- suites ------------------------------------------------------------------------------------------------------------


def test_a_suite_is_a_folder_or_a_bundled_name(tmp_path: Path) -> None:
    suite = make_suite(tmp_path / "tiny", "b", "a")
    assert [task.id for task in load_suite(str(suite))] == ["text/a", "text/b"]
    assert {task.suite for task in load_suite(str(suite))} == {"tiny"}
    assert len(load_suite("core")) >= 1


@pytest.mark.parametrize("name", ["cores", "", "no/such/folder"])
def test_an_unknown_suite_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_suite(name)
    assert "core" in caught.value.mend or "no task in" in caught.value.problem


@pytest.mark.parametrize("folder", ["mine", "tasks/mine"])
def test_a_suite_of_ones_own_is_named_by_its_path(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_suite(tmp_path / folder, "a")
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder / "suite.toml").touch()
    with pytest.raises(UsageError, match="no bundled suite is called 'mine'") as caught:
        load_suite("mine")
    assert caught.value.mend.endswith(f"--suite ./{folder}")
    assert load_suite(f"./{folder}")


def test_a_suite_without_a_task(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no task in"):
        load_suite(str(tmp_path))


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), ["text/a", "text/ab", "text/b"]),
        (("text/b", "text/a"), ["text/a", "text/b"]),
        (("text/*",), ["text/a", "text/ab", "text/b"]),
        (("*/a*",), ["text/a", "text/ab"]),
        (("text/?",), ["text/a", "text/b"]),
        (("text/[b]", "text/b"), ["text/b"]),
    ],
)
def test_tasks_are_chosen_by_id_and_glob(tmp_path: Path, patterns: tuple[str, ...], chosen: list[str]) -> None:
    tasks = tasks_of(make_suite(tmp_path / "tiny", "a", "ab", "b"))
    assert [task.id for task in select(tasks, patterns)] == chosen


@pytest.mark.parametrize("pattern", ["text/c", "sql/*", "a", "text/A", ""])
def test_an_unknown_task_lists_the_known_ones(tmp_path: Path, pattern: str) -> None:
    tasks = tasks_of(make_suite(tmp_path / "tiny", "a", "b"))
    with pytest.raises(UsageError, match="unknown task") as caught:
        select(tasks, ("text/a", pattern))
    assert caught.value.mend == "known: text/a, text/b"
