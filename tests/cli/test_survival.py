"""Runs that are killed, interrupted, or run out of disk: what was finished and paid for stays, the rest is resumed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import cli
from harness.sandboxes import _choice
from harness.sandboxes._leftovers import OWNER_FILE, owner_mark
from harness.sandboxes._processes import box_parent
from results.records import TrialRecord
from results.run_directory import Journal, RunDirectory, find_runs
from tests.cli.program import COMMAND, bench, environment, start
from tests.cli.tiny import make_suite, tasks_of
from tests.provider import ProviderServer, Request, Script, Silence, solving
from tests.provider.script import Happening
from tests.turns import in_both

KEY = {"ANTHROPIC_API_KEY": "sk-of-the-test"}
PATIENCE = 120.0


@dataclass
class Halting:
    """Answers as ``script`` does until ``after`` calls were answered; then says nothing and lets ``reached`` go."""

    script: Script
    after: int
    answered: list[tuple[str, int]] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request) -> Happening:
        if len(self.answered) >= self.after:
            self.reached.set()
            return Silence()
        self.answered.append((request.opening, request.turns))
        return self.script(request)


def asked(provider: ProviderServer, suite: Path) -> list[str]:
    return ["--model", "anthropic/any", "--base-url", provider.base_url("anthropic"), "--suite", str(suite)]


def the_run(folder: Path) -> RunDirectory:
    (path,) = find_runs(folder / "runs")
    return RunDirectory.open(path)


def outcome(record: TrialRecord) -> tuple[object, ...]:
    """What of a trial is the same in every undisturbed repetition."""
    passed = {check.id: check.passed for check in record.checks}
    return record.key, record.status, record.score, passed, record.usage, record.turns, record.submission, record.cause


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(PATIENCE)


def lines_of(run: RunDirectory) -> list[str]:
    return run.trials_file.read_text().splitlines()


@pytest.fixture
def two_tasks(tmp_path: Path) -> Path:
    return make_suite(tmp_path / "tiny", "one", "two")


# Killed


@pytest.mark.docker
def test_a_killed_run_is_resumed_and_pays_for_no_call_twice(
    provider: ProviderServer, two_tasks: Path, tmp_path: Path
) -> None:
    script = solving(*tasks_of(two_tasks))
    calm = tmp_path / "calm"
    calm.mkdir()
    provider.script = script
    undisturbed = bench("run", *asked(provider, two_tasks), cwd=calm, **KEY)
    assert undisturbed.returncode == 0, undisturbed.stderr
    calls = len(provider.requests)

    # Before the first call is answered, in the middle of the first trial and of the second.
    answered: list[tuple[str, int]] = []
    arguments = ["run", *asked(provider, two_tasks), "--concurrency", "1"]
    for stop_after in (0, 2, calls - 1):
        provider.script = halting = Halting(script, stop_after, answered)
        process = start(*arguments, cwd=tmp_path, variables=KEY)
        assert halting.reached.wait(PATIENCE), (tmp_path / "bench.err").read_text()
        kill(process)
        arguments = ["run", "--resume", str(the_run(tmp_path).path), "--suite", str(two_tasks), "--concurrency", "1"]
    provider.script = Halting(script, calls, answered)
    done = bench(*arguments, cwd=tmp_path, **KEY)
    assert done.returncode == 0, done.stderr
    assert len(answered) == calls
    assert set(Counter(answered).values()) == {1}
    run = the_run(tmp_path)
    assert len(lines_of(run)) == 2
    assert sorted(map(outcome, run.records())) == sorted(map(outcome, the_run(calm).records()))
    assert not run.unfinished()
    # The boxes of the killed processes are gone, and no other.
    assert _choice.load("docker").reap() == 0


@pytest.mark.docker
def test_a_run_killed_while_it_grades_asks_the_model_nothing_again(
    provider: ProviderServer, suite: Path, tmp_path: Path
) -> None:
    provider.script = solving(*tasks_of(suite))
    with subprocess.Popen(
        [*COMMAND, "run", *asked(provider, suite)],
        cwd=tmp_path,
        env=environment(**KEY),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("#1  grading" in line for line in process.stderr)
        process.kill()
    calls = len(provider.requests)
    run = the_run(tmp_path)
    assert not run.records()
    done = bench("run", "--resume", str(run.path), "--suite", str(suite), cwd=tmp_path, **KEY)
    assert done.returncode == 0, done.stderr
    assert len(provider.requests) == calls
    (record,) = run.records()
    assert (record.score, record.turns) == (1.0, calls)


def without_record(run: RunDirectory) -> None:
    """The trial lies in its place; its record wasn't written any more."""
    run.trials_file.write_text("")


def torn_record(run: RunDirectory) -> None:
    run.trials_file.write_bytes(run.trials_file.read_bytes()[:-30])


def graded_but_not_placed(run: RunDirectory) -> None:
    without_record(run)
    placed = run.trial("text/one", 1).path
    placed.rename(placed.with_name(".1.unfinished"))


def frozen_but_not_graded(run: RunDirectory) -> None:
    graded_but_not_placed(run)
    run.unfinished()["text/one", 1].checks.unlink()


def submission_but_not_what_it_took(run: RunDirectory) -> None:
    frozen_but_not_graded(run)
    run.unfinished()["text/one", 1].path.joinpath("work.json").unlink()


def half_a_submission(run: RunDirectory) -> None:
    submission_but_not_what_it_took(run)
    folder = run.unfinished()["text/one", 1].submission
    folder.rename(folder.with_name(".submission.draft"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A suite, and the folder of a run of it by a model whose server is gone: to ask it again would fail."""
    folder = tmp_path_factory.mktemp("finished")
    suite = make_suite(folder / "tiny")
    with ProviderServer(solving(*tasks_of(suite))) as server:
        done = bench("run", *asked(server, suite), "--sandbox", "bubblewrap", cwd=folder, **KEY)
    assert done.returncode == 0, done.stderr
    return suite, the_run(folder).path


@pytest.mark.parametrize(
    "moment",
    [
        without_record,
        torn_record,
        graded_but_not_placed,
        frozen_but_not_graded,
        submission_but_not_what_it_took,
        half_a_submission,
    ],
)
@pytest.mark.bubblewrap
def test_every_moment_between_submission_and_record_can_be_resumed(
    moment: Callable[[RunDirectory], None],
    finished: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The states a kill can leave, one after the other as ``run_trial`` makes them, from the last to the first."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY["ANTHROPIC_API_KEY"])
    suite, path = finished
    run = RunDirectory.open(Path(shutil.copytree(path, tmp_path / "run")))
    before = [outcome(record) for record in run.records()]
    moment(run)
    code = cli.execute(["run", "--resume", str(run.path), "--suite", str(suite)])
    assert code == 0, capsys.readouterr().err
    assert [outcome(record) for record in run.records()] == before
    assert len(lines_of(run)) == 1
    assert not run.unfinished()


@pytest.mark.parametrize("sandbox", ["embedded", "bubblewrap"])
def test_boxes_of_a_dead_process_are_removed_and_those_of_a_live_one_stay(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = Path(box_parent() or tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen(["true"])
    dead_mark = owner_mark(gone.pid)
    gone.wait()
    dead, alive = parent / f"box-{tmp_path.parent.name}-dead", parent / f"box-{tmp_path.parent.name}-alive"
    try:
        for folder, mark in ((dead, dead_mark), (alive, owner_mark(os.getppid()))):
            folder.mkdir()
            (folder / "tmp").mkdir()
            (folder / OWNER_FILE).write_text(mark)
        # Something that got away: it has the box's temporary folder in its environment, and nobody to end it.
        stray = subprocess.Popen(["sleep", "600"], env={"TMPDIR": f"{dead}/tmp"})
        spared = subprocess.Popen(["sleep", "600"], env={"TMPDIR": f"{alive}/tmp"})
        assert _choice.load(sandbox).reap() >= 1
        assert stray.wait(PATIENCE) == -signal.SIGKILL
        assert spared.poll() is None
        assert (dead.exists(), alive.exists()) == (False, True)
        spared.kill()
        spared.wait()
    finally:
        shutil.rmtree(dead, ignore_errors=True)
        shutil.rmtree(alive, ignore_errors=True)


# Interrupted


@pytest.mark.docker
def test_ctrl_c_ends_the_running_trial_and_begins_no_other(
    provider: ProviderServer, two_tasks: Path, tmp_path: Path
) -> None:
    solved = solving(*tasks_of(two_tasks))
    asked_once, go_on = threading.Event(), threading.Event()

    def waits_in_its_first_call(request: Request) -> Happening:
        asked_once.set()
        go_on.wait(PATIENCE)
        return solved(request)

    provider.script = waits_in_its_first_call
    process = start("run", *asked(provider, two_tasks), "--concurrency", "1", cwd=tmp_path, variables=KEY)
    assert asked_once.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    wait_for_line(tmp_path / "bench.err", "press Ctrl-C again")
    go_on.set()
    assert process.wait(PATIENCE) == 130
    run = the_run(tmp_path)
    assert [(record.task, record.score) for record in run.records()] == [("text/one", 1.0)]
    told = (tmp_path / "bench.err").read_text()
    assert f"go on with: bench run --resume runs/{run.record.run} --suite {two_tasks}" in told
    assert "Traceback" not in told
    done = bench("run", "--resume", str(run.path), "--suite", str(two_tasks), cwd=tmp_path, **KEY)
    assert done.returncode == 0, done.stderr
    assert [record.score for record in run.records()] == [1.0, 1.0]


@pytest.mark.parametrize("sandbox", in_both("docker"))
def test_a_second_ctrl_c_ends_at_once_and_leaves_nothing(
    sandbox: str, provider: ProviderServer, suite: Path, tmp_path: Path
) -> None:
    halting = Halting(solving(*tasks_of(suite)), after=1)
    provider.script = halting
    process = start("run", *asked(provider, suite), "--sandbox", sandbox, cwd=tmp_path, variables=KEY)
    assert halting.reached.wait(PATIENCE), (tmp_path / "bench.err").read_text()
    mark = owner_mark(process.pid)
    assert list(boxes_of(mark))
    process.send_signal(signal.SIGINT)
    wait_for_line(tmp_path / "bench.err", "press Ctrl-C again")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert not list(boxes_of(mark))
    told = (tmp_path / "bench.err").read_text()
    assert "stopped; go on with: bench run --resume" in told
    assert "Traceback" not in told
    run = the_run(tmp_path)
    assert not run.records()
    provider.script = solving(*tasks_of(suite))
    done = bench("run", "--resume", str(run.path), "--suite", str(suite), cwd=tmp_path, **KEY)
    assert done.returncode == 0, done.stderr
    assert Counter(request.turns for request in provider.requests)[0] == 1


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_verify_as_it_ends_a_run(presses: int, suite: Path, tmp_path: Path) -> None:
    """What is being graded is finished first, and kept; pressed again, it isn't waited for, and nothing is left."""
    waiting, go_on, proofs = tmp_path / "waiting", tmp_path / "go-on", tmp_path / "proofs.jsonl"
    waiting.touch()
    let_wait(suite, "one", waiting, go_on)
    asked = ("verify", "--suite", str(suite), "--only", "reference", "--jobs", "1", "--proofs", str(proofs))
    process = start(*asked, cwd=tmp_path)
    wait_for_line(waiting, "one")
    mark = owner_mark(process.pid)
    assert list(boxes_of(mark))
    press_ctrl_c(process, presses, tmp_path, go_on)
    assert not list(boxes_of(mark))
    assert len(proofs.read_text().splitlines()) == 2 - presses
    go_on.touch()
    done = bench(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (f"1 of 3 verdicts stood in {proofs}" in done.stderr) == (presses == 1)


@pytest.mark.parametrize("presses", [1, 2])
def test_a_regrade_that_was_ended_grades_only_the_rest(presses: int, two_tasks: Path, tmp_path: Path) -> None:
    """Until all are there the grades are the old ones."""
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    go_on.touch()
    for task in ("one", "two"):
        let_wait(two_tasks, task, begun, go_on)
    assert bench("run", "--model", "reference", "--suite", str(two_tasks), cwd=tmp_path).returncode == 0
    run, a_grade = the_run(tmp_path), Counter(begun.read_text().split())
    before = run.trials_file.read_text()

    begun.write_text("")
    go_on.unlink()
    asked = ("regrade", str(run.path), "--suite", str(two_tasks), "--jobs", "1")
    process = start(*asked, cwd=tmp_path)
    wait_for_line(begun, "o")
    (first,) = begun.read_text().split()
    press_ctrl_c(process, presses, tmp_path, go_on)
    assert "Traceback" not in (tmp_path / "bench.err").read_text()
    assert run.trials_file.read_text() == before
    assert len(Journal(run.regrade_file).lines()) == 2 - presses

    go_on.touch()
    begun.write_text("")
    done = bench(*asked, cwd=tmp_path)
    assert (done.returncode, "0 grades changed" in done.stdout) == (0, True), done.stderr
    kept = {first} if presses == 1 else set()
    assert Counter(begun.read_text().split()) == {task: times for task, times in a_grade.items() if task not in kept}
    assert not run.regrade_file.exists()
    assert (run.path / "trials.1.jsonl").read_text() == before


def let_wait(suite: Path, task: str, begun: Path, go_on: Path) -> None:
    """The task's reference writes its name into one file, and waits until there is the other."""
    script = suite / "text" / task / "reference" / "greet.sh"
    script.write_text(f"echo {task} >> {begun}\nuntil [ -e {go_on} ]; do sleep 0.1; done\n{script.read_text()}")


def press_ctrl_c(process: subprocess.Popen[str], presses: int, folder: Path, go_on: Path) -> None:
    """Once, and what runs goes on to its end; or twice. The process ends as an interrupted one."""
    process.send_signal(signal.SIGINT)
    wait_for_line(folder / "bench.err", "press Ctrl-C again")
    if presses == 2:
        process.send_signal(signal.SIGINT)
    else:
        go_on.touch()
    assert process.wait(PATIENCE) == 130


def boxes_of(mark: str) -> Iterator[str]:
    """What there is of a process's boxes: folders and containers."""
    for parent in {Path(box_parent() or "/tmp"), Path("/tmp")}:
        for file in parent.glob(f"box-*/{OWNER_FILE}"):
            if file.read_text() == mark:
                yield str(file.parent)
    if shutil.which("docker"):
        listed = subprocess.run(
            ["docker", "ps", "--all", "--quiet", "--filter", f"label=bench.owner={mark}"],
            capture_output=True,
            text=True,
            check=False,
        )
        yield from listed.stdout.split()


def wait_for_line(file: Path, text: str) -> None:
    """Block until a text stands in a file that another process writes."""
    with subprocess.Popen(["tail", "--lines=+1", "--follow", str(file)], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        guard = threading.Timer(PATIENCE, tail.kill)
        guard.start()
        found = any(text in line for line in tail.stdout)
        guard.cancel()
        tail.kill()
    assert found, file.read_text()


# One writer, and a full disk


@pytest.mark.docker
def test_two_processes_cannot_do_one_run(provider: ProviderServer, suite: Path, tmp_path: Path) -> None:
    provider.script = halting = Halting(solving(*tasks_of(suite)), after=0)
    process = start("run", *asked(provider, suite), cwd=tmp_path, variables=KEY)
    assert halting.reached.wait(PATIENCE), (tmp_path / "bench.err").read_text()
    run = the_run(tmp_path)
    second = bench("run", "--resume", str(run.path), "--suite", str(suite), cwd=tmp_path, **KEY)
    assert second.returncode == 2
    assert f"(id {process.pid})" in second.stderr
    refused = bench("regrade", str(run.path), "--suite", str(suite), cwd=tmp_path)
    assert refused.returncode == 2
    kill(process)
    assert len(provider.requests) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of half a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_space_mends_it(small_disk: Path, suite: Path, tmp_path: Path) -> None:
    (ballast := small_disk / "ballast").write_bytes(b"x" * 450_000)
    command = ["run", "--model", "nop", "--suite", str(suite), "--attempts", "40", "--runs", str(small_disk / "runs")]
    done = bench(*command, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "No space left on device" in done.stderr
    assert "free some space" in done.stderr
    assert "unexpected" not in done.stderr
    (path,) = find_runs(small_disk / "runs")
    finished = len(RunDirectory.open(path).records())
    assert finished < 40
    ballast.unlink()
    # 40 trials of four pages each would still be too many for this disk.
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    done = bench("run", "--resume", str(path), "--suite", str(suite), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = RunDirectory.open(path).records()
    assert len(records) == 40
    assert {record.status for record in records} == {"graded"}


def test_a_disk_that_is_full_from_the_start_begins_nothing(small_disk: Path, suite: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(b"x" * 600_000)
    done = bench("run", "--model", "nop", "--suite", str(suite), "--runs", str(small_disk / "runs"), cwd=tmp_path)
    assert done.returncode == 3
    assert "free some space" in done.stderr
    assert not find_runs(small_disk)
