"""Which column of a file holds what: by the names that many sources use, or as `--columns` says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra.candle_files.arguments import BadArgument, nearest
from infra.candle_files.errors import UnusableFileError

FIELDS = ("time", "open", "high", "low", "close", "volume")
PRICES = FIELDS[1:5]
NO_VOLUME = "none"

INDEX_NAMES = ("", "unnamed: 0", "index", "index level 0")
"""What pandas calls an index without a name."""
_TIME_NAMES = (
    "open time", "opentime", "time open", "timestamp", "unix timestamp", "unix", "ts", "datetime", "date time",
    "gmt time", "utc time", "local time", "start time", "starttime", "start at", "window start", "date", "time",
    "start", "t", *INDEX_NAMES,
)  # fmt: skip
"""In the order in which they are taken where a file has several, as `unix` beside `date`; a nameless index last."""
_CLOCK_NAMES = ("time", "hour", "timestamp")
"""What the other half is called where the day stands in a column of its own."""
_PRICE_NAMES = {name: (name, f"{name} price", f"{name}price", f"price {name}", name[0]) for name in PRICES}
_VOLUME_NAMES = ("volume", "vol", "base volume", "volume base", "base asset volume", "v")
_VOLUME_OF = re.compile(r"(?:volume|vol) (\S+)|(\S+) volume")


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """What `--columns` says: a name or a number from 1 for some fields; a time may be two, a day and a clock's time."""

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def numbered(self) -> bool:
        """Whether any column is given by its number."""
        return any(each.isdigit() for several in self.given.values() for each in several)


@dataclass(frozen=True, slots=True)
class Traded:
    """The currencies of the market that a file is of, by which its columns of volume are told apart."""

    base: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the fields are among the columns: `time` one or two of them, `volume` None where there is none."""

    time: tuple[int, ...]
    prices: tuple[int, ...]
    volume: int | None

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """The places of open, high, low, close and volume."""
        return (*self.prices, self.volume)


def parse_columns(text: str) -> ColumnChoice:
    """Return what `--columns` says, as in `time=Date+Time,volume=Vol` or `time=1,…`; raises `BadArgument`."""
    given: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        columns = tuple(each.strip() for each in value.split("+")) if name == "time" else (value,)
        if not equals or not all(columns) or "0" in columns:
            raise BadArgument(f"--columns has {part.strip()!r}; write each as field=name or field=number from 1")
        if name not in FIELDS:
            raise BadArgument(f"--columns has {name!r}{nearest(name, FIELDS)}; the fields are {', '.join(FIELDS)}")
        if name in given:
            raise BadArgument(f"--columns has {name} twice")
        if len(columns) > 2:  # noqa: PLR2004  # a day and a clock's time
            raise BadArgument("--columns: a time is one column, or two as in time=Date+Time")
        given[name] = columns
    return ColumnChoice(given)


def normal(name: str) -> str:
    """Return a column's name as it is compared: `<VOL>` and `Volume_(BTC)` as `vol` and `volume btc`."""
    return " ".join(re.sub(r"[<>()\[\]*._\s-]+", " ", name).lower().split())


def has_prices(names: Sequence[str]) -> bool:
    """Tell whether all four prices are among the names."""
    return all(_first_of(_PRICE_NAMES[price], [normal(name) for name in names]) is not None for price in PRICES)


def is_time_name(name: str) -> bool:
    """Tell whether a column of that name holds times."""
    return normal(name) in _TIME_NAMES[: -len(INDEX_NAMES)]


def named_columns(
    source: str, names: Sequence[str], choice: ColumnChoice, traded: Traded, *, told_as: str = "its columns are"
) -> Places:
    """Return where the fields are among named columns; raises `UnusableFileError` saying what is missing or unclear."""
    known = [normal(name) for name in names]
    chosen = {name: _chosen(source, columns, names) for name, columns in choice.given.items()}
    time = chosen.get("time") or _found(_first_of(_TIME_NAMES, known))
    prices = {name: chosen.get(name) or _found(_first_of(_PRICE_NAMES[name], known)) for name in PRICES}
    wants_volume = choice.given.get("volume") != (NO_VOLUME,)
    volume = (chosen.get("volume") or _volume(source, names, known, traded)) if wants_volume else ()
    found = {"time": time, **prices, "volume": volume}
    missing = [name for name in FIELDS if not found[name] and (wants_volume or name != "volume")]
    if missing:
        told = ", ".join(names)[:200]
        without = f"; {NO_VOLUME} for a volume that isn't there, which is stored as 0" if "volume" in missing else ""
        raise UnusableFileError(
            source,
            f"there is no column {' nor '.join(missing)}; {told_as} {told}. Say which it is, by its name or number, "
            f"as in --columns {','.join(f'{name}=…' for name in missing)}{without}",
        )
    return Places(time, tuple(place for name in PRICES for place in prices[name]), volume[0] if volume else None)


def clock_column(names: Sequence[str], day: int) -> int | None:
    """Return which column may hold the clock's time that belongs to a column of days."""
    known = [normal(name) for name in names]
    return next((place for place, name in enumerate(known) if place != day and name in _CLOCK_NAMES), None)


def numbered_columns(source: str, width: int, choice: ColumnChoice) -> Places:
    """Return where the fields are in lines without a header; raises `UnusableFileError` if one isn't given."""
    missing = [name for name in FIELDS if name not in choice.given]
    if missing:
        raise UnusableFileError(source, f"without a header --columns must tell all; {', '.join(missing)} is not told")
    names = [str(number) for number in range(1, width + 1)]
    chosen = {
        name: _chosen(source, columns, names) for name, columns in choice.given.items() if columns != (NO_VOLUME,)
    }
    volume = chosen.get("volume", ())
    prices = tuple(place for name in PRICES for place in chosen[name])
    return Places(chosen["time"], prices, volume[0] if volume else None)


def _chosen(source: str, columns: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    places = []
    for column in columns:
        exact = next((place for place, name in enumerate(names) if name == column), None)
        close = next((place for place, name in enumerate(names) if normal(name) == normal(column)), None)
        place = close if exact is None else exact
        if place is None and column.isdigit() and int(column) <= len(names):
            place = int(column) - 1
        if place is None and column != NO_VOLUME:
            told = ", ".join(names)[:200]
            raise UnusableFileError(source, f"--columns names {column!r}{nearest(column, names)}; there are {told}")
        places += [] if place is None else [place]
    return tuple(places)


def _volume(source: str, names: Sequence[str], known: Sequence[str], traded: Traded) -> tuple[int, ...]:
    """Return the column of the volume in base currency; of `Volume BTC` and `Volume USDT` the market tells which."""
    plain = _first_of(_VOLUME_NAMES, known)
    if plain is not None:
        return (plain,)
    of = {(match[1] or match[2]): place for place, name in enumerate(known) if (match := _VOLUME_OF.fullmatch(name))}
    if traded.base.lower() in of:
        return (of[traded.base.lower()],)
    others = [place for currency, place in of.items() if currency != traded.quote.lower()]
    if traded.quote.lower() in of and len(others) == 1:
        return (others[0],)
    if of:
        listed = " or ".join(f"--columns volume={names[place]!r}" for place in of.values())
        raise UnusableFileError(
            source, f"none of its volumes is called after {traded.base or 'the base currency'}; say {listed}"
        )
    return ()


def _first_of(candidates: Sequence[str], known: Sequence[str]) -> int | None:
    return next((known.index(name) for name in candidates if name in known), None)


def _found(place: int | None) -> tuple[int, ...]:
    return () if place is None else (place,)
