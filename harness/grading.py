"""What every grade of a suite is measured against."""

from __future__ import annotations

import functools

from graders.contract import Contract, read_contract
from harness import persona


@functools.cache
def suite_contract() -> Contract:
    """The deliverable the bundled persona asks for: one yardstick, whatever persona is tried."""
    contract = read_contract(persona.load(None).text)
    assert contract is not None, "the bundled persona names no deliverable"
    return contract
