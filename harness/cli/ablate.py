"""Which sections or clauses of a persona matter: run the suite with each left out, paired with the whole."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.cli._options import form_option
from harness.errors import EXIT_FINE, EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, InfrastructureError, UsageError

if TYPE_CHECKING:
    from harness.ablation import Prospect
    from results.planning import Pilot

# What may be said of an ablation that was begun; the rest is as it was begun.
KEPT_WITH_RESUME = {
    "resume",
    "retry-invalid",
    "concurrency",
    "prices",
    "suite",
    "persona",
    "yes",
    "every-effect",
}


@click.command()
@click.option("--persona", help="A Markdown file or a bundled persona. Default: data-engineer.")
@click.option("--model", help="anthropic/NAME, openai/NAME, openai-compatible/NAME, simulated/clauses:FILE.")
@click.option("--by", type=click.Choice(["section", "clause"]), default="section", show_default=True, help="Left out.")
@click.option("--part", multiple=True, help="Only leave out this section or clause (id or glob); may be repeated.")
@click.option("--agent", help="How the model is driven: tools (default) or oneshot.")
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--task", multiple=True, help="Only this task (id or glob); may be repeated.")
@click.option(
    "--attempts", type=click.IntRange(1, 1000), default=3, show_default=True, help="Trials a task and persona."
)
@click.option("--sandbox", default="auto", show_default=True, help="docker, bubblewrap, or auto (the strongest).")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Trials at a time. Default: 4, baselines: cores.")
@click.option("--effort", help="How long the model thinks: low, medium, high, … as its provider has it.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Sampling temperature. Default: the provider's.")
@click.option(
    "--max-output-tokens", type=click.IntRange(256), default=32_000, show_default=True, help="A call's limit."
)
@click.option("--base-url", help="Where an openai-compatible server answers.")
@click.option("--prices", type=click.Path(path_type=Path), help="A TOML price table that goes before the bundled one.")
@click.option("--pilot", type=click.Path(path_type=Path), help="A run to take variance and cost from.")
@click.option("--trial-cost", type=click.FloatRange(0), help="Dollars a trial. Default: the pilot's.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.05,
    show_default=True,
    help="Dead weight has no effect as large.",
)
@click.option("--alpha", type=click.FloatRange(0.001, 0.2), default=0.05, show_default=True, help="False-alarm rate.")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs lie."
)
@click.option("--yes", is_flag=True, help="Begin without asking.")
@click.option("--resume", type=click.Path(path_type=Path), help="Finish what is missing of this ablation; show it.")
@click.option("--retry-invalid", is_flag=True, help="With --resume: try trials again in which the world failed.")
@click.option("--every-effect", is_flag=True, help="Show also the effects that nothing can be told of.")
@form_option("markdown", "GitHub-flavoured Markdown.")
@form_option("json", "Everything as JSON.")
@click.pass_context
def command(
    context: click.Context,
    persona: str | None,
    model: str | None,
    by: Literal["section", "clause"],
    part: tuple[str, ...],
    agent: str | None,
    suite: str,
    task: tuple[str, ...],
    attempts: int,
    sandbox: str,
    concurrency: int | None,
    effort: str | None,
    temperature: float | None,
    max_output_tokens: int,
    base_url: str | None,
    prices: Path | None,
    pilot: Path | None,
    trial_cost: float | None,
    margin: float,
    alpha: float,
    runs: Path,
    yes: bool,
    resume: Path | None,
    retry_invalid: bool,
    every_effect: bool,
    form: str | None,
) -> int:
    """Run the suite with the whole persona, and once without each of its sections (or clauses).

    Trials are paired: the same task, attempt and hidden world, with and without. Each section's effect on the score and
    on every dimension is told with an interval, adjusted for the number of comparisons, and a verdict: load-bearing,
    harmful, dead weight, or that this budget can't tell. What it costs and what it can find is said before it begins.
    """
    from harness import ablation, run
    from harness import persona as personas
    from harness.cli.plan import read_pilot
    from harness.cli.run import options_given
    from harness.display import display
    from harness.models import ModelParameters
    from harness.sandboxes import _choice
    from harness.task import load_suite, select

    given = options_given(context)
    own_suite = suite if "suite" in given else None
    if resume and given - KEPT_WITH_RESUME:
        names = ", ".join(f"--{name}" for name in sorted(given - KEPT_WITH_RESUME))
        raise UsageError(f"an ablation goes on as it was begun; it takes no {names}", "leave out what is named")
    if retry_invalid and not resume:
        raise UsageError("--retry-invalid belongs to an ablation that exists", "bench ablate --resume DIR")
    if resume:
        if persona:
            ablation.require_persona(resume, personas.load(persona))
        path = resume
    else:
        if not model:
            raise UsageError("which model?", "bench ablate --persona FILE --model anthropic/NAME")
        told = personas.load(persona)
        left_out = ablation.chosen_parts(told, by, part)
        tasks = select(load_suite(suite), task)
        chosen = run.choose(model, agent, ModelParameters(effort, temperature, max_output_tokens, base_url))
        box = _choice.choose(sandbox, trusted=chosen.agent.trusted)
        known = read_pilot(pilot) if pilot else None
        cost = _trial_cost(trial_cost, known, needs_model=chosen.agent.needs_model)
        prospect = ablation.prospect(by, len(left_out), tasks, attempts, cost, known, margin, alpha)
        for line in _told(told.name, prospect):
            click.echo(line, err=True)
        if not yes and not _agreed():
            click.echo("nothing was begun", err=True)
            return EXIT_FINE
        with display(sys.stderr) as shown:
            path = ablation.create(chosen, told, left_out, by, tasks, attempts, box, shown, runs, margin, alpha)
    stopped = _finish(path, own_suite, prices, concurrency, retry_invalid=retry_invalid)
    return stopped or _report(path, form, every_effect=every_effect)


def _finish(path: Path, suite: str | None, prices: Path | None, concurrency: int | None, *, retry_invalid: bool) -> int:
    """Do what is missing, one run after the other; an exit code if it was stopped."""
    from harness import ablation, run
    from harness.display import display
    from harness.sandboxes._leftovers import end_at_once
    from harness.side_by_side import Interrupted

    go_on = f"go on with: bench ablate --resume {path}"
    if suite and Path(suite).is_dir():
        go_on += f" --suite {suite}"
    missing = ablation.unfinished(path, retry_invalid=retry_invalid)
    for number, directory in enumerate(missing, start=1):
        with display(sys.stderr) as shown:
            shown.note(f"run {number} of {len(missing)}: {directory.record.persona.name}")
            session = run.resume(directory.path, suite, shown, prices)
            try:
                session.finish(shown, concurrency, retry_invalid=retry_invalid)
                continue
            except Interrupted:
                shown.note(f"interrupted; {go_on}")
                return EXIT_INTERRUPTED
            except KeyboardInterrupt:
                pass
            except InfrastructureError as error:
                raise InfrastructureError(error.cause, str(error), f"{go_on} --retry-invalid") from error
        # A second Ctrl-C: everything finished is on disk, and what is unfinished is found again there.
        click.echo(f"stopped; {go_on}", err=True)
        end_at_once(session.configuration.sandbox.name, EXIT_INTERRUPTED)
    return EXIT_FINE


def _report(path: Path, form: str | None, *, every_effect: bool) -> int:
    from results import ablation_rendering as rendering
    from results.ablation import read_ablation

    found = read_ablation(path)
    if form == "json":
        click.echo(rendering.as_json(found))
    elif form == "markdown":
        click.echo(rendering.as_markdown(found), nl=False)
    else:
        from harness.cli._show import show

        show(rendering.for_terminal(found, every_effect=every_effect))
        click.echo(f"ablation: {path}")
    if found.coverage.invalid or any(one.coverage.invalid for one in found.parts):
        click.echo(f"try the invalid trials again: bench ablate --resume {path} --retry-invalid", err=True)
        return EXIT_INFRASTRUCTURE
    return EXIT_FINE


def _trial_cost(asked: float | None, pilot: Pilot | None, *, needs_model: bool) -> Decimal | None:
    if asked is not None:
        return Decimal(str(asked))
    if not needs_model:
        return Decimal(0)
    return pilot.cost if pilot else None


def _told(name: str, prospect: Prospect) -> list[str]:
    """What is said before anything is paid for."""
    from results.ablation_rendering import many
    from results.text import one_line

    by, cost = prospect.by, prospect.cost
    detects = prospect.detects
    lines = [
        f"{name}, whole and without {f'each of {prospect.parts} {by}s' if prospect.parts > 1 else f'one {by}'}: "
        f"{many(prospect.tasks, 'task')} × {many(prospect.attempts, 'attempt')}, {many(prospect.trials, 'trial')}",
        "cost: unknown (a pilot tells: --pilot RUN; or say it: --trial-cost DOLLARS)"
        if cost is None
        else f"cost: about ${cost:,.2f} (${prospect.trial_cost:,.2f} a trial)",
        f"asks {prospect.comparisons:,} questions (each {by}'s effect on the score and each dimension), each of up to "
        f"{prospect.pairs} pairs of trials, at α {prospect.alpha:g} by Holm's method",
        f"smallest effect on a score that is found with 80 %: {'none' if detects is None else f'{detects:.3f}'} "
        f"({prospect.noise.source})",
    ]
    evidence, idle = prospect.attempts_for_evidence, prospect.attempts_for_dead_weight
    if prospect.attempts < evidence:
        lines.append(f"too few: nothing can be shown with fewer than {evidence} attempts a task")
    if prospect.attempts < idle:
        lines.append(
            f"no {by} can be shown to be dead weight (within ±{prospect.margin:g}) with fewer than {idle} attempts "
            "a task"
        )
    return [one_line(line) for line in lines]


def _agreed() -> bool:
    """Whether the user wants it."""
    click.echo("begin? [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise UsageError("nobody answered, so nothing was begun", "begin without being asked: --yes")
    return answer.strip().casefold() in {"y", "yes"}
