"""``openai-compatible/<name>``: Chat Completions at ``--base-url``, as vLLM, Ollama and gateways speak it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletion

from harness.errors import UsageError
from harness.models import Message, Model, ModelParameters, Reply, Stop, Tool, ToolCall, Usage
from harness.models._keys import read_key
from harness.models._retry import CallFailedError, RetryPolicy
from harness.models._turns import parse_arguments, whole

KEY = "OPENAI_COMPATIBLE_API_KEY"
STOPS: dict[str, Stop] = {"length": "length", "content_filter": "refusal"}
# What servers report about a turn but don't take back.
NOT_REPLAYED = {"refusal", "annotations", "audio", "function_call"}


def connect(name: str, parameters: ModelParameters, retry: RetryPolicy) -> Model:
    """A server of one's own needs no key; OpenAI's is never sent to somebody else's address."""
    if not parameters.base_url:
        raise UsageError(
            f"openai-compatible/{name} needs an address", "give --base-url, such as http://localhost:8000/v1"
        )
    client = openai.OpenAI(
        api_key=read_key(KEY) or "none",
        base_url=parameters.base_url,
        max_retries=0,
        timeout=httpx2.Timeout(1200.0, connect=20.0),
    )
    return ChatCompletions(f"openai-compatible/{name}", parameters, client, retry)


@dataclass(frozen=True)
class ChatCompletions:
    name: str
    parameters: ModelParameters
    client: openai.OpenAI = field(repr=False)
    retry: RetryPolicy

    def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        request = self._request(system, messages, tools)
        reply, seconds, waited = self.retry.call(
            "openai-compatible", KEY, lambda: whole(lambda: _reply(self._send(request)))
        )
        return replace(reply, seconds=seconds, waited=waited)

    def _send(self, request: dict[str, Any]) -> ChatCompletion:
        completion = self.client.chat.completions.create(**request)
        if not isinstance(completion, ChatCompletion):
            raise CallFailedError(404, "what answered doesn't speak Chat Completions; does the address end in /v1?")
        if not completion.choices:
            # Gateways answer 200 with an error in the body when the model behind them failed.
            raise CallFailedError(502, str(getattr(completion, "error", None) or "an answer without a choice"))
        return completion

    def _request(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, Any]:
        opening = [{"role": "system", "content": system}] if system else []
        request: dict[str, Any] = {
            "model": self.name.partition("/")[2],
            "messages": [*opening, *(item for message in messages for item in _items(message))],
            # Not its successor ``max_completion_tokens``, which not every server knows.
            "max_tokens": self.parameters.max_output_tokens,
        }
        if tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in tools
            ]
        if self.parameters.effort is not None:
            request["reasoning_effort"] = self.parameters.effort
        if self.parameters.temperature is not None:
            request["temperature"] = self.parameters.temperature
        return request


def _items(message: Message) -> Iterator[dict[str, Any]]:
    match message.role:
        case "user":
            yield {"role": "user", "content": message.text}
        case "tools":
            for result in message.results:
                yield {"role": "tool", "tool_call_id": result.id, "content": result.text}
        case "assistant":
            yield dict(message.payload or {"role": "assistant", "content": message.text})


def _reply(completion: ChatCompletion) -> Reply:
    choice = completion.choices[0]
    calls = tuple(
        ToolCall(call.id, call.function.name, parse_arguments(call.function.arguments), call.function.arguments)
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    )
    message = Message("assistant", choice.message.content or "", calls, payload=_payload(choice.message, calls))
    stop: Stop = "refusal" if choice.message.refusal and not calls else STOPS.get(choice.finish_reason, "end")
    if calls and stop == "end":
        stop = "tools"
    return Reply(message, stop, _usage(completion))


def _payload(message: Any, calls: tuple[ToolCall, ...]) -> dict[str, Any]:
    payload: dict[str, Any] = {
        name: value for name, value in message.to_dict(exclude_none=True).items() if name not in NOT_REPLAYED
    }
    payload.setdefault("content", "")
    if calls:
        # Servers parse the arguments of replayed calls, so the malformed goes back wrapped as text.
        payload["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _replayable(call)},
            }
            for call in calls
        ]
    return payload


def _replayable(call: ToolCall) -> str:
    return call.raw or "{}" if call.arguments is not None else json.dumps({"INVALID_JSON": call.raw})


def _usage(completion: ChatCompletion) -> Usage:
    """The prompt's count includes what the cache served and stored, ours doesn't. Some don't count."""
    usage = completion.usage
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details
    read = getattr(details, "cached_tokens", None) or 0
    written = getattr(details, "cache_write_tokens", None) or 0
    return Usage(max(usage.prompt_tokens - read - written, 0), usage.completion_tokens, read, written)
