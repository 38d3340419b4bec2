"""Which runs can be compared, and two of them: the verdict, what was measured in both, which tasks turned and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from results.comparison import Comparison, Row
from results.comparison_rendering import about, cells_of, expense_line, flip_line, headline, remarks
from results.flips import Flip
from results.report.charts import Axis, Mark, differences_axis
from results.report.pages import File
from results.report.reading import MOST_PAIRS, Pair, Source
from results.submission_diff import submission_diff

PLACE = 40
ENTRY = ("Compare", "compare.html")
TONES = {"regressed": "bad", "not regressed": "good", "underpowered": ""}
DIFF_LINES = 400


def files(source: Source) -> Iterator[File]:
    yield File("compare.html", "compare.html", partial(_all, source))
    for pair in source.compared:
        yield File(pair.path, "comparison.html", partial(_one, pair))


def _all(source: Source) -> Mapping[str, Any]:
    return {
        "pairs": [(pair, pair.comparison) for pair in source.compared[::-1]],
        "headline": headline,
        "obstacles": [pair for pair in source.pairs if pair.obstacle][:MOST_PAIRS],
        "more": len(source.comparable_pairs) - len(source.compared),
    }


def _one(pair: Pair) -> Mapping[str, Any]:
    found = pair.comparison
    if isinstance(found, str):
        return {"pair": pair, "comparison": None, "problem": found}
    return {
        "pair": pair,
        "comparison": found,
        "headline": headline(found),
        "about": about(found)[1:],
        "remarks": remarks(found),
        "confidence": f"{100 * (1 - 2 * found.alpha):g} %",
        "gate": _measured(found.gate),
        "clauses": _measured(found.clauses),
        "flips": [_flip(pair, flip) for flip in found.flips],
        "expenses": [expense_line(expense) for expense in found.expenses],
        "axis": _axis(found),
    }


def _measured(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    return [{"row": row, "cells": cells_of(row), "mark": _mark(row), "tone": TONES[row.verdict]} for row in rows]


def _mark(row: Row) -> Mark:
    difference = row.difference
    return Mark(
        row.name.replace("_", " "),
        difference.value,
        difference.low,
        difference.high,
        tone=TONES[row.verdict],
        signed=True,
    )


def _axis(found: Comparison) -> Axis:
    differences = [row.difference for row in found.gate]
    return differences_axis(bound for one in differences for bound in (one.value, one.low, one.high, found.margin))


def _flip(pair: Pair, flip: Flip) -> dict[str, Any]:
    lines = [] if flip.same_submission else _diff(flip)
    return {
        "of": flip,
        "line": flip_line(flip),
        "baseline": pair.baseline.trial_path(flip.task, flip.baseline.attempt),
        "candidate": pair.candidate.trial_path(flip.task, flip.candidate.attempt),
        "diff": [{"kind": _kind(line), "text": line} for line in lines[:DIFF_LINES]],
        "more": max(len(lines) - DIFF_LINES, 0),
    }


def _diff(flip: Flip) -> list[str]:
    return submission_diff(flip.baseline.folder.submission, flip.candidate.folder.submission).splitlines()


def _kind(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "file"
    return {"+": "new", "-": "old", "@": "place"}.get(line[:1], "same")
