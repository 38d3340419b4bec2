"""A submission: the files an agent leaves, frozen and content-addressed."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

DELIVERABLE = "DELIVERABLE.md"


class SubmissionError(Exception):
    """What was left can't be a submission (too big, too many files, a link, a path that leads outside)."""


@dataclass(frozen=True)
class SubmissionLimits:
    """What may be handed in: sizes in bytes."""

    files: int = 400
    file_bytes: int = 5_000_000
    total_bytes: int = 20_000_000


# Bytes of a file's name that file systems take (NAME_MAX of Linux).
MOST_NAME = 255
# For what was measured when it was taken, or is none.
NO_LIMITS = SubmissionLimits(files=1_000_000, file_bytes=1 << 40, total_bytes=1 << 40)


@dataclass(frozen=True)
class Submission:
    """Regular files by relative POSIX path. Equal content has an equal ``digest``."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted paths and their contents, hex."""
        digest = hashlib.sha256()
        for path in sorted(self.files):
            name, content = path.encode(), self.files[path]
            digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
            digest.update(content)
        return digest.hexdigest()

    @property
    def deliverable(self) -> str:
        """The text of ``DELIVERABLE.md``; empty if there is none. Invalid UTF-8 is replaced."""
        return self.files.get(DELIVERABLE, b"").decode("utf-8", errors="replace")

    def overlaid(self, files: Mapping[str, bytes]) -> Submission:
        return Submission({**self.files, **files})

    def only(self, globs: Iterable[str]) -> Submission:
        """What of it is taken by globs (see ``matches``)."""
        kept = tuple(globs)
        return Submission({path: content for path, content in self.files.items() if matches(path, kept)})

    def without(self, paths: Iterable[str]) -> Submission:
        gone = set(paths)
        return Submission({path: content for path, content in self.files.items() if path not in gone})

    def write(self, folder: Path) -> None:
        for path, content in self.files.items():
            target = folder / safe_path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def safe_path(path: str) -> PurePosixPath:
    """The path if it stays inside its folder; anything else (absolute, ``..``, control characters) is refused."""
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or len(path) > 240:
        raise SubmissionError(f"path {path[:260]!r} leads outside the submission or is too long")
    if any(not character.isprintable() for character in path) or "\\" in path:
        raise SubmissionError(f"path {path!r} holds characters that a file name shouldn't")
    if any(len(part.encode()) > MOST_NAME for part in pure.parts):
        raise SubmissionError(f"path {path!r} has a name of more than {MOST_NAME} bytes")
    return pure


def from_files(
    files: Mapping[str, bytes], globs: Iterable[str] = ("**",), limits: SubmissionLimits | None = None
) -> Submission:
    """Keep the files whose path matches one of the globs; refuse what breaks the limits.

    Raises:
        SubmissionError: naming the first limit or rule that is broken.
    """
    limits = limits or SubmissionLimits()
    kept = {str(safe_path(path)): content for path, content in sorted(files.items()) if matches(path, globs)}
    if len(kept) > limits.files:
        raise SubmissionError(f"{len(kept)} files were left; at most {limits.files} are taken")
    for path in kept:
        if inside := next((str(parent) for parent in PurePosixPath(path).parents if str(parent) in kept), None):
            raise SubmissionError(f"{path!r} lies below {inside!r}, which is a file itself")
    for path, content in kept.items():
        if len(content) > limits.file_bytes:
            raise SubmissionError(f"{path!r} has {len(content)} bytes; at most {limits.file_bytes} are taken")
    total = sum(map(len, kept.values()))
    if total > limits.total_bytes:
        raise SubmissionError(f"{total} bytes were left; at most {limits.total_bytes} are taken")
    return Submission(kept)


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches a glob, and none that begins with ``!``; ``dags/**`` is all below ``dags``."""
    found = [glob for glob in globs if fnmatch.fnmatchcase(path, glob.removeprefix("!"))]
    return bool(found) and not any(glob.startswith("!") for glob in found)


# What tools leave: these are no part of a solution. What an engine leaves, it names itself (``Engine.leaves``).
IGNORED_FOLDERS = frozenset({"__pycache__", ".git", ".venv", "node_modules"})


def from_folder(
    folder: Path,
    globs: Iterable[str] = ("**",),
    limits: SubmissionLimits | None = None,
    ignored: frozenset[str] = IGNORED_FOLDERS,
    *,
    leave_out_big: bool = False,
) -> Submission:
    """Read a folder without following links; links, devices and sockets in it are left out, as are caches.

    A file beyond the limit is refused or, as a box does, left out.
    """
    limits = limits or SubmissionLimits()
    files: dict[str, bytes] = {}
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in ignored)
        for name in sorted(names):
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or not matches(relative, globs):
                continue
            if status.st_size > limits.file_bytes:
                if leave_out_big:
                    continue
                raise SubmissionError(f"{relative!r} has {status.st_size} bytes; at most {limits.file_bytes} are taken")
            files[relative] = path.read_bytes()
            if len(files) > limits.files:
                raise SubmissionError(f"more than {limits.files} files were left")
    return from_files(files, globs, limits)


def to_tar(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed tar of regular files, reproducible: sorted, no times, no owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    return buffer.getvalue()
