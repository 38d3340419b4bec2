"""Whether a quote stands in a text; and a text as the JSON string that carries it to the judge."""

from __future__ import annotations

import json
import re
import unicodedata

SHORTEST = 8  # characters that are letters, digits or signs
LONGEST = 1_000

# Who copies a sentence leaves out emphasis and how a line was broken; a word or a number is never something else.
_MARKUP = re.compile(r"[*`>#|]+")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})
# What opens a role tag or an end marker in some model's own template, and what nobody sees.
_OPENS_A_TAG = re.compile(r"[<\[]")


def fault_of(quote: str, text: str) -> str:
    """Why a quote is no evidence; empty if it is: one passage that stands in the text."""
    wanted = _plain(quote)
    if len(wanted.replace(" ", "")) < SHORTEST:
        return "the quote is too short to be evidence"
    if len(wanted) > LONGEST:
        return "the quote is longer than a passage"
    return "" if wanted in _plain(text) else "the quote doesn't stand in the deliverable"


def as_data(text: str) -> str:
    """``{"deliverable": …}``: in it no tag and no marker of the text is one, and nothing is invisible."""
    encoded = json.dumps({"deliverable": text}, ensure_ascii=False)
    shown = "".join(_escaped(one) if _is_hidden(one) else one for one in encoded)
    return _OPENS_A_TAG.sub(lambda found: _escaped(found[0]), shown)


def _is_hidden(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character) in {"Cf", "Cc", "Cs", "Co", "Zl", "Zp"}


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[start : start + 2].hex()}" for start in range(0, len(units), 2))


def _plain(text: str) -> str:
    seen = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
    return " ".join(_MARKUP.sub("", seen.translate(_STRAIGHT)).split())
