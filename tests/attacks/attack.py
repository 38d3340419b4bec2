"""What a hostile submission is, in a table's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from harness.submission import Submission
from harness.task import Task


@dataclass(frozen=True)
class Attack:
    """Files on top of a base, and what must hold.

    ``base``: ``nothing`` (the untouched workspace), ``appends`` (loads a day right the first time only), ``right``
    (the reference). ``may_pass`` are the checks that the base passes without the attack. ``names`` stands in one of the
    record's ``tampering``. ``{host}`` in a file is a folder of the host's that must stay as it is.
    """

    name: str
    task: str
    files: Mapping[str, str | bytes]
    base: str = "nothing"
    may_pass: frozenset[str] = frozenset()
    names: str = ""
    nightly: bool = False

    def submission(self, task: Task, host: str) -> Submission:
        files = {
            path: content if isinstance(content, bytes) else dedent(content).replace("{host}", host).encode()
            for path, content in self.files.items()
        }
        return (task.reference if self.base == "right" else task.workspace).overlaid(files)


@dataclass
class Table:
    """The attacks on one engine; ``add`` takes what ``Attack`` takes."""

    task: str
    entry: str
    attacks: list[Attack] = field(default_factory=list)

    def add(self, name: str, content: str | bytes = b"", **options: object) -> None:
        files = {**({self.entry: content} if content else {}), **options.pop("files", {})}  # type: ignore[dict-item]
        self.attacks.append(Attack(name, self.task, files, **options))  # type: ignore[arg-type]
