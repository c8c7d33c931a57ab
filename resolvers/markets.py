"""Markets: what there is, what is seen on them now, and their history."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from typing import TypeVar

from domain.clock import to_milliseconds
from domain.errors import ErrorCode, InputError
from domain.markets.types import Candle, Market, MarketSymbol, Ticker, Timeframe, Trade, Venue
from domain.markets.views import DepthCadence, DepthLevels, DepthMode, DepthSnapshot, TradeBatch
from domain.pagination import MAX_SERIES_PAGE, CursorScope, Page, page_of, page_request, slice_page, time_key
from domain.period import check_period
from resolvers.context import RequestContext
from resolvers.depth import DepthSource
from resolvers.paging import PageArguments
from resolvers.rooms import LatestSource, MergeSource

T = TypeVar("T")


def venues(context: RequestContext) -> Sequence[Venue]:
    """Return the venues in the order of their names."""
    return context.services.venues.all()


def venue_of(context: RequestContext, market: Market) -> Venue:
    """Return the market's venue; one that is no longer configured is still named."""
    name = market.symbol.venue
    return context.services.venues.get(name) or Venue(name, live=True)


def market(context: RequestContext, symbol: MarketSymbol) -> Market | None:
    """Return a market by its symbol."""
    return context.services.markets.catalogue.get(symbol)


def markets(context: RequestContext, page: PageArguments, search: str | None) -> Page[Market]:
    """Return markets in the order of their symbols; `search` is a part of the symbol in any case."""
    wanted = search.strip().upper() if search else ""
    found = [one for one in context.services.markets.catalogue.all() if wanted in str(one.symbol).upper()]
    scope = CursorScope(f"markets:{wanted}")
    request = page_request(scope, page.first, page.after, page.last, page.before)
    return slice_page(request, found, lambda one: (str(one.symbol),))


async def ticker(context: RequestContext, one: Market) -> Ticker | None:
    """Return the present ticker; None where the feed doesn't start in 3 s."""
    return await context.services.markets.ticker(one.symbol)


async def depth(context: RequestContext, one: Market, levels: DepthLevels) -> DepthSnapshot | None:
    """Return the present book; None where the feed doesn't start in 3 s."""
    book = await context.services.markets.depth(one.symbol)
    return DepthSnapshot.of(book, levels, context.services.clock.now()) if book is not None else None


async def candles(
    context: RequestContext,
    one: Market,
    timeframe: Timeframe,
    start: datetime | None,
    end: datetime | None,
    page: PageArguments,
) -> Page[Candle]:
    """Return closed candles, oldest first; what is missing of the newest 10,000 is fetched for up to 3 s."""
    check_period(start, end)
    scope = CursorScope(f"candles:{one.symbol}:{timeframe.value}")
    request = page_request(scope, page.first, page.after, page.last, page.before, MAX_SERIES_PAGE).within(start, end)
    window = request.time_window(start, end)
    rows = await context.services.past.candles(one.symbol, timeframe, window)
    return page_of(request, rows, lambda candle: time_key(candle.open_time))


async def trades(
    context: RequestContext, one: Market, start: datetime | None, end: datetime | None, page: PageArguments
) -> Page[Trade]:
    """Return stored trades, oldest first; the newest of a cold market are waited for up to 3 s."""
    check_period(start, end)
    scope = CursorScope(f"trades:{one.symbol}")
    request = page_request(scope, page.first, page.after, page.last, page.before, MAX_SERIES_PAGE).within(start, end)
    rows = await context.services.past.trades(one.symbol, request.tied_window(start, end))
    return page_of(request, rows, lambda trade: (str(to_milliseconds(trade.at)), trade.venue_trade_id))


def depth_source(
    context: RequestContext, symbol: MarketSymbol, levels: DepthLevels, cadence: DepthCadence, mode: DepthMode
) -> DepthSource:
    """Return the shared stream of a market's book."""
    _known(context, symbol)
    return DepthSource(context.services.markets, context.services.clock, symbol, levels, cadence, mode)


def ticker_source(context: RequestContext, symbol: MarketSymbol) -> LatestSource[Ticker]:
    """Return the shared stream of a market's ticker."""
    _known(context, symbol)
    return LatestSource(_closing(context.services.markets.ticker_stream(symbol)))


def trades_source(context: RequestContext, symbol: MarketSymbol) -> MergeSource[TradeBatch]:
    """Return the shared stream of a market's trades."""
    _known(context, symbol)
    return MergeSource(_batches(context, symbol), _with_dropped, covers=lambda _snapshot, _event: False)


def candles_source(context: RequestContext, symbol: MarketSymbol, timeframe: Timeframe) -> MergeSource[Candle]:
    """Return the shared stream of a market's candles."""
    _known(context, symbol)
    return MergeSource(_closing(context.services.markets.candle_stream(symbol, timeframe)), _newest_forming)


def _known(context: RequestContext, symbol: MarketSymbol) -> Market:
    found = context.services.markets.catalogue.get(symbol)
    if found is None:
        raise InputError(ErrorCode.NOT_FOUND, f"There is no market {symbol}.", ("market",))
    return found


async def _closing(stream: AsyncIterator[T]) -> AsyncGenerator[T]:
    async for item in stream:
        yield item


async def _batches(context: RequestContext, symbol: MarketSymbol) -> AsyncGenerator[TradeBatch]:
    async for batch in context.services.markets.trade_stream(symbol):
        yield TradeBatch(batch)


def _with_dropped(queued: Sequence[TradeBatch]) -> Sequence[TradeBatch]:
    """Keep the newest batch, and count what is lost with the others."""
    missed = sum(len(batch.trades) + batch.dropped for batch in queued[:-1])
    return [TradeBatch(queued[-1].trades, queued[-1].dropped + missed)]


def _newest_forming(queued: Sequence[Candle]) -> Sequence[Candle]:
    """Keep every closed candle, and of the forming ones the newest state."""
    last = len(queued) - 1
    return [candle for index, candle in enumerate(queued) if candle.closed or index == last]
