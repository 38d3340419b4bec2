"""What the commands about runs say alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import UsageError


def no_run_below(folders: Iterable[Path]) -> UsageError:
    return UsageError(
        f"there is no readable run below {', '.join(map(str, folders))}", "make one: bench run --model reference"
    )
