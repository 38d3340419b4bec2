from __future__ import annotations

import pytest

from harness.clauses import Reading
from harness.clauses.difference import MAX_UNPAIRED, differences
from tests.clauses.conftest import reading_of

OLD = """## Constraints
- Never lose data
- Every table has a documented owner
- Pipelines are idempotent

## Standards
```sql
select 1
```
"""


def changes(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    found = differences(reading_of(old), reading_of(new))
    return [(one.change, one.old and one.old.id, one.new and one.new.id) for one in found]


def test_a_version_is_equal_to_itself_and_to_its_reordering(theirs: Reading, bundled: Reading) -> None:
    assert differences(theirs, theirs) == differences(bundled, bundled) == []
    lines = OLD.splitlines()
    assert changes(OLD, "\n".join([lines[0], lines[3], lines[1], lines[2], *lines[4:]])) == []


@pytest.mark.parametrize(
    ("find", "replace", "expected"),
    [
        ("- Never lose data\n", "", ("removed", "constraints/never-lose-data", None)),
        ("## Standards", "- Speak up early\n## Standards", ("added", None, "constraints/speak-up-early")),
        (
            "documented owner",
            "named owner",
            ("changed", "constraints/every-table-has-a-documented-owner", "constraints/every-table-has-a-named-owner"),
        ),
        # Not a word in common, but the same meaning.
        (
            "Pipelines are idempotent",
            "Running a day again changes nothing",
            ("changed", "constraints/pipelines-are-idempotent", "constraints/running-a-day-again-changes-nothing"),
        ),
        ("select 1", "select 2", ("changed", "standards", "standards")),
        ("Never lose data", "Never lose data (ever)", *[("changed", *["constraints/never-lose-data"] * 2)]),
    ],
)
def test_one_change_is_one_difference(find: str, replace: str, expected: tuple[str, str | None, str | None]) -> None:
    assert changes(OLD, OLD.replace(find, replace)) == [expected]


def test_what_has_nothing_in_common_is_no_pair() -> None:
    assert changes("## Rules\n- Never lose data\n", "## Rules\n- Bake bread daily\n") == [
        ("added", None, "rules/bake-bread-daily"),
        ("removed", "rules/never-lose-data", None),
    ]


def test_a_clause_that_changes_its_section_is_moved() -> None:
    assert changes("## Rules\n- Speak up\n\n## Style\n- x y\n", "## Rules\n- x z\n\n## Style\n- x y\n- Speak up\n") == [
        ("added", None, "rules/x-z"),
        ("moved", "rules/speak-up", "style/speak-up"),
    ]


def test_clauses_reworded_one_by_one_are_all_paired(theirs: Reading, bundled: Reading) -> None:
    found = differences(theirs, bundled)
    assert [one.old.id for one in found if one.change == "removed" and one.old] == [
        "role-definition/the-data-engineer-agent-is-responsible-for-building",
        "data-warehouse-design/dimensional-modeling",
    ]
    reworded = {one.new.id for one in found if one.change == "changed" and one.new}
    assert {clause.id for clause in bundled.of_kind("constraints")} <= reworded


def test_beyond_a_number_clauses_stay_unpaired() -> None:
    old = "## Rules\n" + "".join(f"- alpha{number} is one\n" for number in range(MAX_UNPAIRED + 1))
    new = old.replace("is one", "is two")
    found = differences(reading_of(old), reading_of(new))
    assert {one.change for one in found} == {"added", "removed"}
