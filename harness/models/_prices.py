"""What calls cost, by a dated table that a user can override. An unknown price is unknown, never nothing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pydantic

from harness.errors import UsageError
from harness.models import Usage

MILLION = Decimal(1_000_000)


class Price(pydantic.BaseModel):
    """US dollars for a million tokens of each sort."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    input: Decimal = pydantic.Field(ge=0)
    output: Decimal = pydantic.Field(ge=0)
    cache_read: Decimal = pydantic.Field(ge=0)
    cache_write: Decimal = pydantic.Field(ge=0)


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    date: str
    sources: tuple[str, ...] = ()
    models: dict[str, Price]


@dataclass(frozen=True)
class Prices:
    """A price table; ``date`` says of when, and is stored with a run."""

    date: str
    models: Mapping[str, Price]

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """Dollars for the usage of ``provider/name``; ``None`` if its price isn't known."""
        undated = re.sub(r"-(\d{8}|\d{4}-\d{2}-\d{2})$", "", model)
        price = self.models.get(model) or self.models.get(undated)
        if price is None:
            return None
        total = (
            price.input * usage.input_tokens
            + price.output * usage.output_tokens
            + price.cache_read * usage.cache_read_tokens
            + price.cache_write * usage.cache_write_tokens
        )
        return total / MILLION


def load_prices(override: Path | None = None) -> Prices:
    """The bundled table, with a user's file laid over it model by model."""
    bundled = _read(Path(__file__).with_name("prices.toml"))
    if override is None:
        return Prices(bundled.date, bundled.models)
    own = _read(override)
    return Prices(own.date, {**bundled.models, **own.models})


def cost(model: str, usage: Usage, prices: Prices | None = None) -> Decimal | None:
    return (prices or load_prices()).cost(model, usage)


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal))
    except OSError as error:
        raise UsageError(f"the price file {path} can't be read: {error.strerror}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"the price file {path} is wrong at {where}: {first['msg']}",
            'it is of the form: date = "2026-01-31", [models], '
            '"provider/name" = { input = 1, output = 5, cache_read = 0.1, cache_write = 1.25 }',
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the price file {path} is not valid TOML: {error}") from None
