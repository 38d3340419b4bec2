"""Trials as trajectories in the Agent Trajectory Interchange Format, ATIF v1.7 (Harbor's RFC 0001).

A reply of the model is a step with its calls and what came of them; a call's result that has no call becomes an
observation of the system's.
"""

from __future__ import annotations

from typing import Any

from results.records import RunRecord, TrialRecord
from results.transcripts import StoredTranscript, arguments_of, text_of, usage_of

VERSION = "ATIF-v1.7"
SOURCES = {"system": "system", "user": "user", "assistant": "agent", "note": "system"}


def trajectory(run: RunRecord, trial: TrialRecord, transcript: StoredTranscript) -> dict[str, Any]:
    """The trajectory as JSON; a gap in the transcript, or that nothing was said, is in ``notes``."""
    steps: list[dict[str, Any]] = []
    for event in transcript.events:
        match event["event"]:
            case "tool_call":
                _calling(steps).setdefault("tool_calls", []).append(
                    {
                        "tool_call_id": str(event.get("id", "")),
                        "function_name": str(event.get("name", "")),
                        "arguments": arguments_of(event),
                    }
                )
            case "tool_result":
                _add_result(steps, event)
            case kind if kind in SOURCES:
                steps.append(_said(event, SOURCES[kind]))
    if not steps:
        steps.append({"source": "system", "message": transcript.gap or "nothing was said: this agent asks no model"})
    steps = [{"step_id": number, **step} for number, step in enumerate(steps, start=1)]
    usage = trial.usage
    return {
        "schema_version": VERSION,
        "session_id": f"{run.run}/{trial.task}/{trial.attempt}",
        "agent": {
            "name": f"bench-{run.agent}",
            "version": run.harness_version,
            "model_name": run.model,
            "extra": {"persona": run.persona.name, "persona_digest": run.persona.digest, **dict(run.parameters)},
        },
        "steps": steps,
        **({"notes": transcript.gap} if transcript.gap else {}),
        "final_metrics": {
            "total_prompt_tokens": usage.input + usage.cache_read + usage.cache_write,
            "total_completion_tokens": usage.output,
            "total_cached_tokens": usage.cache_read,
            **({} if trial.cost is None else {"total_cost_usd": float(trial.cost)}),
            "total_steps": len(steps),
            "extra": {"status": trial.status, "score": trial.score, "resolved": trial.resolved},
        },
    }


def _said(event: Any, source: str) -> dict[str, Any]:
    step = {**_time(event), "source": source, "message": text_of(event)}
    if source != "agent":
        return step
    usage = usage_of(event)
    return step | {
        "metrics": {
            "prompt_tokens": usage["input"] + usage["cache_read"] + usage["cache_write"],
            "completion_tokens": usage["output"],
            "cached_tokens": usage["cache_read"],
        }
    }


def _calling(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The step that a call belongs to: the model's last one."""
    if not steps or steps[-1]["source"] != "agent":
        steps.append({"source": "agent", "message": ""})
    return steps[-1]


def _add_result(steps: list[dict[str, Any]], event: Any) -> None:
    called = str(event.get("id", ""))
    result: dict[str, Any] = {"content": text_of(event)}
    if event.get("failed"):
        result |= {"extra": {"failed": True}}
    for step in reversed(steps):
        if any(call["tool_call_id"] == called for call in step.get("tool_calls", ())):
            observation = step.setdefault("observation", {"results": []})
            observation["results"].append({"source_call_id": called, **result})
            return
    steps.append({**_time(event), "source": "system", "message": "", "observation": {"results": [result]}})


def _time(event: Any) -> dict[str, str]:
    return {"timestamp": event["time"]} if isinstance(event.get("time"), str) else {}
