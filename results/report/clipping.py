"""Long texts made short enough for a page, with a mark where something was left out."""

from __future__ import annotations

LONGEST_LINE = 2_000  # characters; browsers take seconds to lay out a line of a million


def clipped(text: str, longest: int) -> str:
    """The beginning of the text, of each line and of the whole; what was cut off is counted where it stood."""
    lines = [_line(line) for line in text[:longest].split("\n")] if len(text) > LONGEST_LINE else [text]
    more = len(text) - longest
    return "\n".join([*lines, f"[… {more:,} more characters]"] if more > 0 else lines)


def _line(line: str) -> str:
    more = len(line) - LONGEST_LINE
    return line if more <= 0 else f"{line[:LONGEST_LINE]} [… {more:,} more characters in this line]"
