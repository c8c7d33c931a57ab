"""The closed candles that are stored: read, and requested of the collectors if some are missing."""

from collections.abc import Sequence
from datetime import datetime

from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.market_data.codec import CandlesDemand, encode_demand
from domain.market_data.topics import CANDLES_DEMAND
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database


async def read_newest(
    database: Database, market: MarketSymbol, timeframe: Timeframe, limit: int
) -> Sequence[Candle] | None:
    """Return the newest closed candles, oldest first, at most `limit`; None if they can't be read now."""
    page = TimeKeysetPage(limit=limit, backwards=True)
    try:
        async with database.read_only() as reading:
            return await reading.market_data.candles(market, timeframe, page)
    except Unavailable:
        return None


async def request_candles(bus: MessageBus, market: MarketSymbol, timeframe: Timeframe, start: datetime) -> None:
    """Have a collector store the candles from `start` on that aren't stored yet."""
    await bus.publish(CANDLES_DEMAND, encode_demand(CandlesDemand(market, timeframe, start)))
