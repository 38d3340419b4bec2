"""Judges' verdicts as text: for a terminal, and as JSON. Quotes and reasons are strangers' text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING

from results.agreement import Agreement
from results.judges import Opinion, OpinionRecord, Summary, VerdictRecord, tokens
from results.rendering import NOTHING, UNKNOWN
from results.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGNS = {"met": "met", "not_met": "not met", "void": "void"}
NO_PART = "note: no score and no `resolved` depends on a judge"


def for_terminal(summaries: Sequence[Summary]) -> RenderableType:
    """A table a judge: of how many trials it said that they meet each rubric."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for one in summaries:
        parts.append(Text(f"judged by {one_line(one.judge.model)} ({one_line(one.judge.judge)})", style="bold"))
        table = _table("rubric", "clause", "met", "interval (95 %)", "void")
        for tally in one.tallies:
            low, high = (tally.met.low, tally.met.high) if tally.met else (None, None)
            met = f"{tally.met_trials} of {tally.judged}"
            table.add_row(tally.rubric, tally.clause, met, interval(low, high), str(tally.void or NOTHING))
        parts.append(table)
        parts += [Text(line, style="dim") for line in _notes(one)]
    return Group(*parts, Text(NO_PART, style="dim"))


def _notes(one: Summary) -> Iterator[str]:
    yield f"note: {one.votes} votes on {one.trials} deliverables; {one.tokens:,} tokens, {money(one.cost)}"
    if one.unjudged:
        yield f"note: {one.unjudged} graded trials are not judged (yet)"
    for why, number in one.void_votes.items():
        yield f"note: {number} of the votes are void: {one_line(why)}"


def opinion_for_terminal(opinion: Opinion) -> RenderableType:
    """One deliverable's verdicts with their quotes."""
    from rich.console import Group
    from rich.text import Text

    table = _table("rubric", "verdict", "votes", "quote, or why there is none")
    for verdict in opinion.verdicts:
        table.add_row(verdict.rubric, SIGNS[verdict.said], votes(verdict), Text(evidence(verdict)))
    cost = Text(f"note: {tokens(opinion.usage):,} tokens, {money(opinion.cost)}", style="dim")
    return Group(Text(f"judged by {one_line(opinion.judge)}", style="bold"), table, cost, Text(NO_PART, style="dim"))


def votes(verdict: VerdictRecord) -> str:
    said = [vote.said for vote in verdict.votes]
    counts = [f"{said.count(one)} {SIGNS[one]}" for one in SIGNS if one in said]
    return ", ".join(counts) or NOTHING


def evidence(verdict: VerdictRecord) -> str:
    """The quote of the first vote that said what the verdict is; of a void one, why."""
    if verdict.void:
        return one_line(verdict.void)
    if verdict.said == "void":
        return one_line("; ".join(dict.fromkeys(vote.void for vote in verdict.votes if vote.void)))
    quotes = [vote.quote or vote.reason for vote in verdict.votes if vote.said == verdict.said]
    return one_line(quotes[0]) if quotes else NOTHING


def as_json(summaries: Sequence[Summary], opinions: Sequence[OpinionRecord]) -> str:
    """``{"judges": [{judge, tallies, cost, …}], "opinions": [{task, attempt, verdicts, …}]}``; unknown is null."""
    whole = {
        "judges": [{**asdict(one), "judge": one.judge.model_dump(mode="json")} for one in summaries],
        "opinions": [one.model_dump(mode="json") for one in opinions],
    }
    return json.dumps(whole, indent=2, default=str)


def agreement_for_terminal(rows: Sequence[tuple[str, Agreement]]) -> RenderableType:
    """A row for each rubric, the last for all labels."""
    table = _table("rubric", "labels", "agreement", "interval (95 %)", "Cohen's kappa", "interval (95 %)", "void")
    for name, one in rows:
        table.add_row(
            name,
            str(one.labels),
            f"{one.agreement.value:.2f}",
            interval(one.agreement.low, one.agreement.high),
            NOTHING if one.kappa is None else f"{one.kappa:.2f}",
            interval(one.low, one.high),
            str(one.void or NOTHING),
        )
    return table  # type: ignore[no-any-return]


def interval(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{low:.2f} to {high:.2f}"


def money(cost: Decimal | None) -> str:
    return f"cost {UNKNOWN}" if cost is None else f"${cost:.4f}"


def _table(*headings: str):  # type: ignore[no-untyped-def]
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
