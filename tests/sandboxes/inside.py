"""Running Python inside a box, and asking what it found."""

from __future__ import annotations

import json
from typing import Any

from harness.sandboxes import Role
from harness.sandboxes._box import Box, Completed

CLOSED = """
def closed(act, *arguments):
    try:
        act(*arguments)
    except (OSError, ValueError) as error:
        return error.errno
    return 0
"""


def python(
    box: Box, code: str, *arguments: str, role: Role = "submission", timeout: float = 30, **options: Any
) -> Completed:
    argv = [box.space.interpreter, "-I", "-c", code, *arguments]
    return box.run(argv, role=role, timeout=timeout, **options)


def found(box: Box, code: str, *arguments: str, role: Role = "submission", timeout: float = 30) -> Any:
    """What a script that ends with ``print(json.dumps(…))`` found."""
    done = python(box, f"import json, os, sys\n{CLOSED}\n{code}", *arguments, role=role, timeout=timeout)
    assert done.ok, done.explain()
    return json.loads(done.stdout)


def works(box: Box) -> bool:
    """Both users of the box can still run something and write what is theirs."""
    mine = box.run(["bash", "-c", "echo it works > proof && cat proof"])
    theirs = box.run(["cat", f"{box.path('work')}/proof"], role="driver")
    return mine.ok and mine.stdout == theirs.stdout == "it works\n"
