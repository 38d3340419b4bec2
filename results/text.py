"""Text that others wrote (models, tasks, run directories), made safe to show."""

from __future__ import annotations

import re
import unicodedata

# What a terminal takes as a command: CSI; strings that end in BEL or ST (OSC, DCS, SOS, PM, APC); the rest.
ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# All that is not surely visible; most of a text is passed over at once.
UNUSUAL = re.compile(r"[^ -~\n\t]+")


def printable(text: str) -> str:
    """The text without terminal commands and control or invisible characters; lines and tabs stay."""
    plain = ESCAPES.sub("", text.replace("\r\n", "\n"))
    return UNUSUAL.sub(_visible, plain)


def _visible(run: re.Match[str]) -> str:
    return "".join(character for character in run[0] if unicodedata.category(character) not in {"Cc", "Cf", "Cs"})


def one_line(text: str) -> str:
    """Printable text in which no line break is left, so that it can't pass for a line of ours."""
    return " ".join(printable(text).split())
