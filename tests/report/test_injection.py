"""What a model wrote does nothing in the report but stand there, on any page, in any field."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from results.report import Site, read, write_site
from results.report.prose import rendered
from results.text import printable
from tests.report import hostile
from tests.report.looking import html_files, unfold
from tests.results.comparisons import task_names

TASKS = task_names(2)
# Elements that load something, run something or lead somewhere, besides links (looked at one by one).
ACTIVE = (
    "iframe, frame, object, embed, img, image, video, audio, source, form, base, style, template, math, foreignObject"
)
ATTRIBUTES = """
[...document.querySelectorAll('*')].flatMap(element => [...element.attributes].map(({name}) => name)).filter(
  name => name.startsWith('on') || ['style', 'srcdoc', 'autofocus', 'formaction', 'action', 'ping'].includes(name))
"""
LINKS = "[...document.querySelectorAll('a')].map(({href}) => href)"
SCRIPTS = "[...document.scripts].map(({src, textContent}) => src + textContent)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.hostile_run(folder / "runs" / "one", TASKS)
    hostile.hostile_run(folder / "runs" / "other", TASKS, model="other/model", run="../../../escape<script>")
    broken = folder / "runs" / "<script>window.__injected=1<"
    broken.mkdir()
    (broken / "run.json").write_text(f'{{"format": "{hostile.MARKUP[3]}"}}')
    source = read([folder / "runs"])
    assert len(source.runs) == 2
    assert len(source.left_out) == 1
    write_site(Site(source), folder / "site")
    return folder / "site"


@pytest.mark.browser
def test_nothing_runs_and_nothing_is_asked_for_from_elsewhere(browser: Browser, site: Path) -> None:
    context = browser.new_context()
    requests: list[str] = []
    events: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    context.on("page", lambda opened: opened.on("dialog", lambda dialog: events.append(dialog.message)))
    page = context.new_page()
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error)))
    pages = html_files(site)
    assert len(pages) == 13
    for path in pages:
        page.goto(path.as_uri())
        unfold(page)
        examine(page, path, site)
    assert len(context.pages) == 1
    assert events == []
    assert {url for url in requests if not url.startswith(site.as_uri())} == set()
    context.close()


def examine(page: Page, path: Path, site: Path) -> None:
    __tracebackhide__ = True
    assert page.url == path.as_uri()
    assert page.evaluate("typeof window.__injected") == "undefined", path
    assert page.locator(ACTIVE).count() == 0, path
    assert page.evaluate(ATTRIBUTES) == [], path
    assert all(link.startswith(site.as_uri()) for link in page.evaluate(LINKS)), path
    scripts = page.evaluate(SCRIPTS)
    assert all(script.startswith(site.as_uri()) for script in scripts), path
    assert len(scripts) == 1 + path.is_relative_to(site / "trials"), path
    text = page.evaluate("document.body.textContent")
    assert "<script>window.__injected=1</script>" in text or path.name in {"tasks.html"} or "tasks" in path.parts, path
    assert text == printable(text), path
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.browser
def test_should_markup_come_through_the_policy_holds(browser: Browser, site: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    failures: list[str | None] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: failures.append(request.failure))
    path = site / "broken.html"
    text = (site / "index.html").read_text()
    assert "</main>" in text
    path.write_text(text.replace("</main>", "".join(hostile.MARKUP[:4]) + "</main>"))
    page.goto(path.as_uri())
    assert page.locator("main img").count() == 1
    assert page.evaluate("typeof window.__injected") == "undefined"
    abroad = [url for url in requests if not url.startswith(site.as_uri())]
    assert failures == ["csp"] * len(abroad)  # the browser refused to send them
    refused = page.evaluate("(() => { try { document.body.innerHTML = 'x' } catch (error) { return error.name } })()")
    assert refused == "TypeError"
    path.unlink()
    context.close()


def test_every_file_stays_inside_of_the_site(site: Path) -> None:
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert all(name.isascii() and not set(name) & set("<>\"'&:%\\ ") for name in names)
    assert not (site.parent / "escape").exists()


def test_data_files_hold_no_markup_and_no_line_of_their_own(site: Path) -> None:
    files = sorted(site.rglob("transcripts/**/*.js"))
    assert len(files) == 4
    for path in files:
        text = path.read_text()
        assert not set("<>&\u2028\u2029\x1b\u202e") & set(text)
        assert text.startswith('transcript("transcripts/')
        assert text.count("\n") == 1


class Elements(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{tag} {name}" for name, _ in attrs)}


PROSE = "p pre code em strong ul ol li blockquote table thead tbody tr th td hr br h3 h4 h5 h6 div span"


@pytest.mark.parametrize("text", [*hostile.MARKDOWN, *hostile.MARKUP, hostile.HUGE, hostile.EVERYTHING])
def test_markdown_makes_prose_and_nothing_else(text: str) -> None:
    html = rendered(text)
    allowed = {*PROSE.split(), "span class", "div class", "div tabindex", "pre tabindex", "ol start"}
    assert Elements(html).found <= allowed
    assert len(html) < 3 * len(text) + 1000


def test_an_address_is_shown_and_not_followed() -> None:
    assert rendered("[the *runbook*](https://example.org/a?b=1&c)") == (
        '<p><span class="dead-link">the <em>runbook</em></span> <code>https://example.org/a?b=1&amp;c</code></p>\n'
    )
