"""Great Expectations: what a suite finds, what is refused instead of misread, and a suite that never ends."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from harness.engines import greatexpectations
from harness.engines.greatexpectations import GreatExpectations, Validation
from harness.lab import Lab
from tests.engines.conftest import begin, open_lab

pytestmark = pytest.mark.engines

USERS = "id,email,age,at\nU1,ada@shop.example,36,2026-03-02T10:00:00\nU1,,200,2026-03-01T10:00:00\n"
UNIQUE = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}
FRESH = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "at", "min_value": {"$PARAMETER": "day"}}}
GROWN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "max_value": 120}}
EXISTS = {"type": "expect_column_to_exist", "kwargs": {"column": "id"}}


@pytest.fixture(scope="module")
def gx_lab() -> Iterator[Lab]:
    with open_lab(["greatexpectations"]) as lab:
        yield lab


def validate(lab: Lab, suite: object, day: str = "2026-03-02T00:00:00") -> Validation:
    begin(lab, {"suite.json": suite if isinstance(suite, str) else json.dumps(suite)})
    lab.deliver({"users.csv": USERS})
    return lab.use(GreatExpectations).validate(
        "suite.json", "users.csv", types={"age": "Int64"}, moments=["at"], parameters={"day": day}
    )


def test_each_expectation_says_what_it_came_to(gx_lab: Lab) -> None:
    found = validate(gx_lab, {"name": "users", "expectations": [UNIQUE, FRESH, GROWN, EXISTS]})
    assert found.completed.ok
    assert not found.success
    assert {one.type: one.unexpected for one in found.failed} == {UNIQUE["type"]: 2, GROWN["type"]: 1}
    assert not any(one.raised for one in found.expectations)


def test_a_parameter_is_put_in(gx_lab: Lab) -> None:
    suite = {"name": "users", "expectations": [FRESH]}
    assert validate(gx_lab, suite).success
    assert not validate(gx_lab, suite, "2026-03-03T00:00:00").success


def test_an_expectation_that_cannot_be_run_fails_and_says_why(gx_lab: Lab) -> None:
    found = validate(gx_lab, {"name": "users", "expectations": [{**UNIQUE, "kwargs": {"column": "nowhere"}}]})
    assert found.completed.ok
    assert not found.success
    assert "nowhere" in found.failed[0].raised


REFUSED = {
    "a suite of before 1.0": (
        {"expectation_suite_name": "users", "expectations": [{"expectation_type": UNIQUE["type"], "kwargs": {}}]},
        "`expectation_type` is now `type`",
    ),
    "an expectation that isn't there": (
        {"name": "users", "expectations": [{"type": "expect_the_best", "kwargs": {}}]},
        "no expectation expect_the_best",
    ),
    "an argument that isn't there": (
        {"name": "users", "expectations": [{**UNIQUE, "kwargs": {"columns": "id"}}]},
        "column",
    ),
    "no list": ({"name": "users", "expectations": {"id": "unique"}}, "no JSON object with a list"),
    "no JSON": ("expectations:\n  - unique\n", "can't be read"),
    "a nest without end": ("[" * 100_000, "can't be read"),
}


@pytest.mark.parametrize(("suite", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_be_misread_is_refused(gx_lab: Lab, suite: object, said: str) -> None:
    found = validate(gx_lab, suite)
    assert not found.completed.ok
    assert not found.success
    assert said in found.completed.explain()


def test_a_suite_that_never_ends_is_ended(gx_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greatexpectations, "VALIDATION_TIME", 4.0)
    regex = {
        "type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "email", "regex": r"^(\w+\s?[@.]?)+$!"},
    }
    begin(gx_lab, {"suite.json": json.dumps({"name": "users", "expectations": [regex]})})
    gx_lab.deliver({"users.csv": f"email\n{'a' * 60}!\n"})
    assert gx_lab.use(GreatExpectations).validate("suite.json", "users.csv").completed.timed_out
    monkeypatch.undo()
    assert validate(gx_lab, {"name": "users", "expectations": [EXISTS]}).success
