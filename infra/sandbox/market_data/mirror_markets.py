"""The markets of a live venue that a mirror shows, with the live venue's own filters."""

import difflib
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from domain.core.money import ZERO
from domain.model.markets import Market
from infra.sandbox.fixed_point import PLACES
from infra.sandbox.matching.market_specs import MARKETS, MEASURED, MarketSpec
from infra.sandbox.state.store import Store

SPECS_KEY = "mirror.markets"
MOST_COINS = 1 << 60
"""What an account may hold of a currency, in units, so that the sums of some accounts can be stored."""
UNLIMITED = 10**16
"""No limit, in units of 1e-8: a hundred million coins."""

DEFAULT_SYMBOLS = tuple(f"{spec.base}/{spec.quote}" for spec in MARKETS.values())


class CannotMirror(ValueError):
    """A market that can't be mirrored, or a folder with another exchange's state."""


def units(amount: Decimal) -> int:
    """Return an amount in units of 1e-8, rounded down."""
    return int(amount.scaleb(PLACES))


def select_markets(markets: Sequence[Market], symbols: tuple[str, ...]) -> list[Market]:
    """Return the markets called `symbols`, or those of the usual ones that exist; raises `CannotMirror`."""
    active = {market.symbol.symbol: market for market in markets if market.active}
    for symbol in symbols:
        if symbol not in active:
            suggestions = difflib.get_close_matches(symbol, active, 1)
            raise CannotMirror(
                f"the live venue has no market {symbol!r}; write BASE/QUOTE"
                + (f", such as {suggestions[0]}" if suggestions else "")
            )
    found = [active[symbol] for symbol in symbols or DEFAULT_SYMBOLS if symbol in active]
    if not found:
        raise CannotMirror(f"the live venue has none of {', '.join(DEFAULT_SYMBOLS)}: name its markets by --markets")
    return found


def to_spec(market: Market) -> MarketSpec:
    """Return how the sandbox lists a live market; raises `CannotMirror` if 1e-8 is too coarse for it."""
    tick, step = _exact(market, market.price_increment), _exact(market, market.quantity_increment)
    most = UNLIMITED if market.maximum_quantity is None else min(UNLIMITED, units(market.maximum_quantity))
    return MarketSpec(
        symbol=f"{market.base}{market.quote}".upper(),
        base=market.base,
        quote=market.quote,
        tick=tick,
        min_price=tick,
        max_price=UNLIMITED,
        step=step,
        min_quantity=max(step, units(market.minimum_quantity)),
        max_quantity=most,
        market_max_quantity=most,
        min_notional=units(market.minimum_notional or Decimal(0)),
        max_notional=UNLIMITED,
        first_price=0,
        flow=MEASURED,
        max_position=MOST_COINS,
        maker_fee=max(0, units(market.maker_fee or ZERO)),
        taker_fee=max(0, units(market.taker_fee or ZERO)),
    )


def save_specs(store: Store, specs: dict[str, MarketSpec]) -> None:
    """Save the markets by their unified symbols, for a start while the live venue can't be reached."""
    store.set_meta(SPECS_KEY, msgspec.json.encode(specs).decode())
    store.commit()


def load_specs(store: Store) -> dict[str, MarketSpec]:
    """Return the markets of the last run by their unified symbols."""
    return msgspec.json.decode(store.meta(SPECS_KEY, "{}"), type=dict[str, MarketSpec])


def _exact(market: Market, increment: Decimal) -> int:
    if units(increment) <= 0 or increment.scaleb(PLACES) != units(increment):
        raise CannotMirror(f"{market.symbol} moves in steps of {increment}; a sandbox counts in units of 1e-8")
    return units(increment)
