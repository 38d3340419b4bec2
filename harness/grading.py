"""What every grade of a suite is measured against, and a grade as JSON."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from graders.contract import Contract, read_contract
from graders.grade import Grade
from harness import persona

if TYPE_CHECKING:
    from results.judges import Opinion


@functools.cache
def suite_contract() -> Contract:
    """The deliverable the bundled persona asks for: one yardstick, whatever persona is tried."""
    contract = read_contract(persona.load(None).text)
    assert contract is not None, "the bundled persona names no deliverable"
    return contract


def to_json(graded: Grade, said: Opinion | None = None) -> str:
    """The whole grade, with what is computed from its checks: ``score``, ``resolved``, ``dimensions``.

    What a judge ``said`` stands beside it, as ``judge``.
    """
    whole = {**asdict(graded), "score": graded.score, "resolved": graded.resolved, "dimensions": graded.dimensions}
    if said:
        whole["judge"] = said.model_dump(mode="json")
    return json.dumps(whole, indent=2)
