"""Whatever a provider answers, in each wire format: a reply that can be worked with and sent back, or the world's
failure with its cause. The provider's own SDK reads it; nothing goes over a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agents import _tools, oneshot
from harness.errors import InfrastructureError
from harness.models import ContextFullError, Message, Model, ModelParameters, Reply, Tool, ToolCall, ToolResult
from harness.models._journal import JournaledModel
from harness.models._retry import RetryPolicy
from harness.models._turns import parse_arguments
from harness.models.anthropic import Claude
from harness.models.openai import Responses as ResponsesModel
from harness.models.openai_compatible import ChatCompletions
from harness.task import Task
from tests.agents.office import Desk, make_assignment, make_task
from tests.fuzz.strangers import DEEP, bounded, meddled, meddled_bytes, texts, values
from tests.provider.script import Answer, Call, Request
from tests.provider.wire import Chat, Messages, Responses

ASKED = Request("messages", {}, {"model": "m"}, None, "", 0, [], [], [])
CALLS = (
    Call("bash", {"command": "ls"}),
    Call("submit_files", {"files": [{"path": "a", "content": "b"}]}),
    Call("x", "{"),
)
ANSWERS = (
    Answer("Done.", CALLS, thinking="Hm."),
    Answer("", CALLS[:1]),
    Answer("No.", stop="refusal"),
    Answer("x", stop="length"),
)
EVENTS = [json.loads(part.split(b"data: ")[1]) for answer in ANSWERS for part in Messages.write(answer, ASKED)]
STREAMS = [[json.loads(part.split(b"data: ")[1]) for part in Messages.write(answer, ASKED)] for answer in ANSWERS]
BODIES = {
    "openai": [json.loads(b"".join(Responses.write(answer, ASKED))) for answer in ANSWERS],
    "openai-compatible": [json.loads(b"".join(Chat.write(answer, ASKED))) for answer in ANSWERS],
}
# The SDKs warn of what they pass on all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
TOOL = Tool("bash", "Runs.", {"type": "object", "properties": {}})
ONCE = RetryPolicy(tries=2, sleep=lambda _: None)
STATUSES = st.sampled_from([200, 200, 200, 200, 200, 400, 401, 404, 413, 429, 500, 529, 302, 204])
KINDS = st.sampled_from(["application/json", "text/event-stream", "text/html", "application/json; charset=utf-16", ""])


def model(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> Model:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers=dict(headers), content=body)

    client = httpx2.Client(transport=httpx2.MockTransport(answer))
    parameters = ModelParameters()
    if provider == "anthropic":
        sdk = anthropic.Anthropic(api_key="k", max_retries=0, http_client=client)
        return Claude("anthropic/m", parameters, sdk, ONCE)
    known: Any = ResponsesModel if provider == "openai" else ChatCompletions
    whole: Model = known(
        f"{provider}/m", parameters, openai.OpenAI(api_key="k", max_retries=0, http_client=client), ONCE
    )
    return whole


def asked(asking: Model) -> Reply | None:
    try:
        with bounded():
            return asking.reply("You are Kim.", [Message("user", "Hello.")], [TOOL])
    except InfrastructureError as error:
        assert error.cause.startswith("provider")
        error.problem.encode()
    except ContextFullError:
        pass
    return None


def is_workable(reply: Reply, provider: str, tmp_path: Path) -> None:
    """It can be stored, and sent back as part of the conversation."""
    assert isinstance(reply.message.text, str)
    for call in reply.message.calls:
        assert isinstance(call.id, str)
        assert isinstance(call.name, str)
        assert call.arguments is None or isinstance(call.arguments, dict)
    usage = reply.usage
    for tokens in (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens):
        assert type(tokens) is int
        assert tokens >= 0

    class Again:
        name = "m"

        def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
            return reply

    file = tmp_path / "calls.jsonl"
    file.unlink(missing_ok=True)
    JournaledModel(Again(), file).reply("", [], [])
    assert JournaledModel(Again(), file).reply("", [], []) == reply
    results = tuple(ToolResult(call.id, "fine") for call in reply.message.calls)
    answer = Message("tools", results=results) if results else Message("user", "Go on.")
    conversation = [Message("user", "Hello."), reply.message, answer]
    with bounded():
        model(provider, 500, {}, b"")._request("", conversation, [TOOL])  # type: ignore[attr-defined]


def stream(events: list[Any]) -> bytes:
    def part(event: Any) -> str:
        kind = event.get("type", "x") if isinstance(event, dict) else "x"
        return f"event: {kind}\ndata: {json.dumps(event)}\n\n"

    return "".join(map(part, events)).encode(errors="replace")


@given(
    events=st.sampled_from(STREAMS).flatmap(meddled) | st.lists(st.sampled_from(EVENTS), max_size=9).flatmap(meddled)
)
def test_any_stream_of_messages(tmp_path: Path, events: list[Any]) -> None:
    if reply := asked(model("anthropic", 200, {"content-type": "text/event-stream"}, stream(events))):
        is_workable(reply, "anthropic", tmp_path)


@pytest.mark.parametrize("provider", ["anthropic", *BODIES])
@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_what_nobody_meddled_with_is_a_reply(tmp_path: Path, provider: str, number: int) -> None:
    body = stream(STREAMS[number]) if provider == "anthropic" else json.dumps(BODIES[provider][number]).encode()
    kind = "text/event-stream" if provider == "anthropic" else "application/json"
    reply = asked(model(provider, 200, {"content-type": kind}, body))
    assert reply is not None
    assert [call.name for call in reply.message.calls] == [call.name for call in ANSWERS[number].calls]
    is_workable(reply, provider, tmp_path)


@pytest.mark.parametrize("provider", list(BODIES))
@given(data=st.data())
def test_any_body(tmp_path: Path, provider: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BODIES[provider]).flatmap(meddled))
    if reply := asked(model(provider, 200, {"content-type": "application/json"}, json.dumps(body).encode())):
        is_workable(reply, provider, tmp_path)


@pytest.mark.parametrize("provider", ["anthropic", *BODIES])
@given(data=st.data(), status=STATUSES, kind=KINDS, after=st.sampled_from(["", "x", "-1", "1e9", "Fri, 31 Feb"]))
def test_any_bytes(tmp_path: Path, provider: str, data: st.DataObject, status: int, kind: str, after: str) -> None:
    valid = stream(STREAMS[0]) if provider == "anthropic" else json.dumps(BODIES[provider][0]).encode()
    body = data.draw(
        meddled_bytes(valid) | st.binary(max_size=40) | st.sampled_from([DEEP.encode(), b"", b"null", b"[]"])
    )
    headers = {"content-type": kind, **({"retry-after": after} if after else {})}
    if reply := asked(model(provider, status, headers, body)):
        is_workable(reply, provider, tmp_path)


@given(
    raw=texts
    | st.sampled_from([DEEP, '{"a": ' * 3000, '{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1e999}'])
    | values.map(json.dumps)
)
def test_any_arguments_of_a_call(raw: str) -> None:
    with bounded():
        arguments = parse_arguments(raw)
    assert arguments is None or json.dumps(arguments, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return make_task(tmp_path_factory.mktemp("office") / "tasks")


@pytest.fixture(scope="module")
def desk(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(task, tmp_path_factory.mktemp("office") / "work")


@given(data=st.data(), name=st.sampled_from(["bash", "read_file", "write_file", "submit", "", "\0"]))
def test_any_call_is_done_or_refused(desk: Desk, data: st.DataObject, name: str) -> None:
    valid = {"command": "true", "timeout": 1, "path": "a", "content": "b"}
    paths = st.sampled_from(["../x", "/etc/shadow", "a\0b", "a" * 300, ".", "", "~", "a/b/c", "-n"])
    given_ = data.draw(meddled(valid) | st.builds(dict, path=paths, content=texts, command=st.just("true")))
    arguments = parse_arguments(json.dumps(given_))
    if arguments and "command" in arguments:
        arguments["command"] = "true"  # what a command may do is another test's: this desk is no box
    with bounded():
        try:
            told = _tools.perform(ToolCall("1", name, arguments, "x"), desk, 5.0)
        except _tools.ToolError as refusal:
            told = str(refusal)
    assert _tools.shortened(told).encode()


@given(data=st.data())
def test_any_answer_is_a_submission_or_says_why_not(task: Task, data: st.DataObject) -> None:
    valid = {
        "files": [{"path": "load.sql", "content": "SELECT 1"}, {"path": "DELIVERABLE.md", "content": "# D"}],
        "deleted": ["x"],
    }
    answer = data.draw(meddled(valid))
    text = data.draw(
        st.sampled_from(
            [f"```json\n{json.dumps(answer)}\n```", json.dumps(answer), DEEP, '{"files": ' + DEEP, "```json\n{" * 3000]
        )
        | texts
    )
    calls = (ToolCall("1", "submit_files", parse_arguments(json.dumps(answer))),) if data.draw(st.booleans()) else ()
    with bounded():
        try:
            submission = oneshot.taken(Reply(Message("assistant", text, calls), "end"), make_assignment(task))
        except oneshot.MalformedError as problem:
            assert str(problem)
        else:
            assert submission.digest
