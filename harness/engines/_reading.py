"""Reading what a submission left, by a script of the driver's in the box."""

from __future__ import annotations

from typing import Any

from harness.errors import SubmissionFault
from harness.sandboxes._box import Box

READING_TIME = 60.0  # seconds


def read(box: Box, reader: str, function: str, name: str, **arguments: Any) -> dict[str, Any]:
    """What a function of the reader's returns; ``name``: what messages call what is read.

    Raises:
        SubmissionFault: it can't be read, or takes too long or too much memory; a file that a library crashes on is
            among it.
    """
    done = box.call(reader, function, arguments, role="driver", timeout=READING_TIME)
    if not isinstance(done.result, dict):
        raise SubmissionFault(f"{name} can't be read in {READING_TIME:.0f} s and the box's memory")
    if "error" in done.result:
        raise SubmissionFault(f"{name} can't be read: {done.result['error']}")
    return done.result
