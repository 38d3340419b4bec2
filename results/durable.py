"""Writing that survives a kill at any moment: files appear whole or not at all, journals lose no line."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from results.errors import RunDirectoryError, RunWriteError

OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: written beside it under a hidden name, synced, renamed.

    Raises:
        RunWriteError: the old content, if there was any, is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    with writing(path):
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync(path.parent)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A hidden folder to fill, which becomes ``path`` when the block ends without an exception.

    Raises:
        RunWriteError: nothing is at ``path``; also if something was there already.
    """
    draft = path.with_name(f".{path.name}.draft")
    with writing(path):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    with writing(path):
        yield draft
        sync_tree(draft)
        draft.rename(path)
        sync(path.parent)


def sync_tree(folder: Path) -> None:
    """Make all that is in a folder durable."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if (path := Path(parent) / name).is_file() and not path.is_symlink():
                sync(path)
        sync(Path(parent))


def sync(path: Path) -> None:
    """Make a file's content or a folder's names durable: a rename is lost with the power until then."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's refusal to write ``path`` into an error with a mend."""
    try:
        yield
    except OSError as error:
        if error.errno in OUT_OF_SPACE:
            mend = "free some space (or raise the limit)"
        else:
            mend = "check that the folder exists and is writable"
        # Path.is_file() raises in a folder that this user may not search.
        if any(os.path.isfile(folder / "run.json") for folder in path.parents):  # noqa: PTH113
            mend += "; a run goes on with --resume, its finished trials are safe"
        raise RunWriteError(f"can't write {path}: {error.strerror or error}", mend) from error


class Journal:
    """A file of JSON objects, one a line, that only grows.

    A finished ``append`` is never lost. A kill inside one leaves at most a torn last line, which readers pass
    over and ``repair`` removes. One process may write (the run directory's lock sees to it), with any number
    of threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def append(self, line: str) -> None:
        """Add one line (the JSON of an object) durably: written in one go and synced.

        Raises:
            RunWriteError: the journal is as it was before.
        """
        content = line.encode() + b"\n"
        with self._lock, writing(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                try:
                    _write_all(descriptor, content)
                    os.fsync(descriptor)
                except BaseException:
                    # A full disk takes the first bytes of a line; left there, they would spoil the next line.
                    os.ftruncate(descriptor, size)
                    raise
            finally:
                os.close(descriptor)

    def repair(self) -> int:
        """Cut a torn last line off; how many bytes that were. Call it before the first ``append``."""
        content = self._content()
        whole = _whole_lines(content)
        cut = len(content) - sum(len(line) + 1 for line in whole)
        if cut < 0:  # Only the newline of the last line is missing.
            with self._lock, writing(self.path), self.path.open("ab") as file:
                file.write(b"\n")
                os.fsync(file.fileno())
        elif cut > 0:
            with self._lock, writing(self.path), self.path.open("rb+") as file:
                file.truncate(len(content) - cut)
                os.fsync(file.fileno())
        return max(cut, 0)

    def lines(self) -> list[str]:
        """The finished lines, oldest first; none if there is no file. A torn last line is passed over.

        Raises:
            RunDirectoryError: a line before the last one is damaged, which no kill of ours can cause.
        """
        lines = _whole_lines(self._content())
        for number, line in enumerate(lines, start=1):
            if not _is_object(line):
                raise RunDirectoryError(
                    f"{self.path}: line {number} is damaged",
                    "restore the file from a copy, or delete that line: what it recorded is then done again",
                )
        return [line.decode() for line in lines]

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise RunDirectoryError(f"can't read {self.path}: {error.strerror or error}") from None


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, content[written:])


def _whole_lines(content: bytes) -> list[bytes]:
    """The lines without the last one if that is torn. A whole object that lacks only its newline is not."""
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if lines and not _is_object(lines[-1]):
        lines.pop()
    return lines


def _is_object(line: bytes) -> bool:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)
