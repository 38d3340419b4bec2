from __future__ import annotations

import pytest

from harness.clauses import Reading
from tests.clauses.conftest import reading_of

CONSTRAINTS = [
    "always-implement-idempotent-pipelines",
    "never-lose-data",
    "always-validate-data-quality",
    "document-data-lineage",
    "test-with-production-like-volumes",
    "plan-for-late-arriving-data",
    "handle-schema-evolution-gracefully",
]


def ids(reading: Reading, kind: str) -> list[str]:
    return [clause.id for clause in reading.clauses if clause.kind == kind]


def test_their_persona_is_read_as_it_is(theirs: Reading) -> None:
    fields = dict(theirs.identity.fields)
    assert fields["Agent ID"] == "`data-engineer`"
    assert fields["Collaborates With"] == "All Database Agents, Backend, Architect"
    assert theirs.identity.role.startswith("The Data Engineer Agent is responsible")
    assert [section.kind for section in theirs.sections] == [
        *["identity"] * 2,
        "responsibilities",
        "expertise",
        *["standards"] * 5,
        "deliverable",
        "collaboration",
        "constraints",
        "communication",
    ]
    assert ids(theirs, "constraints") == [f"constraints/{name}" for name in CONSTRAINTS]
    groups = {clause.group: 0 for clause in theirs.of_kind("responsibilities")}
    assert list(groups) == ["Primary", "Secondary"]
    assert len(theirs.of_kind("responsibilities")) == 11
    assert "expertise-areas/fivetran" in ids(theirs, "expertise")
    assert "expertise-areas/airbyte" in ids(theirs, "expertise")
    assert ids(theirs, "standards") == [
        "etl-pipeline-standards/airflow-dag-structure",
        "dbt-project-structure",
        "dbt-project-structure/dbt-model-example",
        "data-quality-framework/validation-rules",
        "data-quality-framework/completeness",
        "data-quality-framework/uniqueness",
        "data-quality-framework/validity",
        "data-quality-framework/consistency",
        "data-quality-framework/timeliness",
        "data-warehouse-design/dimensional-modeling",
        "data-warehouse-design/slowly-changing-dimensions",
        "streaming-patterns/kafka-consumer",
        "streaming-patterns/stream-processing",
    ]
    assert {clause.group for clause in theirs.of_kind("collaboration")} == {
        "With Database Agents",
        "With Backend",
        "With Architect",
    }
    assert not theirs.notes


@pytest.mark.parametrize("which", ["bundled", "theirs"])
def test_all_six_sections_of_the_deliverable_come_out(which: str, request: pytest.FixtureRequest) -> None:
    reading: Reading = request.getfixturevalue(which)
    names = ["Pipeline Overview", "Components", "Data Flow", "Data Quality", "Monitoring", "Runbook"]
    assert reading.contract is not None
    assert [section.name for section in reading.contract.sections] == names
    slugs = [name.lower().replace(" ", "-") for name in names]
    assert ids(reading, "deliverable") == ["deliverable-format", *(f"deliverable-format/{name}" for name in slugs)]


def test_the_two_personas_amount_to_the_same_canonical_clauses(theirs: Reading, bundled: Reading) -> None:
    for kind in ("responsibilities", "expertise", "deliverable", "collaboration", "constraints", "communication"):
        both = [
            [name for clause in reading.clauses if clause.kind == kind for name in clause.canonical]
            for reading in (theirs, bundled)
        ]
        assert both[0] == both[1]
        assert all(clause.canonical for clause in theirs.clauses if clause.kind == kind)
    theirs_standards = {name for clause in theirs.of_kind("standards") for name in clause.canonical}
    assert theirs_standards <= {name for clause in bundled.of_kind("standards") for name in clause.canonical}


def test_a_clause_knows_its_lines(theirs: Reading) -> None:
    from tests.clauses.conftest import THEIRS

    lines = THEIRS.read_text(encoding="utf-8").splitlines()
    for clause in theirs.of_kind("constraints"):
        assert lines[clause.lines[0] - 1] == f"- {clause.text}"
    for clause in theirs.clauses:
        if clause.form == "example":
            assert lines[clause.lines[0] - 1].startswith("```")
            assert lines[clause.lines[1] - 1] == "```"


def test_without_a_section_on_the_deliverable_there_is_no_contract() -> None:
    assert reading_of("# A\n\n## Constraints\n- Never lose data\n").contract is None


def test_an_id_depends_on_section_and_words_alone() -> None:
    short = reading_of("## Constraints\n- Never lose data\n")
    long = reading_of(
        "# Title\n\nWords.\n\n## Style\n* x\n\n## Constraints\n\n1. *Other*\n2. **Never** lose `data` (at all)\n"
    )
    assert "constraints/never-lose-data" in ids(short, "constraints")
    assert "constraints/never-lose-data" in ids(long, "constraints")


def test_the_number_of_a_heading_is_not_part_of_an_id() -> None:
    reading = reading_of(
        "# 1. Role\n\n# 2. Constraints\n- Never lose data\n\n# 3) Standards\n## 3.1 DAG\n```\nx\n```\n"
    )
    assert [clause.id for clause in reading.clauses] == ["constraints/never-lose-data", "standards/dag"]


def test_a_comment_on_its_own_line_is_about_the_clause_before_it() -> None:
    named = "<!-- tests: constraints/plan-for-late-arriving-data, constraints/never-lose-data -->"
    reading = reading_of(f"## Rules\n- First things first\n\n{named}\n\n- Second things second\n")
    assert [clause.canonical for clause in reading.clauses] == [
        ("constraints/plan-for-late-arriving-data", "constraints/never-lose-data"),
        (),
    ]
    assert not reading.notes


def test_equal_words_get_numbers() -> None:
    reading = reading_of("## Rules\n- Be quick\n- Be quick!\n- Be quick 2\n- be (very) quick\n")
    assert [clause.id for clause in reading.clauses] == [
        "rules/be-quick",
        "rules/be-quick-2",
        "rules/be-quick-2-2",
        "rules/be-quick-3",
    ]


def test_repeated_headings_are_one_section_in_ids_and_two_in_places() -> None:
    reading = reading_of("## Constraints\n- One thing\n\n## Style\n- x y\n\n## Constraints\n- One thing\n- Another\n")
    assert ids(reading, "constraints") == ["constraints/one-thing", "constraints/one-thing-2", "constraints/another"]
    assert [section.lines for section in reading.sections] == [(1, 3), (4, 6), (7, 10)]


def test_without_headings_every_point_is_a_clause() -> None:
    reading = reading_of("You are careful.\n\n- Never lose data\n- Explain each trade-off\n- Airflow\n")
    assert [(clause.id, clause.kind) for clause in reading.clauses] == [
        ("persona/you-are-careful", "other"),
        ("persona/never-lose-data", "other"),
        ("persona/explain-each-trade-off", "other"),
        ("persona/airflow", "other"),
    ]
    assert [clause.canonical for clause in reading.clauses[1:]] == [
        ("constraints/never-lose-data",),
        ("communication-style/explain-trade-offs-in-design-decisions",),
        ("expertise-areas/apache-airflow",),
    ]


def test_front_matter_is_identity_and_no_heading() -> None:
    reading = reading_of("---\nname: 'dee'\nmodel: big\ntags:\n  - a\n---\n\n## Constraints\n- Never lose data\n")
    assert reading.identity.fields == (("name", "dee"), ("model", "big"))
    assert [clause.lines for clause in reading.clauses] == [(9, 9)]
    assert reading_of("---\n\nname\n\n---\n- x y\n").identity.fields == ()


def test_bold_lines_and_labels_serve_as_headings() -> None:
    reading = reading_of("**Constraints**\n\n- Always:\n  - rerun safely\n- Speak up\n")
    assert [(clause.id, clause.group) for clause in reading.clauses] == [
        ("constraints/rerun-safely", "Always"),
        ("constraints/speak-up", ""),
    ]


def test_expertise_is_a_technology_each_in_lists_and_tables() -> None:
    listed = reading_of("## Skills\n- **ETL**: Airflow, dbt (core, cloud)\n")
    tabled = reading_of("## Skills\n| Area | What |\n|-|-|\n| ETL | Airflow, dbt (core, cloud) |\n")
    for reading in (listed, tabled):
        assert [(clause.text, clause.group) for clause in reading.clauses] == [
            ("Airflow", "ETL"),
            ("dbt (core, cloud)", "ETL"),
        ]


def test_a_template_with_an_equal_fence_inside_keeps_what_comes_after_it_apart() -> None:
    text = """## Deliverable

```markdown
## Done
### Flow
```
A → B
```
### Runbook
1. [How to run]
```

## Constraints
- Never lose data
"""
    reading = reading_of(text)
    assert reading.contract is not None
    assert [section.name for section in reading.contract.sections] == ["Flow", "Runbook"]
    assert reading.front.nested_fences == (3,)
    assert ids(reading, "constraints") == ["constraints/never-lose-data"]
    assert not [clause for clause in reading.clauses if clause.kind == "other"]


def test_html_is_told_and_not_read() -> None:
    reading = reading_of("<h2>Rules</h2>\n<ul><li>Never lose data</li></ul>\n\n## Constraints\n- A <b>bold</b> one\n")
    assert [clause.text for clause in reading.clauses] == ["A bold one"]
    assert [note.line for note in reading.notes] == [1]
    assert "HTML" in reading.notes[0].says


def test_an_unclosed_fence_is_told() -> None:
    reading = reading_of("## Constraints\n- One rule\n\n```python\nx = 1\n\n## Style\n- Another\n")
    assert [clause.form for clause in reading.clauses] == ["statement", "example"]
    assert [(note.line, note.is_fault) for note in reading.notes] == [(4, True)]
    assert not reading_of("```python\nx = 1\n```").notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## Einschränkungen\n- Verliere niemals Daten\n", "einschränkungen/verliere-niemals-daten"),
        ("## 制約\n- データを失わない\n", "制約/データを失わない"),
        ("## القيود\n- لا تفقد البيانات\n", "القيود/لا-تفقد-البيانات"),
        ("## नियम\n- डेटा मत खोना\n", "नियम/डेटा-मत-खोना"),
    ],
)
def test_other_languages_have_ids_and_can_name_their_canonical_clause(text: str, expected: str) -> None:
    assert [(clause.id, clause.canonical) for clause in reading_of(text).clauses] == [(expected, ())]
    named = reading_of(text.rstrip("\n") + " <!-- tests: constraints/never-lose-data -->\n")
    assert [(clause.id, clause.canonical) for clause in named.clauses] == [(expected, ("constraints/never-lose-data",))]
