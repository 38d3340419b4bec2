"""Shows tables and other rich things on stdout."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType

WIDTH_OF_FILES = 160  # wide enough that no cell of a table breaks


class _Output(Console):
    def on_broken_pipe(self) -> None:
        # rich would end the process with exit code 1, which says that a gate failed.
        raise BrokenPipeError


def show(shown: RenderableType) -> None:
    """Print to stdout, in colour and in its width if it is a terminal."""
    # No markup: a title or a name of somebody else's may hold brackets.
    _Output(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH_OF_FILES).print(shown)
