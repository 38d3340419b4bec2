"""A lab, and an agent's workplace in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engines.dbt import Dbt
from harness.engines.duckdb import DuckDB
from harness.engines.postgres import Postgres
from harness.errors import UsageError
from harness.lab import Lab
from harness.sandboxes import _choice
from harness.submission import Submission, SubmissionError
from harness.task import Task
from harness.workplace import LabWorkplace, workplace
from tests.cli.tiny import make_suite, tasks_of
from tests.engines.conftest import open_lab, quick_sandbox, task_with


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with open_lab(["duckdb"], sandbox=_choice.load("embedded")) as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    shared_lab.submission = Submission({"run.sh": b"echo ran > out; cat out; ls $DATA; echo $WAREHOUSE"})
    shared_lab.fresh()
    return shared_lab


def test_a_command_runs_where_the_submission_lies(lab: Lab) -> None:
    lab.deliver({"day/orders.csv": "1,2\n", "raw": b"\xff"})
    done = lab.run("bash", "run.sh")
    assert done.stdout.splitlines() == ["ran", "day", "raw", lab.use(DuckDB).path]


def test_fresh_is_the_beginning(lab: Lab) -> None:
    lab.deliver({"orders.csv": "1"})
    lab.run("bash", "-c", "touch $TMPDIR/left; echo changed > run.sh; mkdir -p more; touch more/file")
    lab.fresh()
    assert lab.collect() == lab.submission
    assert lab.run("bash", "-c", "ls -A $DATA $TMPDIR | grep -v :").stdout.strip() == ""


def test_a_command_has_the_tasks_time(lab: Lab) -> None:
    assert lab.run("sleep", "30", timeout=0.2).timed_out
    assert lab.run("bash", "-c", "echo $DAY", variables={"DAY": "monday"}).stdout == "monday\n"


def test_an_engine_the_task_doesnt_name_is_a_mistake_of_its_checks(lab: Lab) -> None:
    assert lab.use(DuckDB) is lab.use(DuckDB)
    with pytest.raises(AssertionError, match="engines don't name 'postgres'"):
        lab.use(Postgres)


def test_only_what_is_to_be_submitted_is_collected(lab: Lab) -> None:
    task = lab.task
    narrow = task.manifest.model_copy(update={"submit": ("*.sql",)})
    lab.task = Task(task.suite, task.folder, narrow)
    try:
        lab.box.put("work", {"load.sql": b"select 1"})
        assert set(lab.collect().files) == {"load.sql"}
    finally:
        lab.task = task


def test_too_much_to_collect(lab: Lab) -> None:
    lab.run("bash", "-c", "touch {1..500}")
    with pytest.raises(SubmissionError, match="more than 400 files"):
        lab.collect()


def test_notes_stand_once(lab: Lab) -> None:
    lab.note("run twice")
    lab.note("run twice")
    assert lab.notes.count("run twice") == 1


def test_an_unknown_engine_or_environment_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr("harness.sandboxes._box.Box.close", lambda box: closed.append("closed") or box.space.close())
    with pytest.raises(UsageError, match="unknown engine 'oracle'"):
        Lab(task_with(["dbt", "oracle"]), _choice.load("embedded"), Submission())
    assert closed == ["closed"]
    with pytest.raises(UsageError, match="unknown environment"):
        Lab(task_with(["dbt"], "fortran"), _choice.load("embedded"), Submission())


def test_an_engine_that_doesnt_start_closes_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = []

    def fail(engine: Dbt) -> None:
        boxes.append(engine.box)
        raise RuntimeError("no start")

    monkeypatch.setattr(Dbt, "start", fail)
    with pytest.raises(RuntimeError, match="no start"):
        Lab(task_with(["dbt"]), _choice.load("embedded"), Submission())
    assert not Path(boxes[0].path("work")).exists()


# -- the agent's workplace ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabWorkplace]:
    task = tasks_of(make_suite(tmp_path_factory.mktemp("suite") / "tiny"))[0]
    (task.folder / "workspace").mkdir()
    (task.folder / "workspace" / "notes.txt").write_text("ask Kim")
    with workplace(task, quick_sandbox()) as place:
        yield place


@pytest.fixture
def place(shared_place: LabWorkplace) -> LabWorkplace:
    shared_place._lab.box.clear("work")
    shared_place.write("notes.txt", b"ask Kim")
    return shared_place


def test_an_agent_finds_the_visible_world_and_where_it_starts(tmp_path: Path) -> None:
    task = tasks_of(make_suite(tmp_path / "tiny"))[0]
    (task.folder / "workspace").mkdir()
    (task.folder / "workspace" / "notes.txt").write_text("ask Kim")
    with workplace(task, _choice.load("embedded")) as place:
        assert place.run("cat notes.txt $DATA/who.txt", 10).stdout == "ask KimKim the 7th"


def test_reading_and_writing(place: LabWorkplace) -> None:
    content = bytes(range(256)) * 1000
    place.write("a/b c/load.bin", content)
    place.write(f"{place._lab.box.path('work')}/top.sql", b"")
    assert place.read("a/b c/load.bin") == content
    assert place.read("top.sql") == b""
    assert place.collect().files == {"a/b c/load.bin": content, "top.sql": b"", "notes.txt": b"ask Kim"}
    place.write("notes.txt", b"short")
    assert place.read("notes.txt") == b"short"


@pytest.mark.parametrize("path", ["/etc/passwd", "../out", "a/../../out", "", "a\nb", "/"])
def test_writing_outside_is_refused(place: LabWorkplace, path: str) -> None:
    with pytest.raises(SubmissionError):
        place.write(path, b"x")


@pytest.mark.parametrize("path", ["-rf", "$(touch owned)", "; touch owned", "'", "*"])
def test_a_path_is_never_a_command(place: LabWorkplace, path: str) -> None:
    place.write(path, b"kept")
    assert place.read(path) == b"kept"
    assert set(place.collect().files) == {path, "notes.txt"}


def test_writing_where_it_cant_be(place: LabWorkplace) -> None:
    with pytest.raises(OSError, match=r"[Nn]ot a directory|File exists"):
        place.write("notes.txt/below", b"x")
    place.run("mkdir folder", 10)
    with pytest.raises(OSError, match=r"[Ii]s a directory"):
        place.write("folder", b"x")


def test_writing_through_a_link_is_the_agents_own_right(place: LabWorkplace) -> None:
    place.run("ln -s /etc/passwd link; ln -s $DATA data", 10)
    if place._lab.box.path("data") == "/data":
        for path in ("link", "data/new"):
            with pytest.raises(OSError, match=r"[Rr]ead-only|[Pp]ermission"):
                place.write(path, b"x")


@pytest.mark.parametrize("path", ["nowhere.txt", ".", "a/b"])
def test_reading_what_isnt_there(place: LabWorkplace, path: str) -> None:
    with pytest.raises(OSError, match=r"[Nn]o such file|[Ii]s a directory|read error"):
        place.read(path)


def test_reading_too_big_a_file(place: LabWorkplace) -> None:
    place.run("truncate -s 10M big", 10)
    with pytest.raises(OSError, match=r"too big"):
        place.read("big")


def test_a_command_that_talks_too_much_or_too_long(place: LabWorkplace) -> None:
    done = place.run("head -c 200000 /dev/zero | tr '\\0' x", 10)
    assert done.truncated
    assert len(done.stdout) == 100_000
    assert place.run("sleep 60", 0.2).timed_out
    assert place.run("echo back", 10).stdout == "back\n"
