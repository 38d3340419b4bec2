"""A run as a log of Inspect (``.eval``), which ``inspect view`` and ``inspect_ai.log.read_eval_log`` open.

The file is a zip: ``header.json`` says what was run and the results, ``samples/<id>_epoch_<n>.json`` holds a trial with
its messages and scores, ``summaries.json`` what the list of samples shows. A task is a sample, an attempt an epoch.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from results.durable import write_whole
from results.measures import measure
from results.records import RunRecord, TrialRecord, Usage
from results.run_directory import RunDirectory
from results.statistics import mean, rate
from results.transcripts import StoredTranscript, arguments_of, read_transcript, text_of

SCORER = "bench"


def write_inspect_log(path: Path, directory: RunDirectory) -> None:
    """Write the whole run. Invalid trials are samples with an error and without a score.

    Raises:
        RunDirectoryError: the run is damaged. RunWriteError: the file can't be written.
    """
    run, trials = directory.record, directory.records()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        header = _header(run, trials)
        _put(archive, "_journal/start.json", {name: header[name] for name in ("version", "eval", "plan")})
        summaries = []
        for trial in trials:
            sample = _sample(run, trial, read_transcript(directory.trial(*trial.key).transcript))
            _put(archive, f"samples/{sample['id']}_epoch_{trial.attempt}.json", sample)
            summaries.append(_summary(sample))
        _put(archive, "_journal/summaries/1.json", summaries)
        _put(archive, "summaries.json", summaries)
        _put(archive, "header.json", header)
    write_whole(path, buffer.getvalue())


def _put(archive: zipfile.ZipFile, name: str, content: Any) -> None:
    archive.writestr(name, json.dumps(content))


def _header(run: RunRecord, trials: Sequence[TrialRecord]) -> dict[str, Any]:
    ended = run.created + timedelta(
        seconds=max((trial.times.agent + trial.times.grading for trial in trials), default=0)
    )
    measured, finished = measure(trials), len(trials) == len(run.planned_trials)
    score, resolved = mean(measured.score), rate(measured.resolved)
    metrics = {
        name: {"name": name, "value": value}
        for name, estimate in (("mean", score), ("resolved", resolved))
        for name, value in _values(name, estimate)
    }
    return {
        "version": 2,
        "status": "success" if finished else "cancelled",
        "eval": {
            "eval_id": run.run,
            "run_id": run.run,
            "created": run.created.isoformat(),
            "task": f"bench/{run.suite.name}",
            "task_id": run.suite.digest[:22] or run.suite.name,
            "task_version": 0,
            "dataset": {
                "name": run.suite.name,
                "samples": len(run.planned),
                "sample_ids": [_id(task) for task in run.planned],
                "shuffled": False,
            },
            "model": run.model,
            "model_args": {},
            "model_generate_config": {},
            "config": {"epochs": run.attempts},
            "packages": {"data-engineer-bench": run.harness_version},
            "metadata": {
                "agent": run.agent,
                "persona": run.persona.name,
                "persona_digest": run.persona.digest,
                "parameters": dict(run.parameters),
                "simulated": run.simulated,
            },
        },
        "plan": {"name": run.agent, "steps": [], "config": {}},
        "results": {
            "total_samples": len(run.planned_trials),
            "completed_samples": sum(trial.status == "graded" for trial in trials),
            "scores": [{"name": SCORER, "scorer": SCORER, "params": {}, "metrics": metrics}],
        },
        "stats": {
            "started_at": run.created.isoformat(),
            "completed_at": ended.isoformat(),
            "model_usage": {run.model: _usage([trial.usage for trial in trials])},
        },
    }


def _values(name: str, estimate: Any) -> Iterator[tuple[str, float]]:
    if estimate is not None:
        yield name, estimate.value
        if estimate.standard_error is not None:
            yield f"{name} stderr", estimate.standard_error


def _sample(run: RunRecord, trial: TrialRecord, transcript: StoredTranscript) -> dict[str, Any]:
    messages = list(_messages(transcript, run.model))
    asked = next((message["content"] for message in messages if message["role"] == "user"), "")
    answer = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    sample: dict[str, Any] = {
        "id": _id(trial.task),
        "epoch": trial.attempt,
        "input": asked or trial.task,
        "target": "",
        "messages": messages,
        "output": _output(run.model, answer),
        "scores": {},
        "metadata": {
            "task": trial.task,
            "seed": trial.seed,
            "technologies": trial.technologies,
            "responsibilities": trial.responsibilities,
            "difficulty": trial.difficulty,
            "cost": None if trial.cost is None else float(trial.cost),
            "stop_reason": trial.stop_reason,
            "perturbations": trial.perturbations,
            "gap": transcript.gap,
        },
        "store": {},
        "events": [],
        "model_usage": {run.model: _usage([trial.usage])},
        "total_time": trial.times.agent + trial.times.waited + trial.times.grading,
        "working_time": trial.times.agent,
        "attachments": {},
    }
    if trial.status == "graded":
        sample["scores"][SCORER] = {
            "value": trial.score,
            "answer": "resolved" if trial.resolved else "not resolved",
            "explanation": "\n".join(
                f"{'passed' if check.passed else 'FAILED'} {check.id}{f': {check.evidence}' if check.evidence else ''}"
                for check in trial.checks
            ),
            "metadata": {"dimensions": dict(trial.dimensions), "resolved": trial.resolved},
        }
    else:
        told = f"{trial.cause}: {trial.problem or ''}"
        sample["error"] = {"message": told, "traceback": "", "traceback_ansi": ""}
    return sample


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    kept = ("id", "epoch", "input", "target", "scores", "metadata", "model_usage", "total_time", "working_time")
    summary = {name: sample[name] for name in kept} | {"completed": "error" not in sample}
    return summary | ({"error": sample["error"]["message"]} if "error" in sample else {})


def _messages(transcript: StoredTranscript, model: str) -> Iterator[dict[str, Any]]:
    """Calls are part of the reply before them; the baselines' notes are no messages."""
    pending: dict[str, Any] | None = None
    for event in transcript.events:
        kind = event["event"]
        if kind == "tool_call":
            pending = pending or {"role": "assistant", "content": "", "source": "generate", "model": model}
            pending.setdefault("tool_calls", []).append(
                {
                    "id": str(event.get("id", "")),
                    "function": str(event.get("name", "")),
                    "arguments": arguments_of(event),
                    "type": "function",
                }
            )
            continue
        if pending:
            yield pending
            pending = None
        if kind == "assistant":
            pending = {"role": "assistant", "content": text_of(event), "source": "generate", "model": model}
        elif kind == "tool_result":
            yield {"role": "tool", "content": text_of(event), "tool_call_id": str(event.get("id", ""))}
        elif kind in {"system", "user"}:
            yield {"role": kind, "content": text_of(event)}
    if pending:
        yield pending


def _output(model: str, answer: dict[str, Any] | None) -> dict[str, Any]:
    if answer is None:
        return {"model": model, "choices": []}
    return {"model": model, "choices": [{"message": answer, "stop_reason": "stop"}]}


def _usage(usages: Sequence[Usage]) -> dict[str, int]:
    counts = {
        "input_tokens": sum(usage.input for usage in usages),
        "output_tokens": sum(usage.output for usage in usages),
        "input_tokens_cache_read": sum(usage.cache_read for usage in usages),
        "input_tokens_cache_write": sum(usage.cache_write for usage in usages),
    }
    return counts | {"total_tokens": sum(counts.values())}


def _id(task: str) -> str:
    # A slash would be a folder in the archive.
    return task.replace("/", "--")
