"""What the tests do in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

# As root, without a screen, and without a word to anybody.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def html_files(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def one(site: Path, pattern: str) -> Path:
    """The first page of a kind: ``trials/good/*.html``."""
    return sorted(site.glob(pattern))[0]


def unfold(page: Page) -> None:
    """Open everything that is folded, and wait until the transcript is there."""
    if page.locator("#transcript").count():
        page.locator("#transcript").evaluate("fold => { fold.open = true }")
        page.wait_for_selector(".transcript[aria-busy=false]")
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
