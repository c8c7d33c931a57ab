"""Which markets one strategy may trade at once, in a trading session as in a backtest."""

from collections.abc import Sequence

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import MarketSymbol

MAX_MARKETS = 50


def market_choice_errors(markets: Sequence[MarketSymbol], most_open: int | None) -> list[InputError]:
    """Return what is wrong with a list of markets, and with how many of them may have a position."""
    errors = []
    if len(markets) > MAX_MARKETS:
        message = f"{len(markets)} markets are given; at most {MAX_MARKETS} can be traded at once."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "markets")))
    repeated = sorted({str(market) for market in markets if markets.count(market) > 1})
    if repeated:
        message = f"{repeated[0]} is given twice; name each market once."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "markets")))
    if most_open is not None and most_open < 1:
        message = f"maxOpenPositions is {most_open}; it must be at least 1."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "maxOpenPositions")))
    return errors
