"""A socket in front of the Docker engine's: shut, it is to its clients an engine that stopped, and the engine lives."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class DockerDoor:
    """Forwards each connection until ``shut``; ``open`` lets clients in again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.open()

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def open(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._welcome, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        assert self._listener
        self.path.unlink()
        for one in [self._listener, *self._held]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener = None
        self._held.clear()

    def _welcome(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(ENGINE)
                self._held += [client, engine]
                for source, target in ((client, engine), (engine, client)):
                    threading.Thread(target=_forward, args=(source, target), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
    with contextlib.suppress(OSError):
        # Half a connection may end: what is said the other way still arrives.
        target.shutdown(socket.SHUT_WR)
