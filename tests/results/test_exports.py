"""What other tools read of a run: Hugging Face's datasets, Inspect's logs, ATIF trajectories."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.suite_files import rows_of, write_suite
from harness.task import load_suite
from results.atif import trajectory
from results.dataset import read_task_rows, tally_dataset, write_dataset
from results.errors import RunDirectoryError
from results.inspect_log import write_inspect_log
from results.leaderboard import Run, leaderboards, leaderboards_of
from results.records import CheckRecord, Times, Usage
from results.run_directory import RunDirectory
from results.transcripts import read_transcript
from tests.cli.tiny import make_suite
from tests.results.builders import TASKS, run_record, trial_record

EVENTS = (
    {"event": "system", "text": "You are a data engineer."},
    {"event": "user", "text": "Please load the orders."},
    {"event": "assistant", "text": "Let me look.", "usage": {"input_tokens": 7, "output_tokens": 3}},
    {"event": "tool_call", "id": "c1", "name": "shell", "arguments": {"command": "ls"}},
    {"event": "tool_call", "id": "c2", "name": "shell", "raw": "{broken"},
    {"event": "tool_result", "id": "c1", "text": "orders.csv", "failed": False},
    {"event": "tool_result", "id": "c2", "text": "error: no JSON", "failed": True},
    {"event": "assistant", "text": "Done."},
    {"event": "note", "text": "ended: submitted"},
)
CHECK = CheckRecord(id="rows_match", dimension="correctness", required=True, passed=False, evidence="3 rows differ")


def stored(folder: Path, name: str = "r1", **changes) -> RunDirectory:
    """A run of three tasks twice: graded, with one invalid trial, one without a cost, one transcript."""
    directory = RunDirectory.create(folder / name, run_record(run=name, **changes))
    with directory.writing() as writer:
        for number, task in enumerate(TASKS):
            for attempt in (1, 2):
                invalid = (number, attempt) == (2, 2)
                details = {
                    "cost": None if number else Decimal("0.125"),
                    "usage": Usage(input=10, output=20, cache_read=30, cache_write=40),
                    "times": Times(agent=90.0, waited=5.0),
                    "technologies": ("sql",) if number else ("airflow", "sql"),
                    "difficulty": "hard",
                }
                if not invalid:
                    details |= {"dimensions": {"correctness": number / 2, "scale": 1.0}, "checks": (CHECK,)}
                score = None if invalid else number / 2
                writer.append_trial(trial_record(task, attempt, score, **details))
    transcript = directory.trial(TASKS[0], 1).transcript
    transcript.parent.mkdir(parents=True)
    time = {"time": "2026-01-01T00:00:00.000+00:00"}
    transcript.write_text("".join(json.dumps({**time, **event}) + "\n" for event in EVENTS))
    return directory


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    runs = [stored(tmp_path, "r1"), stored(tmp_path, "r2", model="openai/other")]
    write_dataset(tmp_path / "dataset", runs, list(rows_of(load_suite(str(make_suite(tmp_path / "tiny"))))))
    return tmp_path / "dataset"


def test_hugging_face_loads_every_table(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    cache = str(tmp_path / "cache")
    loaded = {
        name: datasets.load_dataset(str(dataset), name, split="train", cache_dir=cache)
        for name in ("trials", "checks", "tasks", "runs")
    }
    trials = loaded["trials"]
    assert (len(trials), len(loaded["checks"]), len(loaded["runs"])) == (12, 10, 2)
    first = trials[0]
    assert (first["task"], first["score"], first["dimension.correctness"]) == (TASKS[0], 0.0, 0.0)
    assert (first["cost"], first["technologies"]) == (Decimal("0.125"), ["airflow", "sql"])
    invalid = [row for row in trials if row["status"] == "invalid"]
    assert [(row["score"], row["resolved"], row["cause"]) for row in invalid] == [(None, None, "engine")] * 2
    assert loaded["checks"][0]["evidence"] == "3 rows differ"
    assert json.loads(loaded["runs"][0]["record"])["run"] == "r1"
    assert set(loaded["tasks"]["task"]) == {*TASKS, "text/one"}


def test_a_leaderboard_of_a_data_set_is_that_of_its_runs(dataset, tmp_path):
    runs = [Run.read(RunDirectory.open(tmp_path / name)) for name in ("r1", "r2")]
    for by in (None, "dimension", "technology", "difficulty"):
        direct, read = leaderboards(runs, by), leaderboards_of(tally_dataset(dataset), by)
        assert [board.title for board in direct] == [board.title for board in read]
        assert [board.rows() for board in direct] == [board.rows() for board in read]


def test_a_suite_comes_back_whole_from_a_data_set(dataset, tmp_path):
    [task] = write_suite(dataset, tmp_path / "back")
    [original] = load_suite(str(tmp_path / "tiny"))
    assert (task.digest, task.grader_digest) == (original.digest, original.grader_digest)
    assert task.reference.digest == original.reference.digest
    assert set(task.mutants) == set(original.mutants)
    with pytest.raises(UsageError, match="exists already"):
        write_suite(dataset, tmp_path / "back")
    with pytest.raises(UsageError, match="no files of a suite 'other'"):
        write_suite(dataset, tmp_path / "other", "other")


@pytest.mark.parametrize(("task", "path"), [("text/one", "../../evil"), ("text/one", "/evil"), ("../one", "evil")])
def test_a_data_set_writes_nothing_outside_the_suite(tmp_path, task, path):
    [row] = rows_of(load_suite(str(make_suite(tmp_path / "tiny"))))
    hostile = type(row)(**{**vars(row), "task": task, "files": {path: b"x"}})
    write_dataset(tmp_path / "dataset", [], [hostile])
    with pytest.raises(UsageError, match="damaged"):
        write_suite(tmp_path / "dataset", tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*evil*"))
    assert not (tmp_path / "deep" / "out").exists()


def test_a_damaged_data_set_is_told(dataset):
    (dataset / "trials" / "0.parquet").write_bytes(b"no parquet")
    with pytest.raises(RunDirectoryError, match="is damaged"):
        tally_dataset(dataset)
    (dataset / "trials" / "0.parquet").unlink()
    (dataset / "trials" / "1.parquet").unlink()
    with pytest.raises(RunDirectoryError, match="has no trials"):
        tally_dataset(dataset)


def test_trials_that_no_run_planned_are_refused(dataset):
    copy = dataset / "trials" / "copy.parquet"
    copy.write_bytes((dataset / "trials" / "0.parquet").read_bytes())
    with pytest.raises(RunDirectoryError, match="none of its runs planned"):
        tally_dataset(dataset)


def test_a_data_set_replaces_nothing_and_names_runs_once(dataset, tmp_path):
    run = RunDirectory.open(tmp_path / "r1")
    with pytest.raises(RunDirectoryError, match="exists already"):
        write_dataset(dataset, [run])
    with pytest.raises(RunDirectoryError, match="two of the runs"):
        write_dataset(tmp_path / "twice", [run, run])
    assert len(list(read_task_rows(dataset))) == 4


def test_inspect_reads_a_log(tmp_path):
    import inspect_ai.log as log_module

    write_inspect_log(tmp_path / "run.eval", stored(tmp_path))
    log = log_module.read_eval_log(str(tmp_path / "run.eval"))
    assert (log.status, log.eval.model, log.eval.task) == ("success", "anthropic/some-model", "bench/core")
    assert (log.results.total_samples, log.results.completed_samples) == (6, 5)
    assert log.results.scores[0].metrics["mean"].value == pytest.approx((0 + 0 + 0.5 + 0.5 + 1) / 5)
    samples = {(sample.id, sample.epoch): sample for sample in log.samples}
    assert len(samples) == 6
    told = samples["airflow--daily-orders-load", 1]
    assert [message.role for message in told.messages] == ["system", "user", "assistant", "tool", "tool", "assistant"]
    assert [call.arguments for call in told.messages[2].tool_calls] == [{"command": "ls"}, {"raw": "{broken"}]
    assert (told.scores["bench"].value, told.metadata["gap"]) == (0.0, None)
    assert "FAILED rows_match: 3 rows differ" in told.scores["bench"].explanation
    assert samples["airflow--daily-orders-load", 2].metadata["gap"] == "there is no transcript"
    assert samples["sql--scd2-users", 2].error.message.startswith("engine")
    assert not samples["sql--scd2-users", 2].scores
    header = log_module.read_eval_log(str(tmp_path / "run.eval"), header_only=True)
    assert header.eval.run_id == "r1"
    summaries = log_module.read_eval_log_sample_summaries(str(tmp_path / "run.eval"))
    assert len(summaries) == 6


def test_a_trajectory_says_what_was_called_and_what_came_of_it(tmp_path):
    directory = stored(tmp_path)
    trial = directory.records()[0]
    made = trajectory(directory.record, trial, read_transcript(directory.trial(*trial.key).transcript))
    steps = made["steps"]
    assert [step["step_id"] for step in steps] == [1, 2, 3, 4, 5]
    assert [step["source"] for step in steps] == ["system", "user", "agent", "agent", "system"]
    looked = steps[2]
    assert [call["tool_call_id"] for call in looked["tool_calls"]] == ["c1", "c2"]
    assert [result["source_call_id"] for result in looked["observation"]["results"]] == ["c1", "c2"]
    assert looked["metrics"] == {"prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 0}
    assert "metrics" not in steps[0]
    assert made["final_metrics"]["total_prompt_tokens"] == 80
    assert made["final_metrics"]["total_cost_usd"] == 0.125


def test_a_missing_or_damaged_transcript_is_a_marked_gap(tmp_path):
    directory = stored(tmp_path)
    first, second, *_ = directory.records()
    made = trajectory(directory.record, second, read_transcript(directory.trial(*second.key).transcript))
    assert made["notes"] == made["steps"][0]["message"] == "there is no transcript"
    path = directory.trial(*first.key).transcript
    path.write_bytes(path.read_bytes() + b'{"event": "user", "te\n[1]\n')
    read = read_transcript(path)
    assert (len(read.events), read.gap) == (9, "2 of its 11 lines are damaged")
