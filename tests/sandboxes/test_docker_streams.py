"""Streams of Docker's: nothing of what a process says is lost, however it comes."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.sandboxes import docker

PATIENCE = 1.0  # seconds


@pytest.fixture
def container() -> Iterator[str]:
    running = docker.client().containers.run(docker.base_image(), ["sleep", "infinity"], detach=True, init=True)
    yield running.id or ""
    docker.remove(running)


@pytest.mark.docker
def test_what_a_process_says_at_once_comes_though_the_reply_is_read_late(
    container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = http.client.HTTPResponse.begin

    def late(response: Any) -> None:
        """Read the reply's head when the process has said all it had to say, if it says anything before."""
        raw: socket.socket = response.fp.raw._sock
        deadline = time.monotonic() + PATIENCE
        while b"Upgrade: tcp" in (seen := raw.recv(1 << 16, socket.MSG_PEEK)) and time.monotonic() < deadline:
            if seen.endswith(b"at once\n"):
                break
        begin(response)

    monkeypatch.setattr(http.client.HTTPResponse, "begin", late)
    stream = docker.ExecStream(container, ["echo", "at once"], "", {})
    said = b""
    while part := stream.read(100, 10.0):
        said += part
    stream.close()
    assert said == b"at once\n"
