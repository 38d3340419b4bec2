from __future__ import annotations

import pytest

from harness.clauses import Reading, resolve
from harness.clauses.lint import ABOUTS, Rule, lint, rules
from tests.clauses.conftest import reading_of

# A persona that holds every constraint and nothing that lint minds.
CALM = """# Data Engineer

## Constraints

- Every pipeline is idempotent
- No data is ever lost
- Data quality is validated
- Rows that come late, out of order too, are in the table after the next run

## Deliverable Format

### Overview
- Name: [Name]
"""


def found_in(text: str) -> list[str]:
    return [finding.rule for finding in lint(reading_of(text))]


def with_clause(rule: Rule, text: str) -> str:
    if rule.on == "statement":
        return f"{CALM}\n## Standards\n\n- {text}\n"
    return f"{CALM}\n## Standards\n\n### Example\n```{(*rule.languages, '')[0]}\n{text}\n```\n"


def test_the_calm_persona_is_calm() -> None:
    assert lint(reading_of(CALM)) == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_finds_its_bad_example_and_not_its_good_one(rule: Rule) -> None:
    assert found_in(with_clause(rule, rule.bad)) == [rule.name]
    assert found_in(with_clause(rule, rule.good)) == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_is_well_made(rule: Rule) -> None:
    assert rule.about in ABOUTS
    assert rule.severity in {"error", "warning"}
    assert rule.on in {"statement", "example"}
    assert all(resolve(name) == (name,) for name in rule.contradicts)
    assert bool(rule.contradicts) == (rule.about == "contradictory")


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.contradicts], ids=lambda rule: rule.name)
def test_a_contradiction_needs_something_to_contradict(rule: Rule) -> None:
    alone = with_clause(rule, rule.bad).partition("## Deliverable")[2]
    assert rule.name not in found_in(f"## Deliverable{alone}")


def test_a_finding_says_where() -> None:
    code = "```python\nimport kafka\n\nKafkaConsumer('x')\n```\n"
    text = f"## Constraints\n- Never lose data\n\n## Standards\n### Consumer\n{code}"
    finding = next(finding for finding in lint(reading_of(text)) if finding.rule == "consumer-commits-by-itself")
    assert (finding.line, finding.clause, finding.severity) == (9, "standards/consumer", "error")
    assert "constraints/never-lose-data (line 2)" in finding.says


def test_code_that_only_warns_of_a_thing_is_fine() -> None:
    assert found_in(f"{CALM}\n## Standards\n```python\n# schedule_interval= is gone\nx = 1\n```\n") == []
    assert found_in(f"{CALM}\n## Standards\n\nOn Airflow 3 `schedule_interval=` is gone\n") == []


@pytest.mark.parametrize(
    "code",
    [
        "consumer = Consumer({'group.id': 'etl', 'enable.auto.commit': False})",
        "trades['execution_date'] = trades.signed_at",
        "from airflow.providers.standard.operators.python import PythonOperator",
        "try:\n    load(row)\nexcept ValueError:\n    send_to_dead_letters(row)\n    continue",
        "dag = DAG('etl', start_date=pendulum.datetime(2026, 1, 1))",
    ],
)
def test_correct_code_in_other_styles_is_fine(code: str) -> None:
    assert found_in(f"{CALM}\n## Standards\n```python\n{code}\n```\n") == []


@pytest.mark.parametrize(
    "code",
    [
        "INSERT INTO t SELECT * FROM s WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.id = s.id);",
        "MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);",
        "select * from a where at >= (select max(at) from b)",
        "select current_date",
    ],
)
def test_correct_sql_in_other_styles_is_fine(code: str) -> None:
    assert found_in(f"{CALM}\n## Standards\n```sql\n{code}\n```\n") == []


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("Consumer({'group.id': 'etl'})", "consumer-commits-by-itself"),
        ("conf = {'enable.auto.commit': True}", "consumer-commits-by-itself"),
        ("def copy(ds, execution_date=None):\n    pass", "airflow-removed-context"),
        ("from airflow.contrib.operators import x", "airflow-2-imports"),
        ("dag = DAG('a', start_date=days_ago(1))", "airflow-moving-start-date"),
        ("args = {'start_date': datetime.now()}", "airflow-moving-start-date"),
    ],
)
def test_wrong_code_in_other_styles_is_found(code: str, rule: str) -> None:
    assert found_in(f"{CALM}\n## Standards\n```python\n{code}\n```\n") == [rule]


def test_opposites_are_an_error_in_whatever_section() -> None:
    demanded, forbidden = "- Always use full refreshes of tables", "- Never use full refreshes of tables"
    assert found_in(f"{CALM}\n## Standards\n{demanded}\n\n## Rules\n{forbidden}\n") == ["opposite-statements"]


def test_what_is_said_twice_in_a_kind_is_a_warning() -> None:
    twice = f"{CALM}\n## Rules\n- Validate the quality of data\n"
    assert found_in(twice) == ["said-twice"]
    assert found_in(f"{CALM}\n## Responsibilities\n- Validation of the quality of data\n") == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (CALM.partition("## Deliverable")[0], "no-contract"),
        ("# Cook\n\n- Bake the bread\n\n## Deliverable\n### Meal\n- Name: [Dish]\n", "nothing-to-test"),
        (f"{CALM}\n## Standards\n\n## Standards\n", "repeated-heading"),
        (f"{CALM}\n<div>x</div>\n", "not-read"),
        (f"{CALM}\n```\nx\n", "not-read"),
        (CALM.replace("lost\n", "lost <!-- tests: constraints/never-loose-data -->\n"), "unknown-canonical-clause"),
        (f"{CALM}\n```markdown\n# A\n```\nx\n```\n# B\n```\n", "nested-fence"),
    ],
)
def test_what_is_wrong_with_the_text_as_a_whole(text: str, rule: str) -> None:
    assert rule in found_in(text)


def test_the_findings_in_their_persona(theirs: Reading) -> None:
    findings = lint(theirs)
    assert [finding.rule for finding in findings if finding.severity == "error"] == [
        "airflow-schedule-interval",
        "incremental-skips-late-rows",
        "great-expectations-legacy",
        "consumer-commits-by-itself",
    ]
    warnings = {(finding.rule, finding.clause) for finding in findings if finding.severity == "warning"}
    assert warnings >= {
        ("airflow-moved-operators", "etl-pipeline-standards/airflow-dag-structure"),
        ("change-without-transaction", "data-warehouse-design/slowly-changing-dimensions"),
        ("vague-manner", "constraints/handle-schema-evolution-gracefully"),
        ("only-a-plan", "constraints/plan-for-late-arriving-data"),
        ("nested-fence", ""),
    }


def test_the_bundled_persona_has_no_error(bundled: Reading) -> None:
    assert {finding.rule for finding in lint(bundled)} == {"only-a-plan"}
