"""What strangers write: JSON and text that begin as something valid and have been meddled with."""

from __future__ import annotations

import contextlib
import copy
import io
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from harness import cli

DEEP = "[" * 3000 + "]" * 3000
ODD_TEXTS = (
    "", "\0", "\x1b[2J", "\ud800", "\u202e", "\r\n", "..", "/etc/passwd", "a" * 5000, "NaN", "1e999", "-0", "{}",
    "null", "\N{ZERO WIDTH JOINER}" * 30, "9" * 5000,
)  # fmt: skip
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=30)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(2**70), 10**400]),
    st.floats(allow_nan=True),
    texts,
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*path, key)
        yield from places(below, (*path, key))


@st.composite
def meddled(draw: st.DrawFn, valid: Any, most: int = 3) -> Any:
    """A JSON value in which a few places have been replaced, removed, doubled or added to."""
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(0, most))):
        every = list(places(value))
        if not every:
            break
        *way, last = draw(st.sampled_from(every))
        holder = value
        for key in way:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                holder[last] = draw(values)
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(texts)] = draw(values)
            case _:
                holder.append(draw(values) if draw(st.booleans()) else copy.deepcopy(holder[last]))
    return value


@st.composite
def meddled_bytes(draw: st.DrawFn, valid: bytes, pieces: tuple[str, ...] = ()) -> bytes:
    """A document into which a few bytes have been put, or from which they were cut."""
    content = bytearray(valid)
    put = st.binary(max_size=8) | (texts | st.sampled_from((*pieces, "="))).map(
        lambda text: text.encode(errors="surrogatepass")
    )
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        content[start:end] = draw(put)
    return bytes(content)


def said(arguments: list[str]) -> tuple[int, str, str]:
    """What ``bench`` answers in this process: exit code, output, errors; never that it is itself at fault."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), bounded():
        code = cli.execute(arguments)
    assert "a fault of bench itself" not in err.getvalue(), err.getvalue()
    return code, out.getvalue(), err.getvalue()


class EndlessError(Exception):
    """It took more of the processor's time than anything of that size may."""


@contextlib.contextmanager
def bounded(seconds: float = 10.0) -> Iterator[None]:
    """Ends what doesn't end: counts this process's own work, so that a busy machine changes nothing."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise EndlessError(f"more than {seconds} s")

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
