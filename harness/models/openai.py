"""``openai/<name>``: the Responses API, stateless: reasoning comes encrypted and is handed back each turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import openai
from openai.types.responses import Response

from harness.errors import UsageError
from harness.models import Message, Model, ModelParameters, Reply, Stop, Tool, ToolCall, Usage
from harness.models._keys import read_key
from harness.models._retry import CallFailedError, RetryPolicy
from harness.models._turns import parse_arguments, whole, without_trailing

KEY = "OPENAI_API_KEY"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def connect(name: str, parameters: ModelParameters, retry: RetryPolicy) -> Model:
    key = read_key(KEY)
    if not key:
        raise UsageError(f"openai/{name} needs a key", f"set {KEY}")
    if parameters.effort not in (None, *EFFORTS):
        raise UsageError(f"openai has no effort {parameters.effort!r}", f"known: {', '.join(EFFORTS)}")
    # An answer comes whole, after all the thinking: a long silence is normal here.
    timeout = httpx2.Timeout(1200.0, connect=20.0)
    client = openai.OpenAI(api_key=key, base_url=parameters.base_url, max_retries=0, timeout=timeout)
    return Responses(f"openai/{name}", parameters, client, retry)


@dataclass(frozen=True)
class Responses:
    name: str
    parameters: ModelParameters
    client: openai.OpenAI = field(repr=False)
    retry: RetryPolicy

    def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        request = self._request(system, messages, tools)
        reply, seconds, waited = self.retry.call("openai", KEY, lambda: whole(lambda: _reply(self._send(request))))
        return replace(reply, seconds=seconds, waited=waited)

    def _send(self, request: dict[str, Any]) -> Response:
        response = self.client.responses.create(**request)
        if not isinstance(response, Response):
            raise CallFailedError(404, "what answered doesn't speak the Responses API")
        if response.error is not None:
            status = 429 if response.error.code == "rate_limit_exceeded" else 500
            raise CallFailedError(status, response.error.message)
        return response

    def _request(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.name.partition("/")[2],
            "input": [item for message in messages for item in _items(message)],
            "max_output_tokens": self.parameters.max_output_tokens,
            "store": False,
            "include": ["reasoning.encrypted_content"],
        }
        if system:
            request["instructions"] = system
        if tools:
            request["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                    "strict": False,
                }
                for tool in tools
            ]
        if self.parameters.effort is not None:
            request["reasoning"] = {"effort": self.parameters.effort}
        if self.parameters.temperature is not None:
            request["temperature"] = self.parameters.temperature
        return request


def _items(message: Message) -> Iterator[dict[str, Any]]:
    match message.role:
        case "user":
            yield {"role": "user", "content": message.text}
        case "tools":
            for result in message.results:
                yield {"type": "function_call_output", "call_id": result.id, "output": result.text}
        case "assistant":
            yield from without_trailing(message.payload or [], lambda item: item["type"] == "reasoning")


def _reply(response: Response) -> Reply:
    calls = tuple(
        ToolCall(item.call_id, item.name, parse_arguments(item.arguments), item.arguments)
        for item in response.output
        if item.type == "function_call"
    )
    payload = [item.to_dict(exclude_none=True) for item in response.output]
    message = Message("assistant", response.output_text, calls, payload=payload)
    return Reply(message, _stop(response, calls), _usage(response))


def _stop(response: Response, calls: tuple[ToolCall, ...]) -> Stop:
    reason = response.incomplete_details.reason if response.incomplete_details else None
    said = [part.type for item in response.output if item.type == "message" for part in item.content]
    if reason == "content_filter" or ("refusal" in said and not calls):
        return "refusal"
    if response.status == "incomplete":
        return "length"
    return "tools" if calls else "end"


def _usage(response: Response) -> Usage:
    """The API's input count includes what the cache served and stored; ours doesn't."""
    usage = response.usage
    if usage is None:
        return Usage()
    details = usage.input_tokens_details
    read = getattr(details, "cached_tokens", None) or 0
    written = getattr(details, "cache_write_tokens", None) or 0
    return Usage(max(usage.input_tokens - read - written, 0), usage.output_tokens, read, written)
