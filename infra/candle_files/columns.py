"""Finds a file's columns by the names that many sources use, or by the `--columns` option."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra.candle_files.errors import UnusableFileError, did_you_mean

FIELDS = ("time", "open", "high", "low", "close", "volume")
PRICES = FIELDS[1:5]
NO_VOLUME = "none"

INDEX_NAMES = ("", "unnamed: 0", "index", "index level 0")
"""Names that pandas gives to an index without a name."""
_TIME_NAMES = (
    "open time", "opentime", "time open", "timestamp", "unix timestamp", "unix", "ts", "datetime", "date time",
    "gmt time", "utc time", "local time", "start time", "starttime", "start at", "window start", "date", "time",
    "start", "t", *INDEX_NAMES,
)  # fmt: skip
"""In order of preference if a file has several, such as `unix` and `date`; a nameless index comes last."""
_CLOCK_NAMES = ("time", "hour", "timestamp")
"""Names of the time-of-day column in files that have the day in a column of its own."""
_PRICE_NAMES = {name: (name, f"{name} price", f"{name}price", f"price {name}", name[0]) for name in PRICES}
_VOLUME_NAMES = ("volume", "vol", "base volume", "volume base", "base asset volume", "v")
_VOLUME_OF = re.compile(r"(?:volume|vol) (\S+)|(\S+) volume")


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """The `--columns` option: by field a column's name or number (from 1); a time may be two columns, day and hour."""

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def numbered(self) -> bool:
        """Whether any column is given by its number."""
        return any(part.isdigit() for several in self.given.values() for part in several)


@dataclass(frozen=True, slots=True)
class TradedPair:
    """The currencies of the imported market, which distinguish a file's volume columns."""

    base: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class ColumnPositions:
    """The column index of each field: `time` is one or two columns, `volume` None if the file has none."""

    time: tuple[int, ...]
    prices: tuple[int, ...]
    volume: int | None

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """The column indices of open, high, low, close and volume."""
        return (*self.prices, self.volume)


def normalise_name(name: str) -> str:
    """Return a column's name for comparison: `<VOL>` becomes `vol`, and `Volume_(BTC)` `volume btc`."""
    return " ".join(re.sub(r"[<>()\[\]*._\s-]+", " ", name).lower().split())


def has_price_names(names: Sequence[str]) -> bool:
    """Return whether all four prices are among the names."""
    return all(_first_of(_PRICE_NAMES[price], [normalise_name(name) for name in names]) is not None for price in PRICES)


def is_time_name(name: str) -> bool:
    """Return whether a column of that name holds times."""
    return normalise_name(name) in _TIME_NAMES[: -len(INDEX_NAMES)]


def columns_by_name(
    source: str,
    names: Sequence[str],
    choice: ColumnChoice,
    traded: TradedPair,
    *,
    described_as: str = "its columns are",
) -> ColumnPositions:
    """Return the fields' positions among named columns; raises `UnusableFileError` if one is missing or unclear."""
    normalised = [normalise_name(name) for name in names]
    chosen = {name: _chosen(source, columns, names) for name, columns in choice.given.items()}
    time = chosen.get("time") or _found(_first_of(_TIME_NAMES, normalised))
    prices = {name: chosen.get(name) or _found(_first_of(_PRICE_NAMES[name], normalised)) for name in PRICES}
    needs_volume = choice.given.get("volume") != (NO_VOLUME,)
    volume = (chosen.get("volume") or _volume(source, names, normalised, traded)) if needs_volume else ()
    found = {"time": time, **prices, "volume": volume}
    missing = [name for name in FIELDS if not found[name] and (needs_volume or name != "volume")]
    if missing:
        listed = ", ".join(names)[:200]
        without = f"; {NO_VOLUME} for a volume that isn't there, which is stored as 0" if "volume" in missing else ""
        raise UnusableFileError(
            source,
            f"there is no column {' nor '.join(missing)}; {described_as} {listed}. Say which it is, by its "
            f"name or number, as in --columns {','.join(f'{name}=…' for name in missing)}{without}",
        )
    return ColumnPositions(
        time, tuple(position for name in PRICES for position in prices[name]), volume[0] if volume else None
    )


def clock_column(names: Sequence[str], day: int) -> int | None:
    """Return the column that may hold the time of day that belongs to the column `day`."""
    normalised = [normalise_name(name) for name in names]
    return next(
        (position for position, name in enumerate(normalised) if position != day and name in _CLOCK_NAMES), None
    )


def columns_by_number(source: str, width: int, choice: ColumnChoice) -> ColumnPositions:
    """Return the positions of the fields in a file without a header; raises `UnusableFileError` if one isn't given."""
    missing = [name for name in FIELDS if name not in choice.given]
    if missing:
        raise UnusableFileError(source, f"without a header --columns must name all; {', '.join(missing)} is missing")
    names = [str(number) for number in range(1, width + 1)]
    chosen = {
        name: _chosen(source, columns, names) for name, columns in choice.given.items() if columns != (NO_VOLUME,)
    }
    volume = chosen.get("volume", ())
    prices = tuple(position for name in PRICES for position in chosen[name])
    return ColumnPositions(chosen["time"], prices, volume[0] if volume else None)


def _chosen(source: str, columns: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    positions = []
    for column in columns:
        exact = next((position for position, name in enumerate(names) if name == column), None)
        close = next(
            (position for position, name in enumerate(names) if normalise_name(name) == normalise_name(column)), None
        )
        position = close if exact is None else exact
        if position is None and column.isdigit() and int(column) <= len(names):
            position = int(column) - 1
        if position is None and column != NO_VOLUME:
            listed = ", ".join(names)[:200]
            raise UnusableFileError(
                source, f"--columns names {column!r}{did_you_mean(column, names)}; there are {listed}"
            )
        positions += [] if position is None else [position]
    return tuple(positions)


def _volume(source: str, names: Sequence[str], normalised: Sequence[str], traded: TradedPair) -> tuple[int, ...]:
    """Return the column of the volume in base currency; the market decides between `Volume BTC` and `Volume USDT`."""
    plain = _first_of(_VOLUME_NAMES, normalised)
    if plain is not None:
        return (plain,)
    volumes = {
        (match[1] or match[2]): position
        for position, name in enumerate(normalised)
        if (match := _VOLUME_OF.fullmatch(name))
    }
    if traded.base.lower() in volumes:
        return (volumes[traded.base.lower()],)
    others = [position for currency, position in volumes.items() if currency != traded.quote.lower()]
    if traded.quote.lower() in volumes and len(others) == 1:
        return (others[0],)
    if volumes:
        listed = " or ".join(f"--columns volume={names[position]!r}" for position in volumes.values())
        raise UnusableFileError(
            source, f"none of its volumes is called after {traded.base or 'the base currency'}; say {listed}"
        )
    return ()


def _first_of(candidates: Sequence[str], normalised: Sequence[str]) -> int | None:
    return next((normalised.index(name) for name in candidates if name in normalised), None)


def _found(position: int | None) -> tuple[int, ...]:
    return () if position is None else (position,)
