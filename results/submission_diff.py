"""The difference between two stored submissions, as a unified diff. What strangers wrote: shown, never believed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from results.text import one_line, printable

LARGEST = 400_000  # bytes a file; difflib takes seconds beyond
MOST_LINES = 8_000


def submission_diff(baseline: Path, candidate: Path, context: int = 3) -> str:
    """All files that differ, by path; empty if none does. A folder that is missing is said to be."""
    missing = [f"there is no {path}\n" for path in (baseline, candidate) if not path.is_dir()]
    if missing:
        return "".join(missing)
    old, new = _files(baseline), _files(candidate)
    return "".join(
        part for path in sorted(set(old) | set(new)) for part in _file_diff(path, old.get(path), new.get(path), context)
    )


def _file_diff(path: str, old: Path | None, new: Path | None, context: int) -> Iterator[str]:
    name = one_line(path)
    sizes = [file.lstat().st_size for file in (old, new) if file]
    if max(sizes) > LARGEST:
        if len(sizes) < 2 or not _equal(old, new):
            yield f"{name}: too large to compare ({' and '.join(f'{size:,} bytes' for size in sizes)})\n"
        return
    before, after = (file.read_bytes() if file else b"" for file in (old, new))
    if before == after and old and new:
        return
    try:
        texts = [content.decode() for content in (before, after)]
    except UnicodeDecodeError:
        yield f"{name}: binary, differs\n"
        return
    if "\0" in texts[0] or "\0" in texts[1]:
        yield f"{name}: binary, differs\n"
        return
    lines = [printable(text).splitlines() for text in texts]
    if max(map(len, lines)) > MOST_LINES:
        yield f"{name}: too many lines to compare ({len(lines[0]):,} and {len(lines[1]):,})\n"
        return
    labels = (f"a/{name}" if old else "/dev/null", f"b/{name}" if new else "/dev/null")
    drawn = list(difflib.unified_diff(lines[0], lines[1], *labels, n=context, lineterm=""))
    # An empty file that is new or gone, or a difference in what can't be shown.
    yield from (f"{line}\n" for line in drawn or [f"--- {labels[0]}", f"+++ {labels[1]}"])


def _files(folder: Path) -> dict[str, Path]:
    """The regular files below a folder; links are not followed."""
    found = {}
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = path
    return found


def _equal(old: Path | None, new: Path | None) -> bool:
    return bool(old and new and old.lstat().st_size == new.lstat().st_size and old.read_bytes() == new.read_bytes())
