"""The kinds of pages. Each module here is one: it says which files there are of it, and what its templates show.

PLACE = 10                                   # where its entry stands in the navigation
ENTRY = ("Leaderboard", "index.html")        # or None
def files(source: Source) -> Iterator[File]: …
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class File:
    """A file of the site. ``values`` makes what its template shows; without a template, ``{"content": text}``."""

    path: str
    template: str
    values: Callable[[], Mapping[str, Any]]
