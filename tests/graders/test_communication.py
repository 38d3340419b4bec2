from collections.abc import Callable
from pathlib import Path

import pytest

from graders.communication import (
    assumptions_about_the_source_are_stated,
    flow_diagram_names_the_real_ends,
    freshness_is_a_number,
    trade_off_names_its_cost,
)

HERE = Path(__file__).parent / "deliverables"
GOOD = (HERE / "good.md").read_text()
ENDS = {
    "good": (["landing/orders/*.csv", "landing/orders"], ["warehouse.fct_orders"]),
    "headings-and-mermaid": (["raw.orders"], ["analytics.fct_orders"]),
    "bold-labels": (["stage.user_changes"], ["dim_users"]),
    "boxes-and-nested-lists": (["clicks"], ["public.sessions"]),
    "remarks-and-shared-lines": (["customers_<batch>.jsonl"], ["customers"]),
    "setext-and-steps": (["/v2/customers"], ["crm.customers"]),
    "terse-with-emoji": (["inbox/stores_2026.csv", "inbox"], ["mart.stores"]),
}
Check = Callable[[str], list[str]]
STATEMENTS: tuple[Check, ...] = (
    assumptions_about_the_source_are_stated,
    freshness_is_a_number,
    trade_off_names_its_cost,
)


def test_every_style_is_tried() -> None:
    assert {path.stem for path in HERE.glob("*.md")} == set(ENDS)


@pytest.mark.parametrize("name", ENDS)
def test_a_correct_deliverable_passes_in_any_style(name: str) -> None:
    text = (HERE / f"{name}.md").read_text()
    assert flow_diagram_names_the_real_ends(text, *ENDS[name]) == []
    assert [check(text) for check in STATEMENTS] == [[], [], []]


def cut(start: str, end: str, replace: str = "") -> str:
    return GOOD[: GOOD.index(start)] + replace + (GOOD[GOOD.index(end) :] if end else "")


MUTANTS = {
    "no assumptions": (0, cut("### Assumptions", "### Service")),
    "empty assumptions": (0, cut("- The shop writes", "### Service", "\n")),
    "assumptions denied": (0, cut("- The shop writes", "### Service", "- None\n\n")),
    "no assumptions were made": (0, cut("- The shop writes", "### Service", "No assumptions were made at all.\n\n")),
    "assumptions left open": (0, cut("- The shop writes", "### Service", "- [Your assumptions about the source]\n\n")),
    "no freshness": (1, cut("### Service", "### Trade")),
    "freshness as an adjective": (1, cut("- Freshness", "### Trade", "- Freshness: as soon as possible\n\n")),
    "a number without a unit": (1, cut("- Freshness", "### Trade", "- Freshness: level 3\n\n")),
    "no trade-off": (2, cut("### Trade", "")),
    "trade-off as a word": (2, cut("- A day is deleted", "", "- Trade-offs were considered.\n")),
    "trade-off denied": (
        2,
        cut("- A day is deleted", "", "- There were no trade-offs to make in this simple pipeline.\n"),
    ),
    "a fact": (2, cut("- A day is deleted", "", "- A day is deleted and inserted in one transaction.\n")),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_flaw_fails_its_check_and_no_other(name: str) -> None:
    fails, text = MUTANTS[name]
    assert [bool(check(text)) for check in STATEMENTS] == [number == fails for number in range(3)]


@pytest.mark.parametrize(
    "statement",
    [
        "Freshness: 2 hours",
        "SLA: ready by 06:00 UTC",
        "**Freshness guarantee** — data is at most 90 minutes old",
        "Rows are available within five minutes of their arrival.",
        "| SLO | 99.9% of runs succeed |\n|-|-|\n| Freshness | 15 min |",
        "End-to-end latency stays under 30s.",
        "#### SLA\n\nThe mart is complete at 7 am, T+1.",
        "The report is at most a day stale.",
        "Freshness: no lag, the view reads the table itself",
        "Up to date at once: the trigger writes in the same transaction.",
    ],
)
def test_freshness_may_be_said_in_many_ways(statement: str) -> None:
    assert freshness_is_a_number(statement) == []


@pytest.mark.parametrize(
    "statement",
    [
        "**Trade-off:** full refresh is simpler, but scans the table each night.",
        "I chose MERGE instead of truncate and load; it needs a unique key and is slower.",
        "We keep every version, at the cost of a larger table that has to be vacuumed.",
        "| Decision | Chosen | Cost |\n|-|-|-|\n| late rows | 3 days of lookback | each run reads 3 days again |",
        "Rows are upserted one by one because replays must be harmless, rather than appended in bulk.",
        "- Batch rather than streaming\n  - simpler to run, but data is up to a day old",
        "### Trade-offs\n\nStoring raw files doubles the storage and lets us replay any day.",
    ],
)
def test_a_trade_off_may_be_said_in_many_ways(statement: str) -> None:
    assert trade_off_names_its_cost(statement) == []


@pytest.mark.parametrize(
    "statement",
    [
        "Assumptions: files are complete when they appear.",
        "I assumed that order ids are never used again by the shop.",
        "### Assumptions about the source\n\n1. Times are UTC.",
        "| Assumption | Why |\n|-|-|\n| keys are stable | the ticket says so |",
        "We rely on the producer to send events of one user in order.",
    ],
)
def test_assumptions_may_be_said_in_many_ways(statement: str) -> None:
    assert assumptions_about_the_source_are_stated(statement) == []


@pytest.mark.parametrize(
    ("drawing", "problem"),
    [
        ("```\nusers.csv → stg → warehouse.fct_orders\n```", "no source"),
        ("```\norders.csv → stg → somewhere\n```", "no destination"),
        ("```\nfct_orders → stg → orders.csv\n```", "lead from the destination to the source"),
        ("```mermaid\ngraph TD\n  d[(fct_orders)] --> x\n  x --> s[orders.csv]\n```", "lead from the destination"),
        ("orders.csv is loaded to fct_orders.", "no data-flow diagram"),
        ("```python\norders = Orders()\norders >> fct_orders\n```", "no data-flow diagram"),
        ("```\nfct_orders_v2 → fct_orders\n```", "no source"),
        ("```\norders_rejected → fct_orders\n```", "no source"),
    ],
)
def test_a_diagram_of_something_else_fails(drawing: str, problem: str) -> None:
    sources = ["landing/orders.csv", "landing/orders_<day>.csv"]
    found = flow_diagram_names_the_real_ends(f"### Data Flow\n\n{drawing}\n", sources, ["fct_orders"])
    assert len(found) >= 1
    assert any(problem in text for text in found)


@pytest.mark.parametrize(
    "drawing",
    [
        "landing/orders.csv -> fct_orders",
        "`orders.csv` ==> `warehouse.fct_orders`",
        "```\nfct_orders <-- orders\n```",
        "```\norders.csv\n    ↓ validate\nclean\n    ↓ load\nfct_orders\n```",
        "```\n[orders.csv] --> [validate] -->\n[fct_orders]\n```",
        "```\n+--------+     +------------+\n| orders | --> | fct_orders |\n+--------+     +------------+\n```",
        "```mermaid\nsequenceDiagram\n  participant s as orders.csv\n  participant d as fct_orders\n  s->>d: load\n```",
        '```mermaid\ngraph TD;\n  A["landing/orders.csv (daily)"]-->B{valid?};\n  B-->|yes|C[(fct_orders)];\n```',
        '```dot\ndigraph { "orders.csv" -> "stg"; "stg" -> "fct_orders"; }\n```',
        "- orders.csv → stg_orders\n- stg_orders → fct_orders",
        "```\norders.csv ──┐\nusers.csv ───┴─> load.py ─┬> rejected\n                          └> fct_orders\n```",
        "```\nusers.csv ──┬→ load.py → fct_orders\norders.csv ─┘\n```",
        "```\norders.csv --+\nusers.csv ---+--> fct_orders\n```",
    ],
)
def test_a_diagram_may_be_drawn_in_many_ways(drawing: str) -> None:
    assert flow_diagram_names_the_real_ends(f"# Flow\n\n{drawing}\n", ["landing/orders.csv"], ["fct_orders"]) == []


@pytest.mark.parametrize("file", ["orders_<day>.csv", "orders_{day}.csv", "orders_*.csv", "orders_2026-03-01.csv"])
def test_a_placeholder_of_a_files_name_may_be_filled_in(file: str) -> None:
    text = f"# Flow\n\n`{file}` → fct_orders\n"
    assert flow_diagram_names_the_real_ends(text, ["landing/orders_<day>.csv"], ["fct_orders"]) == []


def test_nothing_passes_nothing_and_too_much_is_refused() -> None:
    for text in ("", "Done.", "x " * 100_001):
        assert flow_diagram_names_the_real_ends(text, ["a"], ["b"])
        assert all(check(text) for check in STATEMENTS)
