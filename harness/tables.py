"""Rows as a trusted reader found them."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import SubmissionFault


class Row(dict[str, Any]):
    """A row by column; a column that isn't there is the submission's fault."""

    def __init__(self, table: str, values: Iterable[tuple[str, Any]]) -> None:
        super().__init__(values)
        self.table = table

    def __missing__(self, column: str) -> Any:
        raise SubmissionFault(f"{self.table} has no column {column}; it has {', '.join(self)}")


@dataclass(frozen=True)
class Table:
    """A query's result. Values: None, bool, int, float, str, Decimal, date, naive UTC datetime, bytes, list, dict."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Rows as dictionaries."""
        return (Row(self.name, zip(self.columns, row, strict=True)) for row in self.rows)

    def column(self, name: str) -> list[Any]:
        if name not in self.columns:
            raise SubmissionFault(f"{self.name} has no column {name}; it has {', '.join(self.columns)}")
        position = self.columns.index(name)
        return [row[position] for row in self.rows]

    @classmethod
    def decoded(cls, name: str, result: Mapping[str, Any]) -> Table:
        """From what ``runtime/driver/trusted_reader.py`` returns."""
        rows = tuple(tuple(decode(value) for value in row) for row in result["rows"])
        return cls(name, tuple(result["columns"]), rows)


def decode(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, content = value
    match kind:
        case "decimal":
            return decimal.Decimal(content)
        case "date":
            return datetime.date.fromisoformat(content)
        case "timestamp":
            return datetime.datetime.fromisoformat(content)
        case "float":
            return float(content)
        case "bytes":
            return bytes.fromhex(content)
        case "json":
            return json.loads(content)
        case _:
            return [decode(item) for item in content]
