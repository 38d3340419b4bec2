"""``tools``: the model works in a workplace, with a shell and files, until it submits or is out of budget."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from harness.agents import Agent, Assignment, Budget, Transcript, Workplace
from harness.agents._tools import TOOLS, ToolError, perform
from harness.errors import UsageError
from harness.models import ContextFullError, Message, Model, Reply, ToolCall, ToolResult
from harness.submission import Submission, SubmissionError

BASELINE = False

WAY_OF_WORKING = """\
{instruction}

---

You are in the project's folder, with a shell (bash) and tools to read and write files. Make your changes
there. Put your written answer to this ticket into DELIVERABLE.md in the same folder. There is nobody to ask
right now: where something is open, decide, and say in DELIVERABLE.md what you assumed. When everything is in
place, call submit.

{left}"""
GO_ON = "Please go on, or call submit if everything is in place. {left}"
LAST_TALK = 3


@dataclass
class Work:
    """One assignment being done: ask the model, do what it calls for, tell it what came of it."""

    assignment: Assignment
    model: Model
    workplace: Workplace
    budget: Budget
    transcript: Transcript
    messages: list[Message] = field(default_factory=list)
    submission: Submission | None = None
    ended: str = ""
    talks: int = 0

    def run(self) -> Submission:
        self.transcript.system(self.assignment.persona)
        self.say(WAY_OF_WORKING.format(instruction=self.assignment.instruction, left=self.budget.left()))
        while not (self.ended or self.budget.exhausted):
            self.step()
        self.transcript.note(f"ended: {self.ended or self.budget.exhausted}")
        return self.submission if self.submission is not None else self.left_behind()

    def step(self) -> None:
        try:
            reply = self.ask()
        except ContextFullError:
            self.ended = "context full"
            return
        if reply.stop == "refusal":
            self.ended = "refusal"
        elif reply.message.calls:
            self.talks = 0
            self.execute(reply.message.calls)
        else:
            self.urge()

    def ask(self) -> Reply:
        reply = self.model.reply(self.assignment.persona, self.messages, TOOLS)
        self.budget.spend(reply)
        self.transcript.assistant(reply)
        self.messages.append(reply.message)
        return reply

    def execute(self, calls: tuple[ToolCall, ...]) -> None:
        results = [self.answer(call) for call in calls]
        results[-1] = replace(results[-1], text=f"{results[-1].text}\n\n{self.budget.left()}")
        self.messages.append(Message("tools", results=tuple(results)))

    def answer(self, call: ToolCall) -> ToolResult:
        self.transcript.tool_call(call)
        started = time.monotonic()
        try:
            result = ToolResult(call.id, self.perform(call))
        except ToolError as error:
            result = ToolResult(call.id, f"error: {error}", failed=True)
        seconds = time.monotonic() - started
        self.budget.work(seconds)
        self.transcript.tool_result(result, seconds)
        return result

    def perform(self, call: ToolCall) -> str:
        if self.submission is not None:
            raise ToolError("this came after submit")
        if call.name != "submit":
            return perform(call, self.workplace, self.budget.time_left)
        try:
            self.submission = self.workplace.collect()
        except SubmissionError as error:
            raise ToolError(f"this can't be handed in: {error}") from None
        self.ended = "submitted"
        return "handed in"

    def urge(self) -> None:
        """A turn without a call is a pause or an end; who talks on and on is taken to be done."""
        self.talks += 1
        if self.talks == LAST_TALK:
            self.ended = "stopped without submitting"
        else:
            self.say(GO_ON.format(left=self.budget.left()))

    def say(self, text: str) -> None:
        self.transcript.user(text)
        self.messages.append(Message("user", text))

    def left_behind(self) -> Submission:
        try:
            return self.workplace.collect()
        except SubmissionError as error:
            self.transcript.note(f"what was left can't be handed in: {error}")
            return Submission()


class Tools:
    name = "tools"
    needs_model = True
    needs_workplace = True
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
        assert workplace is not None
        return Work(assignment, model, workplace, budget, transcript).run()


def create(argument: str = "") -> Agent:
    if argument:
        raise UsageError(f"the agent tools takes no argument, but got {argument!r}")
    return Tools()
