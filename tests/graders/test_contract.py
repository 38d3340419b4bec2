import time
from pathlib import Path

import pytest

from graders.contract import Contract, read_contract
from graders.markdown import fence_end

ROOT = Path(__file__).parent.parent.parent
BUNDLED = ROOT / "harness" / "personas" / "data-engineer.md"
THEIRS = ROOT.parent / "shared" / "persona" / "data-engineer.md"

# Equal fences inside each other: CommonMark ends the template at the third line that starts with backticks.
NESTED = """# A plumber of data

## Standards

```python
# Not a heading
print("x")
```

## Deliverable Format

Hand in:

```markdown
## Work Done

### Overview
- Name: [What it is called]
- Type: Batch/Streaming
- Schedule: [Cron if batch]
- Source(s): [Where from]
- Destination: [Where to]

### Components
| Component | Technology | Purpose |
|-----------|------------|---------|
| Storage | DuckDB | Keeps it |

### Data Flow
```
In → Middle → Out
```

### Data Quality
- Rules that run
- Thresholds that alert

### Monitoring
- Dashboard: [URL]
- Alerts: [Who is told]

### Runbook
1. [How to run manually]
2. [How to troubleshoot]
3. [How to backfill]
```

---

## Constraints

- Loses nothing

```
a diagram → of something else
```
"""
SECTIONS = [
    ("Components", "table"),
    ("Data Flow", "diagram"),
    ("Data Quality", "items"),
    ("Monitoring", "fields"),
    ("Runbook", "steps"),
]


def contract_of(markdown: str) -> Contract:
    contract = read_contract(markdown)
    assert contract is not None
    return contract


def parts(contract: Contract, section: str) -> list[str]:
    found = contract.section(section)
    assert found is not None
    return [part.name for part in found.parts]


def test_a_template_with_a_fence_inside_a_fence_is_read_whole() -> None:
    contract = contract_of(NESTED)
    assert contract.title == "Work Done"
    assert [(s.name, s.kind) for s in contract.sections] == [("Overview", "fields"), *SECTIONS]
    assert parts(contract, "Overview") == ["Name", "Type", "Schedule", "Source(s)", "Destination"]
    assert parts(contract, "Components") == ["Component", "Technology", "Purpose"]
    assert parts(contract, "Data Flow") == ["In", "Middle", "Out"]
    assert parts(contract, "Data Quality") == ["Rules that run", "Thresholds that alert"]
    assert parts(contract, "Monitoring") == ["Dashboard", "Alerts"]
    assert parts(contract, "Runbook") == ["How to run manually", "How to troubleshoot", "How to backfill"]
    assert {"what it is called", "url", "how to backfill"} <= contract.placeholders


def test_choices_and_conditions_are_read_from_the_template() -> None:
    overview = contract_of(NESTED).section("overview")
    assert overview is not None
    fields = {part.name: part for part in overview.parts}
    assert fields["Type"].choices == ("Batch", "Streaming")
    assert fields["Schedule"].condition == "batch"
    assert fields["Name"].choices == () and fields["Name"].condition == ""


@pytest.mark.parametrize(
    ("outer", "inner"), [("````", "```"), ("~~~", "```"), ("```", "~~~"), ("```", "```mermaid"), ("```", "```text")]
)
def test_every_way_of_nesting_gives_the_same_contract(outer: str, inner: str) -> None:
    start, rest = NESTED.split("```markdown")
    template, rest = rest.split("```\n\n---")
    template = template.replace("```\nIn", f"{inner}\nIn").replace("Out\n```", f"Out\n{inner[:3]}")
    nested = f"{start}{outer}markdown{template}{outer}\n\n---{rest}"
    assert contract_of(nested) == contract_of(NESTED)


def test_a_template_may_stand_in_the_section_itself() -> None:
    template = NESTED[NESTED.index("### Overview") : NESTED.index("```\n\n---")]
    persona = f"# P\n\n## Deliverables\n\n{template}\n## Constraints\n\n- x\n"
    contract = contract_of(persona)
    assert contract.sections == contract_of(NESTED).sections


@pytest.mark.parametrize("path", [BUNDLED, THEIRS], ids=["bundled", "the user's"])
def test_the_data_engineers_contract_has_all_six_sections(path: Path) -> None:
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the checkout")
    contract = contract_of(path.read_text())
    assert contract.title == "Data Pipeline Implementation Complete"
    assert [(s.name, s.kind) for s in contract.sections] == [("Pipeline Overview", "fields"), *SECTIONS]
    assert parts(contract, "Pipeline Overview") == ["Name", "Type", "Schedule", "Source(s)", "Destination"]
    assert parts(contract, "Components") == ["Component", "Technology", "Purpose"]
    assert [name.split()[0] for name in parts(contract, "Data Quality")] == ["Validation", "Alert"]
    assert parts(contract, "Monitoring") == ["Dashboard", "Alerts"]
    assert parts(contract, "Runbook") == ["How to run manually", "How to troubleshoot", "How to backfill"]
    overview = contract.sections[0]
    assert overview.parts[1].choices == ("Batch", "Streaming")
    assert overview.parts[2].condition == "batch"


@pytest.mark.parametrize(
    "persona",
    [
        "",
        "You are a data engineer.",
        "# P\n\n## Constraints\n\n- x\n",
        "# P\n\n## Deliverable\n\nA good report.\n",
        "# P\n\n## Deliverable\n\n```python\nprint(1)\n```\n",
        "# P\n\n## Deliverable\n\n```markdown",
        "---\nname: x\n---\n\n<h2>Deliverable</h2>\n",
        "\0\0## Deliverable\n\0",
    ],
)
def test_a_persona_without_a_template_has_no_contract(persona: str) -> None:
    assert read_contract(persona) is None


def test_the_end_of_a_fence_that_is_never_closed_is_the_end_of_the_text() -> None:
    lines = ["```md", "# A", "", "## B"]
    assert fence_end(lines, 0) == len(lines)


@pytest.mark.parametrize(
    "piece", ["```\n", "# a\n```\n", "```md\n# a\n", "## Deliverable\n```\n# a\n```\n", "> - " * 50 + "\n", "|a" * 999]
)
def test_a_megabyte_of_hostile_persona_is_read_in_bounded_time(piece: str) -> None:
    persona = "## Deliverable\n\n```markdown\n" + piece * (1_000_000 // len(piece))
    start = time.process_time()
    read_contract(persona)
    assert time.process_time() - start < 60
