"""The choice between one market and several, which inputs have in common."""

from collections.abc import Sequence

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import MarketSymbol


def chosen_markets(market: MarketSymbol | None, markets: Sequence[MarketSymbol] | None) -> list[MarketSymbol]:
    """Return the markets of an input that has either `market` or `markets`; raises INVALID for both or neither."""
    chosen = [*(markets or ()), *([] if market is None else [market])]
    if not chosen or (markets is not None and market is not None):
        message = "Give either market, or markets with at least one."
        raise InputError(ErrorCode.INVALID, message, ("input", "market"))
    return chosen
