"""The files of a stored submission, as far as a page shows them. Links are not followed: they lead anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from results.report.clipping import clipped
from results.text import printable

DELIVERABLE = "DELIVERABLE.md"
LONGEST = 40_000  # characters of a file
LONGEST_TOGETHER = 400_000
MOST = 500


@dataclass(frozen=True)
class ShownFile:
    """``text``: what is shown, or ``None`` with the reason."""

    path: str
    bytes: int
    text: str | None
    reason: str = ""


def is_plain_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def deliverable(submission: Path) -> str | None:
    """The written part of a submission; ``None`` if there is none."""
    path = submission / DELIVERABLE
    return path.read_bytes().decode("utf-8", errors="replace") if is_plain_file(path) else None


def shown_files(submission: Path) -> list[ShownFile]:
    """All files by path, each with its text as long as the page bears it."""
    left, shown = LONGEST_TOGETHER, []
    for path in sorted(_files(submission), key=lambda path: path.as_posix())[:MOST]:
        shown.append(_shown(submission, path, left))
        left -= len(shown[-1].text or "")
    return shown


def number_of_files(submission: Path) -> int:
    return sum(1 for _ in _files(submission))


def _shown(folder: Path, path: Path, left: int) -> ShownFile:
    name, size = path.relative_to(folder).as_posix(), path.stat().st_size
    if left <= 0:
        return ShownFile(name, size, None, "not shown: the files before it fill the page")
    with path.open("rb") as file:
        content = file.read(4 * LONGEST)
    if b"\0" in content:
        return ShownFile(name, size, None, "not shown: it is binary")
    text = content.decode("utf-8", errors="replace")
    shown = printable(clipped(text, min(LONGEST, left)))
    if size > len(content):
        shown += f"\n[… the file has {size:,} bytes in all]"
    return ShownFile(name, size, shown)


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=False):
        yield from (path for name in names if is_plain_file(path := Path(parent) / name))
