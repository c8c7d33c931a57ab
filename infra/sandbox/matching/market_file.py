"""Reads more markets from a file: JSON in the form of Binance's `exchangeInfo`, or a list of its `symbols`."""

from dataclasses import replace
from math import floor, log10
from pathlib import Path
from typing import Any

import msgspec

from infra.sandbox.fixed_point import SCALE, format_units, parse_units
from infra.sandbox.matching.market_filters import FIELDS, FilterError, with_filters
from infra.sandbox.matching.market_specs import MarketSpec, scaled_flow

MOST_COINS = 10**17
"""What an account may hold of a currency, in units: a thousand million, so that sums of all accounts can be stored."""
HIGHEST_PRICE = 10**16
TICKS_IN_PRICE = 10_000
STEP_VALUE = SCALE // 100
MAX_MARKETS = 10_000


class MarketFileError(ValueError):
    """A file that can't be read as markets; the message names the file and the market."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class _Entry(msgspec.Struct, rename="camel"):
    """One market. `price` is at which it starts; without it, 10,000 of its ticks."""

    symbol: str
    base_asset: str
    quote_asset: str
    status: str = "TRADING"
    price: str = ""
    filters: list[dict[str, Any]] = []


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Entry]


def read_market_file(path: Path) -> list[MarketSpec]:
    """Return the markets of a file that are trading; raises `MarketFileError`."""
    try:
        raw = path.read_bytes()
        entries = (
            msgspec.json.decode(raw, type=list[_Entry])
            if raw.lstrip().startswith(b"[")
            else msgspec.json.decode(raw, type=_ExchangeInfo).symbols
        )
    except OSError as error:
        raise MarketFileError(path, error.strerror or "it can't be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MarketFileError(path, f"isn't a list of markets as Binance's exchangeInfo has it: {error}") from None
    found: dict[str, MarketSpec] = {}
    for entry in entries:
        if entry.status == "TRADING":
            found[entry.symbol] = _spec(path, entry)
    if not 0 < len(found) <= MAX_MARKETS:
        raise MarketFileError(path, f"has {len(found)} markets that trade; 1 to {MAX_MARKETS} are possible")
    return list(found.values())


def _spec(path: Path, entry: _Entry) -> MarketSpec:
    names = (entry.symbol, entry.base_asset, entry.quote_asset)
    if not all(name.isascii() and name.isalnum() and name == name.upper() for name in names):
        raise MarketFileError(
            path, f"{entry.symbol!r}: a market's and a currency's name are capital letters and digits"
        )
    if entry.symbol != entry.base_asset + entry.quote_asset:
        raise MarketFileError(path, f"{entry.symbol!r} isn't {entry.base_asset!r} and {entry.quote_asset!r} together")
    given = [one for one in entry.filters if isinstance(kind := one.get("filterType"), str) and kind in FIELDS]
    tick = next((one.get("tickSize") for one in given if one["filterType"] == "PRICE_FILTER"), None)
    try:
        price = parse_units(entry.price) if entry.price else TICKS_IN_PRICE * parse_units(str(tick or "0.01"))
        if not 0 < price <= HIGHEST_PRICE:
            raise FilterError(f"its price is 0 or too high; it takes 0.00000001 to {format_units(HIGHEST_PRICE)}")
        return _on_tick(with_filters(_default(entry, price), [_known(one) for one in given]))
    except ValueError as error:
        raise MarketFileError(path, f"{entry.symbol}: {error}") from None


def _known(given: dict[str, Any]) -> dict[str, Any]:
    """Return a filter without values that the sandbox doesn't know, which Binance may have."""
    names = {"filterType", *FIELDS[given["filterType"]]}
    return {name: value for name, value in given.items() if name in names}


def _default(entry: _Entry, price: int) -> MarketSpec:
    """Return a market with the filters that one of this price usually has."""
    tick = max(1, 10 ** (floor(log10(price)) - 4))
    step = max(1, min(MOST_COINS // 1000, 10 ** floor(log10(max(1, STEP_VALUE * SCALE // price)))))
    return MarketSpec(
        entry.symbol, entry.base_asset, entry.quote_asset, tick, tick, 0, step, step, MOST_COINS, MOST_COINS, 0, 0,
        price, scaled_flow(price), max_position=MOST_COINS,
    )  # fmt: skip


def _on_tick(spec: MarketSpec) -> MarketSpec:
    """Return a market whose first price keeps to its filters."""
    price = max(spec.first_price // spec.tick * spec.tick, spec.min_price, spec.tick)
    if spec.max_price and price > spec.max_price:
        raise FilterError(f"its price {format_units(price)} is above maxPrice {format_units(spec.max_price)}")
    return replace(spec, first_price=price)
