"""How numbers, times and units are written on a page."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from domain.core.money import plain, rounded
from domain.model.statistics import Figure, FigureUnit

UNKNOWN = "–"  # noqa: RUF001  # a dash, as tables have it
_MINUS = "\N{MINUS SIGN}"
_HOUR, _DAY = 3_600, 86_400
_SMALL = 1
_LARGE_RATIO = 1e6


def amount(value: Decimal | None) -> str:
    """Return an amount: two decimals from 1 on, the digits that mean something below."""
    if value is None:
        return UNKNOWN
    text = f"{value:,.2f}" if abs(value) >= _SMALL or not value else plain(rounded(value))
    return text.replace("-", _MINUS)


def percent(value: float | None, *, signed: bool = False, decimals: int = 2) -> str:
    """Return a percentage."""
    if value is None:
        return UNKNOWN
    return f"{value:{'+' if signed else ''},.{decimals}f}\N{NARROW NO-BREAK SPACE}%".replace("-", _MINUS)


def ratio(value: float | None) -> str:
    """Return a number without a unit."""
    if value is None:
        return UNKNOWN
    text = f"{value:.3g}" if abs(value) >= _LARGE_RATIO else f"{value:,.2f}"
    return text.replace("-", _MINUS)


def duration(seconds: float | None) -> str:
    """Return a length of time in the two units that fit."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    days, rest = divmod(whole, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((index for index, (value, _) in enumerate(parts) if value), len(parts) - 1)
    return " ".join(f"{value:,} {unit}" for value, unit in parts[first : first + 2] if value) or "0 s"


def moment(at: datetime | None) -> str:
    """Return a time (UTC) to the minute."""
    return UNKNOWN if at is None else f"{at:%Y-%m-%d %H:%M}"


def day(at: datetime) -> str:
    """Return a date (UTC)."""
    return f"{at:%Y-%m-%d}"


def words(name: str) -> str:
    """Return the name of an enum's member in words."""
    return name.replace("_", " ").lower()


def value_of(figure: Figure) -> str:
    """Return the value of a figure with its unit."""
    value = figure.value
    if value is None or isinstance(value, Decimal):
        return amount(value)
    writers: dict[FigureUnit, Callable[[float], str]] = {
        FigureUnit.PERCENT: percent,
        FigureUnit.COUNT: lambda count: f"{count:,.0f}",
        FigureUnit.DAYS: lambda days: duration(days * _DAY),
        FigureUnit.SECONDS: duration,
    }
    return writers.get(figure.unit, ratio)(value)


def sign_class(value: Decimal | float | None) -> str | None:
    """Return the class of a gain or a loss."""
    return None if not value else "gain" if value > 0 else "loss"
