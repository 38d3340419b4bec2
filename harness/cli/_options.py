"""Options whose text a function of ours reads, with its own message for what it can't."""

from __future__ import annotations

from typing import Any

import click


class Parsed(click.ParamType[Any]):
    """``parse`` names a function of ``harness.budgets``, which is loaded when it is needed."""

    def __init__(self, name: str, parse: str) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from harness import budgets

        return getattr(budgets, self._parse)(value)


DOLLARS, DURATION = Parsed("dollars", "parse_dollars"), Parsed("duration", "parse_duration")
