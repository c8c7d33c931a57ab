"""A mirrored market over a live venue that a test scripts: what becomes of users' orders by its trades."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.core.clock import from_milliseconds
from domain.model.markets import Candle, Depth, MarketSymbol, PriceLevel, Timeframe, Trade
from domain.model.order_side import OrderSide
from infra.sandbox.market_data.mirror import MirroredMarket
from infra.sandbox.matching.market_specs import MARKETS
from infra.sandbox.orders import OrderType, Side, Status
from infra.sandbox.streams.hub import StreamHub
from infra.sandbox.streams.publisher import MarketPublisher
from tests.support.exchange import BTC, InMemoryExchange
from tests.support.waiting import eventually

LIVE = MarketSymbol("kraken", "BTC/USDT")


class Live:
    """Publishes one book, and the trades that a test hands it."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[list[Trade]] = asyncio.Queue()
        self._numbers = iter(range(1, 100))

    def traded(self, *prices: int) -> None:
        """Publish trades as one batch; their ids are no numbers that follow on each other."""
        now = datetime.now(UTC)
        self.batches.put_nowait(
            [
                Trade(LIVE, str(1_000 * next(self._numbers)), now, Decimal(price), Decimal("0.1"), OrderSide.SELL)
                for price in prices
            ]
        )

    def venue_now(self) -> datetime:
        return datetime.now(UTC)

    async def depth(self, market: MarketSymbol) -> AsyncIterator[Depth]:
        bids, asks = ((PriceLevel(Decimal(price), Decimal(2)),) for price in (59_990, 60_010))
        yield Depth(market, "", 1, bids, asks, None, datetime.now(UTC))
        await asyncio.Event().wait()

    async def trades(self, _market: MarketSymbol) -> AsyncIterator[list[Trade]]:
        while True:
            yield await self.batches.get()

    async def fetch_trades(self, _market: MarketSymbol, _limit: int) -> list[Trade]:
        return []

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, _limit: int
    ) -> list[Candle]:
        opened = timeframe.open_time(start or from_milliseconds(0))
        price = Decimal(60_000)
        return [Candle(market, timeframe, opened, price, price, price, price, Decimal(1), closed=True)]


@pytest.fixture
def small() -> Iterator[InMemoryExchange]:
    small = InMemoryExchange()
    small.market = small.exchange.open_mirrored_market(MARKETS[BTC])
    yield small
    small.exchange.store.close()


@pytest.fixture
async def live(small: InMemoryExchange) -> AsyncIterator[Live]:
    live, hub = Live(), StreamHub()
    mirrored = MirroredMarket(LIVE, live, small.exchange, hub, MarketPublisher(small.market, hub, small.exchange.clock))
    following = asyncio.create_task(mirrored.run())
    await eventually(lambda: small.market.closed_because is None, "the market is open")
    yield live
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


async def test_a_stop_goes_off_at_a_trade_in_the_middle_of_a_batch(small: InMemoryExchange, live: Live) -> None:
    ann = small.account("ann", BTC=1)
    live.traded(60_000)
    await eventually(lambda: small.market.trades, "the first trade is taken")
    stop = small.place(ann, Side.SELL, "0.5", kind=OrderType.STOP_LOSS, stop=59_500)
    live.traded(59_990, 59_400, 59_990)
    await eventually(lambda: len(small.market.trades) == 4, "the batch is taken")
    assert small.state(ann, stop).status is Status.FILLED


async def test_trades_of_other_venues_than_binance_are_counted_without_a_gap(
    small: InMemoryExchange, live: Live
) -> None:
    ann = small.account("ann", USDT=100_000)
    live.traded(60_000)
    await eventually(lambda: small.market.trades, "the first trade is taken")
    small.place(ann, Side.BUY, "0.5", kind=OrderType.MARKET)
    live.traded(60_000, 60_001)
    await eventually(lambda: len(small.market.trades) == 3, "the batch is taken")
    first, *others = (trade.id for trade in small.market.trades)
    assert others == [first + 1, first + 2]
