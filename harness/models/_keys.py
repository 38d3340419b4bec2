"""Keys: read from the environment by a provider's client alone, and kept out of everything that is written."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from harness.errors import UsageError

VARIABLES = ("_API_KEY", "_AUTH_TOKEN")
# Servers of one's own take any key, and people write `none` or `ollama`: words that may stand in honest text.
SHORTEST = 8


def read_key(variable: str) -> str | None:
    """The key in a variable, without the white space that a file leaves around it; ``None`` if there is none.

    Raises:
        UsageError: no header can carry it. It isn't quoted.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"what is in {variable} can't be a key", "set it again; something was copied along with it")
    return key or None


def refuse_secrets_in(base_url: str | None) -> None:
    """An address is part of a configuration, stored and shown. What may be a key has no place in one.

    Raises:
        UsageError: the address, which isn't quoted, is none or holds more than a host, a port and a path.
    """
    if base_url is None:
        return
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError:
        raise UsageError("--base-url is no address", "it is like http://localhost:8000/v1") from None
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "--base-url holds a name, a password or a query, and would be stored with the run",
            "leave the address bare; a key belongs in the provider's variable, like OPENAI_COMPATIBLE_API_KEY",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not base_url.isprintable():
        raise UsageError("--base-url is no address", "it is like http://localhost:8000/v1")


def without_keys(text: str) -> str:
    """The text with every key of this process's environment replaced."""
    for key in _keys():
        text = text.replace(key, "[key]")
    return text


def without_secrets(text: str) -> str:
    """What a provider said, also without the parts of a key by which it names the one that it refuses."""
    return re.sub(r"\b(sk|pk|key)-[\w*.-]{6,}", "[key]", without_keys(text))


def _keys() -> list[str]:
    """The longest first: one may be the beginning of another."""
    found = {value.strip() for name, value in os.environ.items() if name.endswith(VARIABLES)}
    return sorted((key for key in found if len(key) >= SHORTEST), key=len, reverse=True)
