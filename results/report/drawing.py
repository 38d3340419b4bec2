"""From templates to HTML, and the rules that keep a stranger's text a text.

1. Whatever a template prints is made printable (no terminal commands, no invisible or direction-changing characters)
   and escaped, by the environment and not by the template's author. Only ``Markup`` that this package made passes.
2. No page holds a script or a style: the Content-Security-Policy forbids them, and with them every event handler,
   every address outside of the site, and (by Trusted Types) every assignment of markup by the site's own script.
3. Addresses in the pages are put together from the site's own file names. An address that a model wrote is shown,
   never linked.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final

import jinja2
from markupsafe import Markup

from results.rendering import NOTHING, UNKNOWN, duration
from results.report.evidence import blocks
from results.report.prose import rendered
from results.text import printable

POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types transcripts",
    ]
)


def draw(template: str, path: str, **values: Any) -> str:
    """A page at ``path`` (relative to the site's root)."""
    return (
        _environment().get_template(template).render(path=path, root="../" * path.count("/"), policy=POLICY, **values)
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("results.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["bench_version"] = version("data-engineer-bench")
    environment.filters |= {
        "number": number,
        "percent": percent,
        "money": money,
        "count": count,
        "duration": duration,
        "interval": interval,
        "moment": moment,
        "words": words,
        "plural": plural,
        "level": level,
        "bytes": size,
        "sortable": lambda value: "" if value is None else value,
        "prose": rendered,
        "evidence": blocks,
    }
    return environment


def _shown(value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    return NOTHING if value is None else printable(str(value))


def number(value: float | None, places: int = 2) -> str:
    return NOTHING if value is None else f"{value:.{places}f}"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.0f}%"


def money(cost: Decimal | float | None) -> str:
    return UNKNOWN if cost is None else f"${cost:.2f}"


def count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def interval(row: Mapping[str, Any], name: str) -> str:
    """The bounds of a leaderboard's column, in its unit; empty where nothing can be said."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None or high is None:
        return ""
    return f"{100 * low:.0f}–{100 * high:.0f}%" if name == "resolved" else f"{low:.2f}–{high:.2f}"


def moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def words(name: str) -> str:
    """A check's or a dimension's name as words."""
    return name.replace("_", " ")


def plural(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def level(value: float | None) -> str:
    """The shade of a score: ``none``, ``0`` to ``4``, and ``5`` for all that there is."""
    return "none" if value is None else str(int(value * 5 + 1e-9))


def size(number: int) -> str:
    return f"{number:,} bytes" if number < 10_000 else f"{number / 1000:,.0f} kB"
