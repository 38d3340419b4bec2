"""``bench view``: what it serves, to whom, and how a page follows a run that is going."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from results.report.serving import LiveSite, Server, is_loopback
from results.run_directory import RunDirectory
from tests.report.conftest import TASKS, TRANSCRIPT
from tests.results.builders import run_record
from tests.results.comparisons import graded

GOOD, BAD = (True,) * 4, (False,) * 4


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run that is going: one trial finished, one under way."""
    begun = RunDirectory.create(tmp_path / "runs" / "run", run_record(run="run", planned=TASKS, attempts=1))
    finish(begun, TASKS[0], GOOD)
    (unfinished(begun, TASKS[1])).mkdir(parents=True)
    say(begun, TRANSCRIPT)
    return begun


@pytest.fixture
def server(run: RunDirectory) -> Iterator[Server]:
    with Server(LiveSite([run.path.parent]), port=0) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def finish(run: RunDirectory, task: str, passed: tuple[bool, ...]) -> None:
    with run.trials_file.open("a") as file:
        file.write(graded(task, 1, passed).model_dump_json() + "\n")


def unfinished(run: RunDirectory, task: str) -> Path:
    return run.path / "trials" / task.replace("/", "--") / ".1.unfinished"


def say(run: RunDirectory, text: str) -> None:
    with (unfinished(run, TASKS[1]) / "transcript.jsonl").open("a") as file:
        file.write(text)


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def news(server: Server, page: str) -> str:
    return str(json.loads(ask(server, f"/state.json?{page}").read())["version"])


def test_pages_are_made_from_the_run_as_it_is(server, run):
    assert "graded</dt><dd>1/4" in ask(server, "/runs/run.html").read().decode()
    finish(run, TASKS[2], BAD)
    assert "graded</dt><dd>2/4" in ask(server, "/runs/run.html").read().decode()
    assert ask(server, "/").read() == ask(server, "/index.html").read()
    head = ask(server, "/assets/report.js", "HEAD")
    assert (head.status, head.read(), head.getheader("Content-Type")) == (200, b"", "text/javascript; charset=utf-8")


def test_news_of_a_page_are_news_of_what_it_shows(server, run):
    trial, other = "trials/run/sql--task-001-1.html", "trials/run/sql--task-000-1.html"
    before = {page: news(server, page) for page in ("index.html", trial, other)}
    say(run, '{"event": "assistant", "text": "Nearly done."}\n')
    assert news(server, trial) != before[trial]
    assert news(server, "index.html") == before["index.html"]
    finish(run, TASKS[2], BAD)
    assert news(server, "index.html") != before["index.html"]
    assert news(server, other) == before[other]


def test_a_run_may_come_and_go(server, run):
    shutil.move(run.path, run.path.with_name("moved"))
    assert ask(server, "/runs/run.html").status == 200  # it is found where it is now
    shutil.rmtree(run.path.parent)
    gone = ask(server, "/index.html")
    assert gone.status == 200
    assert "There is no run to show yet." in gone.read().decode()
    assert ask(server, "/runs/run.html").status == 404


def test_a_damaged_line_that_appears_is_told(server, run):
    with run.trials_file.open("a") as file:
        file.write("garbage\n")  # no kill tears a line before the last one
    finish(run, TASKS[2], BAD)
    assert "line 2 is damaged" in ask(server, "/index.html").read().decode()


@pytest.mark.parametrize(
    "path",
    ["/nowhere.html", "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../index.html", "//etc/passwd"],
)
def test_there_is_nothing_but_the_site(server, path):
    answer = ask(server, path)
    assert (answer.status, answer.read()) == (404, b"there is no such page\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_is_only_read(server, method):
    assert ask(server, "/index.html", method).status == 501


def test_a_name_from_elsewhere_reaches_nothing(server):
    answer = ask(server, "/index.html", Host="attacker.example")
    assert (answer.status, b"bench" in answer.read()) == (421, False)
    assert ask(server, "/index.html", Host=f"localhost:{server.server_port}").status == 200


@pytest.mark.parametrize(
    ("host", "fits"),
    [("127.0.0.1:80", True), ("localhost", True), ("LOCALHOST:1", True), ("[::1]:9", True), ("[::1]", True),
     ("", False), ("localhost.example", False), ("127.0.0.1.nip.io", False), ("localhost:80:80", False),
     ("localhost:x", False), ("[::1", False)],
)  # fmt: skip
def test_loopback_names(host, fits):
    assert is_loopback(host) is fits


def test_every_answer_carries_the_policy(server):
    for path in ("/", "/state.json?index.html", "/nowhere", "/transcripts/run/sql--task-001-1.js"):
        answer = ask(server, path)
        policy = answer.getheader("Content-Security-Policy") or ""
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        assert answer.getheader("X-Content-Type-Options") == "nosniff"


# In a browser


@pytest.mark.browser
def test_an_open_page_follows_the_run(browser: Browser, server: Server, run: RunDirectory) -> None:
    context = browser.new_context()
    context.clock.install()  # the page's clock, so that nobody waits for its next question
    page = context.new_page()
    page.goto(f"{server.url}trials/run/sql--task-001-1.html")
    page.get_by_text("Live: the page follows the run").wait_for()
    page.get_by_text("The trial is unfinished").wait_for()
    page.get_by_text("Read the transcript").click()
    page.get_by_text("I look first.").wait_for()
    say(run, '{"event": "assistant", "text": "Nearly done."}\n')
    tick(page)
    page.get_by_text("Nearly done.").wait_for()  # the fold was open, and is again
    unfinished(run, TASKS[1]).rename(run.trial(TASKS[1], 1).path)
    finish(run, TASKS[1], BAD)
    tick(page)
    page.get_by_text("4 failed").wait_for()
    page.get_by_text("Nearly done.").wait_for()
    context.close()


@pytest.mark.browser
def test_it_can_be_paused_and_says_when_the_server_has_ended(
    browser: Browser, server: Server, run: RunDirectory
) -> None:
    context = browser.new_context()
    context.clock.install()
    page = context.new_page()
    page.goto(f"{server.url}runs/run.html")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Updates are paused").wait_for()
    finish(run, TASKS[2], BAD)
    tick(page)
    assert page.get_by_text("1/4").count() == 1
    page.get_by_role("button", name="Go on").click()
    tick(page)
    page.get_by_text("2/4").wait_for()
    context.set_offline(True)
    page.clock.run_for(4000)
    page.get_by_text("Lost: bench view has ended").wait_for()
    assert page.get_by_text("2/4").count() == 1
    context.set_offline(False)
    page.clock.run_for(4000)
    page.get_by_text("Live: the page follows the run").wait_for()
    context.close()


def tick(page: Page) -> None:
    """Until the page has asked its server once more and has got its answer."""
    with page.expect_response(lambda answer: "/state.json?" in answer.url):
        page.clock.run_for(4000)
