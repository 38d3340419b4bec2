"""What is asked, which votes count, and what they come to."""

from __future__ import annotations

import pytest

from harness.clauses import resolve
from harness.errors import InfrastructureError
from harness.judge import Judge, Opinion, Vote, rubrics
from harness.judge.asking import LONGEST_TEXT, Said, case_of, majority
from harness.judge.calibration import excerpts
from harness.judge.quotes import fault_of
from harness.models import Model, ModelParameters, connect
from tests.provider import Answer, Call, Failure, ProviderServer, Request, Script
from tests.provider.judging import Question, fixed, giving, judging, question_of

TEXT = "A view instead of a table:\n  it is **never stale**, at the cost of `3 seconds` a query.\n| sum | ≥ 0 |\n“ok”"
RUBRIC = rubrics()[0]


def model(provider: ProviderServer) -> Model:
    return connect("openai-compatible/judge", ModelParameters(base_url=provider.base_url("openai-compatible")))


def opinion(provider: ProviderServer, text: str = TEXT, votes: int = 3) -> Opinion:
    return Judge(model(provider)).opinion(text, votes, [RUBRIC])


def always_met(question: Question) -> str:
    return "met"


def test_every_rubric_is_about_a_clause_that_exists_and_communication_is_covered() -> None:
    named = {rubric.clause for rubric in rubrics()}
    assert all(resolve(clause) == (clause,) or clause in resolve(clause) for clause in named)
    assert {clause for clause in named if clause.startswith("communication-style/")} == {
        "communication-style/provide-clear-data-flow-diagrams",
        "communication-style/document-assumptions-about-source-data",
        "communication-style/include-slas-and-freshness-guarantees",
        "communication-style/explain-trade-offs-in-design-decisions",
    }


def test_a_verdict_comes_with_its_votes_and_what_they_took(provider: ProviderServer) -> None:
    provider.script = judging(always_met)
    said = opinion(provider)
    (verdict,) = said.verdicts
    assert (verdict.said, [vote.said for vote in verdict.votes]) == ("met", ["met"] * 3)
    assert verdict.votes[0].quote in TEXT
    assert verdict.votes[0].reason == "So it is."
    assert (len(provider.requests), said.usage) == (4, provider.spent)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("met met not_met", "met"),
        ("met not_met not_met", "not_met"),
        ("met not_met void", "not_met"),
        ("met not_met", "not_met"),
        ("met void", "met"),
        ("met void void", "void"),
        ("void void void", "void"),
        ("met met void void not_met", "met"),
        ("met", "met"),
    ],
)
def test_the_majority_counts_and_a_tie_is_not_met(said: str, verdict: Said) -> None:
    assert majority([Vote(one) for one in said.split()]) == verdict  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "quote",
    [
        "at the cost of `3 seconds` a query",
        "it is never stale, at the cost of 3 seconds",
        "instead of a table: it is never stale",
        '| sum | ≥ 0 | "ok"',
    ],
)
def test_a_quote_may_differ_in_markup_and_line_breaks(quote: str) -> None:
    assert fault_of(quote, TEXT) == ""


@pytest.mark.parametrize(
    "quote",
    [
        "at the cost of 4 seconds a query",
        "it is always stale, at the cost",
        "it is never stale … 3 seconds",
        "a query",
        "",
        "`*** | > ###`",
        TEXT * 12,
    ],
)
def test_a_quote_that_does_not_stand_there_is_no_evidence(quote: str) -> None:
    assert fault_of(quote, TEXT)


def rubbish(answer: Answer) -> Script:
    return lambda request: answer


def arguments(**changed: object) -> Script:
    def script(request: Request) -> Answer:
        right = {"case": question_of(request).case, "verdict": "met", "quote": TEXT[:40], "reason": "So."}
        return Answer("", (Call("give_verdict", {**right, **changed}),))

    return script


def twice(request: Request) -> Answer:
    (call,) = giving(question_of(request).case, "met", TEXT[:40]).calls
    return Answer("", (call, call))


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (rubbish(Answer("I can't help with that.", stop="refusal")), "it refused"),
        (rubbish(Answer("The verdict is met.")), "it gave no verdict"),
        (rubbish(Answer("Let me think", stop="length")), "it was cut off at its output limit"),
        (rubbish(Answer("", (Call("give_verdict", '{"verdict": "me'),))), "its verdict could not be read"),
        (rubbish(Answer("", (Call("bash", {"command": "ls"}),))), "it gave no verdict"),
        (arguments(verdict="maybe"), "its verdict could not be read"),
        (arguments(case="0123456789abcdef"), "its verdict is on another case"),
        (arguments(quote=""), "the quote is too short to be evidence"),
        (arguments(quote="It is wholly idempotent."), "the quote doesn't stand in the deliverable"),
        (twice, "it gave more than one verdict"),
    ],
)
def test_an_answer_that_is_none_is_a_void_vote_and_told(provider: ProviderServer, script: Script, why: str) -> None:
    provider.script = script
    (verdict,) = opinion(provider).verdicts
    assert (verdict.said, {vote.void for vote in verdict.votes}) == ("void", {why})
    assert len(provider.requests) == 3, "what is void needs no second look"


@pytest.mark.parametrize("said", ["met", "not_met"])
def test_who_says_the_same_of_everything_is_no_judge(provider: ProviderServer, said: str) -> None:
    provider.script = fixed(said)
    (verdict,) = opinion(provider).verdicts
    assert (verdict.said, {vote.said for vote in verdict.votes}) == ("void", {said})
    assert "doesn't read" in verdict.void


def test_not_met_needs_no_quote_but_a_false_one_voids_it(provider: ProviderServer) -> None:
    provider.script = judging(lambda question: "not_met")
    assert opinion(provider).verdicts[0].said == "not_met"

    def without(question: Question) -> Answer | None:
        return None if question.turned_to else giving(question.case, "not_met", "")

    provider.script = judging(always_met, without)
    assert opinion(provider).verdicts[0].said == "not_met"
    provider.script = judging(always_met, lambda question: giving(question.case, "not_met", "what nobody wrote"))
    assert opinion(provider).verdicts[0].said == "void"


def test_nothing_is_asked_about_no_text_or_too_long_a_one(provider: ProviderServer) -> None:
    assert opinion(provider, " \n ").verdicts[0].said == "not_met"
    (verdict,) = opinion(provider, "x" * (LONGEST_TEXT + 1)).verdicts
    assert (verdict.said, "more than 60,000 characters" in verdict.void) == ("void", True)
    provider.script = lambda request: Failure(400, "prompt is too long: 200001 tokens", "invalid_request_error")
    (verdict,) = opinion(provider).verdicts
    assert (verdict.said, "longer than the judge reads" in verdict.void) == ("void", True)


def test_a_provider_that_fails_is_no_verdict(provider: ProviderServer) -> None:
    provider.script = lambda request: Failure(401, "no such key")
    with pytest.raises(InfrastructureError, match="401"):
        opinion(provider)


def test_the_number_of_a_question_depends_on_all_of_it() -> None:
    numbers = {case_of(rubric, text) for rubric in rubrics() for text in (TEXT, TEXT + " ", TEXT[:-1])}
    assert len(numbers) == 3 * len(rubrics())


def test_what_quotes_a_key_is_kept_without_it(provider: ProviderServer) -> None:
    provider.script = arguments(reason="sk-secret-of-the-test")
    assert opinion(provider, votes=1).verdicts[0].votes[0].reason == "[key]"


def test_a_rubric_has_labels_of_both_verdicts() -> None:
    assert len(excerpts()) >= 30
    known = {rubric.id for rubric in rubrics()}
    for excerpt in excerpts():
        assert {*excerpt.met, *excerpt.not_met} <= known, excerpt.name
        assert not {*excerpt.met} & {*excerpt.not_met}, excerpt.name
    for rubric in rubrics():
        labels = [excerpt.label(rubric.id) for excerpt in excerpts() if rubric in excerpt.asked]
        assert min(labels.count("met"), labels.count("not_met")) >= 3, rubric.id
