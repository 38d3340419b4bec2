import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graders.contract import Contract, read_contract
from graders.deliverable import (
    deliverable_has_every_section,
    deliverable_is_filled_in,
    deliverable_runbook_is_complete,
)

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUNDLED = ROOT / "harness" / "personas" / "data-engineer.md"
GOOD = (HERE / "deliverables" / "good.md").read_text()
CHECKS = (deliverable_has_every_section, deliverable_is_filled_in, deliverable_runbook_is_complete)
Check = Callable[[Contract, str], list[str]]


@pytest.fixture(scope="module")
def contract() -> Contract:
    contract = read_contract(BUNDLED.read_text())
    assert contract is not None
    return contract


@pytest.mark.parametrize("path", sorted((HERE / "deliverables").glob("*.md")), ids=lambda path: path.stem)
@pytest.mark.parametrize("check", CHECKS)
def test_a_correct_deliverable_passes_in_any_style(contract: Contract, path: Path, check: Check) -> None:
    assert check(contract, path.read_text()) == []


@pytest.mark.parametrize("path", sorted((HERE / "deliverables").glob("*.md")), ids=lambda path: path.stem)
def test_line_endings_and_a_byte_order_mark_make_no_difference(contract: Contract, path: Path) -> None:
    text = "\ufeff" + path.read_text().replace("\n", "\r\n")
    assert [check(contract, text) for check in CHECKS] == [[], [], []]


def test_nothing_passes_nothing(contract: Contract) -> None:
    for text in ("", "\n", "# Data Pipeline Implementation Complete\n\nDone."):
        assert all(check(contract, text) for check in CHECKS)


def test_the_template_itself_is_no_deliverable(contract: Contract) -> None:
    persona = BUNDLED.read_text()
    template = persona[persona.index("## Data Pipeline Implementation") : persona.index("\n````\n\n## Collab")]
    assert deliverable_has_every_section(contract, template) == []
    problems = deliverable_is_filled_in(contract, template)
    for section in ("Pipeline Overview", "Components", "Data Flow", "Data Quality", "Monitoring"):
        assert any(problem.startswith(section) for problem in problems), section
    assert len(deliverable_runbook_is_complete(contract, template)) >= 3


def swap(find: str, replace: str) -> str:
    assert GOOD.count(find) == 1
    return GOOD.replace(find, replace)


def cut(start: str, end: str, replace: str = "") -> str:
    """The good deliverable with what stands from one text to the other replaced."""
    return GOOD[: GOOD.index(start)] + replace + GOOD[GOOD.index(end) :]


RUN, TROUBLE, BACKFILL, AFTER = "1. Run manually", "2. Troubleshoot", "3. Backfill", "### Assumptions"
SCHEDULE = "every day at 02:00 UTC (`0 2 * * *`), one run for each logical date"
SOURCE = "- Source(s): the shop's daily file `landing/orders/<date>.csv`\n"
RULES, THRESHOLDS, MONITORING = "- Validation rules", "- Alert thresholds", "### Monitoring"
THRESHOLD = "more than 1 % of a file's rows rejected, or no row at all, fails the run"
DASHBOARD = "the grid of the DAG `orders_daily` in Airflow; counts by day in the view `warehouse.orders_load_audit`"
ALERTS = "- Alerts: a failed run mails data-oncall@shop.example after the third retry\n"
FLOW = GOOD[GOOD.index("### Data Flow") : GOOD.index("### Data Quality")]
BULLETS = GOOD.replace(RUN, "- Run manually").replace(TROUBLE, "- Troubleshoot").replace(BACKFILL, "- Backfill")

# name: (the checks that fail, the text, what the problem quotes)
MUTANTS = {
    "type left open": ("filled", swap("Type: Batch", "Type: Batch/Streaming"), "Type is 'Batch/Streaming'"),
    "type unknown": ("filled", swap("Type: Batch", "Type: yes"), "neither Batch nor Streaming"),
    "no type": ("filled", swap("- Type: Batch\n", ""), "Type is missing"),
    "no schedule of a batch": ("filled", swap(SCHEDULE, "n/a"), "Schedule says 'n/a'"),
    "no name": ("filled", swap("`orders_daily`\n", "\n"), "Name says ''"),
    "no source": ("filled", swap(SOURCE, ""), "Source(s) is missing"),
    "destination left open": (
        "filled",
        swap("the table `warehouse.fct_orders` on PostgreSQL", "[Where it goes]"),
        "[W",
    ),
    "another placeholder": ("filled", swap("Batch\n", "Batch\n- Owner: [your team]\n"), "[your team]"),
    "components as a list": ("filled", cut("| Component |", "### Data Flow", "- Airflow, Python\n\n"), "no table"),
    "components without rows": ("filled", cut("| Orchestration", "### Data Flow", "\n"), "the table has no row"),
    "components without technology": ("filled", swap("| Technology |", "| Price |"), "no table with the columns"),
    "empty row": ("filled", cut("| Orchestration", "### Data Flow", "| Airflow | | |\n\n"), "no row is filled in"),
    "flow in words": ("filled", cut("```\nlanding", "### Data Quality", "Orders are loaded.\n\n"), "no diagram"),
    "flow of the template": ("filled", cut("```\nland", "```\n\n### Data Q", "```\nSource → Load\n"), "own"),
    "no rules": ("filled", cut(RULES, THRESHOLDS), "nothing says: Validation rules"),
    "no thresholds": ("filled", cut(THRESHOLDS, MONITORING, "\n"), "nothing says: Alert thresholds"),
    "thresholds without a value": ("filled", swap(THRESHOLD, "configured for this pipeline"), "Alert thresholds"),
    "rules of the template": (
        "filled",
        cut(RULES, MONITORING, "- Validation rules implemented\n- Alert thresholds configured\n\n"),
        "Validation rules",
    ),
    "no dashboard": ("filled", swap(DASHBOARD, "[Link]"), "Dashboard"),
    "no alerts": ("filled", swap(ALERTS, ""), "Alerts is missing"),
    "a draft": ("filled", swap("after the third retry", "TODO"), "'TODO'"),
    "in a comment": ("filled", cut(MONITORING, "### Runbook", f"{MONITORING}\n<!--\n- {ALERTS}-->\n"), "Monitoring"),
    "no monitoring": ("sections filled", cut(MONITORING, "### Runbook"), "Monitoring"),
    "wrong order": ("sections", cut("### Data Flow", "### Data Quality").replace(AFTER, FLOW + AFTER), "the order is"),
    "no runbook": ("sections runbook", cut("### Runbook", AFTER), "Runbook"),
    "no manual run": ("runbook", cut(RUN, TROUBLE), "run manually"),
    "no troubleshooting": ("runbook", cut(TROUBLE, BACKFILL), "troubleshoot"),
    "no backfill": ("runbook", cut(BACKFILL, AFTER), "backfill"),
    "bullets": ("runbook", BULLETS, "not numbered"),
    "titles only": ("runbook", cut(RUN, AFTER, f"{RUN}\n{TROUBLE}\n{BACKFILL}\n\n"), "nothing that one can do"),
    "backfill elsewhere": ("runbook", cut(BACKFILL, AFTER, "3. Backfill: see wiki\n\n"), "see wiki"),
    "backfill left open": ("runbook", cut(BACKFILL, AFTER, "3. [How to backfill]\n\n"), "How to backfill"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_flaw_fails_its_check_and_no_other(contract: Contract, name: str) -> None:
    breaks, text, evidence = MUTANTS[name]
    problems = dict(zip(("sections", "filled", "runbook"), (check(contract, text) for check in CHECKS), strict=True))
    assert " ".join(check for check, found in problems.items() if found) == breaks, problems
    assert all(any(evidence in problem for problem in problems[check]) for check in breaks.split()), problems


def test_a_stream_needs_no_schedule(contract: Contract) -> None:
    text = swap("Type: Batch", "Type: Streaming").replace(f"- Schedule: {SCHEDULE}\n", "")
    assert deliverable_is_filled_in(contract, text) == []


def test_the_documented_example_is_the_tested_one() -> None:
    assert f"````markdown\n{GOOD}````\n" in (ROOT / "docs" / "deliverable.md").read_text()


HOSTILE = {
    "quotes": "> " * 90_000,
    "lists": "\n".join("  " * depth + "- a" for depth in range(400)),
    "wide table": "|" + "a|" * 20_000 + "\n|" + "-|" * 20_000 + "\n" + ("|" + "b|" * 20_000 + "\n") * 2,
    "long table": "|a|b|\n|-|-|\n" + "|[x|`y|\n" * 20_000,
    "brackets": "[" * 190_000,
    "stars": "**a " * 45_000,
    "backticks": "".join("`" * (n % 500) + " " for n in range(700)),
    "comments": "<!--" * 45_000,
    "tags": "<a " * 60_000,
    "fences": "```\n" * 45_000,
    "markdown fences": "```markdown\n" + "```\n# a\n" * 20_000,
    "arrows": "```\n" + ("-" * 190_000) + "\n```",
    "arrow paragraphs": "a -> b\n\n" * 20_000,
    "colons": "a: " * 60_000,
    "headings": "## Runbook\n" * 15_000,
    "steps": "## Runbook\n" + "1. Run manually: x\n" * 9_000,
    "paragraph steps": "## Runbook\n" + "run\n\n" * 30_000,
    "long paragraphs of brackets": ("[" * 3_900 + "\n\n") * 50,
    "long paragraphs of comments": ("<!--" * 970 + "\n\n") * 50,
    "long paragraphs of stars": ("**a _b " * 550 + "\n\n") * 50,
    "bullets of bullets": "## Runbook\n" + "- a\n\n* b\n\n" * 18_000,
    "list steps": "## Runbook\n" + "1. a\n\n- b\n\n" * 12_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markdown_is_read_in_bounded_time(contract: Contract, name: str) -> None:
    start = time.process_time()
    for check in CHECKS:
        assert check(contract, HOSTILE[name][:200_000])
    assert time.process_time() - start < 60


def test_a_text_nobody_would_read_is_refused_at_once(contract: Contract) -> None:
    for check in CHECKS:
        assert check(contract, GOOD + "x" * 1_000_000) == [f"longer than 200,000 characters: {len(GOOD) + 1_000_000:,}"]
