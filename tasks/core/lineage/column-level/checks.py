"""Derives the lineage of a project, of the next day's, of a large one, and of some that can't be read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from graders.check import check, scenario
from graders.operation import Operation
from graders.perturbations import must_end_well
from harness.errors import SubmissionFault
from harness.lab import Lab
from harness.sandboxes._box import Completed
from harness.submission import SubmissionLimits

from .world import Line, Project, World, deliver

LINEAGE = ("table_name", "column_name", "source_table", "source_column")
CATALOG = ("table_name", "column_name", "kind", "description")
STALE = ("table_name", "column_name", "description")
SHOWN = 5
MINUTE = 60.0
OPERATION = Operation(
    command="python lineage.py",
    fills=(),
    every=None,
    topics={
        "what the sources have": "sources csv column missing",
        "the dialect": "dialect select duckdb case model",
        "descriptions of what is gone": "descri vanish stale",
        "circles": "circle cycl",
    },
)


@dataclass(frozen=True)
class Written:
    """The three files after a run, each as it was found; None where there is none."""

    ended: Completed
    files: dict[str, bytes | None]

    def lines(self, name: str, columns: Line) -> list[Line]:
        """The declared columns of every line."""
        must_end_well(self.ended, "python lineage.py")
        content = self.files[name]
        if content is None:
            raise SubmissionFault(f"there is no {name}")
        try:
            reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            assert not missing, f"{name} has no column {', '.join(missing)}"
            return [tuple(str(line[column] or "") for column in columns) for line in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            raise SubmissionFault(f"{name} can't be read: {error}") from None

    def lineage(self) -> set[Line]:
        return set(self.lines("lineage.csv", LINEAGE))


def derive(lab: Lab, timeout: float | None = None) -> Written:
    ended = lab.run("python", "lineage.py", timeout=timeout)
    found = lab.box.collect("work", SubmissionLimits())
    return Written(ended, {name: found.get(name) for name in ("lineage.csv", "catalog.csv", "stale.csv")})


@scenario
def derived(lab: Lab, world: World) -> tuple[Written, Written]:
    """The project, twice."""
    deliver(world.project, lab)
    first = derive(lab)
    lab.note("the program was run a second time")
    return first, derive(lab)


@scenario
def next_day(lab: Lab, world: World) -> Written:
    deliver(world.project, lab)
    derive(lab)
    deliver(world.changed, lab)
    lab.note("the project changed: a new column, a renamed one, a model less, one more")
    return derive(lab)


@scenario
def spoiled(lab: Lab, world: World) -> tuple[Written, dict[str, Written]]:
    deliver(world.project, lab)
    before, after = derive(lab), {}
    for why, (project, _) in world.broken.items():
        deliver(project, lab)
        lab.note(f"the project was broken: {why}")
        after[why] = derive(lab)
    return before, after


@scenario
def large(lab: Lab, world: World) -> Written:
    deliver(world.large, lab)
    lab.note(f"the project had {len(world.large.models)} models")
    return derive(lab, MINUTE)


def shown(lines: set[Line]) -> str:
    listed = sorted(f"{line[0]}.{line[1]} from {line[2]}.{line[3]}" for line in lines)
    return "; ".join(listed[:SHOWN]) + (f" … and {len(listed) - SHOWN} more" if len(listed) > SHOWN else "")


def assert_traced(written: Written, project: Project, *models: str) -> None:
    missing = project.lineage(models) - written.lineage()
    assert not missing, f"lineage.csv lacks {shown(missing)}"


@check("lineage", clauses=["responsibilities/data-lineage-tracking", "constraints/document-data-lineage"])
def every_column_of_an_expression_is_a_source(derived: tuple[Written, Written], world: World) -> None:
    names = ("stg_orders", "refunds_by_order", "refund_positions", "fct_orders", "order_labels")
    assert_traced(derived[0], world.project, *(world.names.get(name, name) for name in names))


@check("lineage", clauses=["responsibilities/data-lineage-tracking"])
def stars_are_resolved(derived: tuple[Written, Written], world: World) -> None:
    assert_traced(derived[0], world.project, "stg_customers", "dim_customers", "customers_abroad")


@check("lineage", clauses=["responsibilities/data-lineage-tracking"])
def ctes_and_subqueries_are_seen_through(derived: tuple[Written, Written], world: World) -> None:
    assert_traced(derived[0], world.project, *(world.names[name] for name in ("int_rates", "fct_revenue")))


@check("lineage", clauses=["responsibilities/data-lineage-tracking"])
def a_union_goes_by_position(derived: tuple[Written, Written], world: World) -> None:
    assert_traced(derived[0], world.project, "int_all_orders", world.names["latest_status"])


@check("lineage", clauses=["responsibilities/data-lineage-tracking"])
def dead_code_is_no_source(derived: tuple[Written, Written], world: World) -> None:
    found = derived[0].lineage()
    assert found, "lineage.csv is empty"
    dead = {line for line in found if line[0] not in world.project.models}
    dead |= {line for line in found if (line[0], f"{line[2]}.{line[3]}") in world.dead}
    assert not dead, f"an unused CTE, a comment, a string or the archive is taken for a source: {shown(dead)}"


@check("lineage", clauses=["responsibilities/data-lineage-tracking"])
def what_only_chooses_rows_is_no_source(derived: tuple[Written, Written], world: World) -> None:
    found = derived[0].lineage()
    assert found, "lineage.csv is empty"
    invented = {
        line
        for line in found - world.project.lineage()
        if line[0] in world.project.models and (line[0], f"{line[2]}.{line[3]}") not in world.dead
    }
    assert not invented, f"no such column stands in the expression: {shown(invented)}"


@check("quality", clauses=["constraints/always-validate-data-quality"])
def no_line_stands_there_twice(derived: tuple[Written, Written]) -> None:
    for name, columns in (("lineage.csv", LINEAGE), ("catalog.csv", CATALOG)):
        lines = derived[0].lines(name, columns)
        twice = sorted({line for line in lines if lines.count(line) > 1})
        assert lines and not twice, f"{name} has a line twice: {twice[:SHOWN]}" if twice else f"{name} is empty"


@check("correctness", clauses=["responsibilities/data-catalog-management"])
def the_catalog_has_every_column(derived: tuple[Written, Written], world: World) -> None:
    found = {line[:3] for line in derived[0].lines("catalog.csv", CATALOG)}
    expected = {line[:3] for line in world.project.catalog()}
    missing, surplus = sorted(expected - found)[:SHOWN], sorted(found - expected)[:SHOWN]
    assert found == expected, f"catalog.csv lacks {missing}, and has {surplus} that isn't there"


@check("correctness", clauses=["responsibilities/data-catalog-management"])
def a_description_follows_its_column(derived: tuple[Written, Written], world: World) -> None:
    found = {line[:2]: line[3] for line in derived[0].lines("catalog.csv", CATALOG)}
    wrong = {
        line: found.get(line[:2], "")
        for line in sorted(world.project.catalog())
        if found.get(line[:2], "").strip() != line[3]
    }
    said = [f"{line[0]}.{line[1]}: {text!r} instead of {line[3]!r}" for line, text in wrong.items()]
    assert not wrong, f"descriptions: {'; '.join(said[:SHOWN])}"


def assert_stale(written: Written, project: Project) -> None:
    found = set(written.lines("stale.csv", STALE))
    missing, surplus = sorted(project.stale() - found), sorted(found - project.stale())
    assert not missing and not surplus, f"stale.csv lacks {missing[:SHOWN]}, and has {surplus[:SHOWN]} too many"


@check("durability", clauses=["constraints/never-lose-data", "responsibilities/data-catalog-management"])
def a_description_without_a_column_is_kept(derived: tuple[Written, Written], world: World) -> None:
    assert_stale(derived[0], world.project)


@check("idempotency", clauses=["constraints/always-implement-idempotent-pipelines"])
def running_again_writes_the_same(derived: tuple[Written, Written]) -> None:
    for name, columns in (("lineage.csv", LINEAGE), ("catalog.csv", CATALOG), ("stale.csv", STALE)):
        first, second = (sorted(written.lines(name, columns)) for written in derived)
        assert first == second, f"{name} has {len(second)} lines after the second run, {len(first)} after the first"


@check("schema_evolution", clauses=["constraints/handle-schema-evolution-gracefully"])
def the_next_days_project_is_followed(next_day: Written, world: World) -> None:
    changed = ("stg_customers", "dim_customers", "customers_abroad", "country_sizes")
    assert_traced(next_day, world.changed, *changed)
    gone = {line for line in next_day.lineage() if line[0] not in world.changed.models or line[1] == "email_address"}
    assert not gone, f"lineage.csv still has {shown(gone)}"
    found = {line[:2] for line in next_day.lines("catalog.csv", CATALOG)}
    expected = {line[:2] for line in world.changed.catalog()}
    assert found == expected, f"catalog.csv isn't in step with the project: {sorted(found ^ expected)[:SHOWN]}"
    assert_stale(next_day, world.changed)


@check("durability", clauses=["constraints/never-lose-data", "constraints/always-validate-data-quality"])
def a_project_that_cannot_be_read_changes_nothing(spoiled: tuple[Written, dict[str, Written]], world: World) -> None:
    before, after = spoiled
    must_end_well(before.ended, "python lineage.py")
    assert before.files["lineage.csv"], "there is no lineage.csv"
    for why, written in after.items():
        assert written.ended.exit_code == 1, f"{why}: the exit code is {written.ended.exit_code}, not 1"
        assert written.files == before.files, f"{why}: a file isn't as it was"


@check("quality", clauses=["constraints/always-validate-data-quality"])
def a_model_at_fault_is_named(spoiled: tuple[Written, dict[str, Written]], world: World) -> None:
    for why, written in spoiled[1].items():
        blamed = world.broken[why][1]
        # Python itself says that it finds no program; that names nothing.
        assert spoiled[0].files["lineage.csv"], "there is no lineage.csv"
        said = written.ended.stderr
        assert any(name in said for name in blamed), f"{why}: standard error names none of {blamed}: {said[-300:]!r}"


@check("scale", clauses=["constraints/test-with-production-like-volumes"])
def hundreds_of_models_take_a_minute_at_most(large: Written, world: World) -> None:
    assert_traced(large, world.large, *(name for name in world.large.models if name not in world.project.models))


# canary: c1a4c7b2-6d6e-4a07-8f0d-54f6c1f5b0e3
