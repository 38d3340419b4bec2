"""An HTTP API for one box, with faults by script and a log: ``api_server.py SOCKET``.

Speaks HTTP/1.1 on a UNIX socket. Lines of JSON on standard input steer it, each answered by a line:

    {"op": "serve", "api": …}    serve this from now on (see ``Api``); page tokens given out before are unknown
    {"op": "disturb", "faults": […]}   from the next request on (see ``Fault``); replaces what was left of older ones
    {"op": "requests"}           what was asked since the last time that this was asked
    {"op": "count"}              begin counting answers
    {"op": "crash", "after": n}  begin counting; the request after the n-th answer is never answered
    {"op": "open"}               stop counting; how many answers were counted

A listing holds the rows from ``since`` to ``until``, both inclusive, by time and key.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hmac
import json
import os
import secrets
import socketserver
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

LONGEST_BODY, MOST_LOGGED, MOST_CONNECTIONS = 1 << 16, 20_000, 32
# Seconds: who asks again by so much too soon has waited; a token that was good when it was sent off is good.
TOLERANCE, LEEWAY = 0.05, 2.0
MOMENT = 0.2  # seconds


@dataclass(frozen=True)
class Listing:
    """``name`` is what the rows stand under in an answer; ``time`` and ``key`` are columns, ``since`` and ``until``
    parameters. Without ``time`` there is no order but the rows' own, and nothing to ask for but the next page."""

    rows: list
    name: str
    page: int
    key: str
    time: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Api:
    """``listings`` by path. Who asks has ``key``, or a token that ``login`` gives for a client's id and secret."""

    listings: dict
    key: str = ""
    login: dict = field(default_factory=dict)  # path, client_id, client_secret, seconds


@dataclass
class Fault:
    """Once ``after`` pages of the listing were given, ``times`` requests for it get ``status`` (-1: all of them), or
    are answered ``slow`` seconds later. Who is told to wait for ``retry_after`` seconds and asks for the same before
    that, is told again. ``expired``: it is the next ``times`` page tokens that have expired, for good."""

    path: str
    after: int
    times: int = 1
    status: int = 0
    retry_after: float = 0.0
    slow: float = 0.0
    expired: bool = False


class Refused(Exception):
    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


class Service:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.api = Api({})
        self.faults: list[Fault] = []
        self.given: dict[str, int] = {}
        self.waiting: dict[str, tuple[float, Fault]] = {}
        self.pages: dict[str, tuple] = {}
        self.logins: dict[str, float] = {}
        self.log: list[dict] = []
        self.counted = 0
        self.counting = False
        self.crash_after: int | None = None
        self.crashed = False
        self.reopened = threading.Event()

    # -- steering ------------------------------------------------------------------------------------------------

    def steer(self, request: dict) -> dict:
        with self.lock:
            return getattr(self, f"do_{request['op']}")(request) or {}

    def do_serve(self, request: dict) -> None:
        api = request["api"]
        listings = {path: Listing(**listing) for path, listing in api.pop("listings").items()}
        for listing in listings.values():
            if listing.time:
                listing.rows.sort(key=lambda row, by=listing: (moment(row[by.time]), str(row[by.key])))
        self.api = Api(listings, **api)
        self.faults, self.given, self.pages, self.waiting = [], {}, {}, {}

    def do_disturb(self, request: dict) -> None:
        self.faults, self.given, self.waiting = [Fault(**fault) for fault in request["faults"]], {}, {}

    def do_requests(self, request: dict) -> dict:
        log, self.log = self.log, []
        return {"requests": log}

    def do_count(self, request: dict) -> None:
        self.counted, self.counting, self.crashed, self.crash_after = 0, True, False, request.get("after")
        self.reopened = threading.Event()

    do_crash = do_count

    def do_open(self, request: dict) -> dict:
        self.counting, self.crash_after = False, None
        self.reopened.set()
        return {"answers": self.counted}

    # -- answers -------------------------------------------------------------------------------------------------

    def is_over(self) -> threading.Event | None:
        """What to wait for where the submission is to hear no more; it is told to the harness once.

        A moment later: what the submission has read, it may make something of.
        """
        with self.lock:
            if self.crash_after is None or self.counted < self.crash_after:
                return None
            is_first, self.crashed, reopened = not self.crashed, True, self.reopened
        if is_first:
            time.sleep(MOMENT)
            say({"event": "crashed"})
        return reopened

    def answer(self, method: str, target: str, headers: dict, body: bytes) -> tuple[int, dict, dict]:
        """Status, headers, body as JSON; noted in the log."""
        url = urlsplit(target)
        entry = {
            "method": method,
            "path": url.path,
            "query": url.query,
            "at": time.monotonic(),
            "early": False,
            "rows": 0,
        }
        slow, given = 0.0, {}
        with self.lock:
            try:
                slow = self.fault(method, target, url.path, entry)
                status, found = 200, self.found(method, url, headers, body)
                if listing := self.api.listings.get(url.path):
                    entry["rows"] = len(found[listing.name])
            except Refused as refused:
                status, given = refused.status, refused.headers
                found = {"error": {"status": refused.status, "message": str(refused)}}
            entry["status"] = status
            if len(self.log) < MOST_LOGGED:
                self.log.append(entry)
            self.counted += self.counting
        time.sleep(slow)
        return status, given, found

    def fault(self, method: str, target: str, path: str, entry: dict) -> float:
        """Raises what the script has for this request; returns how many seconds it is late."""
        until, said = self.waiting.get(target, (0.0, None))
        if said and time.monotonic() < until - TOLERANCE:
            entry["early"] = True
            self.refuse(target, said)
        for fault in self.faults:
            if fault.path == path and fault.times and self.given.get(path, 0) >= fault.after:
                if fault.expired:
                    token = parse_qs(urlsplit(target).query).get("page_token", [""])[-1]
                    fault.times -= self.pages.pop(token, None) is not None
                    continue
                fault.times -= 1
                if fault.status:
                    self.refuse(target, fault)
                return fault.slow
        return 0.0

    def refuse(self, target: str, fault: Fault) -> None:
        headers = {}
        if fault.retry_after:
            self.waiting[target] = time.monotonic() + fault.retry_after, fault
            headers = {"Retry-After": f"{fault.retry_after:g}"}
        raise Refused(fault.status, REASONS.get(fault.status, "something went wrong"), **headers)

    def found(self, method: str, url, headers: dict, body: bytes) -> dict:
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if self.api.login and url.path == self.api.login["path"]:
            return self.log_in(method, headers, body)
        self.expect_access(headers)
        listing = self.api.listings.get(url.path)
        if listing is None:
            raise Refused(404, f"there is nothing at {url.path}")
        if method != "GET":
            raise Refused(405, f"{method} isn't allowed here")
        page = self.page(url.path, listing, query)
        self.given[url.path] = self.given.get(url.path, 0) + 1
        return page

    def log_in(self, method: str, headers: dict, body: bytes) -> dict:
        if method != "POST":
            raise Refused(405, f"{method} isn't allowed here")
        given = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
        if "json" in headers.get("content-type", ""):
            with contextlib.suppress(ValueError, RecursionError):
                said = json.loads(body)
                given = {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}
        scheme, _, basic = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                name, _, secret = base64.b64decode(basic).decode().partition(":")
                given |= {"client_id": name, "client_secret": secret}
        login = self.api.login
        if not all(same(given.get(name, ""), login[name]) for name in ("client_id", "client_secret")):
            raise Refused(401, "unknown client, or a wrong secret")
        token = secrets.token_urlsafe(24)
        self.logins[token] = time.monotonic() + login["seconds"] + LEEWAY
        return {"access_token": token, "token_type": "Bearer", "expires_in": login["seconds"]}

    def expect_access(self, headers: dict) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = scheme.lower() == "bearer" and (
            same(given.strip(), self.api.key)
            if not self.api.login
            else self.logins.get(given.strip(), 0.0) > time.monotonic()
        )
        if not known:
            raise Refused(401, "the token is unknown or has expired" if self.api.login else "the key is unknown")

    def page(self, path: str, listing: Listing, query: dict) -> dict:
        if token := query.get("page_token"):
            if token not in self.pages or self.pages[token][0] != path:
                raise Refused(410, "the page token is unknown or has expired")
            _, since, until, behind = self.pages[token]
        else:
            since, until = (read_moment(query, name) for name in (listing.since, listing.until))
            behind = None
        rows = [
            (place, row)
            for place, row in ((place_of(listing, number, row), row) for number, row in enumerate(listing.rows))
            if (not since or place[0] >= since) and (not until or place[0] <= until) and (not behind or place > behind)
        ]
        given, following = rows[: listing.page], None
        if len(rows) > listing.page:
            following = secrets.token_urlsafe(18)
            self.pages[following] = path, since, until, given[-1][0]
        return {listing.name: [row for _, row in given], "next_page_token": following}


REASONS = {
    429: "too many requests",
    500: "an internal error",
    502: "the server behind doesn't answer",
    503: "the service is down for the moment",
}


def place_of(listing: Listing, number: int, row: dict) -> tuple:
    return (moment(row[listing.time]), str(row[listing.key])) if listing.time else (float(number), "")


def moment(text: str) -> float:
    read = datetime.datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()


def read_moment(query: dict, name: str) -> float | None:
    if not name or not query.get(name):
        return None
    try:
        return moment(query[name])
    except (ValueError, OverflowError):
        raise Refused(400, f"{name} is no time of the form 2026-03-01T10:00:00Z: {query[name]!r}") from None


def same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "api", ""
    timeout = 120
    service: Service

    def serve(self) -> None:
        if ended := self.service.is_over():
            ended.wait()
            self.close_connection = True
            return
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LONGEST_BODY:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, given, found = self.service.answer(self.command, self.path, headers, body)
        text = json.dumps(found).encode()
        self.send_response(status)
        for name, value in {**given, "Content-Type": "application/json", "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, handler: type[Handler]) -> None:
        self.places = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__(path, handler)

    def process_request(self, request, client_address) -> None:
        self.places.acquire()
        super().process_request(request, ("box", 0))

    def process_request_thread(self, request, client_address) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request, client_address) -> None:
        pass  # a client that went away


said = threading.Lock()


def say(message: dict) -> None:
    with said:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def main() -> None:
    path = sys.argv[1]
    service = Service()
    server = Server(path, type("Bound", (Handler,), {"service": service}))
    os.chmod(path, 0o777)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"reply": request["op"], **service.steer(request)}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        say(reply)


if __name__ == "__main__":
    main()
