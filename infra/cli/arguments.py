"""Parses the arguments of commands; an error says what would be right."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from domain.core.money import MAX_AMOUNT, parse_decimal
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading import RiskLimits
from domain.risk.limit_validation import limit_name
from infra.candle_files.columns import FIELDS, ColumnChoice
from infra.candle_files.errors import did_you_mean

_MAX_LISTED_NAMES = 12

E = TypeVar("E", bound=StrEnum)


class BadArgument(Exception):
    """An argument that can't be used; it ends the command with one line, which typer's own error doesn't do."""


def parse_timeframe(text: str) -> Timeframe:
    """Return the timeframe that is written as `1m` or `M1`; raises `BadArgument`."""
    names = {timeframe.venue_name: timeframe for timeframe in Timeframe}
    names |= {timeframe.value.lower(): timeframe for timeframe in Timeframe}
    found = names.get(text.strip().lower())
    if found is None:
        known = ", ".join(timeframe.venue_name for timeframe in Timeframe)
        raise BadArgument(f"there is no timeframe {text!r}; there are {known}")
    return found


def parse_timeframes(text: str) -> tuple[Timeframe, ...]:
    """Return the timeframes of a list with commas, each once; raises `BadArgument`."""
    return tuple(dict.fromkeys(parse_timeframe(part) for part in text.split(",")))


def parse_time(text: str, option: str) -> datetime:
    """Return a time in ISO 8601, which is UTC if it has no offset; raises `BadArgument`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument(f"{option} is {text!r}; write a date as 2024-01-31 or a time as 2024-01-31T12:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def parse_zone(text: str) -> ZoneInfo:
    """Return a zone of the tz database; raises `BadArgument`."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise BadArgument(
            f"--timezone is {text!r}{did_you_mean(text, available_timezones())}; write it as Europe/Berlin"
        ) from None


def parse_market(text: str) -> MarketSymbol:
    """Return the market that is written as `venue:BASE/QUOTE`; raises `BadArgument`."""
    try:
        return MarketSymbol.parse(text)
    except ValueError as error:
        raise BadArgument(f"--market: {error}") from None


def parse_choice(choices: type[E], text: str, option: str) -> E:
    """Return a member of a closed set; raises `BadArgument`."""
    try:
        return choices(text.lower())
    except ValueError:
        values = [choice.value for choice in choices]
        raise BadArgument(f"{option} is {text!r}{did_you_mean(text, values)}; it may be {', '.join(values)}") from None


def parse_amount(text: str, option: str, *, is_positive: bool = False, below: Decimal = MAX_AMOUNT) -> Decimal:
    """Return a number from 0, or above it if it `is_positive`, to less than `below`; raises `BadArgument`."""
    try:
        value = parse_decimal(text)
    except ValueError as error:
        raise BadArgument(f"{option} is {text!r}, which {error}") from None
    if not 0 <= value < below or (is_positive and not value):
        least = "more than 0" if is_positive else "from 0"
        raise BadArgument(f"{option} is {text}; it must be {least} to less than {below:f}")
    return value


def parse_parameters(texts: Iterable[str]) -> dict[str, Decimal]:
    """Return the values of parameters that are written as `name=value`; raises `BadArgument`."""
    values: dict[str, Decimal] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or name in values:
            why = "has it twice" if name in values else "can't be read; write it as name=value"
            raise BadArgument(f"--parameter {text!r}: {why}")
        try:
            values[name] = parse_decimal(value)
        except ValueError as error:
            raise BadArgument(f"--parameter {name}: {value!r} {error}") from None
    return values


def parse_risk_limits(text: str) -> RiskLimits:
    """Return the limits that are written as `maxDailyLoss=100,coolDownLosses=3`; raises `BadArgument`."""
    names = {limit_name(field.name): field.name for field in fields(RiskLimits)}
    values: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in names:
            raise BadArgument(f"--risk-limits has {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}")
        if not equals or names[name] in values:
            raise BadArgument(f"--risk-limits {part!r}: write each limit once, as {name}=value")
        try:
            parse_decimal(value)
            msgspec.convert({names[name]: value}, RiskLimits, strict=False)
        except ValueError:  # also that of msgspec
            raise BadArgument(
                f"--risk-limits {name}: {value!r} is no number, or not the whole one that it must be"
            ) from None
        values[names[name]] = value
    return msgspec.convert(values, RiskLimits, strict=False)


def parse_columns(text: str) -> ColumnChoice:
    """Return the `--columns` option, as in `time=Date+Time,volume=Vol` or `time=1,…`; raises `BadArgument`."""
    given: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        columns = tuple(column.strip() for column in value.split("+")) if name == "time" else (value,)
        if not equals or not all(columns) or "0" in columns:
            raise BadArgument(f"--columns has {part.strip()!r}; write each as field=name or field=number from 1")
        if name not in FIELDS:
            raise BadArgument(f"--columns has {name!r}{did_you_mean(name, FIELDS)}; the fields are {', '.join(FIELDS)}")
        if name in given:
            raise BadArgument(f"--columns has {name} twice")
        if len(columns) > 2:  # noqa: PLR2004  # a day and a clock's time
            raise BadArgument("--columns: a time is one column, or two as in time=Date+Time")
        given[name] = columns
    return ColumnChoice(given)


def unknown_name(what: str, name: str, known: Iterable[str]) -> BadArgument:
    """Return the error for a name that isn't among the known ones, with the nearest of them."""
    names = sorted(known)
    listed = ", ".join(names) if len(names) <= _MAX_LISTED_NAMES else ""
    suggestion = did_you_mean(name, names)
    return BadArgument(f"there is no {what} {name!r}{suggestion}{'; there are ' if listed else ''}{listed}")
