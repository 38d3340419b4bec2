"""The report served live on this machine: each page is made when it is asked for, from the runs as they are then.

Only this machine's browser may read it. The server listens on the loopback address; it answers only if it is called
by a loopback name, so that no page from elsewhere reaches it by a name that it lets point here (DNS rebinding); and
it forbids other sites to use its data files as scripts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from results.errors import RunDirectoryError
from results.report.drawing import POLICY
from results.report.reading import read
from results.report.site import Site
from results.run_directory import find_runs
from results.text import one_line

ADDRESS: Final = "127.0.0.1"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
NEWS: Final = "state.json"
TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
}
HEADERS: Final = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class LiveSite:
    """The site of some folders, read again when something in their runs has changed."""

    def __init__(self, folders: Sequence[Path], baseline: Path | None = None) -> None:
        self._folders = folders
        self._baseline = baseline
        self._lock = threading.Lock()
        self._read: tuple[str, Site] | None = None

    def version(self) -> str:
        """Another one whenever a run, a trial or a begun trial came or went."""
        seen = hashlib.sha256()
        for path in sorted(path for folder in self._folders for path in find_runs(folder)):
            trials = path / "trials"
            for file in (path / "run.json", path / "trials.jsonl", trials, *sorted(_children(trials))):
                with contextlib.suppress(OSError):
                    status = file.stat()
                    seen.update(f"{file} {status.st_mtime_ns} {status.st_size}\n".encode("utf-8", errors="replace"))
        return seen.hexdigest()[:16]

    def version_of(self, page: str) -> str:
        """The version of what a page shows; that of a trial under way changes with its transcript, too.

        A reader is disturbed by news of his page alone.
        """
        site = self.now()
        seen = hashlib.sha256(make() if (make := site.files.get(page)) else b"")
        for run in site.source.runs:
            for key, folder in run.unfinished.items():
                if run.trial_path(*key) == page:
                    with contextlib.suppress(OSError):
                        seen.update(b"%d" % folder.transcript.stat().st_size)
        return seen.hexdigest()[:16]

    def now(self) -> Site:
        """The site as the runs are now.

        Raises:
            RunDirectoryError: the baseline can't be read any more.
        """
        version = self.version()  # before reading: what changes meanwhile is read the next time
        with self._lock:
            if self._read is None or self._read[0] != version:
                self._read = version, Site(read(self._folders, self._baseline, strict=False), live=True)
            return self._read[1]


class Server(ThreadingHTTPServer):
    """Listens as soon as it is made; ``port`` 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, site: LiveSite, port: int) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.site = site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD of the site's files, and of the news; everything else is refused."""

    server: Server
    server_version = "bench"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        status, kind, content = self._content()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", TYPES[kind])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def _content(self) -> tuple[HTTPStatus, str, bytes]:
        if not is_loopback(self.headers.get("Host", "")):
            return _told(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to its loopback address alone")
        address = urlsplit(self.path)
        path = unquote(address.path).removeprefix("/") or "index.html"
        try:
            if path == NEWS:
                version = self.server.site.version_of(unquote(address.query))
                return HTTPStatus.OK, "json", json.dumps({"version": version}).encode()
            make = self.server.site.now().files.get(path)
            if make is None:
                return _told(HTTPStatus.NOT_FOUND, "there is no such page")
            return HTTPStatus.OK, path.rpartition(".")[2], make()
        except (RunDirectoryError, OSError) as error:
            # A run may be moved away while it is looked at.
            return _told(HTTPStatus.INTERNAL_SERVER_ERROR, f"can't be read now: {one_line(str(error))}")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: the terminal belongs to what the user reads there."""


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine: ``127.0.0.1``, ``localhost`` or ``[::1]``, with any port or none."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return (name if colon else host).lower() in LOOPBACK and (not colon or port.isdecimal())


def _told(status: HTTPStatus, text: str) -> tuple[HTTPStatus, str, bytes]:
    return status, "txt", f"{text}\n".encode()


def _children(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from folder.iterdir()
