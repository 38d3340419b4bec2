"""Options whose text a function of ours reads, with its own message for what it can't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from harness.errors import UsageError


class Parsed(click.ParamType[Any]):
    """``parse`` names a function of ``harness.budgets``, which is loaded when it is needed."""

    def __init__(self, name: str, parse: str) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from harness import budgets

        return getattr(budgets, self._parse)(value)


DOLLARS, DURATION = Parsed("dollars", "parse_dollars"), Parsed("duration", "parse_duration")


def form_option(name: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that has the command print in another form: its ``form`` is ``name``, and None without any.

    Two of them together are a usage error, for only one can be printed.
    """

    def choose(context: click.Context, parameter: click.Parameter, given: bool) -> None:
        chosen = context.params.setdefault("form", None)
        if given and chosen:
            raise UsageError(f"--{chosen} and --{name} are two forms of one output", "choose one of them")
        if given:
            context.params["form"] = name

    return click.option(f"--{name}", is_flag=True, expose_value=False, callback=choose, help=help)
