"""``anthropic/<name>``: the Messages API, streamed, with the persona and the conversation cached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anthropic
import httpx2
from anthropic.types import RawMessageStreamEvent

from harness.errors import UsageError
from harness.models import Message, Model, ModelParameters, Reply, Stop, Tool, ToolCall, Usage
from harness.models._keys import read_key
from harness.models._retry import RetryPolicy
from harness.models._turns import parse_arguments, whole, without_trailing

KEY = "ANTHROPIC_API_KEY"
EFFORTS = ("none", "low", "medium", "high", "xhigh", "max")
STOPS: dict[str, Stop] = {
    "tool_use": "tools",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
CACHED = {"cache_control": {"type": "ephemeral"}}


def connect(name: str, parameters: ModelParameters, retry: RetryPolicy) -> Model:
    key = read_key(KEY)
    if not key:
        raise UsageError(f"anthropic/{name} needs a key", f"set {KEY}")
    if parameters.effort not in (None, *EFFORTS):
        raise UsageError(f"anthropic has no effort {parameters.effort!r}", f"known: {', '.join(EFFORTS)}")
    # Pings keep a stream alive; silence for longer than this is a dead connection.
    timeout = httpx2.Timeout(300.0, connect=20.0)
    client = anthropic.Anthropic(api_key=key, base_url=parameters.base_url, max_retries=0, timeout=timeout)
    return Claude(f"anthropic/{name}", parameters, client, retry)


@dataclass(frozen=True)
class Claude:
    name: str
    parameters: ModelParameters
    client: anthropic.Anthropic = field(repr=False)
    retry: RetryPolicy

    def reply(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        request = self._request(system, messages, tools)
        reply, seconds, waited = self.retry.call(
            "anthropic", KEY, lambda: whole(lambda: self._streamed(request).reply())
        )
        return replace(reply, seconds=seconds, waited=waited)

    def _streamed(self, request: dict[str, Any]) -> _Answer:
        answer = _Answer()
        with self.client.messages.create(stream=True, **request) as events:
            for event in events:
                answer.take(event)
        if not answer.finished:
            raise httpx2.RemoteProtocolError("the stream ended before the message did")
        return answer

    def _request(self, system: str, messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.name.partition("/")[2],
            "max_tokens": self.parameters.max_output_tokens,
            "messages": _with_cached_end([turn for message in messages if (turn := _turn(message))]),
        }
        if system:
            request["system"] = [{"type": "text", "text": system, **CACHED}]
        if tools:
            request["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
                for tool in tools
            ]
        effort = self.parameters.effort
        if effort == "none":
            request["thinking"] = {"type": "disabled"}
        elif effort is not None:
            request["thinking"] = {"type": "adaptive"}
            request["output_config"] = {"effort": effort}
        if self.parameters.temperature is not None:
            # The SDK dropped it as newer models have none; those that have it take it, the others say so.
            request["extra_body"] = {"temperature": self.parameters.temperature}
        return request


def _turn(message: Message) -> dict[str, Any] | None:
    """A message as the API wants it; nothing for a turn without content, which the API refuses."""
    match message.role:
        case "user":
            return {"role": "user", "content": [{"type": "text", "text": message.text}]}
        case "tools":
            results = [
                {
                    "type": "tool_result",
                    "tool_use_id": result.id,
                    "content": result.text,
                    "is_error": result.failed,
                }
                for result in message.results
            ]
            return {"role": "user", "content": results}
        case "assistant":
            blocks = [dict(block) for block in message.payload or ()]
            blocks = [block for block in blocks if block["type"] != "text" or block["text"].strip()]
            blocks = without_trailing(blocks, lambda block: block["type"] in {"thinking", "redacted_thinking"})
            return {"role": "assistant", "content": blocks} if blocks else None


def _with_cached_end(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next call shares everything up to here, so the cache is asked to hold it."""
    if turns:
        turns[-1]["content"][-1] = {**turns[-1]["content"][-1], **CACHED}
    return turns


@dataclass
class _Answer:
    """A message put together from its stream.

    The SDK's accumulator repairs half-written tool input silently and fails on the malformed; the agent
    should see both.
    """

    blocks: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[int, str] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    stop_reason: str = ""
    finished: bool = False

    def take(self, event: RawMessageStreamEvent) -> None:
        match event.type:
            case "message_start":
                self._count(event.message.usage)
            case "content_block_start":
                self.blocks.append(event.content_block.to_dict())
            case "content_block_delta":
                self._grow(event.index, event.delta)
            case "message_delta":
                self.stop_reason = event.delta.stop_reason or self.stop_reason
                self._count(event.usage)
            case "message_stop":
                self.finished = True

    def _grow(self, index: int, delta: Any) -> None:
        block = self.blocks[index]
        match delta.type:
            case "text_delta":
                block["text"] += delta.text
            case "thinking_delta":
                block["thinking"] += delta.thinking
            case "signature_delta":
                block["signature"] = delta.signature
            case "input_json_delta":
                self.inputs[index] = self.inputs.get(index, "") + delta.partial_json

    def _count(self, usage: Any) -> None:
        """Counts in a stream are totals so far: the later replaces the earlier, the absent leaves it."""
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        self.usage |= {name: count for name in names if (count := getattr(usage, name, None)) is not None}

    def reply(self) -> Reply:
        calls = tuple(
            self._call(index, block) for index, block in enumerate(self.blocks) if block["type"] == "tool_use"
        )
        text = "".join(block["text"] for block in self.blocks if block["type"] == "text")
        usage = Usage(
            self.usage.get("input_tokens", 0),
            self.usage.get("output_tokens", 0),
            self.usage.get("cache_read_input_tokens", 0),
            self.usage.get("cache_creation_input_tokens", 0),
        )
        message = Message("assistant", text, calls, payload=self.blocks)
        return Reply(message, STOPS.get(self.stop_reason, "end"), usage)

    def _call(self, index: int, block: dict[str, Any]) -> ToolCall:
        raw = self.inputs.get(index) or json.dumps(block["input"])
        arguments = parse_arguments(raw)
        # A replayed call needs an object for input, so the malformed goes back as what it was: text.
        block["input"] = {"INVALID_JSON": raw} if arguments is None else arguments
        return ToolCall(block["id"], block["name"], arguments, raw)
