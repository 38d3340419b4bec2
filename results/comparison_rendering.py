"""A comparison as text: for a terminal, as GitHub-flavoured Markdown, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from results.comparison import SCORES_SHARE, Comparison, Row
from results.expenses import Expense
from results.flips import Flip, Side
from results.rendering import NOTHING, UNKNOWN, duration, escaped, markdown_table
from results.report_paths import trial_path
from results.scorecard_rendering import obeyed, row_object
from results.sign_flip import least_p
from results.submission_diff import submission_diff
from results.text import one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

EVIDENCE = 300  # characters of a failing check that are shown
DIFF_LINES = 200  # lines of a diff in Markdown; the whole is on the terminal
STYLES = {"regressed": "bold red", "underpowered": "yellow", "not regressed": "green"}
CLAUSES = "clauses: trials that obeyed them, with the interval at 95 % (inform, don't decide)"
SIDES = ["left", "right", "right", "right", "right", "left"]


def for_terminal(comparison: Comparison, *, clauses: bool = False, diffs: bool = False) -> RenderableType:
    """The verdict, a table of what was measured, the tasks that turned, what it cost, what to know."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(headline(comparison), style=STYLES[comparison.verdict])]
    parts += [Text(f"  {line}") for line in about(comparison)]
    parts.append(_table(comparison, comparison.gate))
    if shows_clauses(comparison, clauses):
        parts += [Text(CLAUSES), _table(comparison, comparison.clauses, partial(clause_cells, comparison))]
    for flip in comparison.flips:
        parts.append(Text(flip_line(flip), style="red" if flip.kind == "newly failing" else "green"))
        parts += [Text(f"  {line}") for line in _flip_details(flip)]
        if diffs:
            parts += [Text(f"    {line}", style=_diff_style(line)) for line in _diff(flip)]
    if comparison.flips:
        parts.append(Text(""))
    parts += [Text(expense_line(expense)) for expense in comparison.expenses]
    parts += [Text(f"note: {note}", style="dim") for note in remarks(comparison)]
    return Group(*parts)


def _table(
    comparison: Comparison, rows: tuple[Row, ...], cells: Callable[[Row], list[str]] | None = None
) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, side in zip(_headings(comparison), SIDES, strict=True):
        table.add_column(heading, justify="left" if side == "left" else "right")
    for row in rows:
        *shown, verdict = (cells or cells_of)(row)
        table.add_row(*map(Text, shown), Text(verdict, style=STYLES[row.verdict]))
    return table


def as_markdown(comparison: Comparison, *, clauses: bool = False, diffs: bool = False, report: str = "") -> str:
    """For a comment on a pull request; evidence and diffs are folded.

    Links lead to the trials' pages of a ``report`` (an address or a folder); without one to the files of the runs, as
    seen from the folder the command runs in.
    """
    parts = [f"## {escaped(headline(comparison))}\n", *(f"{escaped(line)}  " for line in about(comparison)), ""]
    parts.append(markdown_table(_headings(comparison), SIDES, [cells_of(row) for row in comparison.gate]))
    if shows_clauses(comparison, clauses):
        parts.append(f"{CLAUSES}:\n")
        cells = [clause_cells(comparison, row) for row in comparison.clauses]
        parts.append(markdown_table(_headings(comparison), SIDES, cells))
    for flip in comparison.flips:
        parts.append("".join(_markdown_flip(comparison, flip, diffs, report)))
    parts += [f"- {escaped(expense_line(expense))}" for expense in comparison.expenses]
    parts += [f"- note: {escaped(note)}" for note in remarks(comparison)]
    return "\n".join(parts) + "\n"


def _markdown_flip(comparison: Comparison, flip: Flip, diffs: bool, report: str) -> Iterator[str]:
    runs = comparison.baseline.record.run, comparison.candidate.record.run
    links = " · ".join(
        f"[{label} #{side.attempt}]({page})"
        if (page := _page(report, run, flip.task, side))
        else f"{label}: no transcript"
        for run, (label, side) in zip(runs, _sides(flip), strict=True)
    )
    yield f"<details><summary>{escaped(flip_line(flip))}</summary>\n\n{links}\n\n"
    yield _fenced([f"{check}: {_shortened(evidence)}" for check, evidence in flip.checks])
    if diffs:
        lines = _diff(flip)
        more = [f"… {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
        yield _fenced([*lines[:DIFF_LINES], *more], "diff")
    yield "</details>\n"


def _page(report: str, run: str, task: str, side: Side) -> str:
    """Where a trial can be read, as a link; empty if there is nothing to be read."""
    if report:
        return quote(f"{report.rstrip('/')}/{trial_path(run, task, side.attempt)}", safe="/:?#@!$&'*+,;=%~")
    return quote(side.folder.transcript.as_posix()) if side.folder.transcript.is_file() else ""


def _fenced(lines: list[str], language: str = "") -> str:
    """A code block that its content can't close."""
    text = "\n".join(lines)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{text}\n{fence}\n\n" if lines else ""


def as_json(comparison: Comparison, *, fail_on: str, failed: bool, diffs: bool = False) -> str:
    """Everything; unknown is null. Intervals are at 1 − 2α, ``p`` is one-sided and adjusted by Holm's method."""
    alpha = comparison.alpha
    return json.dumps(
        {
            "baseline": str(comparison.baseline.path),
            "candidate": str(comparison.candidate.path),
            "simulated": comparison.simulated,
            "margin": comparison.margin,
            "alpha": alpha,
            "verdict": comparison.verdict,
            "verdict_invalid_as_zero": comparison.verdict_as_zero,
            "fail_on": fail_on,
            "failed": failed,
            "score": _row_object(comparison.score, alpha),
            "score_invalid_as_zero": _row_object(comparison.score_as_zero, alpha),
            "resolved": _row_object(comparison.resolved, alpha),
            "mcnemar": asdict(comparison.turned),
            "dimensions": [_row_object(row, alpha) for row in comparison.dimensions],
            "clauses": [_clause_object(comparison, row) for row in comparison.clauses],
            "flips": [_flip_object(flip, diffs) for flip in comparison.flips],
            "expenses": [asdict(expense) for expense in comparison.expenses],
            "coverage": {
                label: {**asdict(covered), "missing": covered.missing, "fraction": covered.fraction}
                for label, covered in zip(("baseline", "candidate"), comparison.coverage, strict=True)
            },
            "differs": comparison.differs,
            "notes": remarks(comparison),
        },
        indent=2,
    )


def _row_object(row: Row, alpha: float) -> dict[str, Any]:
    difference = row.difference
    return {
        "name": row.name,
        "verdict": row.verdict,
        "baseline": row.baseline,
        "candidate": row.candidate,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "standard_error": difference.standard_error,
        "bootstrap": row.bootstrap(alpha),
        "tasks": difference.tasks,
        "p": row.p,
        "p_unadjusted": asdict(difference.p),
        "detectable": row.detectable,
    }


def _clause_object(comparison: Comparison, row: Row) -> dict[str, Any]:
    sides = zip(("baseline", "candidate"), comparison.scorecards, strict=True)
    obeyed = {label: row_object(found) for label, card in sides if (found := card.row(row.name))}
    return {**_row_object(row, comparison.alpha), "obeyed": obeyed}


def _flip_object(flip: Flip, diffs: bool) -> dict[str, Any]:
    sides = {
        label: {
            "resolved": side.resolved,
            "graded": side.graded,
            "attempt": side.attempt,
            "transcript": str(side.folder.transcript),
            "submission": str(side.folder.submission),
        }
        for label, side in _sides(flip)
    }
    checks = [{"id": check, "evidence": printable(evidence)} for check, evidence in flip.checks]
    found = {"task": flip.task, "kind": flip.kind, **sides, "checks": checks, "same_submission": flip.same_submission}
    return {**found, "diff": "\n".join(_diff(flip))} if diffs else found


# The words that all forms share


def headline(comparison: Comparison) -> str:
    simulated = "SIMULATED · " if comparison.simulated else ""
    row = comparison.score
    return f"{simulated}{comparison.verdict}: score {row.baseline:.3f} → {row.candidate:.3f} ({_signed(row)})"


def about(comparison: Comparison) -> list[str]:
    tasks = comparison.score.difference.tasks
    lines = [
        f"baseline {one_line(str(comparison.baseline.path))}, candidate {one_line(str(comparison.candidate.path))}",
        *(comparison.differs or ["the same configuration twice"]),
        f"{tasks} {'task' if tasks == 1 else 'tasks'}, margin {comparison.margin:g}",
    ]
    regressed = [row.name for row in comparison.gate if row.verdict == "regressed"]
    if regressed:
        lines.append(f"regressed: {one_line(', '.join(regressed))}")
    return lines


def remarks(comparison: Comparison) -> list[str]:
    """What a reader must know before believing the verdict."""
    found = []
    tasks, row = comparison.score.difference.tasks, comparison.score
    if comparison.verdict != "regressed" and least_p(tasks) > comparison.alpha * SCORES_SHARE:
        found.append(
            f"with {tasks} {'task' if tasks == 1 else 'tasks'} not even a loss on every one is evidence, "
            "whatever the attempts: compare on more tasks"
        )
    elif comparison.verdict == "underpowered":
        unseen = "" if row.detectable is None else f"; a loss below {row.detectable:.2f} is likely to go unseen"
        found.append(f"neither a loss nor its absence is shown{unseen}; `bench plan` says what would show it")
    for label, covered in zip(("baseline", "candidate"), comparison.coverage, strict=True):
        if covered.invalid:
            found.append(
                f"{label}: {covered.invalid} of {covered.planned} trials invalid (the world failed) and left out"
            )
    if any(covered.invalid for covered in comparison.coverage):
        zero = comparison.score_as_zero
        found.append(
            f"if invalid trials count as zero: {comparison.verdict_as_zero}, "
            f"score {zero.baseline:.3f} → {zero.candidate:.3f} ({_signed(zero)})"
        )
    if comparison.flips:
        found.append(f"tasks resolved less often than before: p {_p(comparison.turned.worse)} (McNemar, by task)")
    found.append(
        f"intervals at {_confidence(comparison)} (each side a test at {comparison.alpha:g}), the task as unit; "
        "p for a loss, adjusted for the number of rows (Holm)"
    )
    return [*found, *comparison.notes]


def _headings(comparison: Comparison) -> list[str]:
    return ["", "baseline", "candidate", f"difference ({_confidence(comparison)})", "p (Holm)", "verdict"]


def _confidence(comparison: Comparison) -> str:
    return f"{100 * (1 - 2 * comparison.alpha):g} %"


def cells_of(row: Row) -> list[str]:
    difference = row.difference
    interval = "" if difference.low is None else f" ({difference.low:+.3f} to {difference.high:+.3f})"
    return [
        one_line(row.name),
        f"{row.baseline:.3f}",
        f"{row.candidate:.3f}",
        f"{_signed(row)}{interval}",
        _p(row.p),
        row.verdict,
    ]


def shows_clauses(comparison: Comparison, asked: bool) -> bool:
    """Clauses are shown if they are asked for, and where two personas are compared."""
    return bool(comparison.clauses) and (asked or comparison.of_personas)


def clause_cells(comparison: Comparison, row: Row) -> list[str]:
    """The same with how often each run obeyed the clause, with intervals."""
    name, _, _, *rest = cells_of(row)
    return [name, *(obeyed(card.row(row.name)) for card in comparison.scorecards), *rest]


def _signed(row: Row) -> str:
    return f"{row.difference.value:+.3f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def flip_line(flip: Flip) -> str:
    before, after = flip.baseline, flip.candidate
    return f"{flip.kind}: {flip.task} ({_resolved(before)} → {_resolved(after)} resolved)"


def _resolved(side: Side) -> str:
    return f"{side.resolved}/{side.graded}"


def _flip_details(flip: Flip) -> Iterator[str]:
    verb = "fails" if flip.kind == "newly failing" else "failed"
    for check, evidence in flip.checks:
        yield f"{verb} {one_line(check)}: {_shortened(evidence)}"
    for label, side in _sides(flip):
        yield f"{label} #{side.attempt}: {one_line(str(side.folder.transcript))}"


def _diff(flip: Flip) -> list[str]:
    if flip.same_submission:
        return ["the same submission"]
    text = submission_diff(flip.baseline.folder.submission, flip.candidate.folder.submission)
    return text.splitlines() or ["the same submission"]


def _diff_style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")


def _sides(flip: Flip) -> tuple[tuple[str, Side], tuple[str, Side]]:
    return ("baseline", flip.baseline), ("candidate", flip.candidate)


def _shortened(evidence: str) -> str:
    text = one_line(evidence) or "no evidence given"
    return text if len(text) <= EVIDENCE else f"{text[:EVIDENCE]}…"


def expense_line(expense: Expense) -> str:
    line = f"{expense.name} a trial: {_amount(expense, expense.baseline)} → {_amount(expense, expense.candidate)}"
    if expense.ratio is None:
        return line
    interval = "" if expense.low is None else f", {expense.low:.2f} to {expense.high:.2f}"
    return f"{line} (×{expense.ratio:.2f}{interval})"


def _amount(expense: Expense, value: float | None) -> str:
    match expense.name:
        case "cost":
            return UNKNOWN if value is None else f"${value:.4f}"
        case "working seconds":
            return duration(value)
        case _:
            return NOTHING if value is None else f"{value:,.0f}"
