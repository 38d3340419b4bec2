"""A runbook whose commands somebody copies: the shell blocks below a heading, as one script."""

from __future__ import annotations

import re

from graders.markdown import heading_words, read, walk, words
from harness.errors import SubmissionFault

# What whoever follows a runbook answers to a tool that asks whether to go on.
YES = b"y\n" * 100
SHELLS = ("bash", "sh", "shell", "console", "shell-session")


def script_below(text: str, heading: str) -> str:
    """What is executed when the blocks of a section are copied one after the other, down to the next such heading.

    Blocks in other languages, or without one, are output and examples. A prompt before a command isn't copied.
    """
    wanted, level, blocks = words(heading), 0, []
    for block in walk(read(text)):
        if block.kind == "heading" and (not level or block.level <= level):
            if level:
                break
            level = block.level if heading_words(block.text)[: len(wanted)] == wanted else 0
        elif level and block.kind == "code" and block.info.split()[:1] and block.info.split()[0].lower() in SHELLS:
            blocks.append(re.sub(r"(?m)^\$ ", "", block.text.rstrip()))
    if not blocks:
        raise SubmissionFault(f"there is no shell block below a heading {heading!r}")
    return "\n".join(["set -eo pipefail", *blocks])
