"""The names under which market data travels on the bus."""

from domain.model.markets import MarketSymbol

FEED_DEMAND = "feed-demand"
"""A node requests the feed of the market that the message names; repeated while somebody there follows it."""

CANDLES_DEMAND = "candles-demand"
"""A node requests that past candles be stored; the message is `domain.market_data.codec.CandlesDemand`."""

MARKETS_DEMAND = "markets-demand"
"""A node requests that the markets of the venue that the message names be loaded again: their filters have changed."""

MARKETS_CHANGED = "markets-changed"
"""The stored markets of the venue that the message names have changed."""


def depth_topic(market: MarketSymbol) -> str:
    """Return the topic of the market's whole books."""
    return f"depth:{market}"


def trades_topic(market: MarketSymbol) -> str:
    """Return the topic of the market's trades, in batches."""
    return f"trades:{market}"


def candles_topic(market: MarketSymbol) -> str:
    """Return the topic of the market's candles, forming and closed, of all timeframes in batches."""
    return f"candles:{market}"


def ticker_topic(market: MarketSymbol) -> str:
    """Return the topic of the market's ticker."""
    return f"ticker:{market}"


def status_topic(market: MarketSymbol) -> str:
    """Return the topic of the state of the market's feed."""
    return f"feed-status:{market}"
