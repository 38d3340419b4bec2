"""The HTTP side: receives requests, asks the script, and answers, fails, cuts or stays silent as told."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from harness.models import Usage
from tests.provider.script import (
    Answer,
    ComplaintError,
    Cut,
    Failure,
    Garbled,
    Happening,
    Page,
    Request,
    Script,
    Silence,
    Slow,
    in_turn,
)
from tests.provider.wire import PROTOCOLS, Messages, Responses

BASE_PATHS = {"anthropic": "", "openai": "/v1", "openai-compatible": "/v1"}


class ProviderServer:
    """Serves on a port of its own until closed. ``script`` may be replaced at any time.

    ``spent`` is what its whole answers used, ``arrivals`` is when each request came (``time.monotonic``).
    """

    def __init__(self, script: Script | None = None, port: int = 0) -> None:
        self.script: Script = script or in_turn()
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.arrivals: list[float] = []
        self.spent = Usage()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.provider = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def say(self, *happenings: Happening) -> None:
        """From now on these happen, in turn."""
        self.script = in_turn(*happenings)

    def base_url(self, provider: str) -> str:
        return f"http://127.0.0.1:{self._http.server_port}{BASE_PATHS[provider]}"

    def happening(self, request: Request) -> Happening:
        with self._lock:
            self.requests.append(request)
            self.arrivals.append(time.monotonic())
            return self.script(request)

    def bill(self, answer: Answer) -> None:
        with self._lock:
            self.spent += answer.usage

    def complain(self, complaint: str) -> None:
        with self._lock:
            self.complaints.append(complaint)

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> ProviderServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: ProviderServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed in the middle of an answer are part of some tests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            # The client was killed while it asked: that is no invalid request.
            self.close_connection = True
            return None
        protocol = next((one for one in PROTOCOLS if one.path == self.path), None)
        if protocol is None:
            return self.fail(Responses, Failure(404, f"no such path: {self.path}"))
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = protocol.read(headers, json.loads(body))
            happening = self.server.provider.happening(request)
        except Exception as error:
            complaint = str(error) if isinstance(error, ComplaintError) else repr(error)
            self.server.provider.complain(complaint)
            return self.fail(protocol, Failure(400, complaint, "invalid_request_error"))
        match happening:
            case Answer():
                self.server.provider.bill(happening)
                self.answer(protocol, protocol.write(happening, request))
            case Slow():
                self.server.provider.closing.wait(happening.seconds)
                self.server.provider.bill(happening.answer)
                self.answer(protocol, protocol.write(happening.answer, request))
            case Page():
                self.send_whole(200, "text/html", b"<html><body>Please wait.</body></html>", {})
            case Failure(streamed=True):
                self.answer(
                    protocol,
                    [b"event: error\ndata: " + json.dumps(protocol.error(happening)).encode() + b"\n\n"],
                )
            case Failure():
                self.fail(protocol, happening)
            case Cut():
                self.cut(protocol, protocol.write(Answer("half of this is lost"), request), happening)
            case Garbled():
                self.answer(
                    protocol,
                    [b'event: message_start\ndata: {"type": "message_st\n\n']
                    if protocol is Messages
                    else [b'{"id": "half", "choi'],
                )
            case Silence():
                self.server.provider.closing.wait()
                self.hang_up()
        return None

    def answer(self, protocol: Any, parts: list[bytes]) -> None:
        self.begin(protocol)
        for part in parts:
            self.send_part(part)
        self.wfile.write(b"0\r\n\r\n")

    def begin(self, protocol: Any) -> None:
        self.send_response(200)
        self.send_header("content-type", protocol.content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send_part(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def fail(self, protocol: Any, failure: Failure) -> None:
        headers = {} if failure.retry_after is None else {"retry-after": str(failure.retry_after)}
        self.send_whole(failure.status, "application/json", json.dumps(protocol.error(failure)).encode(), headers)

    def send_whole(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self, protocol: Any, parts: list[bytes], cut: Cut) -> None:
        if cut.when != "at once":
            self.begin(protocol)
            whole = b"".join(parts)
            kept = b"".join(parts[: len(parts) // 2]) if len(parts) > 1 else whole[: len(whole) // 2]
            self.send_part(kept)
        if cut.when == "tidily":
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.hang_up()

    def hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Tests read ``requests``; nothing is printed."""
