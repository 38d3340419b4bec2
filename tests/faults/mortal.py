"""``bench`` that dies by SIGKILL just before the n-th time it touches the folder of its runs.

A clock rarely hits the instants that matter: a record that is being appended, a folder between its temporary name and
its own. Python reports every opening, renaming and removing of a file to audit hooks, before it happens.

    python -m tests.faults.mortal NUMBER FILE run --model …

With the number 0 it lives, and the file then holds how many touches there were.
"""

from __future__ import annotations

import atexit
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.listdir", "os.scandir"}
RUNS = "/runs/"


def die_at(number: int, told: Path) -> None:
    touches = itertools.count(1)
    last = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal last
        if event in TOUCHES and arguments and RUNS in f"/{arguments[0]}":
            last = next(touches)
            if last == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    atexit.register(lambda: told.write_text(str(last)))


if __name__ == "__main__":
    from harness.cli import main

    die_at(int(sys.argv[1]), Path(sys.argv[2]))
    del sys.argv[1:3]
    main()
