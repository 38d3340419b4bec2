"""One call, and one chance to repair what could not be taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import agents, models
from harness.agents import Budget, Transcript
from harness.agents.oneshot import shown
from harness.models import Message, Model, ModelParameters, Reply, ToolCall, Usage
from harness.submission import Submission
from harness.task import Task
from tests.agents.office import Parrot, calling, events, make_assignment, make_budget, saying
from tests.provider import Answer, Call, ProviderServer, solving

PROVIDERS = ["anthropic", "openai", "openai-compatible"]
FIXED = {"path": "load.sql", "content": "SELECT DISTINCT 'ü';\n"}
DELIVERABLE = {"path": "DELIVERABLE.md", "content": "# Done\n"}


def work(
    model: Model, task: Task, tmp_path: Path, budget: Budget | None = None, persona: str = "You are Kim."
) -> Submission:
    agent = agents.create("oneshot")
    assert (agent.name, agent.needs_model, agent.needs_workplace, agent.trusted) == ("oneshot", True, False, False)
    with Transcript(tmp_path / "transcript.jsonl") as transcript:
        return agent.work(make_assignment(task, persona), model, None, budget or make_budget(), transcript)


def handing_in(*files: dict[str, str], **more: Any) -> Reply:
    return calling("submit_files", {"files": list(files), **more})


@pytest.mark.parametrize("name", PROVIDERS)
def test_one_call_does_it(provider: ProviderServer, task: Task, tmp_path: Path, name: str) -> None:
    answer = {"files": [FIXED, DELIVERABLE], "deleted": ["old.sql"]}
    provider.say(Answer("Here it is.", (Call("submit_files", answer),), thinking="easy"))
    model = models.connect(f"{name}/some-model", ModelParameters(base_url=provider.base_url(name)))
    budget = make_budget()
    submission = work(model, task, tmp_path, budget, persona="# Kim\n")
    assert submission.files == {
        "load.sql": "SELECT DISTINCT 'ü';\n".encode(),
        "logo.sql": b"\xff\xfe\x00",
        "DELIVERABLE.md": b"# Done\n",
    }
    assert provider.requests[0].system == "# Kim\n"
    assert provider.requests[0].tools == ["submit_files"]
    assert provider.requests[0].opening.startswith(task.instruction)
    assert budget.turns_used == 1


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_same_script_that_plays_tools_plays_oneshot(
    provider: ProviderServer, task: Task, tmp_path: Path, name: str
) -> None:
    provider.script = solving(task)
    model = models.connect(f"{name}/some-model", ModelParameters(base_url=provider.base_url(name)))
    assert work(model, task, tmp_path) == task.reference


def test_the_starting_files_are_shown(task: Task) -> None:
    text = shown(task.workspace)
    assert '<file path="load.sql">\nSELECT * FROM orders;\n</file>' in text
    assert '<file path="logo.sql">\n(binary, 3 bytes)\n</file>' in text
    assert shown(Submission({"big": b"x" * 100_007})).endswith("\n(and 7 characters more)\n</file>")
    assert shown(Submission()) == "The project's folder is empty."


TWO_CALLS = Reply(
    Message(
        "assistant",
        calls=tuple(
            ToolCall(file["path"], "submit_files", {"files": [file]}, json.dumps({"files": [file]}))
            for file in (FIXED, DELIVERABLE)
        ),
    ),
    "tools",
)


@pytest.mark.parametrize(
    "reply",
    [
        TWO_CALLS,
        handing_in(FIXED, DELIVERABLE, comment="chatter"),
        saying(json.dumps({"files": [FIXED, DELIVERABLE]})),
        saying("Sure!\n```json\n" + json.dumps({"files": [FIXED, DELIVERABLE]}, indent=1) + "\n```\nThat's it."),
        saying('First {"a": 1}\n```\n{"b": 2}\n```\n```\n' + json.dumps({"files": [FIXED, DELIVERABLE]}) + "\n```"),
    ],
)
def test_answers_come_in_several_shapes(task: Task, tmp_path: Path, reply: Reply) -> None:
    parrot = Parrot([reply])
    submission = work(parrot, task, tmp_path)
    assert submission.deliverable == "# Done\n"
    assert submission.files["load.sql"] == FIXED["content"].encode()
    assert len(parrot.asked) == 1


MALFORMED = [
    (saying("I have mended it."), "submit_files was not called"),
    (saying("I have", stop="length"), "the answer was cut off at the output limit"),
    (calling("submit_files", '{"files": [{"pa', stop="length"), "it was cut off at the output limit"),
    (calling("submit_files", '{"files": [}'), "it is not valid JSON"),
    (calling("submit_files", {}), "files: Field required"),
    (calling("submit_files", {"files": []}), "files: List should have at least 1 item"),
    (calling("submit_files", {"files": [{"path": "a.sql"}]}), "files.0.content: Field required"),
    (calling("submit_files", {"files": "load.sql"}), "files: Input should be a valid list"),
    (calling("other", {"files": [FIXED]}), "submit_files was not called"),
    (handing_in({"path": "models/../../x", "content": ""}), "outside"),
    (handing_in({"path": "README.txt", "content": ""}), "none of the files belongs to the project, which takes *.sql"),
]


@pytest.mark.parametrize(("reply", "problem"), MALFORMED)
def test_what_cannot_be_taken_gets_one_repair_turn(task: Task, tmp_path: Path, reply: Reply, problem: str) -> None:
    parrot = Parrot([reply, handing_in(FIXED)])
    assert work(parrot, task, tmp_path).files["load.sql"] == FIXED["content"].encode()
    before, answer = parrot.asked[1][-2:]
    assert before == reply.message
    told = answer.text or answer.results[0].text
    assert told.startswith("That could not be taken: ")
    assert problem in told
    assert {result.id for result in answer.results} == {call.id for call in reply.message.calls}


@pytest.mark.parametrize(("reply", "problem"), MALFORMED)
def test_there_is_no_second_repair(task: Task, tmp_path: Path, reply: Reply, problem: str) -> None:
    parrot = Parrot([reply] * 3)
    submission = work(parrot, task, tmp_path)
    assert len(parrot.asked) == 2
    assert submission.files == {
        "load.sql": b"SELECT * FROM orders;\n",
        "old.sql": b"SELECT 1;\n",
        "logo.sql": b"\xff\xfe\x00",
    }
    assert problem in events(tmp_path / "transcript.jsonl")[-1]["text"]


def test_a_repair_over_the_wire_answers_the_call(provider: ProviderServer, task: Task, tmp_path: Path) -> None:
    provider.script = lambda request: Answer(
        "", (Call("submit_files", '{"files": [' if request.turns == 0 else {"files": [FIXED]}),)
    )
    for name in PROVIDERS:
        model = models.connect(f"{name}/some-model", ModelParameters(base_url=provider.base_url(name)))
        assert work(model, task, tmp_path).files["load.sql"] == FIXED["content"].encode()
        assert "it is not valid JSON" in provider.requests[-1].results[0]
    assert len(provider.requests) == 6


def test_a_refusal_is_not_argued_with(task: Task, tmp_path: Path) -> None:
    parrot = Parrot([saying("I won't.", stop="refusal"), handing_in(FIXED)])
    submission = work(parrot, task, tmp_path)
    assert len(parrot.asked) == 1
    assert submission.files["load.sql"] == b"SELECT * FROM orders;\n"


def test_a_full_context_leaves_the_starting_files(task: Task, tmp_path: Path) -> None:
    assert work(Parrot([]), task, tmp_path).files["load.sql"] == b"SELECT * FROM orders;\n"
    assert events(tmp_path / "transcript.jsonl")[-1]["text"] == "ended: context full"


def test_a_spent_budget_leaves_no_repair(task: Task, tmp_path: Path) -> None:
    parrot = Parrot([saying("oh", stop="length"), handing_in(FIXED)])
    work(parrot, task, tmp_path, make_budget(output_tokens=5))
    assert len(parrot.asked) == 1


def test_usage_of_both_turns_is_counted(task: Task, tmp_path: Path) -> None:
    budget = make_budget()
    work(Parrot([saying("oh"), handing_in(FIXED)]), task, tmp_path, budget)
    assert (budget.turns_used, budget.usage) == (2, Usage(20, 10))
