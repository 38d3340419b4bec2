"""The server is only worth something if it refuses what the real APIs refuse."""

from __future__ import annotations

import copy
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.provider import Answer, Call, ProviderServer, Request
from tests.provider.wire import seal

HEADERS = {"authorization": "Bearer x", "anthropic-version": "2023-06-01", "content-type": "application/json"}
CALL = {"id": "c1", "name": "bash"}
VALID: dict[str, dict[str, Any]] = {
    "/v1/messages": {
        "model": "m",
        "max_tokens": 10,
        "stream": True,
        "system": [{"type": "text", "text": "persona"}],
        "tools": [{"name": "bash", "description": "", "input_schema": {}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": seal("hm")},
                    {"type": "tool_use", **CALL, "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}]},
        ],
    },
    "/v1/responses": {
        "model": "m",
        "max_output_tokens": 10,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "instructions": "persona",
        "tools": [{"type": "function", "name": "bash", "parameters": {}, "strict": False}],
        "input": [
            {"role": "user", "content": "hello"},
            {"type": "reasoning", "id": "r1", "summary": [], "encrypted_content": seal("r1")},
            {"type": "function_call", "call_id": "c1", "name": "bash", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "ok"},
        ],
    },
    "/v1/chat/completions": {
        "model": "m",
        "max_tokens": 10,
        "tools": [{"type": "function", "function": {"name": "bash"}}],
        "messages": [
            {"role": "system", "content": "persona"},
            {"role": "user", "content": "hello"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        ],
    },
}


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer(lambda request: Answer("fine")) as server:
        yield server


def post(server: ProviderServer, path: str, body: dict[str, Any]) -> int:
    url = server.base_url("anthropic") + path
    request = urllib.request.Request(url, json.dumps(body).encode(), HEADERS)
    try:
        with urllib.request.urlopen(request) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("path", VALID)
def test_a_valid_request_is_understood(server: ProviderServer, path: str) -> None:
    assert post(server, path, VALID[path]) == 200
    assert server.complaints == []
    (request,) = server.requests
    assert (request.system, request.opening, request.turns, request.results, request.tools) == (
        "persona",
        "hello",
        1,
        ["ok"],
        ["bash"],
    )


SPOILED: list[tuple[str, list[Any], Any]] = [
    ("/v1/messages", ["max_tokens"], None),
    ("/v1/messages", ["stream"], False),
    ("/v1/messages", ["system"], ""),
    ("/v1/messages", ["messages", 0, "role"], "assistant"),
    ("/v1/messages", ["messages", 0, "content", 0, "text"], " "),
    ("/v1/messages", ["messages", 1, "content", 0, "thinking"], "changed"),
    ("/v1/messages", ["messages", 1, "content", 1, "input"], "{}"),
    ("/v1/messages", ["messages", 1, "content"], []),
    ("/v1/messages", ["messages", 1, "content", 1], None),
    ("/v1/messages", ["messages", 2, "content", 0, "tool_use_id"], "c2"),
    ("/v1/messages", ["messages", 2], None),
    ("/v1/responses", ["store"], True),
    ("/v1/responses", ["include"], None),
    ("/v1/responses", ["instructions"], ""),
    ("/v1/responses", ["input", 1, "encrypted_content"], None),
    ("/v1/responses", ["input", 2], None),
    ("/v1/responses", ["input", 3], None),
    ("/v1/responses", ["input", 3, "call_id"], "c2"),
    ("/v1/chat/completions", ["max_tokens"], None),
    ("/v1/chat/completions", ["messages", 0, "role"], "developer"),
    ("/v1/chat/completions", ["messages", 2, "content"], None),
    ("/v1/chat/completions", ["messages", 2, "tool_calls", 0, "function", "arguments"], "{"),
    ("/v1/chat/completions", ["messages", 2], None),
    ("/v1/chat/completions", ["messages", 3], None),
]


@pytest.mark.parametrize(("path", "where", "value"), SPOILED, ids=str)
def test_a_spoiled_request_is_refused(server: ProviderServer, path: str, where: list[Any], value: Any) -> None:
    body = copy.deepcopy(VALID[path])
    part: Any = body
    for step in where[:-1]:
        part = part[step]
    if value is None:
        del part[where[-1]]
    else:
        part[where[-1]] = value
    assert post(server, path, body) == 400
    assert len(server.complaints) == 1


def test_a_script_that_is_over_complains(server: ProviderServer) -> None:
    server.say(Answer("only one"))
    assert post(server, "/v1/messages", VALID["/v1/messages"]) == 200
    assert post(server, "/v1/messages", VALID["/v1/messages"]) == 400
    assert "no answer is left" in server.complaints[0]


def test_a_client_that_dies_while_it_asks_is_not_complained_of(server: ProviderServer) -> None:
    address = urlsplit(server.base_url("anthropic"))
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert server.complaints == []
    assert server.requests == []


def test_an_unknown_path_is_not_found(server: ProviderServer) -> None:
    assert post(server, "/chat/completions", {}) == 404


def test_a_script_sees_each_request(server: ProviderServer) -> None:
    def script(request: Request) -> Answer:
        return Answer("", (Call("bash", {"command": request.opening}),))

    server.script = script
    for path, body in VALID.items():
        assert post(server, path, body) == 200
    assert [request.protocol for request in server.requests] == ["messages", "responses", "chat"]
