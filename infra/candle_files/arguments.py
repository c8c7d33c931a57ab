"""What a command was asked for in words: dates, timeframes, markets; a mistake is told with what would be right."""

import difflib
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from domain.model.markets import MarketSymbol, Timeframe

_MOST_NAMES = 12

E = TypeVar("E", bound=StrEnum)


class BadArgument(Exception):
    """An argument that can't be meant."""


def timeframe(text: str) -> Timeframe:
    """Return the timeframe that is written as `1m` or `M1`; raises `BadArgument`."""
    names = {each.venue_name: each for each in Timeframe} | {each.value.lower(): each for each in Timeframe}
    found = names.get(text.strip().lower())
    if found is None:
        known = ", ".join(each.venue_name for each in Timeframe)
        raise BadArgument(f"there is no timeframe {text!r}; there are {known}")
    return found


def timeframes(text: str) -> tuple[Timeframe, ...]:
    """Return the timeframes that are named with commas, each once; raises `BadArgument`."""
    return tuple(dict.fromkeys(timeframe(part) for part in text.split(",")))


def moment(text: str, option: str) -> datetime:
    """Return the moment that is written in ISO 8601, UTC where it has no offset; raises `BadArgument`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument(f"{option} is {text!r}; write a date as 2024-01-31 or a time as 2024-01-31T12:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def zone(text: str) -> ZoneInfo:
    """Return a zone of the tz database; raises `BadArgument`."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise BadArgument(
            f"--timezone is {text!r}{nearest(text, available_timezones())}; write it as Europe/Berlin"
        ) from None


def symbol(text: str) -> MarketSymbol:
    """Return the market that is written as `venue:BASE/QUOTE`; raises `BadArgument`."""
    try:
        return MarketSymbol.parse(text)
    except ValueError as error:
        raise BadArgument(f"--market: {error}") from None


def one_of(known: type[E], text: str, option: str) -> E:
    """Return the member of a closed set; raises `BadArgument`."""
    try:
        return known(text.lower())
    except ValueError:
        values = [each.value for each in known]
        raise BadArgument(f"{option} is {text!r}{nearest(text, values)}; it may be {', '.join(values)}") from None


def unknown(what: str, name: str, known: Iterable[str]) -> BadArgument:
    """Return the error of a name that isn't among the known ones, with the nearest of them."""
    names = sorted(known)
    listed = ", ".join(names) if len(names) <= _MOST_NAMES else ""
    return BadArgument(f"there is no {what} {name!r}{nearest(name, names)}{'; there are ' if listed else ''}{listed}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean …?)` with the nearest names; nothing where none is near."""
    # Names are compared without what people leave out: BTCUSDT is near to BTC/USDT.
    plain = {each.replace("/", "").replace("-", "").upper(): each for each in known}
    found = difflib.get_close_matches(name.replace("/", "").replace("-", "").upper(), plain, 3, 0.6)
    return f" (did you mean {' or '.join(plain[each] for each in found)}?)" if found else ""
