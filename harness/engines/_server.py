"""A server of the driver's in a box, steered by lines of JSON: each request is answered by one."""

from __future__ import annotations

import json
import queue
import secrets
import threading
from typing import Any

from harness.engines import Engine
from harness.errors import InfrastructureError, UsageError
from harness.sandboxes import Stream
from harness.sandboxes._box import Box, lines


class SteeredServer:
    """A script of ``harness/runtime`` that stays. When it tells of ``crashed``, the submission is killed."""

    def __init__(self, box: Box, name: str, script: str, *arguments: str, timeout: float) -> None:
        """``name``: what messages call it; ``timeout``: seconds in which it answers."""
        self._box, self._name, self._timeout = box, name, timeout
        # What another one must be told to stand as this one does before the submission's first command.
        self.command, self.requests = [script, *arguments], list[dict[str, Any]]()
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stream: Stream = box.spawn(script, *arguments)
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """
        Raises:
            InfrastructureError: it is gone, or says that it can't.
        """
        request = {"op": op, **arguments}
        # Not later: graders ask many times a second, and send much.
        if not self._box.commands:
            self.requests.append(request)
        try:
            self._stream.write(json.dumps(request).encode() + b"\n")
            reply = self._replies.get(timeout=self._timeout)
        except (OSError, ValueError, queue.Empty) as error:  # ValueError: its pipe is closed on this side
            raise InfrastructureError("engine", f"{self._name} doesn't answer: {error!r}") from None
        if "error" in reply:
            raise InfrastructureError("engine", f"{self._name}: {reply['error']}")
        return reply

    def close(self) -> None:
        self._stream.close()

    def _listen(self) -> None:
        try:
            for line in lines(self._stream, timeout=1e6):
                message = json.loads(line)
                if message.get("event") == "crashed":
                    self._box.kill()
                else:
                    self._replies.put(message)
            problem = "it ended"
        except (OSError, ValueError) as error:
            problem = f"it was lost: {error!r}"
        self._replies.put({"error": problem})


class ServedEngine(Engine):
    """An engine that is a server of the driver's: ``start`` calls ``_serve`` and, if by a port, ``_open``."""

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self._server: SteeredServer | None = None
        self._door: tuple[int, str] | None = None

    def _serve(self, name: str, script: str, *arguments: str, timeout: float) -> None:
        self._server = SteeredServer(self.box, name, script, *arguments, timeout=timeout)

    def _open(self, port: int, socket: str) -> None:
        """The submission reaches the server's UNIX socket at this port of 127.0.0.1."""
        self._door = port, socket
        self.box.doors[port] = socket

    def _steer(self, op: str, **arguments: Any) -> dict[str, Any]:
        assert self._server, "start() first"
        return self._server.ask(op, **arguments)

    def dump(self) -> dict[str, bytes]:
        """``<name>.server.json``: the server's command, its door, and all that it was told."""
        assert self._server and not self.box.commands, "after start(), and before the submission has run"
        if not self._door:
            raise UsageError(f"what lies at an account isn't exported: {self.name}", "unset the variable that names it")
        told = {"command": self._server.command, "door": self._door, "requests": self._server.requests}
        return {f"{self.name}.server.json": json.dumps(told).encode()}

    def close(self) -> None:
        if self._server:
            self._server.close()


def drawn_port(first: int) -> int:
    """One of ten thousand, another one in each box: one that somebody wrote down leads nowhere, and where boxes aren't
    confined they share the machine's."""
    return first + secrets.randbelow(10_000)
