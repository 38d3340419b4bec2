"""Let a model do the suite's tasks, grade what it delivers, print a leaderboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._judging import appointed, judge_options, show_judges
from harness.cli._options import DOLLARS, DURATION
from harness.errors import EXIT_FINE, EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, InfrastructureError, UsageError

if TYPE_CHECKING:
    from results.run_directory import RunDirectory

# What may change between the sessions of one run.
JUDGE = ("judge", "judge-votes", "judge-base-url")
KEPT_WITH_RESUME = {
    *("resume", "retry-invalid", "concurrency", "prices", "suite", "max-cost", "max-tokens", "max-time"),
    *JUDGE,
}


COUNT = click.IntRange(1)


@click.command()
@click.option("--model", help="anthropic/NAME, openai/NAME, openai-compatible/NAME, reference, nop, simulated/SKILL.")
@click.option("--agent", help="How the model is driven: tools (default) or oneshot.")
@click.option("--persona", help="A Markdown file, a bundled persona, or none. Default: data-engineer.")
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--task", multiple=True, help="Only this task (id or glob); may be repeated.")
@click.option("--attempts", type=click.IntRange(1, 1000), default=1, show_default=True, help="Trials a task.")
@click.option("--sandbox", default="auto", show_default=True, help="docker, bubblewrap, or auto (the strongest).")
@click.option("--docker-runtime", metavar="NAME", help="Run containers under it: runsc (gVisor), kata, …")
@click.option("--concurrency", type=click.IntRange(1, 256), help="Trials at a time. Default: 4, baselines: cores.")
@click.option("--effort", help="How long the model thinks: low, medium, high, … as its provider has it.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Sampling temperature. Default: the provider's.")
@click.option(
    "--max-output-tokens", type=click.IntRange(256), default=32_000, show_default=True, help="A call's limit."
)
@click.option("--base-url", help="Where an openai-compatible server answers.")
@click.option("--max-cost", type=DOLLARS, help="The run's budget, all sessions of it together. Needs a known price.")
@click.option("--max-tokens", type=COUNT, help="The same in tokens: input, output, and what the cache took and gave.")
@click.option("--max-time", type=DURATION, help="When this command makes no further call: 90s, 45m, 1.5h.")
@click.option("--trial-max-cost", type=DOLLARS, help="A trial's budget, besides the limits of its task.")
@click.option("--trial-max-output-tokens", type=COUNT, help="The same in tokens of output.")
@click.option("--trial-max-turns", type=COUNT, help="The same in answers of the model.")
@click.option("--trial-max-time", type=DURATION, help="The same in working time, which waiting for a provider isn't.")
@click.option("--prices", type=click.Path(path_type=Path), help="A TOML price table that goes before the bundled one.")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs lie."
)
@click.option("--resume", type=click.Path(path_type=Path), help="Finish what is missing of this run.")
@click.option("--retry-invalid", is_flag=True, help="With --resume: try trials again in which the world failed.")
@judge_options
@click.pass_context
def command(
    context: click.Context,
    /,
    model: str | None,
    agent: str | None,
    persona: str | None,
    suite: str,
    task: tuple[str, ...],
    attempts: int,
    sandbox: str,
    docker_runtime: str | None,
    concurrency: int | None,
    effort: str | None,
    temperature: float | None,
    max_output_tokens: int,
    base_url: str | None,
    prices: Path | None,
    runs: Path,
    resume: Path | None,
    retry_invalid: bool,
    judge: str | None,
    judge_votes: int | None,
    judge_base_url: str | None,
    **budgets_given: Any,
) -> int:
    """Run the suite: every trial is worked, frozen, executed in a fresh sandbox, and graded.

    Baselines need no key: reference (the suite's own solutions), nop (does nothing), simulated/SKILL (a coin
    of that skill; for trying things out). What a model writes runs only in Docker or bubblewrap.
    """
    from harness import persona as personas
    from harness import run
    from harness.budgets import Budgets, BudgetSpentError
    from harness.display import display
    from harness.models import ModelParameters
    from harness.sandboxes import _choice
    from harness.sandboxes._leftovers import end_at_once
    from harness.side_by_side import Interrupted
    from harness.task import load_suite, select

    given = options_given(context)
    own_suite = suite if "suite" in given else None
    check_options(given)
    judging = judge, judge_votes, judge_base_url
    budgets = Budgets(**budgets_given)
    spent: BudgetSpentError | None = None
    with display(sys.stderr) as shown:
        if resume:
            session = run.resume(resume, own_suite, shown, prices, budgets)
            judges = appointed(*judging, session.chosen.budget, prices)
        else:
            if not model:
                raise UsageError("which model?", "bench run --model reference, or --model anthropic/NAME")
            told = personas.load(persona)
            tasks = select(load_suite(suite), task)
            parameters = ModelParameters(effort, temperature, max_output_tokens, base_url)
            chosen = run.choose(model, agent, parameters, budgets)
            box = _choice.choose(sandbox, trusted=chosen.agent.trusted, docker_runtime=docker_runtime)
            judges = appointed(*judging, chosen.budget, prices)
            tasks = run.runnable(box, tasks, shown, named=bool(task))
            session = run.begin(chosen, told, tasks, attempts, box, shown, runs, prices)
        go_on = going_on(session.directory, own_suite, prices, judging)
        try:
            session.finish(shown, concurrency, retry_invalid=retry_invalid, judge=judges)
            stopped = False
        except Interrupted:
            shown.note(f"interrupted; {go_on}")
            return EXIT_INTERRUPTED
        except KeyboardInterrupt:
            stopped = True
        except BudgetSpentError as error:
            spent, stopped = error, False
        except InfrastructureError as error:
            raise InfrastructureError(error.cause, str(error), f"{go_on} --retry-invalid") from error
    if stopped:
        # A second Ctrl-C: everything finished is on disk, and what is unfinished is found again there.
        click.echo(f"stopped; {go_on}", err=True)
        end_at_once(session.configuration.sandbox.name, EXIT_INTERRUPTED)
    code = report(session.directory, suite)
    if spent:
        raise BudgetSpentError(spent.problem, f"{go_on} {spent.mend}")
    return code


def going_on(directory: RunDirectory, suite: str | None, prices: Path | None, judging: tuple[object, ...]) -> str:
    command = resuming(directory, suite)
    if prices:
        command += f" --prices {prices}"
    return f"go on with: {command}" + "".join(
        f" --{name} {value}" for name, value in zip(JUDGE, judging, strict=True) if value
    )


def resuming(directory: RunDirectory, suite: str | None) -> str:
    own = f" --suite {suite}" if suite and Path(suite).is_dir() else ""
    return f"bench run --resume {directory.path}{own}"


def check_options(given: set[str]) -> None:
    if "resume" in given and given - KEPT_WITH_RESUME:
        names = ", ".join(f"--{name}" for name in sorted(given - KEPT_WITH_RESUME))
        raise UsageError(f"a resumed run goes on as it was begun; it takes no {names}", "leave out what is named")
    if "retry-invalid" in given and "resume" not in given:
        raise UsageError("--retry-invalid belongs to a run that exists", "bench run --resume RUN --retry-invalid")


def options_given(context: click.Context) -> set[str]:
    """The options that stand on the command line, as they are written there."""
    source = click.core.ParameterSource.COMMANDLINE
    return {name.replace("_", "-") for name in context.params if context.get_parameter_source(name) is source}


def report(directory: RunDirectory, suite: str | None) -> int:
    """Print the leaderboard of this run, what was invalid, and where the run lies; ``suite`` as it was named."""
    from harness.cli._show import show
    from results import rendering
    from results.leaderboard import Run, leaderboards
    from results.text import one_line

    show(rendering.for_terminal(leaderboards([Run.read(directory)])))
    invalid = [entry for entry in directory.records() if entry.status == "invalid"]
    for entry in invalid:
        click.echo(f"invalid: {entry.task} #{entry.attempt}: {entry.cause}: {one_line(entry.problem or '')}", err=True)
    show_judges(directory)
    click.echo(f"run: {directory.path}")
    if invalid:
        click.echo(f"try those again: {resuming(directory, suite)} --retry-invalid", err=True)
        return EXIT_INFRASTRUCTURE
    return EXIT_FINE
