"""The report as people use it, from disk: sorted, filtered, by keyboard, on a phone, in the dark, by ear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.report.conftest import TASKS
from tests.report.looking import html_files, one, unfold

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
KINDS = ("index.html", "runs.html", "tasks.html", "compare.html", "runs/good.html", "tasks/*/*.html",
         "trials/bad/*.html", "compare/*.html")  # fmt: skip


def column(page: Page, table: str, number: int) -> list[str]:
    cells = page.locator(f"{table} tbody tr:visible > :nth-child({number})")
    return [" ".join(text.split()) for text in cells.all_inner_texts()]


# What the pages say


def test_every_link_leads_to_a_page_of_the_site(page: Page, ordinary: Path) -> None:
    pages = html_files(ordinary)
    found: set[str] = set()
    for path in pages:
        page.goto(path.as_uri())
        found |= set(page.evaluate("[...document.querySelectorAll('a')].map(({href}) => href)"))
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(({id}) => id)")
        assert len(ids) == len(set(ids)), path
        anchors = [link.partition("#")[2] for link in found if link.startswith(f"{path.as_uri()}#")]
        assert set(anchors) <= set(ids), path
    targets = {link.partition("#")[0] for link in found}
    assert targets == {path.as_uri() for path in pages}  # and no page that none leads to


def test_a_trial_shows_its_checks_with_the_difference_as_a_table(page: Page, ordinary: Path) -> None:
    page.goto(one(ordinary, "runs/bad.html").as_uri())
    page.locator("#trials tr[data-state=unresolved] a").first.click()
    check = page.locator("details.check.failed").first
    assert check.get_attribute("open") is not None
    table = check.locator("table.difference")
    assert table.locator("caption").inner_text() == (
        "3 rows, expected 3 rows; 1 missing; 2 unexpected (1 of them not shown)"
    )
    assert table.locator("tbody tr").all_inner_texts() == ["missing\t1\tKim\tNULL", "unexpected\t1\tKim\tBonn, Beuel"]
    assert table.locator("mark").all_inner_texts() == ["NULL", "Bonn, Beuel"]
    assert page.locator(".perturbations li").all_inner_texts() == [
        "batch 3 came after batch 4",
        "the day was loaded twice",
    ]
    prose = page.locator("#deliverable .prose")
    assert prose.locator("h3").inner_text() == "Load"
    assert prose.locator("em").inner_text() == "loads"
    assert prose.locator("td").all_inner_texts() == ["1", "2"]
    assert page.locator("details.file summary code").all_inner_texts() == ["DELIVERABLE.md", "load.sql"]


def test_the_clauses_name_the_trials_that_did_not_obey(page: Page, ordinary: Path) -> None:
    page.goto((ordinary / "runs" / "bad.html").as_uri())
    for row in page.locator("#clauses tbody tr").all():
        obeyed, trials = map(int, row.locator("td").nth(0).inner_text().split("/"))
        assert row.locator("td").nth(3).locator("a").count() == trials - obeyed
    row = page.locator("#clauses tbody tr", has_text="constraints/late-data")
    row.locator("a").first.click()
    assert page.locator("details.check.failed summary", has_text="late rows arrive").count() == 1


def test_a_transcript_is_loaded_when_it_is_opened(page: Page, ordinary: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(one(ordinary, "trials/good/*.html").as_uri())
    assert not any("/transcripts/" in url for url in asked)
    page.get_by_text("Read the transcript").click()
    tool = page.locator(".transcript details", has_text="bash")
    tool.wait_for()
    assert sum("/transcripts/" in url for url in asked) == 1
    assert page.locator(".transcript .bar span").inner_text() == "5 entries, 1 tool calls"
    assert tool.get_by_text("orders.csv").is_hidden()
    page.get_by_role("button", name="Unfold all").click()
    assert tool.get_by_text("orders.csv").is_visible()
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert tool.get_by_text("orders.csv").is_hidden()


def test_a_transcript_that_was_not_copied_along_is_a_gap(browser: Browser, ordinary: Path) -> None:
    path = one(ordinary, "trials/good/*.html")
    data = ordinary / "transcripts" / "good" / f"{path.stem}.js"
    content = data.read_bytes()
    data.unlink()
    page = browser.new_page()
    page.goto(path.as_uri())
    page.get_by_text("Read the transcript").click()
    page.get_by_text("The transcript can't be loaded: ").wait_for()
    page.close()
    data.write_bytes(content)


def test_without_scripts_everything_but_the_transcript_is_there(browser: Browser, ordinary: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((ordinary / "index.html").as_uri())
    assert page.locator("[id^=board-] tbody tr").count() == 2
    assert page.locator("[data-controls]").is_hidden()
    page.goto(one(ordinary, "trials/good/*.html").as_uri())
    page.get_by_text("Read the transcript").click()
    page.get_by_text("A script loads it, which this browser doesn't run.").wait_for()
    context.close()


# Tables


def test_a_table_is_sorted_by_any_column_and_stays_so(page: Page, ordinary: Path) -> None:
    page.goto((ordinary / "runs" / "bad.html").as_uri())
    heads = page.locator("#trials thead th")
    score = heads.filter(has_text="score")
    score.get_by_role("button").click()
    scores = [float(text) for text in column(page, "#trials", 3)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert score.get_attribute("aria-sort") == "descending"
    score.get_by_role("button").click()
    assert [float(text) for text in column(page, "#trials", 3)] == sorted(scores)
    heads.filter(has_text="trial").first.get_by_role("button").click()
    names = column(page, "#trials", 1)
    assert names == sorted(names)
    assert score.get_attribute("aria-sort") == "none"
    score.get_by_role("button").click()
    page.reload()
    assert [float(text) for text in column(page, "#trials", 3)] == sorted(scores, reverse=True)


def test_rows_are_filtered_by_words_and_state(page: Page, ordinary: Path) -> None:
    page.goto((ordinary / "runs" / "bad.html").as_uri())
    page.get_by_label("State").select_option("unresolved")
    assert set(column(page, "#trials", 2)) == {"unresolved"}
    unresolved = len(column(page, "#trials", 2))
    assert page.locator("[data-controls=trials] [role=status]").inner_text() == f"{unresolved} of 8 shown"
    page.get_by_label("Filter").fill("TASK-001 #2")
    assert column(page, "#trials", 1) in ([f"{TASKS[1]} #2"], [])
    page.get_by_label("State").select_option("")
    assert column(page, "#trials", 1) == [f"{TASKS[1]} #2"]
    page.locator("#trials a:visible").click()
    page.go_back()
    assert column(page, "#trials", 1) == [f"{TASKS[1]} #2"]
    page.get_by_label("Filter").fill("")
    assert len(column(page, "#trials", 1)) == 8


def test_the_leaderboard_ranks_and_draws_what_it_ranks(page: Page, ordinary: Path) -> None:
    page.goto((ordinary / "index.html").as_uri())
    assert [text.split()[0] for text in column(page, "table[id^=board-]", 3)] == ["anthropic/good", "openai/bad"]
    scores = [text.split()[0] for text in column(page, "table[id^=board-]", 4)]
    assert page.locator(".intervals .value").all_inner_texts()[:2] == scores
    for mark, score in zip(page.locator(".intervals li svg[role=img]").all(), scores, strict=True):
        assert f": {score}, between " in (mark.get_attribute("aria-label") or "")
        width, dot = mark.bounding_box(), mark.locator(".dot").bounding_box()
        assert width
        assert dot
        share = (dot["x"] + dot["width"] / 2 - width["x"]) / width["width"]
        assert share == pytest.approx(0.03 + 0.94 * float(score), abs=0.01)


def test_the_leaderboard_tells_ties_the_front_and_parts(page: Page, ordinary: Path) -> None:
    page.goto((ordinary / "index.html").as_uri())
    assert column(page, "table[id^=board-]", 2) == ["1=", "1="]  # four tasks don't tell them apart
    told = page.locator(".scatter svg").get_attribute("aria-label") or ""
    assert re.fullmatch(r"#1: \$0\.1, score 0\.\d\d, on the front; #2: \$0\.1, score 0\.\d\d", told)
    scores = [text.split()[0] for text in column(page, "table[id^=board-]", 4)]
    for title, part in (("By technology", "postgres"), ("By difficulty", "hard")):
        region = page.get_by_role("region", name=title)
        assert [row.split() for row in region.locator("tbody tr").all_inner_texts()] == [[part, "4", "tasks", *scores]]


# By keyboard


def test_all_of_it_goes_by_keyboard(page: Page, ordinary: Path) -> None:
    page.goto((ordinary / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reach(page, "configuration")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    assert page.locator("th", has=page.locator(":focus")).get_attribute("aria-sort") == "ascending"
    reach(page, "bad")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/bad.html")
    reach(page, f"{TASKS[0]} #1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/trials/bad/*")
    reach(page, "Read the transcript")
    page.keyboard.press("Space")
    page.locator(".transcript .bar").wait_for()
    reach(page, "Unfold all")
    page.keyboard.press("Space")
    assert page.get_by_text("orders.csv").is_visible()


def reach(page: Page, text: str) -> None:
    """Press Tab until what has the focus begins with the text."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()").startswith(text):
            return
    pytest.fail(f"the keyboard doesn't reach {text!r}")


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_scrolls_can_be_scrolled_by_keyboard(page: Page, ordinary: Path, kind: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(one(ordinary, kind).as_uri())
    unfold(page)
    stuck = page.evaluate("""[...document.querySelectorAll('main *')].filter(element => {
      const {overflowX, overflowY} = getComputedStyle(element)
      const scrolls = (overflowX === 'auto' && element.scrollWidth > element.clientWidth)
        || (overflowY === 'auto' && element.scrollHeight > element.clientHeight)
      return scrolls && element.tabIndex < 0
    }).map(element => element.outerHTML.slice(0, 80))""")
    assert stuck == []


# On a phone, in light and dark, by a screen reader


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [*((kind, "light") for kind in KINDS), *((kind, "dark") for kind in ("index.html", *KINDS[-2:]))],
)
def test_a_phone_and_a_screen_reader_can_read_it(browser: Browser, ordinary: Path, kind: str, scheme: str) -> None:
    # axe is put into the page, which the page's own policy forbids.
    context = browser.new_context(**PHONE, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(one(ordinary, kind).as_uri())
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate("""[...document.querySelectorAll('button, input, select, summary')]
      .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 24)
      .map(element => element.outerHTML.slice(0, 80))""")
    assert small == []
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, *_ = map(int, re.findall(r"\d+", background))
    assert (red < 60) == (scheme == "dark")
    context.close()
