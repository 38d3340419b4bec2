"""Prove the graders: references and alternates pass, mutants fail exactly what they break.

Exit code 1 if anything is not as it must be.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import EXIT_FINE, EXIT_GATE_FAILED, EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from harness.verify import Matrix, Verdict


# Kinds of cases that come to no score, and what is said of one that is as it must be.
WITHOUT_GRADE = {"lies": "caught", "furnished": "made"}


@click.command()
@click.argument("tasks", nargs=-1)
@click.option("--suite", default="core", show_default=True, help="A bundled suite, or the path of a folder of tasks.")
@click.option("--sandbox", default="auto", show_default=True, help="docker, bubblewrap, embedded or auto (embedded).")
@click.option("--docker-runtime", metavar="NAME", help="Run containers under it: runsc (gVisor), kata, …")
@click.option("--seeds", type=click.IntRange(1, 3), default=3, show_default=True, help="Hidden worlds a solution.")
@click.option("--jobs", type=click.IntRange(1), default=max(1, (os.cpu_count() or 2) // 2 + 1), help="Cases at a time.")
@click.option("--only", help="Only cases whose label holds this, like `reference` or `mutant append`.")
@click.option(
    "--quick", is_flag=True, help="One world, and few mutants: enough that every check is failed by one of them."
)
@click.option("--repeat", type=click.IntRange(1), default=1, help="Judge everything so many times (for flakes).")
@click.option(
    "--proofs",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep verdicts in this file as they come, and execute nothing again that stands there: after a kill, or a "
    "change of one task, only the rest is. A changed byte of task, solution, code or engines makes a verdict void.",
)
@click.option("--evidence", is_flag=True, help="Print why each failing check failed, also where it must.")
@click.option("--json", "as_json", is_flag=True, help="The matrix as JSON.")
def command(
    tasks: tuple[str, ...],
    suite: str,
    sandbox: str,
    docker_runtime: str | None,
    seeds: int,
    jobs: int,
    only: str | None,
    quick: bool,
    repeat: int,
    proofs: Path | None,
    evidence: bool,
    as_json: bool,
) -> int:
    """Grade every solution of TASKS (ids or globs; all without) and compare with what it must come to."""
    from harness.display import display
    from harness.grading import suite_contract
    from harness.proofs import Proofs
    from harness.run import prepare, runnable
    from harness.sandboxes import _choice
    from harness.sandboxes._leftovers import end_at_once
    from harness.side_by_side import Interrupted
    from harness.task import HIDDEN_SEEDS, load_suite, select
    from harness.verify import Case, Matrix, telling_mutants, verify

    chosen = select(load_suite(suite), tasks)
    if foreign := [task.id for task in chosen if task.manifest.foreign]:
        raise UsageError(
            f"{', '.join(foreign)}: graded by a verifier of their own, which nothing proves here",
            "bench run --model reference tells whether their solutions pass",
        )
    box = _choice.choose(sandbox, trusted=True, docker_runtime=docker_runtime)
    with display(sys.stderr) as shown:
        chosen = runnable(box, chosen, shown, named=bool(tasks))
        environments = prepare(box, chosen, shown)
    kept = Proofs(proofs, box, environments) if proofs else None

    def tell(verdict: Verdict) -> None:
        if kept:
            kept.keep(verdict)
        click.echo(line(verdict), err=True)
        if evidence and verdict.grade:
            for check in verdict.grade.checks:
                if not check.passed:
                    click.echo(f"    {check.id}: {check.evidence}", err=True)

    telling = {task.id: telling_mutants(task) for task in chosen}

    def wanted(case: Case) -> bool:
        left_out = quick and case.kind == "mutant" and case.name not in telling[case.task.id]
        return not left_out and (only is None or only in case.label)

    verdicts: list[Verdict] = []
    problems: tuple[str, ...] = ()
    try:
        for _ in range(repeat):
            matrix = verify(
                chosen,
                box,
                suite_contract(),
                seeds=HIDDEN_SEEDS[: 1 if quick else seeds],
                jobs=jobs,
                wanted=wanted,
                standing=kept.take if kept else lambda case: None,
                tell=tell,
                note=lambda text: click.echo(text, err=True),
            )
            verdicts += matrix.verdicts
            problems = matrix.problems
    except Interrupted:
        click.echo(f"interrupted; {f'what was executed is kept in {proofs}' if kept else 'nothing is kept'}", err=True)
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        end_at_once(box.name, EXIT_INTERRUPTED)
    if not verdicts:
        raise UsageError(
            f"no case's label holds {only!r}", "labels are like `reference`, `alternate NAME`, `mutant NAME`"
        )
    if kept and kept.taken:
        click.echo(f"{kept.taken} of {len(verdicts)} verdicts stood in {proofs}", err=True)
    whole = Matrix(tuple(verdicts), problems)
    if as_json:
        click.echo(to_json(whole))
    else:
        print_matrix(whole)
    return EXIT_FINE if whole.green else EXIT_GATE_FAILED


def line(verdict: Verdict) -> str:
    case = verdict.case
    score = f"{score_of(verdict)} in {verdict.grade.seconds:.1f} s" if verdict.grade else score_of(verdict)
    sign = "WRONG" if verdict.problems else "ok   "
    said = "".join(f"\n    {problem}" for problem in verdict.problems)
    return f"{sign} {case.task.id} {case.label} (seed {case.seed}): {score}{said}"


def score_of(verdict: Verdict) -> str:
    if verdict.case.kind in WITHOUT_GRADE:
        return WITHOUT_GRADE[verdict.case.kind] if not verdict.problems else "–"
    return f"{verdict.grade.score:.2f}" if verdict.grade else "invalid"


def print_matrix(matrix: Matrix) -> None:
    from rich.table import Table
    from rich.text import Text

    from harness.cli._show import show
    from results.text import printable

    table = Table("task", "case", "seed", "score", "failed checks", "verdict")
    for verdict in matrix.verdicts:
        case, grade = verdict.case, verdict.grade
        lost = sorted(grade.failed) if grade else []
        table.add_row(
            case.task.id,
            case.label,
            str(case.seed),
            score_of(verdict),
            "all" if case.kind == "nop" and not verdict.problems else ", ".join(lost),
            Text("wrong", "red") if verdict.problems else Text("as it must be", "green"),
        )
    show(table)
    for problem in matrix.problems:
        show(Text.assemble(("wrong", "red"), f" {printable(problem)}"))
    wrong = sum(1 for verdict in matrix.verdicts if verdict.problems) + len(matrix.problems)
    show("all green" if matrix.green else f"{wrong} wrong")


def to_json(matrix: Matrix) -> str:
    import json

    return json.dumps(
        {
            "green": matrix.green,
            "problems": list(matrix.problems),
            "cases": [
                {
                    "task": verdict.case.task.id,
                    "kind": verdict.case.kind,
                    "name": verdict.case.name,
                    "seed": verdict.case.seed,
                    "score": verdict.grade.score if verdict.grade else None,
                    "resolved": verdict.grade.resolved if verdict.grade else None,
                    "failed": sorted(verdict.grade.failed) if verdict.grade else [],
                    "must_fail": sorted(verdict.case.must_fail),
                    "seconds": round(verdict.grade.seconds, 2) if verdict.grade else None,
                    "problems": list(verdict.problems),
                }
                for verdict in matrix.verdicts
            ],
        },
        indent=2,
    )
