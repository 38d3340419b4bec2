"""An HTTP API that answers as it is told to, by the driver's own server: pages, limits, outages, tokens that expire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from harness.engines import CrashingEngine
from harness.engines._server import ServedEngine, drawn_port
from harness.errors import SubmissionFault
from harness.sandboxes._box import Box

FIRST_PORT = 20_000
MOST_REQUESTS = 20_000


@dataclass(frozen=True)
class Listing:
    """Rows at a path, ``page`` at a time: ``{"<name>": […], "next_page_token": …}``.

    With ``time`` they come by that column and then by ``key``, and the parameters ``since`` and ``until`` narrow
    them down, both inclusive.
    """

    rows: Sequence[Mapping[str, Any]]
    name: str
    page: int
    key: str
    time: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Login:
    """Client credentials for a token (RFC 6749, section 4.4) that lives for some seconds."""

    path: str
    client_id: str
    client_secret: str
    seconds: int


@dataclass(frozen=True)
class Fault:
    """Once ``after`` pages of ``path`` were given, the next ``times`` requests for it get ``status`` (-1: all of them),
    or are answered ``slow`` seconds late. ``retry_after``: whoever asks for the same sooner is refused again.
    ``expired``: it is the next ``times`` page tokens that are refused, for good, as they have expired (410)."""

    path: str
    after: int
    times: int = 1
    status: int = 0
    retry_after: float = 0.0
    slow: float = 0.0
    expired: bool = False


@dataclass(frozen=True)
class Request:
    """What the server saw, and how many rows it gave. ``early``: sooner than the answer before had told to wait."""

    method: str
    path: str
    query: str
    status: int
    at: float
    early: bool
    rows: int


class Api(ServedEngine, CrashingEngine):
    """Found at ``$API_URL``. A statement is a request that was answered: a crash falls between two of them."""

    name: ClassVar[str] = "api"
    fidelity: ClassVar[str] = (
        "An HTTP API of our own, at 127.0.0.1: pages with tokens, bearer keys, client credentials, Retry-After, "
        "outages and slowness by script. It stands for no product; no TLS, no quotas but scripted ones."
    )

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.port = drawn_port(FIRST_PORT)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        socket = f"{self.box.path('sockets')}/api"
        self._serve("the API's server", "driver/api_server.py", socket, timeout=60)
        self._steer("serve", api={"listings": {}})
        self._open(self.port, socket)

    def variables(self) -> dict[str, str]:
        return {"API_URL": self.url}

    def reset(self) -> None:
        self.stop_counting()
        self.serve({})
        self.requests()

    # -- what it answers ----------------------------------------------------------------------------------------

    def serve(self, listings: Mapping[str, Listing], *, key: str = "", login: Login | None = None) -> None:
        """Serve these listings by path from now on. Tokens of pages that were given before have expired."""
        told = {path: asdict(listing) | {"rows": list(listing.rows)} for path, listing in listings.items()}
        self._steer("serve", api={"listings": told, "key": key, "login": asdict(login) if login else {}})

    def disturb(self, *faults: Fault) -> None:
        """Pages are counted from now on; without faults, all is well again."""
        self._steer("disturb", faults=[asdict(fault) for fault in faults])

    def requests(self) -> list[Request]:
        """What was asked since the last time that this was asked."""
        found = [Request(**entry) for entry in self._steer("requests")["requests"]]
        if len(found) >= MOST_REQUESTS:
            raise SubmissionFault(f"more than {MOST_REQUESTS} requests were sent to the API")
        return found

    # -- crash points -------------------------------------------------------------------------------------------

    def count(self) -> None:
        self._steer("count")

    def crash(self, after: int) -> None:
        self._steer("crash", after=after)

    def stop_counting(self) -> list[str]:
        return ["I"] * int(self._steer("open")["answers"])


def asked(requests: Iterable[Request], path: str) -> int:
    """How many pages of a listing were given."""
    return sum(1 for request in requests if request.path == path and request.status == 200)


ENGINE = Api
