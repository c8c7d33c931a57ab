"""Figures of a report: each has a name, a unit, a definition with its source, and a value that may be unknown."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class FigureGroup(StrEnum):
    """What a figure is computed from, or about."""

    RETURN = "RETURN"
    RISK = "RISK"
    RATIO = "RATIO"
    DRAWDOWN = "DRAWDOWN"
    TRADE = "TRADE"
    BENCHMARK = "BENCHMARK"


class FigureUnit(StrEnum):
    """The unit of a figure's value."""

    PERCENT = "PERCENT"
    RATIO = "RATIO"
    COUNT = "COUNT"
    DAYS = "DAYS"
    SECONDS = "SECONDS"
    AMOUNT = "AMOUNT"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure; `value` is None if it is meaningless or unknown, and a `Decimal` if the unit is AMOUNT.

    `definition` says in words how it is computed, and whose definition it is.
    """

    name: str
    label: str
    group: FigureGroup
    unit: FigureUnit
    definition: str
    value: float | Decimal | None
