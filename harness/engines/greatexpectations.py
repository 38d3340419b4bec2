"""Great Expectations 1, forked warm for every validation.

A suite is a JSON file in the work folder, in the form that ``ExpectationSuite.to_json_dict`` writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pydantic

from harness.engines import Engine
from harness.sandboxes._box import Completed

CALLS = "gx_calls"
VALIDATION_TIME = 60.0  # seconds


@dataclass(frozen=True)
class Expected:
    """What one expectation came to. ``raised`` says why it couldn't be looked at; it then counts as failed."""

    type: str
    kwargs: Mapping[str, Any]
    success: bool
    unexpected: int
    raised: str


@dataclass(frozen=True)
class Validation:
    """A suite held against a file. ``completed`` is only ok if it could be run, whatever came of it."""

    completed: Completed
    success: bool = False
    expectations: tuple[Expected, ...] = field(default=())

    @property
    def failed(self) -> tuple[Expected, ...]:
        return tuple(one for one in self.expectations if not one.success)


class GreatExpectations(Engine):
    """Suites on CSV files, read by pandas."""

    name: ClassVar[str] = "greatexpectations"
    fidelity: ClassVar[str] = (
        "Great Expectations 1.24, the real library, on pandas; no cloud, no data docs, analytics off. Suites of before "
        "1.0 are refused."
    )
    starts_slowly: ClassVar[bool] = True

    def validate(
        self,
        suite: str,
        data: str,
        *,
        types: Mapping[str, str] | None = None,
        moments: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
    ) -> Validation:
        """The suite in a file of the work folder, held against a CSV file below ``$DATA``.

        ``types`` are pandas' names by column, ``moments`` columns with a point in time; others are text.
        """
        self.box.preload(CALLS)
        arguments = {
            "suite": f"{self.box.path('work')}/{suite}",
            "data": f"{self.box.path('data')}/{data}",
            "types": dict(types or {}),
            "moments": list(moments),
            "parameters": dict(parameters or {}),
        }
        return read(self.box.call(CALLS, "validate", arguments, timeout=VALIDATION_TIME))


class Raw(pydantic.BaseModel):
    """What ``runtime/gx_calls.py`` says of a validation."""

    success: bool = False
    expectations: tuple[Expected, ...] = ()
    error: str = ""


def read(done: Completed) -> Validation:
    if not done.ok:
        return Validation(done)
    try:
        raw = Raw.model_validate(done.result)
    except pydantic.ValidationError:
        return Validation(Completed(1, done.stdout, f"no account of the validation\n{done.stderr[-1000:]}"))
    if raw.error:
        return Validation(Completed(1, done.stdout, raw.error))
    return Validation(done, raw.success, raw.expectations)


ENGINE = GreatExpectations
