"""The loop: it works until submitted or out of budget, and nothing a model writes makes it fall over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness import agents, models
from harness.agents import Budget, Transcript
from harness.agents._tools import shortened
from harness.models import Message, Model, ModelParameters, Usage
from harness.models._journal import JournaledModel
from harness.submission import Submission, SubmissionError
from harness.task import Task
from tests.agents.office import Desk, Parrot, calling, events, make_assignment, make_budget, saying
from tests.provider import Answer, Call, ProviderServer, playing, solving

PROVIDERS = ["anthropic", "openai", "openai-compatible"]


def work(
    model: Model, desk: Desk, tmp_path: Path, budget: Budget | None = None, persona: str = "You are Kim."
) -> Submission:
    agent = agents.create("tools")
    assert (agent.name, agent.needs_model, agent.needs_workplace, agent.trusted) == ("tools", True, True, False)
    with Transcript(tmp_path / "transcript.jsonl") as transcript:
        assignment = make_assignment(desk.task, persona)
        return agent.work(assignment, model, desk, budget or make_budget(), transcript)


def results(parrot: Parrot) -> list[str]:
    return [result.text for message in parrot.asked[-1] for result in message.results]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_scripted_model_completes_a_task(
    provider: ProviderServer, task: Task, desk: Desk, tmp_path: Path, name: str
) -> None:
    provider.script = solving(task)
    model = models.connect(f"{name}/some-model", ModelParameters(base_url=provider.base_url(name)))
    budget = make_budget()
    submission = work(model, desk, tmp_path, budget, persona="# Kim\n")
    assert submission.digest == submitted_reference(task).digest
    assert {request.system for request in provider.requests} == {"# Kim\n"}
    assert provider.requests[0].opening.startswith(task.instruction)
    assert provider.requests[0].tools == ["bash", "read_file", "write_file", "submit"]
    assert budget.turns_used == len(provider.requests) == 3
    assert budget.usage == Usage(300, 60)


def submitted_reference(task: Task) -> Submission:
    return agents.submitted(task, {**task.reference.files})


def test_a_played_submission_may_hold_anything(
    provider: ProviderServer, task: Task, desk: Desk, tmp_path: Path
) -> None:
    wanted = Submission({"models/ä 'b'/x.bin": b"\xff\x00\xfe", "load.sql": b"", "DELIVERABLE.md": "ü".encode()})
    provider.script = playing({task.instruction: wanted}, {task.instruction: task.workspace.files})
    model = models.connect("anthropic/some-model", ModelParameters(base_url=provider.base_url("anthropic")))
    assert work(model, desk, tmp_path).files == wanted.files


def test_a_killed_trial_resumes_without_paying_again(
    provider: ProviderServer, task: Task, desk: Desk, tmp_path: Path
) -> None:
    provider.script = solving(task)
    model = models.connect("openai/some-model", ModelParameters(base_url=provider.base_url("openai")))
    first = work(JournaledModel(model, tmp_path / "journal.jsonl"), desk, tmp_path)
    asked = len(provider.requests)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[:-1]))
    budget = make_budget()
    again = Desk(task, tmp_path / "another")
    assert work(JournaledModel(model, tmp_path / "journal.jsonl"), again, tmp_path, budget) == first
    assert len(provider.requests) == asked + 1
    assert budget.usage == Usage(300, 60), "what was paid before counts all the same"


def test_the_persona_is_the_system_prompt_and_nothing_else_is(desk: Desk, tmp_path: Path) -> None:
    persona = " * with\ttabs, ümläuts and a trailing line\n\n"
    parrot = Parrot([calling("bash", {"command": "ls"}), calling("submit")])
    work(parrot, desk, tmp_path, persona=persona)
    assert parrot.systems == [persona, persona]
    opening = parrot.asked[0][0]
    assert opening.role == "user"
    assert opening.text.startswith(desk.task.instruction)
    assert persona not in opening.text


def test_nothing_told_to_the_agent_says_that_it_is_measured(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot(
        [
            calling("bash", {"command": "exit 3"}),
            calling("nonsense", {}),
            calling("bash", "{"),
            saying("well"),
            calling("submit"),
        ]
    )
    work(parrot, desk, tmp_path)
    told = [message.text for message in parrot.asked[-1]] + results(parrot)
    from harness.agents import _tools, oneshot

    told += [tool.description for tool in [*_tools.TOOLS, oneshot.SUBMIT_FILES]]
    told += [oneshot.WAY_OF_WORKING, oneshot.REPAIR]
    forbidden = r"\b(tests?|tested|benchmark|evaluat\w*|sandbox\w*|grad(e|ed|er|ing)|scor\w*|trial|hidden|simulat\w*)\b"
    assert [text for text in told if re.search(forbidden, text, re.IGNORECASE)] == []


def test_the_tools_do_what_they_say(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot(
        [
            calling("write_file", {"path": "models/a.sql", "content": "SELECT 'ü';\n"}),
            calling("read_file", {"path": "models/a.sql"}),
            calling("bash", {"command": "cat models/a.sql; echo oops >&2; exit 3"}),
            calling("bash", {"command": "echo $PWD", "timeout": "30"}),
            calling("submit"),
        ]
    )
    submission = work(parrot, desk, tmp_path)
    told = [text.partition("\n\nLeft for this ticket")[0] for text in results(parrot)]
    assert told[0] == "wrote 13 bytes to models/a.sql"
    assert told[1] == "SELECT 'ü';\n"
    assert told[2] == "SELECT 'ü';\nstderr:\noops\n[exit code 3]"
    assert told[3] == f"{desk.folder}\n[exit code 0]"
    assert desk.timeouts == [120, 30]
    assert set(submission.files) == {"load.sql", "old.sql", "logo.sql", "models/a.sql"}, "notes.txt isn't taken"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("bash", '{"command": "ls', "not a JSON object"),
        ("bash", {}, "command: Field required"),
        ("bash", {"command": 3}, "command: Input should be a valid string"),
        ("bash", {"command": "ls", "timeout": -1}, "timeout: Input should be greater than 0"),
        ("bash", {"command": "ls \x00"}, "null byte"),
        ("read_file", {"path": "none.sql"}, "No such file"),
        ("read_file", {"path": "."}, "outside"),
        ("read_file", {"path": "logo.sql"}, "not a text file"),
        ("read_file", {"path": "../secret"}, "outside"),
        ("write_file", {"path": "/etc/x", "content": ""}, "outside"),
        ("write_file", {"path": "x"}, "content: Field required"),
        ("delete_file", {"path": "x"}, "there is no tool 'delete_file'; there are bash, read_file"),
        ("", {}, "there is no tool ''"),
    ],
)
def test_a_call_that_cannot_be_done_is_answered_and_the_work_goes_on(
    desk: Desk, tmp_path: Path, name: str, arguments: Any, said: str
) -> None:
    parrot = Parrot([calling(name, arguments), calling("submit")])
    work(parrot, desk, tmp_path)
    (result,) = parrot.asked[1][-1].results
    assert result.failed
    assert result.text.startswith("error: ")
    assert said in result.text


def test_a_command_that_hangs_is_stopped_and_the_agent_told(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot([calling("bash", {"command": "sleep 60", "timeout": 0.1}), calling("submit")])
    work(parrot, desk, tmp_path)
    assert "[stopped after 0 seconds]" in results(parrot)[0]


def test_no_command_gets_more_time_than_is_left(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot([calling("bash", {"command": "true"}, seconds=50.0), calling("submit")])
    work(parrot, desk, tmp_path, make_budget(working_time=60))
    assert desk.timeouts == [10]


def test_long_output_keeps_its_head_its_tail_and_the_exit_code(desk: Desk, tmp_path: Path) -> None:
    command = "echo first; seq 100000; echo last; echo why it failed >&2; exit 9"
    parrot = Parrot([calling("bash", {"command": command}), calling("submit")])
    work(parrot, desk, tmp_path)
    (text,) = results(parrot)
    assert len(text) < 17_000
    assert text.startswith("first\n1\n2\n")
    assert "characters left out" in text
    assert "100000\nlast\nstderr:\nwhy it failed\n[exit code 9]" in text


def test_shortening_says_how_much_is_gone() -> None:
    assert shortened("abc", 10) == "abc"
    assert shortened("a" * 50 + "b" * 50, 10) == "aaaaa\n[… 90 characters left out …]\nbbbbb"


def test_what_is_left_is_told_each_turn(desk: Desk, tmp_path: Path) -> None:
    usage = Usage(1, 1_000)
    parrot = Parrot([calling("bash", {"command": "true"}, usage=usage, seconds=60.0), calling("submit")])
    work(parrot, desk, tmp_path, make_budget(turns=5, output_tokens=9_000, working_time=600))
    assert parrot.asked[0][0].text.endswith("Left for this ticket: 5 steps, 10 minutes, 9,000 tokens of output.")
    assert results(parrot)[0].endswith("Left for this ticket: 4 steps, 8 minutes, 8,000 tokens of output.")


@pytest.mark.parametrize(
    ("limits", "ended"),
    [
        ({"turns": 3}, "turns"),
        ({"output_tokens": 15}, "output_tokens"),
        ({"working_time": 90}, "working_time"),
    ],
)
def test_a_spent_budget_ends_the_work_with_what_there_is(
    desk: Desk, tmp_path: Path, limits: dict[str, int], ended: str
) -> None:
    turns = [calling("write_file", {"path": f"{n}.sql", "content": ""}, seconds=30.0) for n in range(9)]
    parrot = Parrot(turns)
    submission = work(parrot, desk, tmp_path, make_budget(**limits))
    assert len(parrot.asked) == 3
    assert {"0.sql", "1.sql", "2.sql", "load.sql"} <= set(submission.files)
    assert events(tmp_path / "transcript.jsonl")[-1]["text"] == f"ended: {ended}"


def test_time_lost_waiting_for_the_provider_is_not_the_agents(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot([calling("bash", {"command": "true"}, seconds=1.0, waited=10_000.0), calling("submit")])
    budget = make_budget(working_time=60)
    work(parrot, desk, tmp_path, budget)
    assert len(parrot.asked) == 2
    assert budget.time_used < 10
    assert budget.waited == 10_000


def test_a_refusal_is_no_error(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot([calling("write_file", {"path": "a.sql", "content": ""}), saying("I won't.", stop="refusal")])
    submission = work(parrot, desk, tmp_path)
    assert "a.sql" in submission.files
    assert events(tmp_path / "transcript.jsonl")[-1]["text"] == "ended: refusal"


def test_a_full_context_is_no_error(desk: Desk, tmp_path: Path) -> None:
    submission = work(Parrot([calling("write_file", {"path": "a.sql", "content": ""})]), desk, tmp_path)
    assert "a.sql" in submission.files
    assert events(tmp_path / "transcript.jsonl")[-1]["text"] == "ended: context full"


def test_who_only_talks_is_asked_to_go_on_and_then_taken_to_be_done(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot([saying("Shall I?"), calling("bash", {"command": "true"}), *[saying("Done!")] * 5])
    work(parrot, desk, tmp_path)
    assert len(parrot.asked) == 5
    assert [message.text.split(".")[0] for message in parrot.asked[-1] if message.role == "user"][1:] == [
        "Please go on, or call submit if everything is in place"
    ] * 3
    assert events(tmp_path / "transcript.jsonl")[-1]["text"] == "ended: stopped without submitting"


def test_an_answer_cut_at_the_limit_goes_on(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot([saying("I was about to", stop="length"), calling("submit")])
    work(parrot, desk, tmp_path)
    assert events(tmp_path / "transcript.jsonl")[-1]["text"] == "ended: submitted"


class StrictDesk(Desk):
    """Takes nothing that has a file named ``huge``."""

    def collect(self) -> Submission:
        if (self.folder / "huge").exists():
            raise SubmissionError("huge has too many bytes")
        return super().collect()


def test_what_cannot_be_handed_in_is_told_and_can_be_mended(task: Task, tmp_path: Path) -> None:
    parrot = Parrot(
        [
            calling("bash", {"command": "touch huge"}),
            calling("submit"),
            calling("bash", {"command": "rm huge; touch good.sql"}),
            calling("submit"),
        ]
    )
    submission = work(parrot, StrictDesk(task, tmp_path / "strict"), tmp_path)
    assert "error: this can't be handed in: huge has too many bytes" in results(parrot)[1]
    assert "good.sql" in submission.files


def test_what_cannot_be_handed_in_at_the_end_is_an_empty_submission(task: Task, tmp_path: Path) -> None:
    parrot = Parrot([calling("bash", {"command": "touch huge"})])
    submission = work(parrot, StrictDesk(task, tmp_path / "strict"), tmp_path, make_budget(turns=1))
    assert submission == Submission()
    assert "too many bytes" in events(tmp_path / "transcript.jsonl")[-1]["text"]


def test_several_calls_are_done_in_order_and_none_after_submit(
    provider: ProviderServer, desk: Desk, tmp_path: Path
) -> None:
    write = [Call("write_file", {"path": "a.sql", "content": str(number)}) for number in range(3)]
    provider.say(Answer("", (write[0], write[1])), Answer("", (Call("submit"), write[2])))
    model = models.connect("openai/some-model", ModelParameters(base_url=provider.base_url("openai")))
    assert work(model, desk, tmp_path).files["a.sql"] == b"1"
    assert desk.read("a.sql") == b"1"


def test_the_transcript_holds_what_was_said_and_done(desk: Desk, tmp_path: Path) -> None:
    parrot = Parrot(
        [
            calling("bash", {"command": "echo hi"}, seconds=1.5, waited=2.5, usage=Usage(1, 2, 3, 4)),
            calling("bash", '{"comm'),
            calling("submit"),
        ]
    )
    work(parrot, desk, tmp_path)
    lines = events(tmp_path / "transcript.jsonl")
    assert [line["event"] for line in lines] == [
        "system",
        "user",
        *["assistant", "tool_call", "tool_result"] * 3,
        "note",
    ]
    assert lines[0]["text"] == "You are Kim."
    assert (lines[2]["seconds"], lines[2]["waited"], lines[2]["stop"]) == (1.5, 2.5, "tools")
    assert lines[2]["usage"]["cache_read_tokens"] == 3
    assert lines[3]["arguments"] == {"command": "echo hi"}
    assert lines[4]["text"].startswith("hi\n[exit code 0]")
    assert lines[6]["raw"] == '{"comm'
    assert lines[7]["failed"] is True
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_messages_sent_before_stay_as_they_were(desk: Desk, tmp_path: Path) -> None:
    """The provider's cache holds a prefix; changing an old message would lose it and pay again."""
    parrot = Parrot([calling("bash", {"command": "true"}), calling("bash", {"command": "true"}), calling("submit")])
    work(parrot, desk, tmp_path)
    before: list[Message] = []
    for asked in parrot.asked:
        assert asked[: len(before)] == before
        before = asked
