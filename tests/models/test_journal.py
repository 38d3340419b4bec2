"""A trial killed at any moment resumes with what it has already paid for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import models
from harness.errors import InfrastructureError
from harness.models import Message, Model, ModelParameters, Reply, Tool, ToolResult, Usage
from harness.models._journal import JournaledModel
from tests.provider import Answer, Call, Failure, ProviderServer

LOOK = Tool("look", "Look.", {"type": "object", "properties": {}})
PROVIDERS = ["anthropic", "openai", "openai-compatible"]


def connected(server: ProviderServer, name: str = "anthropic") -> Model:
    return models.connect(f"{name}/some-model", ModelParameters(base_url=server.base_url(name)))


def converse(model: Model, turns: int, said: str = "seen") -> list[Reply]:
    """A conversation in which the model calls a tool each turn; ``said`` is what the tool answers."""
    messages, replies = [Message("user", "hello")], []
    for _ in range(turns):
        reply = model.reply("persona", messages, [LOOK])
        replies.append(reply)
        results = tuple(ToolResult(call.id, said) for call in reply.message.calls)
        messages += [reply.message, Message("tools", results=results)]
    return replies


def looking(number: int) -> Answer:
    return Answer(f"turn {number}", (Call("look"),), thinking=f"thought {number}", usage=Usage(number, 1, 2, 3))


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_resumed_conversation_asks_only_for_what_is_missing(
    provider: ProviderServer, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "trial" / "journal.jsonl"
    provider.say(*(looking(number) for number in range(5)))
    before = converse(JournaledModel(connected(provider, name), path), 3)
    assert len(provider.requests) == 3

    # The commands run again and say something else; the calls are the same.
    after = converse(JournaledModel(connected(provider, name), path), 5, said="something else")
    assert after[:3] == before
    assert [reply.message.text for reply in after] == [f"turn {number}" for number in range(5)]
    assert len(provider.requests) == 5, "the server also checks that thoughts are replayed as they came"

    again = converse(JournaledModel(connected(provider, name), path), 5)
    assert again == after
    assert len(provider.requests) == 5


def test_a_torn_last_line_is_cut_off_and_asked_for_again(provider: ProviderServer, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    provider.say(*(looking(number) for number in range(3)))
    converse(JournaledModel(connected(provider), path), 2)
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    for torn in (whole[: first_line + 10], whole[:-1]):
        path.write_bytes(torn)
        provider.say(looking(1))
        asked = len(provider.requests)
        assert len(converse(JournaledModel(connected(provider), path), 2)) == 2
        assert len(provider.requests) == asked + 1
        assert [json.loads(line)["reply"]["message"]["text"] for line in path.read_text().splitlines()] == [
            "turn 0",
            "turn 1",
        ]


def test_what_is_asked_differently_is_asked_anew(provider: ProviderServer, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    provider.script = lambda request: Answer("yes")
    hello = [Message("user", "hello")]
    JournaledModel(connected(provider), path).reply("one persona", hello, [])
    JournaledModel(connected(provider), path).reply("another persona", hello, [])
    JournaledModel(connected(provider), path).reply("one persona", hello, [LOOK])
    JournaledModel(connected(provider, "openai"), path).reply("one persona", hello, [])
    assert len(provider.requests) == 4
    JournaledModel(connected(provider), path).reply("another persona", hello, [])
    assert len(provider.requests) == 4


def test_a_reply_belongs_to_its_place_in_the_conversation(provider: ProviderServer, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    provider.script = lambda request: Answer(f"after {len(request.users)}")
    short = [Message("user", "hello")]
    long = [*short, Message("user", "still there?")]
    for conversation in (short, long):
        JournaledModel(connected(provider), path).reply("", conversation, [])
    model = JournaledModel(connected(provider), path)
    assert model.reply("", long, []).message.text == "after 2"
    assert model.reply("", short, []).message.text == "after 1"
    assert len(provider.requests) == 2


def test_a_failed_call_is_not_recorded(provider: ProviderServer, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    provider.say(Failure(400, "no"), Answer("yes"))
    hello = [Message("user", "hello")]
    with pytest.raises(InfrastructureError):
        JournaledModel(connected(provider), path).reply("", hello, [])
    assert not path.exists()
    assert JournaledModel(connected(provider), path).reply("", hello, []).message.text == "yes"


KILLED = """
import sys
from pathlib import Path
from harness import models
from harness.models._journal import JournaledModel
from tests.models.test_journal import converse
model = models.connect("openai/some-model", models.ModelParameters(base_url=sys.argv[1]))
converse(JournaledModel(model, Path(sys.argv[2])), 10)
"""


def test_a_kill_loses_no_finished_call(provider: ProviderServer, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    url = provider.base_url("openai")

    def script(request: object) -> Answer:
        if len(provider.requests) == 4:
            os.kill(process.pid, signal.SIGKILL)
        return looking(len(provider.requests))

    provider.script = script
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", KILLED, url, str(path)], cwd=root)
    assert process.wait() == -signal.SIGKILL
    assert len(path.read_text().splitlines()) == 3

    converse(JournaledModel(connected(provider, "openai"), path), 5)
    assert len(provider.requests) == 4 + 2, "only the call that was under way and the one after it"
