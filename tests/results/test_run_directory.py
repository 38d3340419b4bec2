"""A run directory keeps what was finished, whatever ends the process: real files, kills and full disks."""

from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pydantic
import pytest

from results.run_directory import (
    Journal,
    RunDirectory,
    RunDirectoryError,
    RunWriteError,
    find_runs,
    whole_folder,
    write_whole,
)
from tests.results.builders import TASKS, run_record, trial_record

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs" / "r1", run_record())


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that writes to a run directory."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# Creating and opening


def test_what_is_written_is_read_again(run):
    records = [trial_record(), trial_record(attempt=2, score=None, problem="engine died", cost="0.1200")]
    with run.writing() as writer:
        for record in records:
            writer.append_trial(record)
    opened = RunDirectory.open(run.path)
    assert opened == run
    assert opened.records() == records
    assert opened.finished() == {(TASKS[0], 1), (TASKS[0], 2)}


def test_a_run_never_replaces_another(run):
    with pytest.raises(RunDirectoryError, match="exists already") as caught:
        RunDirectory.create(run.path, run_record())
    assert "--resume" in caught.value.mend
    assert [path.name for path in run.path.parent.iterdir()] == ["r1"]


def test_a_folder_that_is_no_run_is_told_and_the_runs_in_it_or_beside_it_are_named(run):
    folder = run.path.parent
    (folder / "notes").mkdir()
    for path in (folder, folder / "notes"):
        with pytest.raises(RunDirectoryError, match="not a run directory") as caught:
            RunDirectory.open(path)
        assert caught.value.mend == f"it has no run.json; runs in {folder}: {run.path}"


def test_a_path_that_is_not_there_is_told_so(run, tmp_path):
    folder = run.path.parent
    with pytest.raises(RunDirectoryError, match="nowhere does not exist") as caught:
        RunDirectory.open(folder / "nowhere")
    assert caught.value.mend == f"runs in {folder}: {run.path}"
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunDirectoryError) as caught:
        RunDirectory.open(tmp_path / "empty" / "nowhere")
    assert caught.value.mend == "`bench run` says where it puts its run"


def test_only_what_is_written_into_a_run_is_told_to_go_on_with_resume(run, tmp_path):
    for path, resumes in ((run.path / "missing" / "file", True), (tmp_path / "missing" / "gate.xml", False)):
        with pytest.raises(RunWriteError) as caught:
            write_whole(path, b"")
        assert ("--resume" in caught.value.mend) is resumes


def test_a_run_of_another_format_names_the_version_that_wrote_it(run):
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, "format": 2, "harness_version": "9.1\x1b[2J"}))
    with pytest.raises(RunDirectoryError, match="format 2") as caught:
        RunDirectory.open(run.path)
    assert caught.value.mend.endswith("wrote it: 9.12J")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": "1"}', '{"format": 1}', "\0\0\0", "[" * 100_000, "\xff"]
)
def test_a_damaged_run_json_is_told(run, content):
    (run.path / "run.json").write_text(content, encoding="latin-1")
    with pytest.raises(RunDirectoryError, match="damaged"):
        RunDirectory.open(run.path)


def test_a_task_of_a_run_cannot_lead_out_of_it():
    with pytest.raises(pydantic.ValidationError):
        run_record(planned=("../../etc",))
    with pytest.raises(pydantic.ValidationError, match="same name"):
        run_record(planned=("a--b/c", "a/b--c"))


def test_a_run_json_in_a_submission_is_not_a_run(run):
    with run.writing() as writer, writer.stage(TASKS[0], 1) as trial:
        trial.submission.mkdir()
        (trial.submission / "run.json").write_text("{}")
    assert find_runs(run.path.parent) == [run.path]
    assert find_runs(run.path) == [run.path]


# Trials


def test_the_newest_record_of_a_trial_counts(run):
    with run.writing() as writer:
        for record in (trial_record(score=None), trial_record(TASKS[1]), trial_record(score=0.5)):
            writer.append_trial(record)
    assert run.records() == [trial_record(TASKS[1]), trial_record(score=0.5)]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "graded", "score": None},
        {"status": "graded", "cause": "engine"},
        {"status": "invalid"},
        {"score": float("nan")},
        {"score": 1.1},
        {"cost": "NaN"},
    ],
)
def test_a_record_is_graded_or_invalid_and_never_both(changes):
    with pytest.raises(pydantic.ValidationError):
        trial_record(**changes)


def test_a_regrade_keeps_the_old_grades(run):
    with run.writing() as writer:
        writer.append_trial(trial_record(score=0.5))
        before = run.trials_file.read_bytes()
        kept = writer.replace_trials([trial_record(score=1.0)])
        assert writer.replace_trials([trial_record(score=0.0)]).name == "trials.2.jsonl"
        writer.append_trial(trial_record(TASKS[1]))
    assert kept.read_bytes() == before
    assert [record.score for record in run.records()] == [0.0, 1.0]


def test_a_trial_takes_its_place_only_when_it_is_whole(run):
    with run.writing() as writer:
        with pytest.raises(RuntimeError), writer.stage(TASKS[0], 1) as trial:
            Journal(trial.calls).append('{"call": 1}')
            raise RuntimeError
        assert not run.trial(TASKS[0], 1).path.exists()
        assert Journal(run.unfinished()[TASKS[0], 1].calls).lines() == ['{"call": 1}']
        with writer.stage(TASKS[0], 1) as trial:
            assert Journal(trial.calls).lines() == ['{"call": 1}']
        writer.append_trial(trial_record())
    assert run.trial(TASKS[0], 1).calls.is_file()
    assert run.unfinished() == {}


def test_a_trial_that_was_killed_before_its_record_is_continued(run):
    with run.writing() as writer:
        with writer.stage(TASKS[0], 1) as trial:
            trial.checks.write_text("[]")
        assert list(run.unfinished()) == [(TASKS[0], 1)]
        with writer.stage(TASKS[0], 1) as trial:
            assert trial.checks.read_text() == "[]"
    assert [path.name for path in run.trial(TASKS[0], 1).path.parent.iterdir()] == ["1"]


def test_a_retry_keeps_the_earlier_try(run):
    with run.writing() as writer:
        for text in ("first", "second", "third"):
            with writer.stage(TASKS[0], 1) as trial:
                assert not trial.transcript.exists()
                trial.transcript.write_text(text)
            writer.append_trial(trial_record(score=None))
    folder = run.trial(TASKS[0], 1).path.parent
    found = {path.name: (path / "transcript.jsonl").read_text() for path in folder.iterdir()}
    assert found == {"1": "third", "1.1": "first", "1.2": "second"}


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "submission") as draft:
        (draft / "half").write_text("")
        raise RuntimeError
    with whole_folder(tmp_path / "submission") as draft:
        (draft / "whole").write_text("")
    assert [path.name for path in tmp_path.rglob("*")] == ["submission", "whole"]


# Kills


@pytest.mark.parametrize("torn", ['{"task": "dbt/', "\0\0\0\0", '{"task"}\n', "null\n"])
def test_a_torn_last_line_is_passed_over_and_cut_off(run, torn):
    with run.writing() as writer:
        writer.append_trial(trial_record())
    whole = run.trials_file.read_bytes()
    with run.trials_file.open("a") as file:
        file.write(torn)
    assert run.records() == [trial_record()]
    with run.writing() as writer:
        assert run.trials_file.read_bytes() == whole
        writer.append_trial(trial_record(attempt=2))
    assert run.records() == [trial_record(), trial_record(attempt=2)]


def test_a_whole_record_that_lacks_its_newline_is_kept(run):
    run.trials_file.write_text(trial_record().model_dump_json())
    assert run.records() == [trial_record()]
    with run.writing() as writer:
        writer.append_trial(trial_record(attempt=2))
    assert run.records() == [trial_record(), trial_record(attempt=2)]


def test_damage_before_the_last_line_is_told_with_its_line(run):
    with run.writing() as writer:
        writer.append_trial(trial_record())
    run.trials_file.write_bytes(b"{}}\n" + run.trials_file.read_bytes())
    with pytest.raises(RunDirectoryError, match="line 1 is damaged"):
        run.records()


def test_a_record_we_do_not_understand_is_told_and_never_cut_off(run):
    run.trials_file.write_text('{"task": "from the future"}\n')
    with pytest.raises(RunDirectoryError, match="line 1 is not a trial's record"):
        run.records()
    with run.writing():
        assert run.trials_file.read_text() == '{"task": "from the future"}\n'


APPENDS_UNTIL_KILLED = """
    import sys
    from pathlib import Path
    from results.run_directory import RunDirectory
    from tests.results.builders import trial_record

    run = RunDirectory.open(Path(sys.argv[1]))
    attempt = int(sys.argv[2])
    with run.writing() as writer:
        while True:
            with writer.stage("sql/scd2-users", attempt) as trial:
                trial.transcript.write_text(str(attempt))
            writer.append_trial(trial_record("sql/scd2-users", attempt, problem="x" * (7919 * attempt % 999)))
            print(attempt, flush=True)
            attempt += 1
"""


def test_no_kill_loses_a_finished_trial(tmp_path):
    run = RunDirectory.create(tmp_path / "r1", run_record(attempts=100_000))
    moments = random.Random(20250102)
    finished = 0
    for _ in range(6):
        process = child(APPENDS_UNTIL_KILLED, run.path, finished + 1)
        assert process.stdout is not None
        # The moment of the kill is drawn: after some finished trials, and somewhere within the next one.
        for _ in range(moments.randint(1, 12)):
            finished = int(process.stdout.readline())
        select.select([process.stdout], [], [], moments.random() * 0.004)
        process.kill()
        # Not communicate(), which passes over what readline() has taken off the pipe already.
        told = process.stdout.read().split()
        process.communicate()
        finished = int(told[-1]) if told else finished
        attempts = sorted(attempt for _, attempt in run.finished())
        # The child may have died between the record and its word; the record counts.
        assert attempts in (list(range(1, finished + 1)), list(range(1, finished + 2)))
        finished = len(attempts)
        for attempt in attempts:
            assert run.trial("sql/scd2-users", attempt).transcript.read_text() == str(attempt)
        with run.writing():
            assert len(run.records()) == finished


def test_threads_append_whole_lines(run):
    def append(first: int) -> None:
        for attempt in range(first, first + 20):
            writer.append_trial(trial_record(attempt=attempt, problem="x" * 3000))

    with run.writing() as writer:
        threads = [threading.Thread(target=append, args=(1 + 20 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(attempt for _, attempt in run.finished()) == list(range(1, 81))


# Other writers and full disks


HOLDS = """
    import sys
    from pathlib import Path
    from results.run_directory import RunDirectory

    with RunDirectory.open(Path(sys.argv[1])).writing():
        print("held", flush=True)
        sys.stdin.read()
"""


def test_only_one_process_writes_and_a_killed_one_holds_nothing(run):
    process = child(HOLDS, run.path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(RunDirectoryError, match=rf"another process \(id {process.pid}\)"), run.writing():
        pass
    assert run.records() == []
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with run.writing() as writer:
        writer.append_trial(trial_record())


FILLS_THE_DISK = """
    import resource, sys
    from pathlib import Path
    from results.run_directory import RunDirectory, RunWriteError, write_whole
    from tests.results.builders import trial_record

    run = RunDirectory.open(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    with run.writing() as writer:
        attempt = 1
        try:
            while True:
                writer.append_trial(trial_record(attempt=attempt, problem="x" * 3000))
                attempt += 1
        except RunWriteError as error:
            print(attempt - 1, error.mend)
        writer.append_trial(trial_record(attempt=999))
        try:
            write_whole(run.path / "run.json", b"x" * 20_000)
        except RunWriteError:
            print("refused")
"""


def test_a_full_disk_spoils_nothing_that_was_written(run):
    process = child(FILLS_THE_DISK, run.path)
    told = process.communicate()[0].splitlines()
    assert told == [
        "2 free some space (or raise the limit); a run goes on with --resume, its finished trials are safe",
        "refused",
    ]
    assert process.returncode == 0
    assert sorted(attempt for _, attempt in run.finished()) == [1, 2, 999]
    assert RunDirectory.open(run.path) == run
    assert not list(run.path.glob(".run.json*"))


def test_a_run_is_not_created_by_half(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunWriteError):
        RunDirectory.create(tmp_path / "file" / "r1", run_record())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(RunWriteError):
            RunDirectory.create(tmp_path / "r1", run_record())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(run):
    run.path.chmod(0o555)
    try:
        with pytest.raises(RunWriteError, match="writable"), run.writing():
            pass
    finally:
        run.path.chmod(0o755)


def test_write_whole_replaces_the_content(tmp_path):
    for content in (b"old", b"new"):
        write_whole(tmp_path / "file", content)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]
