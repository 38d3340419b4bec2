"""``oneshot``: one call with the starting files in the prompt; all files come back in one structured answer.

An answer that can't be taken gets one more turn that says what was wrong with it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pydantic

from harness.agents import Agent, Assignment, Budget, Transcript, Workplace, submitted
from harness.errors import UsageError
from harness.models import ContextFullError, Message, Model, Reply, Tool, ToolResult
from harness.submission import Submission, SubmissionError
from harness.task import plain

BASELINE = False
SHOWN_OF_A_FILE = 100_000

WAY_OF_WORKING = """\
{instruction}

---

{files}

Call submit_files once, with every file that you add or change (whole, by its path in the project) and with
DELIVERABLE.md, your written answer to this ticket. Files that you don't mention stay as they are. There is
nobody to ask right now: where something is open, decide, and say in DELIVERABLE.md what you assumed."""
REPAIR = "That could not be taken: {problem}. Please call submit_files again, with all files."

SUBMIT_FILES = Tool(
    "submit_files",
    "Hand in the work on this ticket: the files that were added or changed, and those that were deleted.",
    {
        "type": "object",
        "properties": {
            "files": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
                    "required": ["path", "content"],
                },
            },
            "deleted": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["files"],
    },
)


class File(pydantic.BaseModel):
    path: str
    content: str


class Handover(pydantic.BaseModel):
    """The structured answer. Extra fields are a model's chatter and do no harm."""

    files: list[File] = pydantic.Field(min_length=1)
    deleted: list[str] = []


class MalformedError(Exception):
    """An answer that is no hand-over; the text completes "That could not be taken: …"."""


class Oneshot:
    name = "oneshot"
    needs_model = True
    needs_workplace = False
    trusted = False

    def work(
        self,
        assignment: Assignment,
        model: Model | None,
        workplace: Workplace | None,
        budget: Budget,
        transcript: Transcript,
    ) -> Submission:
        assert model is not None
        files = shown(assignment.task.workspace)
        opening = WAY_OF_WORKING.format(instruction=assignment.instruction, files=files)
        messages = [Message("user", opening)]
        transcript.system(assignment.persona)
        transcript.user(opening)
        for is_last in (False, True):
            try:
                reply = model.reply(assignment.persona, messages, [SUBMIT_FILES])
            except ContextFullError:
                transcript.note("ended: context full")
                break
            budget.spend(reply)
            record(reply, transcript)
            if reply.stop == "refusal":
                transcript.note("ended: refusal")
                break
            try:
                return taken(reply, assignment)
            except MalformedError as problem:
                transcript.note(f"malformed: {problem}")
                if is_last or budget.exhausted:
                    break
                messages += [reply.message, repair(reply, REPAIR.format(problem=problem), transcript)]
        return submitted(assignment.task, assignment.task.workspace.files)


def shown(workspace: Submission) -> str:
    """The starting files as the prompt shows them; of what is no text, or too long, only that it is there."""
    if not workspace.files:
        return "The project's folder is empty."
    parts = ["These are the files in the project's folder."]
    for path, content in sorted(workspace.files.items()):
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = f"(binary, {len(content)} bytes)"
        if len(text) > SHOWN_OF_A_FILE:
            text = f"{text[:SHOWN_OF_A_FILE]}\n(and {len(text) - SHOWN_OF_A_FILE} characters more)"
        parts.append(f'<file path="{path}">\n{text.rstrip()}\n</file>')
    return "\n\n".join(parts)


def taken(reply: Reply, assignment: Assignment) -> Submission:
    """The submission in an answer: the starting files with what it adds, changes and deletes.

    Raises:
        MalformedError: saying what is wrong.
    """
    handovers = [validated(answer) for answer in answers(reply)]
    given = {file.path: file.content.encode() for handover in handovers for file in handover.files}
    deleted = {path for handover in handovers for path in handover.deleted}
    files = {**assignment.task.workspace.without(deleted).files, **given}
    try:
        submission = submitted(assignment.task, files)
    except SubmissionError as error:
        raise MalformedError(str(error)) from None
    if not set(given) & set(submission.files):
        takes = ", ".join(assignment.task.manifest.submit)
        raise MalformedError(f"none of the files belongs to the project, which takes {takes}")
    return submission


def answers(reply: Reply) -> list[Any]:
    """The arguments of the calls or, from a model that writes its call as text, the JSON object in there."""
    calls = [call for call in reply.message.calls if call.name == SUBMIT_FILES.name]
    if any(call.arguments is None for call in calls):
        cut = "it was cut off at the output limit" if reply.stop == "length" else "it is not valid JSON"
        raise MalformedError(f"the arguments of submit_files could not be read, {cut}")
    if calls:
        return [call.arguments for call in calls]
    fenced = re.findall(r"```(?:json)?\s*\n(\{.*?\})\s*\n```", reply.message.text, flags=re.DOTALL)
    for candidate in [*reversed(fenced), reply.message.text]:
        try:
            found = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(found, dict) and "files" in found:
            return [found]
    cut = ", and the answer was cut off at the output limit" if reply.stop == "length" else ""
    raise MalformedError(f"submit_files was not called{cut}")


def validated(answer: Any) -> Handover:
    try:
        handover = Handover.model_validate(answer)
        for file in handover.files:
            file.content.encode()
    except pydantic.ValidationError as error:
        raise MalformedError(plain(error)) from None
    except UnicodeEncodeError:
        raise MalformedError("a file's content is not valid Unicode") from None
    return handover


def record(reply: Reply, transcript: Transcript) -> None:
    transcript.assistant(reply)
    for call in reply.message.calls:
        transcript.tool_call(call)


def repair(reply: Reply, text: str, transcript: Transcript) -> Message:
    """The turn that says what was wrong, as the result of each call if there were any."""
    if not reply.message.calls:
        transcript.user(text)
        return Message("user", text)
    results = tuple(ToolResult(call.id, text, failed=True) for call in reply.message.calls)
    for result in results:
        transcript.tool_result(result, 0.0)
    return Message("tools", results=results)


def create(argument: str = "") -> Agent:
    if argument:
        raise UsageError(f"the agent oneshot takes no argument, but got {argument!r}")
    return Oneshot()
