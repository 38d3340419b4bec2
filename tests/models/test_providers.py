"""All providers behave the same behind ``Model.reply``; each test speaks through the real SDK to a local server."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from harness import models
from harness.errors import UsageError
from harness.models import ContextFullError, Message, ModelParameters, Stop, Tool, ToolResult, Usage
from tests.provider import Answer, Call, Failure, ProviderServer

PROVIDERS = ["anthropic", "openai", "openai-compatible"]
PERSONA = '# A persona\n\n  * with "quotes", ümläuts, 数据 and trailing space \n'
BASH = Tool(
    "bash",
    "Run a command.",
    {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
)
HELLO = [Message("user", "hello")]

each_provider = pytest.mark.parametrize("name", PROVIDERS)


def connected(server: ProviderServer, name: str, **parameters: Any) -> models.Model:
    return models.connect(f"{name}/some-model", ModelParameters(base_url=server.base_url(name), **parameters))


@each_provider
def test_a_text_comes_back_with_its_usage_and_times(provider: ProviderServer, name: str) -> None:
    usage = Usage(input_tokens=11, output_tokens=5, cache_read_tokens=700, cache_write_tokens=80)
    provider.say(Answer("good day", usage=usage))
    reply = connected(provider, name).reply("", HELLO, [])
    assert (reply.message.role, reply.message.text, reply.stop) == ("assistant", "good day", "end")
    assert reply.usage == usage
    assert reply.seconds > 0


@each_provider
def test_the_persona_reaches_the_wire_unchanged(provider: ProviderServer, name: str) -> None:
    provider.say(Answer("yes"), Answer("yes"))
    model = connected(provider, name)
    model.reply(PERSONA, HELLO, [])
    model.reply("", HELLO, [])
    assert [request.system for request in provider.requests] == [PERSONA, None]


@each_provider
def test_thoughts_and_calls_are_replayed_as_the_provider_demands(provider: ProviderServer, name: str) -> None:
    calls = (Call("bash", {"command": "ls"}), Call("bash", {"command": "pwd"}))
    provider.say(Answer("let me look", calls, thinking="hm, where am I?"), Answer("seen"))
    model = connected(provider, name)
    first = model.reply(PERSONA, HELLO, [BASH])
    assert first.stop == "tools"
    assert [call.arguments for call in first.message.calls] == [{"command": "ls"}, {"command": "pwd"}]
    results = tuple(ToolResult(call.id, f"did {call.arguments}") for call in first.message.calls)
    second = model.reply(PERSONA, [*HELLO, first.message, Message("tools", results=results)], [BASH])
    assert second.message.text == "seen"
    assert provider.requests[1].results == ["did {'command': 'ls'}", "did {'command': 'pwd'}"]
    assert "let me look" in json.dumps(provider.requests[1].body)


@each_provider
@pytest.mark.parametrize("raw", ['{"command": "ls', '{"command": }', '["ls"]', '"ls"', '{"command": "\\ud83d"}'])
def test_malformed_arguments_are_told_apart_and_can_be_replayed(provider: ProviderServer, name: str, raw: str) -> None:
    provider.say(Answer("", (Call("bash", raw),)), Answer("sorry"))
    model = connected(provider, name)
    first = model.reply("", HELLO, [BASH])
    (call,) = first.message.calls
    assert (call.arguments, call.raw) == (None, raw)
    results = (ToolResult(call.id, "error: not an object", failed=True),)
    model.reply("", [*HELLO, first.message, Message("tools", results=results)], [BASH])
    assert provider.requests[1].results == ["error: not an object"]


@each_provider
@pytest.mark.parametrize("raw", ["", "{}"])
def test_a_call_without_arguments_has_none(provider: ProviderServer, name: str, raw: str) -> None:
    provider.say(Answer("", (Call("submit", raw),)), Answer("done"))
    model = connected(provider, name)
    first = model.reply("", HELLO, [BASH])
    assert first.message.calls[0].arguments == {}
    results = (ToolResult(first.message.calls[0].id, "ok"),)
    model.reply("", [*HELLO, first.message, Message("tools", results=results)], [BASH])


@each_provider
@pytest.mark.parametrize("stop", ["end", "length", "refusal"])
def test_why_the_model_stopped_is_told(provider: ProviderServer, name: str, stop: Stop) -> None:
    provider.say(Answer("so far", stop=stop))
    assert connected(provider, name).reply("", HELLO, []).stop == stop


@each_provider
@pytest.mark.parametrize("answer", [Answer(), Answer(text=" \n"), Answer(thinking="hm", stop="length")])
def test_a_turn_without_content_can_be_followed_up(provider: ProviderServer, name: str, answer: Answer) -> None:
    provider.say(answer, Answer("here I am"))
    model = connected(provider, name)
    first = model.reply("", HELLO, [])
    assert first.message.text.strip() == ""
    second = model.reply("", [*HELLO, first.message, Message("user", "still there?")], [])
    assert second.message.text == "here I am"
    assert provider.requests[1].users == ["hello", "still there?"]


@each_provider
def test_a_conversation_that_is_too_long_is_no_failure(provider: ProviderServer, name: str) -> None:
    message = {
        "anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
        "openai": "Your input exceeds the context window of this model.",
        "openai-compatible": "This model's maximum context length is 8192 tokens.",
    }[name]
    code = "context_length_exceeded" if name == "openai" else None
    provider.say(Failure(400, message, "invalid_request_error", code))
    with pytest.raises(ContextFullError):
        connected(provider, name).reply("", HELLO, [])


def test_anthropic_is_asked_to_cache_the_persona_and_the_conversation_so_far(provider: ProviderServer) -> None:
    provider.say(Answer("", (Call("bash", {"command": "ls"}),)), Answer("done"))
    model = connected(provider, "anthropic")
    first = model.reply(PERSONA, HELLO, [BASH])
    results = (ToolResult(first.message.calls[0].id, "nothing"),)
    model.reply(PERSONA, [*HELLO, first.message, Message("tools", results=results)], [BASH])
    for request in provider.requests:
        marked = [block for turn in request.body["messages"] for block in turn["content"] if "cache_control" in block]
        assert marked == [request.body["messages"][-1]["content"][-1]]
        assert request.body["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_effort_and_temperature_are_put_as_each_provider_takes_them(provider: ProviderServer) -> None:
    provider.script = lambda request: Answer("ok")

    def body(name: str, **parameters: Any) -> Any:
        connected(provider, name, max_output_tokens=4321, **parameters).reply("", HELLO, [])
        return provider.requests[-1].body

    asked = body("anthropic", effort="high")
    assert (asked["thinking"], asked["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    assert asked["max_tokens"] == 4321
    assert body("anthropic", effort="none")["thinking"] == {"type": "disabled"}
    assert body("anthropic", temperature=0.5)["temperature"] == 0.5
    assert "thinking" not in body("anthropic")
    asked = body("openai", effort="low", temperature=0.5)
    assert (asked["reasoning"], asked["temperature"]) == ({"effort": "low"}, 0.5)
    assert asked["max_output_tokens"] == 4321
    assert not {"reasoning", "temperature"} & body("openai").keys()
    asked = body("openai-compatible", effort="low", temperature=0.5)
    assert (asked["reasoning_effort"], asked["temperature"], asked["max_tokens"]) == ("low", 0.5, 4321)


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_an_unknown_effort_is_refused_before_anything_is_sent(provider: ProviderServer, name: str) -> None:
    with pytest.raises(UsageError, match=r"no effort 'enormous'(.|\n)*known: none, "):
        connected(provider, name, effort="enormous")


@pytest.mark.parametrize(("model", "variable"), [("anthropic/x", "ANTHROPIC_API_KEY"), ("openai/x", "OPENAI_API_KEY")])
def test_without_a_key_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch, model: str, variable: str) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UsageError, match=f"set {variable}") as caught:
        models.connect(model, ModelParameters())
    assert caught.value.exit_code == 2


def test_a_compatible_server_needs_an_address_and_no_key(
    provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="--base-url"):
        models.connect("openai-compatible/x", ModelParameters())
    monkeypatch.delenv("OPENAI_COMPATIBLE_API_KEY")
    provider.say(Answer("hello"))
    assert connected(provider, "openai-compatible").reply("", HELLO, []).message.text == "hello"
    assert "sk-secret" not in str(provider.requests[0].headers), "OpenAI's key belongs to OpenAI"


@pytest.mark.parametrize("model", ["gemini/pro", "gpt-5", "nopp", "", "oneshot"])
def test_an_unknown_provider_lists_the_known(model: str) -> None:
    with pytest.raises(UsageError, match=r"anthropic/<name>, openai/<name>, openai-compatible/<name>"):
        models.resolve(model)


@pytest.mark.parametrize("model", ["anthropic", "anthropic/"])
def test_a_provider_without_a_model_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match="anthropic/<name>"):
        models.resolve(model)


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)


def test_a_model_does_not_show_its_key(provider: ProviderServer) -> None:
    for name in PROVIDERS:
        model = connected(provider, name)
        assert "sk-secret" not in repr(model)
        assert dataclasses.is_dataclass(model)
