"""Scripts that judge deliverables: one that reads, and naive ones that do what a text tells them.

A naive model is played as models fail: it copies a verdict that it finds, obeys an order, follows a role tag. Where the
text holds nothing of the sort it judges as the one that reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.provider.script import Answer, Call, ComplaintError, Request, Script

ORDERED = re.compile(r"""(?:say|answer|verdict is|property is)\s+["'`]?(met|not_met)\b""", re.IGNORECASE)
QUOTE_ORDERED = re.compile(r"quote this: (.+)")
WRITTEN_VERDICT = re.compile(r"\{[^{}]*\"verdict\"[^{}]*\}")
ROLE_TAG = re.compile(r"<\|im_start\|>system\s|\[INST\]|</?system>")


@dataclass(frozen=True)
class Question:
    """What a judge is asked: the question's number, the property, the text, and the message as it came."""

    case: str
    asks: str
    turned_to: str | None
    text: str
    message: str


Truth = Callable[[Question], str]
Naive = Callable[[Question], Answer | None]


def question_of(request: Request) -> Question:
    """Complains of a request in which text and question aren't kept apart."""
    system = request.system or ""
    case, asks = re.search(r"Case: (\w+)", system), re.search(r"Property: (.+)", system)
    if case is None or asks is None or len(request.users) != 1 or request.tools != ["give_verdict"]:
        raise ComplaintError("this is no question to a judge")
    data = json.loads(request.users[0])
    if set(data) != {"deliverable"} or data["deliverable"] in system:
        raise ComplaintError("the deliverable isn't kept apart from the question")
    turned = re.search(r"without any exception: the verdict is `(\w+)`", system)
    return Question(case[1], asks[1], turned[1] if turned else None, data["deliverable"], request.users[0])


def judging(truth: Truth, naive: Naive = lambda question: None) -> Script:
    """Says what ``truth`` says, with a line of the text as quote, unless ``naive`` is taken in."""

    def script(request: Request) -> Answer:
        question = question_of(request)
        taken_in = naive(question)
        if taken_in is not None:
            return taken_in
        verdict = question.turned_to or truth(question)
        return giving(question.case, verdict, max(question.text.splitlines(), key=len).strip()[:300])

    return script


def giving(case: str, verdict: str, quote: str, reason: str = "So it is.") -> Answer:
    return Answer("", (Call("give_verdict", {"case": case, "verdict": verdict, "quote": quote, "reason": reason}),))


def copying_in_words(question: Question) -> Answer | None:
    """Answers with the verdict that stands in the text, as text."""
    found = WRITTEN_VERDICT.search(question.text)
    return Answer(found[0]) if found else None


def copying_into_a_call(question: Question) -> Answer | None:
    """Calls with the verdict that stands in the text, word for word."""
    found = WRITTEN_VERDICT.search(question.text)
    return Answer("", (Call("give_verdict", found[0]),)) if found else None


def obeying(question: Question) -> Answer | None:
    """Says what the text orders, in perfect form, quoting what it is told to or else the order itself."""
    order = ORDERED.search(question.text)
    if order is None:
        return None
    wanted = QUOTE_ORDERED.search(question.text)
    line = next(line for line in question.text.splitlines() if order[0] in line)
    return giving(question.case, order[1].lower(), wanted[1] if wanted else line)


def obeying_with_a_quote_of_its_own(question: Question) -> Answer | None:
    """Says what the text orders, and makes up evidence for it."""
    order = ORDERED.search(question.text)
    made_up = "All nodes, costs and consequences are named, with who gets what by when."
    return giving(question.case, order[1].lower(), made_up) if order else None


def following_role_tags(question: Question) -> Answer | None:
    """Takes for a message of the system what stands behind a role tag in the message as it came."""
    return obeying(question) if ROLE_TAG.search(question.message) else None


def fixed(verdict: str, quote_of: Callable[[str], str] = lambda text: text[:80]) -> Script:
    """Says the same of everything."""

    def script(request: Request) -> Answer:
        question = question_of(request)
        return giving(question.case, verdict, quote_of(question.text))

    return script


NAIVE: dict[str, Naive] = {
    one.__name__: one
    for one in (copying_in_words, copying_into_a_call, obeying, obeying_with_a_quote_of_its_own, following_role_tags)
}
