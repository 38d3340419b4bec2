"""The three wire formats: what a valid request looks like, and how an answer is put.

The rules checked are those that the real APIs enforce and that a driver of them can get wrong.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.provider.script import Answer, ComplaintError, Failure, Request

_numbers = itertools.count(1)


def identifier(prefix: str) -> str:
    return f"{prefix}_{next(_numbers):06d}"


def expect(condition: object, rule: str) -> None:
    if not condition:
        raise ComplaintError(rule)


def seal(text: str) -> str:
    """Stands for a provider's signature or encryption: it fits one content only."""
    return hashlib.sha256(f"sealed {text}".encode()).hexdigest()


class Messages:
    """Anthropic's Messages API, streamed."""

    path = "/v1/messages"
    content_type = "text/event-stream"

    @classmethod
    def read(cls, headers: Mapping[str, str], body: Mapping[str, Any]) -> Request:
        expect(headers.get("authorization") or headers.get("x-api-key"), "the key is missing")
        expect(headers.get("anthropic-version"), "anthropic-version is missing")
        expect(isinstance(body.get("model"), str), "model is missing")
        expect(body.get("max_tokens", 0) > 0, "max_tokens is missing")
        expect(body.get("stream") is True, "long answers must be streamed")
        expect("temperature" not in body or "thinking" not in body, "no temperature while thinking")
        expect(cls._cache_marks(body) <= 4, "at most 4 cache_control marks")
        for tool in body.get("tools", []):
            expect({"name", "description", "input_schema"} <= tool.keys(), f"malformed tool {tool}")
        turns = body.get("messages", [])
        cls._check_turns(turns)
        system = body.get("system")
        expect(system not in ([], ""), "system: text must be non-empty")
        blocks = [block for turn in turns if turn["role"] == "user" for block in turn["content"]]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        return Request(
            protocol="messages",
            headers=headers,
            body=body,
            system=None if system is None else "".join(block["text"] for block in system),
            opening=texts[0],
            turns=sum(turn["role"] == "assistant" for turn in turns),
            users=texts,
            results=[block["content"] for block in blocks if block["type"] == "tool_result"],
            tools=[tool["name"] for tool in body.get("tools", [])],
        )

    @staticmethod
    def _cache_marks(body: Mapping[str, Any]) -> int:
        return json.dumps(body).count('"cache_control"')

    @classmethod
    def _check_turns(cls, turns: list[dict[str, Any]]) -> None:
        expect(turns and turns[0]["role"] == "user", "messages: the first must be of the user")
        expect(turns[-1]["role"] == "user", "messages: the last must be of the user")
        open_calls: set[str] = set()
        for turn in turns:
            blocks = turn["content"]
            expect(blocks, "messages: content must be non-empty")
            results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
            expect(set(results) == open_calls, f"tool_use without tool_result: {open_calls ^ set(results)}")
            expect(len(results) == len(set(results)), "one tool_result for each tool_use")
            for block in blocks:
                cls._check_block(turn["role"], block)
            last = blocks[-1]["type"]
            expect(
                turn["role"] == "user" or last not in {"thinking", "redacted_thinking"},
                "the final block must not be thinking",
            )
            open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}

    @staticmethod
    def _check_block(role: str, block: dict[str, Any]) -> None:
        match block["type"]:
            case "text":
                expect(block["text"].strip(), "text content blocks must be non-empty")
            case "thinking":
                expect(block["signature"] == seal(block["thinking"]), "invalid signature in thinking block")
            case "tool_use":
                expect(isinstance(block["input"], dict), "tool_use.input: should be an object")
            case "tool_result":
                expect(role == "user", "tool_result blocks belong to the user")
                expect(isinstance(block["content"], str), "tool_result.content")
            case other:
                raise ComplaintError(f"unknown block {other}")

    @classmethod
    def write(cls, answer: Answer, request: Request) -> list[bytes]:
        return [cls.event(event) for event in cls._events(answer, request)]

    @staticmethod
    def event(event: Mapping[str, Any]) -> bytes:
        return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()

    @classmethod
    def _events(cls, answer: Answer, request: Request) -> Iterator[dict[str, Any]]:
        usage = {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": 1,
            "cache_read_input_tokens": answer.usage.cache_read_tokens,
            "cache_creation_input_tokens": answer.usage.cache_write_tokens,
        }
        message = {
            "id": identifier("msg"),
            "type": "message",
            "role": "assistant",
            "model": request.body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        yield {"type": "message_start", "message": message}
        yield {"type": "ping"}
        for index, (block, deltas) in enumerate(cls._blocks(answer)):
            yield {"type": "content_block_start", "index": index, "content_block": block}
            for delta in deltas:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        reasons = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refusal": "refusal"}
        delta = {"stop_reason": reasons[answer.why_stopped], "stop_sequence": None}
        yield {
            "type": "message_delta",
            "delta": delta,
            "usage": {"output_tokens": answer.usage.output_tokens},
        }
        yield {"type": "message_stop"}

    @staticmethod
    def _blocks(answer: Answer) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        if answer.thinking:
            yield (
                {"type": "thinking", "thinking": "", "signature": ""},
                [
                    *({"type": "thinking_delta", "thinking": part} for part in halves(answer.thinking)),
                    {"type": "signature_delta", "signature": seal(answer.thinking)},
                ],
            )
        if answer.text:
            yield (
                {"type": "text", "text": ""},
                [{"type": "text_delta", "text": part} for part in halves(answer.text)],
            )
        for call in answer.calls:
            parts = [] if call.raw == "{}" else halves(call.raw)
            yield (
                {"type": "tool_use", "id": identifier("toolu"), "name": call.name, "input": {}},
                [{"type": "input_json_delta", "partial_json": part} for part in parts],
            )

    @staticmethod
    def error(failure: Failure) -> dict[str, Any]:
        return {"type": "error", "error": {"type": failure.kind, "message": failure.message}}


def halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


class _OpenAI:
    content_type = "application/json"

    @staticmethod
    def error(failure: Failure) -> dict[str, Any]:
        return {"error": {"message": failure.message, "type": failure.kind, "code": failure.code, "param": None}}

    @staticmethod
    def _check_common(headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
        expect(headers.get("authorization", "").startswith("Bearer "), "the key is missing")
        expect(isinstance(body.get("model"), str), "model is missing")


class Responses(_OpenAI):
    """OpenAI's Responses API, stateless."""

    path = "/v1/responses"

    @classmethod
    def read(cls, headers: Mapping[str, str], body: Mapping[str, Any]) -> Request:
        cls._check_common(headers, body)
        expect(body.get("store") is False, "nothing may be stored")
        expect("reasoning.encrypted_content" in body.get("include", []), "encrypted reasoning must be asked for")
        expect(body.get("max_output_tokens", 0) > 0, "max_output_tokens is missing")
        for tool in body.get("tools", []):
            expect({"type", "name", "parameters", "strict"} <= tool.keys(), f"malformed tool {tool}")
        items = body.get("input", [])
        expect(items, "input is empty")
        cls._check_items(items)
        users = [item["content"] for item in items if item.get("role") == "user"]
        outputs = [item["output"] for item in items if item.get("type") == "function_call_output"]
        own = [item.get("role") != "user" and item.get("type") != "function_call_output" for item in items]
        turns = sum(mine and not before for mine, before in zip(own, [False, *own[:-1]], strict=True))
        expect(body.get("instructions") != "", "instructions: text must be non-empty")
        return Request(
            protocol="responses",
            headers=headers,
            body=body,
            system=body.get("instructions"),
            opening=users[0],
            turns=turns,
            users=users,
            results=outputs,
            tools=[tool["name"] for tool in body.get("tools", [])],
        )

    @staticmethod
    def _check_items(items: list[dict[str, Any]]) -> None:
        open_calls: set[str] = set()
        for item, following in zip(items, [*items[1:], {}], strict=True):
            match item.get("type", "message"):
                case "reasoning":
                    expect(
                        item.get("encrypted_content") == seal(item["id"]),
                        "reasoning was not replayed as it came",
                    )
                    follows = following.get("type") == "function_call" or following.get("role") == "assistant"
                    expect(follows, "reasoning without its required following item")
                case "function_call":
                    expect(item.get("call_id") and isinstance(item.get("arguments"), str), "malformed call")
                    open_calls.add(item["call_id"])
                case "function_call_output":
                    expect(item["call_id"] in open_calls, f"no tool call found for {item['call_id']}")
                    expect(isinstance(item["output"], str), "output must be text")
                    open_calls.remove(item["call_id"])
                case "message":
                    expect(item.get("role") in {"user", "assistant"}, f"malformed item {item}")
                    expect(
                        item["role"] == "assistant" or not open_calls,
                        f"no tool output found for {open_calls}",
                    )
                case other:
                    raise ComplaintError(f"unknown item {other}")
        expect(not open_calls, f"no tool output found for {open_calls}")

    @classmethod
    def write(cls, answer: Answer, request: Request) -> list[bytes]:
        usage = answer.usage
        total_input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        incomplete = {"reason": "max_output_tokens"} if answer.why_stopped == "length" else None
        response = {
            "id": identifier("resp"),
            "object": "response",
            "created_at": 1767225600,
            "status": "incomplete" if incomplete else "completed",
            "incomplete_details": incomplete,
            "error": None,
            "model": request.body["model"],
            "output": list(cls._output(answer)),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": total_input,
                "input_tokens_details": {
                    "cached_tokens": usage.cache_read_tokens,
                    "cache_write_tokens": usage.cache_write_tokens,
                },
                "output_tokens": usage.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": total_input + usage.output_tokens,
            },
        }
        return [json.dumps(response).encode()]

    @staticmethod
    def _output(answer: Answer) -> Iterator[dict[str, Any]]:
        if answer.thinking:
            thought = identifier("rs")
            yield {"type": "reasoning", "id": thought, "summary": [], "encrypted_content": seal(thought)}
        if answer.text:
            part = (
                {"type": "refusal", "refusal": answer.text}
                if answer.why_stopped == "refusal"
                else {"type": "output_text", "text": answer.text, "annotations": []}
            )
            yield {
                "type": "message",
                "id": identifier("msg"),
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        for call in answer.calls:
            yield {
                "type": "function_call",
                "id": identifier("fc"),
                "call_id": identifier("call"),
                "name": call.name,
                "arguments": call.raw,
                "status": "completed",
            }


class Chat(_OpenAI):
    """Chat Completions, as strict as the servers that render it into a model's own template."""

    path = "/v1/chat/completions"

    @classmethod
    def read(cls, headers: Mapping[str, str], body: Mapping[str, Any]) -> Request:
        cls._check_common(headers, body)
        expect(body.get("max_tokens", 0) > 0, "max_tokens is missing")
        messages = body.get("messages", [])
        cls._check_messages(messages)
        users = [message["content"] for message in messages if message["role"] == "user"]
        system = [message["content"] for message in messages if message["role"] == "system"]
        expect(system in ([], [messages[0]["content"]]), "one system message, and first")
        return Request(
            protocol="chat",
            headers=headers,
            body=body,
            system=system[0] if system else None,
            opening=users[0],
            turns=sum(message["role"] == "assistant" for message in messages),
            users=users,
            results=[message["content"] for message in messages if message["role"] == "tool"],
            tools=[tool["function"]["name"] for tool in body.get("tools", [])],
        )

    @staticmethod
    def _check_messages(messages: list[dict[str, Any]]) -> None:
        open_calls: list[str] = []
        for message in messages:
            expect(isinstance(message.get("content"), str), "content must be text")
            if message["role"] == "tool":
                expect(message["tool_call_id"] in open_calls, "a tool message must follow its tool call")
                open_calls.remove(message["tool_call_id"])
                continue
            expect(not open_calls, f"tool calls without an answer: {open_calls}")
            expect(message["role"] in {"system", "user", "assistant"}, f"unknown role {message['role']}")
            for call in message.get("tool_calls", []):
                expect(
                    isinstance(_parsed(call["function"]["arguments"]), dict),
                    "arguments must be a JSON object",
                )
                open_calls.append(call["id"])
        expect(not open_calls, f"tool calls without an answer: {open_calls}")

    @staticmethod
    def write(answer: Answer, request: Request) -> list[bytes]:
        usage = answer.usage
        prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        refused = answer.why_stopped == "refusal"
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if refused or not answer.text else answer.text,
            "refusal": answer.text if refused else None,
        }
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        if answer.calls:
            message["tool_calls"] = [
                {
                    "id": identifier("call"),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.raw},
                }
                for call in answer.calls
            ]
        reasons = {"end": "stop", "tools": "tool_calls", "length": "length", "refusal": "stop"}
        completion = {
            "id": identifier("chatcmpl"),
            "object": "chat.completion",
            "created": 1767225600,
            "model": request.body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reasons[answer.why_stopped]}],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": usage.output_tokens,
                "total_tokens": prompt + usage.output_tokens,
                "prompt_tokens_details": {
                    "cached_tokens": usage.cache_read_tokens,
                    "cache_write_tokens": usage.cache_write_tokens,
                },
            },
        }
        return [json.dumps(completion).encode()]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


PROTOCOLS: tuple[type[Messages] | type[Responses] | type[Chat], ...] = (Messages, Responses, Chat)
