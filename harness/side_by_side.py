"""Work on many things at a time, which the user can end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")


class Interrupted(KeyboardInterrupt):
    """The user ended it, and what had begun is finished."""


def side_by_side(
    items: Sequence[Item], work: Callable[[Item], None], note: Callable[[str], None], running: str, *, concurrency: int
) -> None:
    """Do the work on each item, ``concurrency`` at a time; the first error ends it, once what has begun is done.

    ``note`` is how the user is told of what is ``running`` when Ctrl-C is pressed.

    Raises:
        Interrupted: Ctrl-C. Nothing new begins, what is running ends first.
        KeyboardInterrupt: a second Ctrl-C. Work is still going on: the caller ends the process.
    """
    stopping = threading.Event()

    def one(item: Item) -> None:
        if stopping.is_set():
            return
        try:
            work(item)
        except BaseException:
            stopping.set()  # before this thread takes the next item
            raise

    # Not used as a context manager: leaving one waits for what is running, whatever the user pressed.
    pool = ThreadPoolExecutor(max_workers=concurrency)
    try:
        waiting = {pool.submit(one, item) for item in items}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
    except KeyboardInterrupt:
        stopping.set()
        note(f"ending: {running} finished first; press Ctrl-C again to end at once")
        pool.shutdown(cancel_futures=True)
        raise Interrupted from None
    except BaseException:
        stopping.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
