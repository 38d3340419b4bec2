"""Comparing rows as multisets, with declared types and a difference a person can read.

Only the declared columns are compared: what else a table carries (audit columns, load times) is its author's.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from harness.tables import Table

SHOWN = 5
LONGEST_VALUE = 80  # characters
# Beyond it, rows that are nearly equal are not looked for: a table of rubbish must not take hours.
MOST_PAIRS = 4_000_000
Types = Mapping[str, str]
Row = Mapping[str, Any]


class WrongTypeError(AssertionError):
    """A value can't be what its column is declared to be."""


def canonical(value: Any, kind: str, column: str) -> Any:
    """A value as its declared type: integer, decimal, decimal(n) (rounded to n places), float, text, date,
    timestamp (naive, UTC), boolean. NULL stays NULL."""
    if value is None:
        return None
    try:
        match kind.partition("(")[0]:
            case "integer" if not isinstance(value, bool | str) and int(value) == value:
                return int(value)
            case "decimal" if not isinstance(value, bool | str):
                places = int(kind[len("decimal(") : -1]) if "(" in kind else 6
                number = decimal.Decimal(str(value)).quantize(decimal.Decimal(1).scaleb(-places))
                if number.is_finite():
                    return number + 0  # no negative zero
            case "float" if not isinstance(value, bool | str):
                return float(value)
            case "text" if isinstance(value, str):
                return value
            case "boolean" if isinstance(value, bool):
                return value
            case "date" if isinstance(value, datetime.datetime) and value.time() == datetime.time():
                return value.date()
            case "date" if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
                return value
            case "timestamp" if isinstance(value, datetime.datetime):
                if value.tzinfo:
                    value = value.astimezone(datetime.UTC).replace(tzinfo=None)
                return value
            case "timestamp" if isinstance(value, datetime.date):
                return datetime.datetime.combine(value, datetime.time())
    except (TypeError, ValueError, OverflowError, decimal.InvalidOperation):
        pass
    raise WrongTypeError(f"column {column} holds {value!r} ({type(value).__name__}), which is no {kind}")


def canonical_rows(rows: Table | Iterable[Row], types: Types) -> list[tuple[Any, ...]]:
    """The declared columns of every row, in the declared order. A column that is missing is an assertion's end."""
    if isinstance(rows, Table):
        positions, kinds = positions_of(rows, types), list(types.items())
        return [
            tuple(
                canonical(row[position], kind, column)
                for position, (column, kind) in zip(positions, kinds, strict=True)
            )
            for row in rows.rows
        ]
    return [tuple(canonical(row[column], kind, column) for column, kind in types.items()) for row in rows]


def positions_of(table: Table, columns: Iterable[str]) -> list[int]:
    """Where the columns stand in a table. One that is missing is an assertion's end."""
    # Warehouses fold the case of names differently; authors quote them or don't.
    folded = {column.lower(): column for column in table.columns}
    wanted = list(columns)
    missing = [column for column in wanted if column.lower() not in folded]
    assert not missing, f"{table.name} has no column {', '.join(missing)}; it has {', '.join(table.columns)}"
    return [table.columns.index(folded[column.lower()]) for column in wanted]


def rows_with(table: Table, column: str, values: Collection[Any], types: Types) -> Table:
    """Those rows of a table whose column has one of the values; all declared columns have to be there."""
    place = [name.lower() for name in types].index(column.lower())
    looked_at = zip(table.rows, canonical_rows(table, types), strict=True)
    return Table(table.name, table.columns, tuple(row for row, seen in looked_at if seen[place] in values))


def difference(
    actual: Sequence[tuple[Any, ...]],
    expected: Sequence[tuple[Any, ...]],
    columns: Sequence[str],
    tolerance: float = 0.0,
) -> str:
    """What is missing, unexpected or counted wrongly, a few rows of each; empty if the multisets are equal."""
    found, wanted = Counter(actual), Counter(expected)
    missing, surplus = list((wanted - found).elements()), list((found - wanted).elements())
    if tolerance and len(missing) * len(surplus) <= MOST_PAIRS:
        missing, surplus = without_near_pairs(missing, surplus, tolerance)
    if not missing and not surplus:
        return ""
    lines = [f"{len(actual)} rows, expected {len(expected)}; columns: {', '.join(columns)}"]
    for title, rows in (("missing", missing), ("unexpected", surplus)):
        if rows:
            lines.append(f"{len(rows)} {title}:")
            lines += [f"  {show(row)}" for row in sorted(rows, key=repr)[:SHOWN]]
            if len(rows) > SHOWN:
                lines.append(f"  … and {len(rows) - SHOWN} more")
    twice = [row for row, count in found.items() if count > wanted[row] > 0]
    if twice:
        lines.append(f"{len(twice)} of the unexpected are repetitions of right rows")
    return "\n".join(lines)


def without_near_pairs(
    missing: list[tuple[Any, ...]], surplus: list[tuple[Any, ...]], tolerance: float
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    left = []
    for row in missing:
        near = next((other for other in surplus if is_near(row, other, tolerance)), None)
        if near is None:
            left.append(row)
        else:
            surplus.remove(near)
    return left, surplus


def is_near(one: tuple[Any, ...], other: tuple[Any, ...], tolerance: float) -> bool:
    def same(a: Any, b: Any) -> bool:
        if isinstance(a, float | decimal.Decimal) and isinstance(b, float | decimal.Decimal):
            return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
        return bool(a == b)

    return all(same(a, b) for a, b in zip(one, other, strict=True))


def show(row: tuple[Any, ...]) -> str:
    """A row in one line from which each value can be told again: ``(1, NULL, "Ng, Lee")``."""
    return "(" + ", ".join(map(_shown, row)) + ")"


def _shown(value: Any) -> str:
    """Plain, or a JSON string where a text would not be told from what is around it: a submission chose it."""
    text = "NULL" if value is None else str(value)[:LONGEST_VALUE]
    if not isinstance(value, str):
        return text
    is_plain = text.isprintable() and text == text.strip() and not {'"', ","} & set(text) and text not in {"", "NULL"}
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def assert_same_rows(
    actual: Table | Iterable[Row],
    expected: Table | Iterable[Row],
    types: Types,
    *,
    why: str = "",
    tolerance: float = 0.0,
) -> None:
    """Both hold the same rows the same number of times, in any order, looked at by the declared columns.

    ``why`` opens the message with what it means that they differ.
    """
    found, wanted = canonical_rows(actual, types), canonical_rows(expected, types)
    gap = difference(found, wanted, list(types), tolerance)
    name = actual.name if isinstance(actual, Table) else "rows"
    assert not gap, f"{why + ': ' if why else ''}{name}: {gap}"


def assert_unique(table: Table, *columns: str) -> None:
    """No two rows have the same values in the columns."""
    positions = positions_of(table, columns)
    counts = Counter(tuple(row[position] for position in positions) for row in table.rows)
    repeated = [key for key, count in counts.items() if count > 1]
    assert not repeated, (
        f"{table.name}: {len(repeated)} values of ({', '.join(columns)}) occur more than once, e.g. {show(repeated[0])}"
    )
