"""Compares the findings with what was planted in the two designs: what was found, what was made up, where it points.

A review is of the designs that the reviewer was given, so they are looked at in the visible world; which of their
sections are flawed is said nowhere but in ``world.py``.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pydantic

from graders.check import check, scenario
from graders.operation import Operation
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.task import VISIBLE_SEED

from .world import DIMENSIONS, KINDS, SEVERITY, World, furnish

RANKS = ("high", "medium", "low")
MOST_FALSE = 1
FEWEST_WORDS = 4
SHORTEST_QUOTE = 12  # characters
# Words that two findings of different kinds have in common, in the same order: more is one sentence, filled in anew.
MOST_ALIKE = 0.6
WORDS_COMPARED = 60
# What is wrong there is a sum.
RECKONED = ("misses-its-promise", "does-not-scale")
NUMBER = re.compile(r"\d|\b(two|three|four|five|six|seven|eight|nine|ten|twice|double[sd]?|half)\b", re.IGNORECASE)
OPERATION = Operation(
    command="python -m json.tool findings.json",
    fills=(),
    every=None,
    topics={
        "what the designs say": "written design section number stated measur",
        "what they don't say": "silent speak missing omit unsaid",
        "late data": "late offline",
        "outages": "outage weekend",
        "growth": "growth grow",
    },
)


class Finding(pydantic.BaseModel):
    """One entry of ``findings.json``."""

    design: str
    kind: str
    where: str
    quote: str
    severity: str
    why: str
    advice: str
    trade_off: str

    @property
    def about(self) -> tuple[str, str]:
        return self.design, self.kind


@dataclass(frozen=True)
class Review:
    """What was found, against what is there."""

    world: World
    findings: tuple[Finding, ...]
    ticket: str

    @property
    def planted(self) -> dict[tuple[str, str], str]:
        """Each flaw, with its section."""
        return {(flaw.design, flaw.kind): flaw.section for flaw in self.world.flaws}

    @property
    def right(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.about in self.planted]

    @property
    def different(self) -> list[Finding]:
        """The right ones, the first of each kind."""
        return list({finding.kind: finding for finding in reversed(self.right)}.values())


@scenario
def review(lab: Lab, rebuild: Callable[[int], World]) -> Review:
    world = rebuild(VISIBLE_SEED)
    furnish(world, lab)
    content = lab.submission.files.get("findings.json")
    if content is None:
        raise SubmissionFault("there is no findings.json")
    try:
        found = pydantic.TypeAdapter(list[Finding]).validate_python(json.loads(content))
    except pydantic.ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise SubmissionFault(f"findings.json isn't a list of findings: {where}") from None
    except (ValueError, RecursionError) as error:
        raise SubmissionFault(f"findings.json is no JSON: {error}") from None
    lab.note("the findings were compared with what is planted in the designs that the reviewer saw")
    return Review(world, tuple(found), lab.task.instruction)


def assert_found(review: Review, dimension: str) -> None:
    """Every planted flaw of a dimension's kinds was found."""
    flaws = review.world.of(*DIMENSIONS[dimension])
    known = {finding.about for finding in review.findings}
    missed = [flaw for flaw in flaws if (flaw.design, flaw.kind) not in known]
    said = [f"{flaw.kind} in {flaw.design}, section {flaw.section} ({flaw.text[:120]} …)" for flaw in missed]
    assert not missed, f"not found: {'; '.join(said)}"
    # Whoever names every kind for every design, or one on suspicion for three that are there, has found nothing.
    made_up = len(review.findings) - len(review.right)
    assert made_up <= max(MOST_FALSE, len(review.right) // 3), (
        f"{made_up} of {len(review.findings)} findings are made up: that is no review"
    )


REVIEWING = "collaboration-protocol/review-data-architecture"


@check("durability", clauses=[REVIEWING, "constraints/never-lose-data"])
def what_loses_data_is_found(review: Review) -> None:
    assert_found(review, "durability")


@check("idempotency", clauses=[REVIEWING, "constraints/always-implement-idempotent-pipelines"])
def what_gives_other_rows_each_time_is_found(review: Review) -> None:
    assert_found(review, "idempotency")


@check("late_data", clauses=[REVIEWING, "constraints/plan-for-late-arriving-data"])
def what_comes_late_or_out_of_order_is_thought_of(review: Review) -> None:
    assert_found(review, "late_data")


@check("schema_evolution", clauses=[REVIEWING, "constraints/handle-schema-evolution-gracefully"])
def what_a_new_column_breaks_is_found(review: Review) -> None:
    assert_found(review, "schema_evolution")


@check("quality", clauses=[REVIEWING, "constraints/always-validate-data-quality"])
def what_lets_bad_or_stale_data_pass_is_found(review: Review) -> None:
    assert_found(review, "quality")


@check("security", clauses=[REVIEWING, "collaboration-protocol/design-data-governance"])
def what_lies_open_is_found(review: Review) -> None:
    assert_found(review, "security")


@check("scale", clauses=[REVIEWING, "collaboration-protocol/plan-scalability"])
def what_does_not_add_up_is_found(review: Review) -> None:
    assert_found(review, "scale")


@check("correctness", clauses=[REVIEWING])
def nothing_sound_is_blamed(review: Review) -> None:
    assert review.right, "none of the findings is one"
    made_up = [finding for finding in review.findings if finding.about not in review.planted]
    said = [f"{finding.kind} in {finding.design}, section {finding.where}" for finding in made_up]
    assert len(made_up) <= MOST_FALSE, f"what is sound is blamed: {'; '.join(said)}"
    twice = len(review.findings) - len({finding.about for finding in review.findings})
    assert not twice, f"{twice} findings repeat the kind of another one of the same design"


@check("correctness", clauses=[REVIEWING, "responsibilities/documentation-of-data-flows"])
def a_finding_points_at_its_place(review: Review) -> None:
    assert review.right, "none of the findings is one"
    for finding in review.right:
        section = review.planted[finding.about]
        said = f"{finding.kind} in {finding.design}"
        assert finding.where.strip().rstrip(".") == section, (
            f"{said} is decided in section {section}, not {finding.where}"
        )
        quote, text = (plain(words) for words in (finding.quote, review.world.section(finding.design, section)))
        assert len(quote) >= SHORTEST_QUOTE and quote in text, (
            f"{said}: section {section} doesn't say {finding.quote!r}"
        )


@check("correctness", clauses=[REVIEWING])
def the_worst_comes_first(review: Review) -> None:
    assert review.right, "none of the findings is one"
    wrong = [
        f"{finding.kind} is {finding.severity!r}"
        for finding in review.right
        if finding.severity != SEVERITY[finding.kind]
    ]
    assert not wrong, f"by the list, the severity is another one: {'; '.join(wrong)}"
    ranks = [RANKS.index(finding.severity) for finding in review.findings if finding.severity in RANKS]
    assert ranks == sorted(ranks), f"the order is {', '.join(finding.severity for finding in review.findings)}"


@check("correctness", clauses=[REVIEWING])
def findings_keep_to_the_list(review: Review) -> None:
    assert review.right, "none of the findings is one"
    unknown = [finding.kind for finding in review.findings if finding.kind not in KINDS]
    assert not unknown, f"no such kind: {', '.join(unknown[:5])}"
    elsewhere = [finding.design for finding in review.findings if finding.design not in review.world.designs]
    assert not elsewhere, f"no such design: {', '.join(elsewhere[:5])}"


def plain(words: str) -> str:
    return " ".join(words.split())


def assert_no_form(review: Review, name: str) -> None:
    """No two findings of different kinds say the same, but for some words."""
    for one, other in itertools.combinations(review.different, 2):
        texts = [getattr(finding, name).casefold().split()[:WORDS_COMPARED] for finding in (one, other)]
        assert difflib.SequenceMatcher(None, *texts).ratio() <= MOST_ALIKE, (
            f"{name} is the same for {one.kind} and {other.kind}: {getattr(other, name)[:200]!r}"
        )


def assert_enough_words(review: Review, name: str) -> None:
    for finding in review.findings:
        text = getattr(finding, name)
        assert len(set(text.casefold().split())) >= FEWEST_WORDS, f"{finding.kind}: {name} is {text!r}"


@check("correctness", clauses=[REVIEWING])
def a_finding_says_what_will_happen(review: Review) -> None:
    assert review.right, "none of the findings is one"
    assert_enough_words(review, "why")
    assert_no_form(review, "why")
    for finding in review.right:
        said = f"{finding.kind} in {finding.design}: why is {finding.why[:200]!r}"
        why = plain(finding.why).rstrip(".").casefold()
        for source, text in (("the list's", review.ticket), ("the design's", review.world.designs[finding.design])):
            assert why not in plain(text).casefold(), f"{said}, {source} own words"
        assert finding.kind not in RECKONED or NUMBER.search(why), f"{said}, without any number"


@check("quality", clauses=[REVIEWING, "communication-style/explain-trade-offs-in-design-decisions"])
def advice_says_what_it_costs(review: Review) -> None:
    assert review.right, "none of the findings is one"
    for name in ("advice", "trade_off"):
        assert_enough_words(review, name)
        assert_no_form(review, name)
    copied = [finding.kind for finding in review.findings if finding.advice.strip() == finding.trade_off.strip()]
    assert not copied, f"what the advice costs is the advice again: {', '.join(copied)}"


# canary: 8f464c80-26aa-4d7a-8cac-696b0bf01228
