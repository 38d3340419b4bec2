"""The API in the box: what it gives, what it refuses, what it has seen, and where it stops a submission."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.engines.api import Api, Fault, Listing, Login
from harness.lab import Lab
from harness.sandboxes import _choice
from tests.engines.conftest import begin, open_lab

pytestmark = pytest.mark.engines

ROWS = [{"id": f"r{n}", "at": f"2026-03-0{1 + n // 4}T10:00:00Z"} for n in range(12)]
ROWS_AT = "/v1/rows"
LISTING = Listing(ROWS, "rows", 5, "id", "at", "since", "until")
LOGIN = Login("/token", "me", "s3cret", 600)
# Reads every page of the listing, and says how many rows there were behind each.
READER = """
import json, os, urllib.request
seen, token = 0, None
while True:
    query = f"?page_token={token}" if token else ""
    request = urllib.request.Request(os.environ["API_URL"] + "/v1/rows" + query, headers={"Authorization": "Bearer k"})
    page = json.load(urllib.request.urlopen(request))
    seen, token = seen + len(page["rows"]), page["next_page_token"]
    print(seen, flush=True)
    if not token:
        break
"""
# Asks once: path, method, bearer, kind of the body, body.
ASK = """
import json, os, sys, urllib.error, urllib.request
path, method, bearer, kind, body = sys.argv[1:]
headers = {"Authorization": f"Bearer {bearer}", "Content-Type": kind}
url = os.environ["API_URL"] + path
request = urllib.request.Request(url, body.encode() or None, headers, method=method)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.load(answer)]))
"""
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# Leaves many connections open, says too much on one, and goes on.
CROWD = """
import os, socket
port = int(os.environ["API_URL"].rpartition(":")[2])
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
held[0].sendall(b"POST /token HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 99999999\\r\\n\\r\\n")
print(held[0].recv(100).split()[1].decode())
held[1].sendall(b"\\0\\xff" * 9999)
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[Lab]:
    with open_lab(["api"], "core") as lab:
        yield lab


@pytest.fixture
def lab(opened: Lab) -> Lab:
    begin(opened, {"read.py": READER, "ask.py": ASK, "crowd.py": CROWD})
    opened.use(Api).serve({ROWS_AT: LISTING}, key="k")
    return opened


@pytest.fixture
def api(lab: Lab) -> Api:
    return lab.use(Api)


def ask(
    lab: Lab, path: str, body: str = "", *, method: str = "", bearer: str = "k", kind: str = FORM
) -> tuple[int, Any]:
    """Status and body of an answer."""
    said = lab.run("python", "ask.py", path, method or ("POST" if body else "GET"), bearer, kind, body)
    assert said.ok, said.explain()
    status, answer = json.loads(said.stdout)
    return status, answer


def ids(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["rows"]]


def test_pages_follow_each_other_and_are_seen(lab: Lab, api: Api) -> None:
    done = lab.run("python", "read.py")
    assert done.stdout.split() == ["5", "10", "12"], done.explain()
    seen = api.requests()
    assert [(request.path, request.status, request.rows, request.early) for request in seen] == [
        (ROWS_AT, 200, 5, False),
        (ROWS_AT, 200, 5, False),
        (ROWS_AT, 200, 2, False),
    ]
    assert api.requests() == []


@pytest.mark.docker
def test_in_a_container_it_is_found_at_the_same_address() -> None:
    with open_lab(["api"], "core", _choice.load("docker")) as lab:
        begin(lab, {"read.py": READER})
        lab.use(Api).serve({ROWS_AT: LISTING}, key="k")
        done = lab.run("python", "read.py")
        assert done.stdout.split() == ["5", "10", "12"], done.explain()


def test_both_ends_of_a_window_are_inclusive(lab: Lab) -> None:
    _, page = ask(lab, f"{ROWS_AT}?since=2026-03-02T10:00:00Z&until=2026-03-02T10:00:00%2B00:00")
    assert ids(page) == ["r4", "r5", "r6", "r7"] and page["next_page_token"] is None
    assert ask(lab, f"{ROWS_AT}?since=yesterday")[0] == 400


def test_a_page_token_leads_on_until_the_world_moves(lab: Lab, api: Api) -> None:
    token = ask(lab, ROWS_AT)[1]["next_page_token"]
    assert ids(ask(lab, f"{ROWS_AT}?page_token={token}")[1]) == ["r5", "r6", "r7", "r10", "r11"]  # by time, then key
    api.serve({ROWS_AT: LISTING}, key="k")
    assert ask(lab, f"{ROWS_AT}?page_token={token}")[0] == 410


@pytest.mark.parametrize(
    ("path", "method", "bearer", "status"),
    [
        (ROWS_AT, "GET", "", 401),
        (ROWS_AT, "GET", "kk", 401),
        ("/v2/rows", "GET", "k", 404),
        (ROWS_AT, "POST", "k", 405),
        (f"{ROWS_AT}?page_token=made-up", "GET", "k", 410),
    ],
)
def test_what_isnt_asked_for_rightly_is_refused(lab: Lab, path: str, method: str, bearer: str, status: int) -> None:
    assert ask(lab, path, method=method, bearer=bearer)[0] == status


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (FORM, "grant_type=client_credentials&client_id=me&client_secret=s3cret"),
        (JSON, '{"client_id": "me", "client_secret": "s3cret"}'),
    ],
)
def test_a_client_logs_in(lab: Lab, api: Api, kind: str, given: str) -> None:
    api.serve({ROWS_AT: LISTING}, login=LOGIN)
    status, told = ask(lab, "/token", given, kind=kind)
    assert (status, told["expires_in"]) == (200, 600)
    assert ask(lab, ROWS_AT, bearer=told["access_token"])[0] == 200
    assert ask(lab, ROWS_AT)[0] == 401
    assert ask(lab, "/token", given.replace("s3cret", "wrong"), kind=kind)[0] == 401


def test_a_token_expires(lab: Lab, api: Api) -> None:
    api.serve({ROWS_AT: LISTING}, login=Login("/token", "me", "s3cret", -5))
    told = ask(lab, "/token", "client_id=me&client_secret=s3cret")[1]
    assert ask(lab, ROWS_AT, bearer=told["access_token"])[0] == 401


def test_who_asks_again_too_soon_is_refused_again_and_noted(lab: Lab, api: Api) -> None:
    api.disturb(Fault(ROWS_AT, after=0, status=429, retry_after=1))
    asking = f"python ask.py {ROWS_AT} GET k {FORM} ''"
    assert lab.run("bash", "-c", f"{asking}; {asking}; sleep 1.1; {asking}").ok
    assert [(request.status, request.early) for request in api.requests()] == [(429, False), (429, True), (200, False)]


def test_an_outage_lasts_until_all_is_well_again(lab: Lab, api: Api) -> None:
    api.disturb(Fault(ROWS_AT, after=1, times=-1, status=503))
    assert [ask(lab, ROWS_AT)[0] for _ in range(3)] == [200, 503, 503]
    api.disturb()
    assert ask(lab, ROWS_AT)[0] == 200


def test_a_page_token_expires_for_good(lab: Lab, api: Api) -> None:
    token = ask(lab, ROWS_AT)[1]["next_page_token"]
    api.disturb(Fault(ROWS_AT, after=0, expired=True))
    assert ask(lab, ROWS_AT)[0] == 200
    assert [ask(lab, f"{ROWS_AT}?page_token={token}")[0] for _ in range(2)] == [410, 410]
    another = ask(lab, ROWS_AT)[1]["next_page_token"]
    assert ask(lab, f"{ROWS_AT}?page_token={another}")[0] == 200


def test_a_submission_is_killed_between_two_requests(lab: Lab, api: Api) -> None:
    api.crash(after=2)
    done = lab.run("python", "read.py")
    assert (done.killed, done.stdout.split()) == ("killed", ["5", "10"])
    assert api.stop_counting() == ["I", "I"]
    assert lab.run("python", "read.py").ok
    api.crash(after=3)
    assert lab.run("python", "read.py").ok
    assert len(api.stop_counting()) == 3


def test_a_crowd_of_connections_and_rubbish_leave_it_standing(lab: Lab) -> None:
    done = lab.run("python", "crowd.py")
    assert done.stdout.split() == ["413"], done.explain()
    assert ask(lab, ROWS_AT)[0] == 200
    assert not lab.box.incidents
