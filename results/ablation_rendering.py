"""An ablation as text: for a terminal, as GitHub-flavoured Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from results.ablation import CANT_TELL, Ablation, Effect, PartResult, pairs_for_dead_weight, pairs_needed
from results.rendering import NOTHING, UNKNOWN, escaped, markdown_table
from results.statistics import Coverage
from results.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLES = {"load-bearing": "bold green", "harmful": "bold red", "dead weight": "yellow", CANT_TELL: "dim"}
EFFECTS = ["left", "left", "right", "right", "right", "left", "right", "right", "left"]


def for_terminal(ablation: Ablation, *, every_effect: bool = False) -> RenderableType:
    """A table of the parts, one of the effects that show something (or of all), then what to know."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    def table(head: Sequence[str], sides: Sequence[str], rows: Sequence[tuple[list[str], str]]) -> Table:
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for heading, side in zip(head, sides, strict=True):
            made.add_column(heading, justify="left" if side == "left" else "right", overflow="fold")
        for cells, verdict in rows:
            made.add_row(*(Text(cell, style=STYLES[verdict] if cell == verdict else "") for cell in cells))
        return made

    parts: list[RenderableType] = [Text(headline(ablation), style="bold magenta" if ablation.simulated else "bold")]
    parts += [Text(f"  {line}") for line in about(ablation)]
    rows = [(part_cells(one), one.verdict) for one in ablation.parts]
    parts.append(table(part_headings(ablation), ["left", "left", "left", "left", "right"], rows))
    shown = effects_shown(ablation, every_effect)
    if shown:
        effects = [(effect_cells(one, effect), effect.verdict) for one, effect in shown]
        parts.append(table(effect_headings(ablation), EFFECTS, effects))
    parts += [Text(f"note: {note}", style="dim") for note in notes(ablation)]
    return Group(*parts)


def as_markdown(ablation: Ablation) -> str:
    """For a comment on a pull request; the effects on the dimensions are folded."""
    lines = [f"## {escaped(headline(ablation))}\n", *(f"{escaped(line)}  " for line in about(ablation)), ""]
    sides = ["left", "left", "left", "left", "right"]
    lines.append(markdown_table(part_headings(ablation), sides, [part_cells(one) for one in ablation.parts]))
    cells = [effect_cells(one, effect) for one, effect in effects_shown(ablation, every_effect=True)]
    if cells:
        table = markdown_table(effect_headings(ablation), EFFECTS, cells)
        lines.append(f"<details><summary>{len(cells)} effects</summary>\n\n{table}\n</details>\n")
    lines += [f"- note: {escaped(note)}" for note in notes(ablation)]
    return "\n".join(lines) + "\n"


def as_json(ablation: Ablation) -> str:
    """``{…, parts: [{id, verdict, effects: [{measure, effect, low, high, p, …}]}]}``; unknown is null."""
    record, run = ablation.record, ablation.whole.record
    found = {
        "ablation": str(ablation.path),
        "by": record.by,
        "persona": {"name": record.persona.name, "digest": record.persona.digest},
        "model": run.model,
        "agent": run.agent,
        "simulated": ablation.simulated,
        "suite": run.suite.name,
        "tasks": run.planned,
        "attempts": run.attempts,
        "alpha": record.alpha,
        "margin": record.margin,
        "comparisons": ablation.comparisons,
        "cost": None if ablation.cost is None else str(ablation.cost),
        "coverage": _coverage_object(ablation.coverage),
        "parts": [_part_object(one) for one in ablation.parts],
        "notes": notes(ablation),
    }
    return json.dumps(found, indent=2)


def _part_object(one: PartResult) -> dict[str, Any]:
    return {
        "id": one.part.id,
        "title": one_line(one.part.title),
        "lines": one.part.lines,
        "clauses": one.part.clauses,
        "run": one.part.run,
        "verdict": one.verdict,
        "coverage": _coverage_object(one.coverage),
        "tokens_saved": {"text": one.text_tokens, "input_per_trial": one.input_tokens},
        "effects": [
            {("effect" if name == "value" else name): value for name, value in asdict(effect).items()}
            for effect in one.effects
        ],
    }


def _coverage_object(coverage: Coverage) -> dict[str, int]:
    return {**asdict(coverage), "missing": coverage.missing}


# The words that all forms share


def headline(ablation: Ablation) -> str:
    simulated = "SIMULATED · " if ablation.simulated else ""
    record = ablation.record
    count = f"each of {len(ablation.parts)} {record.by}s" if len(ablation.parts) > 1 else f"one {record.by}"
    return one_line(f"{simulated}{record.persona.name} without {count} · {ablation.whole.record.model}")


def about(ablation: Ablation) -> list[str]:
    run = ablation.whole.record
    cost = UNKNOWN if ablation.cost is None else f"${ablation.cost:.2f}"
    return [
        one_line(
            f"suite {run.suite.name}: {many(len(run.planned), 'task')} × {many(run.attempts, 'attempt')}, "
            f"{many(ablation.pairs, 'pair')} of trials a {ablation.record.by}; cost {cost}"
        ),
        f"an effect is the whole persona's mean minus that without the {ablation.record.by}: + helps, − harms",
    ]


def part_headings(ablation: Ablation) -> list[str]:
    return [f"without the {ablation.record.by}", "verdict", "effect on the score", "shown by", "tokens saved"]


def part_cells(one: PartResult) -> list[str]:
    score = one.score
    first, last = one.part.lines
    where = f"line {first}" if first == last else f"lines {first}–{last}"
    tokens = f"{one.text_tokens:,} a call"
    if one.input_tokens is not None:
        tokens += f", {one.input_tokens:,.0f} a trial"
    shown = [f"{one_line(effect.measure)} {signed(effect.value)}" for effect in one.effects if is_shown(effect)]
    return [
        f"{one_line(one.part.id)} ({where})",
        one.verdict,
        NOTHING if score is None else f"{signed(score.value)}{bracketed(score)}",
        ", ".join(shown) or NOTHING,
        tokens,
    ]


def is_shown(effect: Effect) -> bool:
    return effect.verdict in {"load-bearing", "harmful"}


def effects_shown(ablation: Ablation, every_effect: bool) -> list[tuple[PartResult, Effect]]:
    return [
        (one, effect) for one in ablation.parts for effect in one.effects if every_effect or effect.verdict != CANT_TELL
    ]


def effect_headings(ablation: Ablation) -> list[str]:
    return [
        ablation.record.by,
        "measure",
        "whole",
        "without",
        "effect",
        f"interval (all at {100 * (1 - ablation.record.alpha):g} %)",
        "pairs",
        "p",
        "verdict",
    ]


def effect_cells(one: PartResult, effect: Effect) -> list[str]:
    return [
        one_line(one.part.id),
        one_line(effect.measure),
        f"{effect.whole:.3f}",
        f"{effect.without:.3f}",
        signed(effect.value),
        interval(effect) or NOTHING,
        str(effect.pairs),
        f"{effect.p:.4f}" if effect.p >= 0.0001 else "<0.0001",
        effect.verdict,
    ]


def signed(value: float) -> str:
    """With a sign, and none for what is shown as 0."""
    shown = f"{value:+.3f}".replace("-", "−")
    return "0.000" if shown in {"+0.000", "−0.000"} else shown


def interval(effect: Effect) -> str:
    return "" if effect.low is None or effect.high is None else f"{signed(effect.low)} to {signed(effect.high)}"


def bracketed(effect: Effect) -> str:
    known = interval(effect)
    return f" ({known})" if known else ""


def notes(ablation: Ablation) -> list[str]:
    """What a reader must know before believing the verdicts."""
    record = ablation.record
    found = [
        f"{ablation.comparisons} comparisons: p by an exact sign-flip test, adjusted by Holm's method at "
        f"α {record.alpha:g}; the intervals hold all at once (Bonferroni)",
        f"dead weight: every effect is within ±{record.margin:g}; load-bearing, harmful: an effect is there, if small",
    ]
    covered = [("whole", ablation.coverage), *((one.part.run, one.coverage) for one in ablation.parts)]
    missing = sum(coverage.missing for _, coverage in covered)
    if missing:
        found.append(f"{many(missing, 'trial')} not finished; pairs without both of their trials are left out")
    found += [
        f"{name}: {coverage.invalid} of {many(coverage.planned, 'trial')} invalid (the world failed) and left out"
        for name, coverage in covered
        if coverage.invalid
    ]
    if ablation.comparisons and any(one.verdict == CANT_TELL for one in ablation.parts):
        evidence = pairs_needed(ablation.comparisons, record.alpha)
        idle = pairs_for_dead_weight(ablation.comparisons, record.margin, record.alpha)
        found.append(f"an effect takes at least {evidence} pairs to be shown, dead weight at least {idle}")
    return found


def many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
