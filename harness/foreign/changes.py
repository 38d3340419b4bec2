"""What was changed in a container, as a submission, and back into a fresh container of the same image.

A file below the work folder has its path there; one elsewhere lies below ``.outside``. Whatever else differs stands in
``.changes.json``: what was removed, links, and whose a file is if not the agent's, with which rights if not 0644.
Processes, devices and sockets are no part of it.
"""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import pydantic

from harness.errors import InfrastructureError
from harness.foreign.container import Container, read_at_most
from harness.submission import Submission, SubmissionError, SubmissionLimits, from_files, safe_path

LIMITS = SubmissionLimits(files=20_000, file_bytes=64 << 20, total_bytes=256 << 20)
NOTES, OUTSIDE = ".changes.json", ".outside"
FILE_MODE, FOLDER = 0o644, (0o755, 0, 0)
ADDED, REMOVED = 1, 2
# Of the system, of Docker, of Harbor, and what only costs room: no answer to any ticket.
IGNORED = (
    "/proc",
    "/sys",
    "/dev",
    "/sbin/docker-init",
    "/usr/sbin/docker-init",
    "/run",
    "/logs",
    "/tests",
    "/solution",
    "/var/cache",
    "/var/lib/apt/lists",
    "/root/.cache",
)
IGNORED_NAMES = ("__pycache__",)
AT_ONCE = 500  # paths of one command

Rights = tuple[int, int, int]  # mode, user, group


class Notes(pydantic.BaseModel):
    """``.changes.json``, by absolute paths."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    removed: tuple[str, ...] = ()
    links: Mapping[str, str] = {}
    files: Mapping[str, Rights] = {}
    folders: Mapping[str, Rights] = {}


def collect(container: Container, owner: tuple[int, int], within: Sequence[str] = ("/",)) -> Submission:
    """What differs from the image below some folders; ``owner``: the agent's user and group.

    Raises:
        SubmissionError: more than ``LIMITS`` allow.
    """
    changed = ((path, kind) for path, kind in container.changed() if not _is_ignored(path))
    seen = (one for one in changed if any(PurePosixPath(one[0]).is_relative_to(folder) for folder in within))
    found = sorted(seen, key=lambda one: PurePosixPath(one[0]).parts)  # a folder, then all that is in it
    parents = {str(one) for path, _ in found for one in PurePosixPath(path).parents}
    contents: dict[str, bytes] = {}
    removed, links, files, folders = [], {}, {}, {}
    added, left = "", LIMITS.total_bytes
    for path, kind in found:
        if kind == REMOVED:
            removed.append(path)
        elif (added and path.startswith(f"{added}/")) or (kind != ADDED and path in parents):
            continue  # came with its folder; a folder that is only gone through
        for entry, archive in _entries(container, path, kind, left) if kind != REMOVED else ():
            place = str(PurePosixPath(path).parent / entry.name)
            rights = (entry.mode & 0o7777, entry.uid, entry.gid)
            if _is_ignored(place) or _is_reserved(container.work, place):
                continue
            if entry.issym():
                links[place] = entry.linkname
            elif entry.isdir():
                added = path if place == path else added
                if rights != FOLDER:
                    folders[place] = rights
            elif (file := archive.extractfile(entry) if entry.isreg() or entry.islnk() else None) is not None:
                name = _named(container.work, place)
                if name.startswith(OUTSIDE) and not _is_safe(name):
                    continue  # a package's, of a name that no submission may have
                contents[name] = content = file.read()
                left -= len(content)
                if rights != (FILE_MODE, *owner):
                    files[place] = rights
    notes = Notes(removed=tuple(removed), links=links, files=files, folders=folders)
    if notes != Notes():
        contents[NOTES] = notes.model_dump_json(indent=1).encode()
    return from_files(contents, limits=LIMITS)


def _entries(
    container: Container, path: str, kind: int, most: int
) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    found = container.archive(path)
    if found is None or (found[0] and kind != ADDED):
        return  # gone, or a folder of the image that was only touched
    try:
        whole = read_at_most(found[1], most + (LIMITS.files << 11))
    except OverflowError:
        raise SubmissionError(f"more than {LIMITS.total_bytes} bytes were left") from None
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        for entry in archive:
            yield entry, archive


def put_back(container: Container, submission: Submission, owner: tuple[int, int]) -> None:
    """Make a fresh container what another one was when its changes were collected.

    Raises:
        InfrastructureError: Docker failed.
    """
    try:
        notes = Notes.model_validate_json(submission.files.get(NOTES, b"{}"))
    except pydantic.ValidationError as error:
        raise InfrastructureError("submission-changed", f"{NOTES} is damaged: {error}", "restore it") from None
    for start in range(0, len(notes.removed), AT_ONCE):
        paths = " ".join(map(shlex.quote, notes.removed[start : start + AT_ONCE]))
        container.must(f"rm -rf -- {paths}", "removing files", user=0)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, rights in sorted(notes.folders.items()):
            archive.addfile(_entry(path, tarfile.DIRTYPE, rights))
        for path, target in sorted(notes.links.items()):
            entry = _entry(path, tarfile.SYMTYPE, (0o777, *owner))
            entry.linkname = target
            archive.addfile(entry)
        for name, content in sorted(submission.files.items()):
            if name != NOTES:
                path = _place(container.work, name)
                entry = _entry(path, tarfile.REGTYPE, notes.files.get(path, (FILE_MODE, *owner)))
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    container.put(buffer.getvalue())


def _entry(path: str, kind: bytes, rights: Rights) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type = kind
    entry.mode, entry.uid, entry.gid = rights
    return entry


def _named(work: str, path: str) -> str:
    inside = PurePosixPath(path).is_relative_to(work)
    return str(PurePosixPath(path).relative_to(work)) if inside else f"{OUTSIDE}{path}"


def _place(work: str, name: str) -> str:
    return name.removeprefix(OUTSIDE) if name.startswith(f"{OUTSIDE}/") else str(PurePosixPath(work, name))


def _is_ignored(path: str) -> bool:
    pure = PurePosixPath(path)
    return any(pure.is_relative_to(folder) for folder in IGNORED) or bool(set(IGNORED_NAMES) & set(pure.parts))


def _is_safe(name: str) -> bool:
    try:
        safe_path(name)
    except SubmissionError:
        return False
    return True


def _is_reserved(work: str, path: str) -> bool:
    """An agent's own file of a name that means something here: what it says is nobody's word."""
    pure = PurePosixPath(path)
    return pure.is_relative_to(work) and pure.relative_to(work).parts[:1] in {(NOTES,), (OUTSIDE,)}
