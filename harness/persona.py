"""A persona: the Markdown text that becomes the system prompt, unchanged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.errors import UsageError

DEFAULT = "data-engineer"
BASELINE = "none"
MAX_BYTES = 1_000_000

_FOLDER = Path(__file__).parent / "personas"


@dataclass(frozen=True)
class Persona:
    """What a model is told it is. The baseline has an empty text: no system prompt."""

    name: str
    text: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text, hex: two personas of equal text are the same one, whatever their names."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def bundled() -> list[str]:
    """The names of the personas that come with the project."""
    return sorted(path.stem for path in _FOLDER.glob("*.md"))


def load(option: str | None = None) -> Persona:
    """The persona a user asked for: ``None`` is the default, ``none`` the baseline, else a name or a file.

    A file that is called like a bundled persona is reached with ``./`` before its name.

    Raises:
        UsageError: the file is missing, a folder, unreadable, empty, too big or not UTF-8.
    """
    if option == BASELINE:
        return Persona(BASELINE, "")
    name = DEFAULT if option is None else option
    if name in bundled():
        return Persona(name, _read(_FOLDER / f"{name}.md"))
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{name!r} is no path: {error}") from None
    return Persona(path.stem, _read(path))


def _read(path: Path) -> str:
    try:
        if path.is_dir():
            raise UsageError(f"persona {path} is a folder", "name one Markdown file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        known = ", ".join([*bundled(), BASELINE])
        raise UsageError(f"no persona {str(path)!r}", f"known: {known}; or the path of a Markdown file") from None
    except OSError as error:
        raise UsageError(f"persona {path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is no path: {error}") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(
            f"persona {path} is larger than {MAX_BYTES:,} bytes", "a system prompt has a few thousand words"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"persona {path} is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}",
            "save the file as UTF-8",
        ) from None
    if not text.strip():
        raise UsageError(f"persona {path} is empty", f"for a run without a persona: --persona {BASELINE}")
    return text
