"""Passes connections to a TCP port of this user's own network on to a server's UNIX socket: ``door.py SOCKET``.

Where every user of a box has a network of its own, folders are all that they share. The listening port is standard
input. Ended by whoever started it.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def connect(client: socket.socket, path: str) -> None:
    # A server that is gone is a connection that ends.
    with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
        server.connect(path)
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def main() -> None:
    port = socket.socket(fileno=0)
    while True:
        client, _ = port.accept()
        threading.Thread(target=connect, args=(client, sys.argv[1]), daemon=True).start()


if __name__ == "__main__":
    main()
