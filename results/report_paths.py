"""Where the pages of a run stand in a report: what links to them needs no more than its id."""

from __future__ import annotations

import hashlib
import re

from results.records import slug


def run_name(run: str) -> str:
    """A run's id as one safe file name."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", run.lower()).strip("-.")[:80]
    # Windows' and macOS' file systems don't tell case apart, and not every id makes a file name.
    return plain if plain == run else f"{plain or 'run'}-{digest(run)}"


def run_path(run: str) -> str:
    return f"runs/{run_name(run)}.html"


def trial_path(run: str, task: str, attempt: int) -> str:
    return f"trials/{run_name(run)}/{slug(task)}-{attempt}.html"


def transcript_path(run: str, task: str, attempt: int) -> str:
    return f"transcripts/{run_name(run)}/{slug(task)}-{attempt}.js"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:8]
