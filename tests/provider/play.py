"""Scripts that get whole assignments done with the tools of our agents, by handing in a given submission."""

from __future__ import annotations

import base64
import contextlib
import shlex
from collections.abc import Iterable, Iterator, Mapping

from harness.submission import Submission
from harness.task import Task
from tests.provider.script import Answer, Call, ComplaintError, Request, Script

CALLS_A_TURN = 4


def playing(submissions: Mapping[str, Submission], deleting: Mapping[str, Iterable[str]] | None = None) -> Script:
    """Hands in the submission whose instruction is in the conversation; ``deleting`` names files to remove.

    The step is read from the conversation, so one script serves many trials at once, and resumed ones.
    """

    def script(request: Request) -> Answer:
        instruction = next((key for key in submissions if key.strip() in request.opening), None)
        if instruction is None:
            raise ComplaintError(f"nothing to play for {request.opening[:80]!r}")
        if any(result.startswith("error:") for result in request.results):
            raise ComplaintError(f"a tool failed: {[text for text in request.results if text.startswith('error:')]}")
        deleted = list((deleting or {}).get(instruction, ()))
        if "submit_files" in request.tools:
            return _oneshot(submissions[instruction], deleted)
        steps = _steps(submissions[instruction], deleted)
        return steps[min(request.turns, len(steps) - 1)]

    return script


def solving(*tasks: Task) -> Script:
    """Hands in the reference of each task."""
    return playing(
        {task.instruction: task.reference for task in tasks},
        {task.instruction: sorted(set(task.workspace.files) - set(task.reference.files)) for task in tasks},
    )


def patient(*tasks: Task) -> Script:
    """Hands in the reference of each task, a call at a time; what failed or led nowhere is passed over."""
    ways = {
        task.instruction: [call for answer in _steps(task.reference, []) for call in answer.calls] for task in tasks
    }

    def script(request: Request) -> Answer:
        way = next(way for instruction, way in ways.items() if instruction.strip() in request.opening)
        done = sum(not result.startswith("error:") for result in request.results)
        return Answer("", (way[min(done, len(way) - 1)],))

    return script


def _steps(submission: Submission, deleted: list[str]) -> list[Answer]:
    look = "ls -a" if not deleted else f"ls -a && rm -f -- {shlex.join(deleted)}"
    writes = [_write(path, content) for path, content in sorted(submission.files.items())]
    turns = [writes[start : start + CALLS_A_TURN] for start in range(0, len(writes), CALLS_A_TURN)]
    return [
        Answer("Let me look around.", (Call("bash", {"command": look}),)),
        *(Answer("", tuple(turn)) for turn in turns),
        Answer("That is all.", (Call("submit"),)),
    ]


def _write(path: str, content: bytes) -> Call:
    try:
        return Call("write_file", {"path": path, "content": content.decode()})
    except UnicodeDecodeError:
        target = shlex.quote(path)
        text = base64.b64encode(content).decode()
        command = f'mkdir -p "$(dirname {target})" && echo {text} | base64 -d > {target}'
        return Call("bash", {"command": command})


def _texts(submission: Submission) -> Iterator[tuple[str, str]]:
    """The files that a structured answer can hold; others must be among the starting files, which stay."""
    for path, content in sorted(submission.files.items()):
        with contextlib.suppress(UnicodeDecodeError):
            yield path, content.decode()


def _oneshot(submission: Submission, deleted: list[str]) -> Answer:
    files = [{"path": path, "content": text} for path, text in _texts(submission)]
    return Answer("", (Call("submit_files", {"files": files, "deleted": deleted}),))
