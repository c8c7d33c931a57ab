"""Markets: what there is, what is seen on them now, and their history."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from domain.core.clock import to_milliseconds
from domain.core.errors import ErrorCode, FaultCode, InputError, InputErrors, RequestFault
from domain.core.money import EXACT
from domain.core.pagination import (
    MAX_SERIES_PAGE,
    CursorScope,
    Key,
    Page,
    PageInfo,
    PageRequest,
    TimeKeysetPage,
    build_page,
    invalid_cursor,
    page_request,
    time_key,
)
from domain.core.time import validate_time_range
from domain.market_data.catalogue import MarketFilter
from domain.market_data.history_versions import Series
from domain.model.depth_views import DepthCadence, DepthLevels, DepthMode, DepthSnapshot, TradeBatch
from domain.model.markets import (
    Candle,
    CandleColumns,
    FeedStatus,
    Market,
    MarketSymbol,
    Ticker,
    Timeframe,
    Trade,
    Venue,
)
from domain.model.trading import AccountKind
from domain.model.venue_abilities import VenueAbilities
from resolvers.context import RequestContext
from resolvers.depth import DepthStream
from resolvers.pagination import PageArguments
from resolvers.streams import LatestPerKeyStream, LatestStream, MergingStream

MAX_MARKETS = 500
"""How many markets may be named at once."""

MAX_NAMED = 10
"""How many of the markets that don't exist are named in an answer."""

T = TypeVar("T")

HUNDRED = Decimal(100)


class MarketOrder(StrEnum):
    """In which order markets are listed."""

    SYMBOL = "SYMBOL"
    SYMBOL_DESCENDING = "SYMBOL_DESCENDING"


@dataclass(frozen=True, slots=True)
class CandleSeries(CandleColumns):
    """A page of the candles of a market as columns."""

    market: Market
    timeframe: Timeframe
    page_info: PageInfo


def venues(context: RequestContext) -> Sequence[Venue]:
    """Return the venues in the order of their names."""
    return context.services.venues.all()


def venue_of(context: RequestContext, market: Market) -> Venue:
    """Return the market's venue; one that is no longer configured is still named."""
    name = market.symbol.venue
    return context.services.venues.get(name) or Venue(name, live=True)


def account_kinds(context: RequestContext, venue: Venue) -> list[AccountKind]:
    """Return the kinds of account that can be opened at the venue; none where it is no longer configured."""
    if context.services.venues.get(venue.name) is None:
        return []
    if venue.live:
        return [AccountKind.LIVE] if venue.has_profile else []
    return [AccountKind.PAPER] if context.services.venues.paper(venue.name) is not None else []


async def abilities(context: RequestContext, venue: Venue) -> VenueAbilities | None:
    """Return what the engine can have done at the venue; None if it is no longer configured."""
    return await context.services.venues.abilities(venue.name)


def percent(fraction: Decimal | None) -> Decimal | None:
    """Return a fraction in percent; None if there is none."""
    return None if fraction is None else EXACT.multiply(fraction, HUNDRED)


def quote_currencies(context: RequestContext, venue: str | None) -> list[str]:
    """Return the quote currencies of the markets that are traded now: those of most markets first, then by name."""
    found = context.services.markets.catalogue.find(MarketFilter(active=True, venue=venue))
    counts = Counter(market.quote for market in found)
    return sorted(counts, key=lambda quote: (-counts[quote], quote))


def market(context: RequestContext, symbol: MarketSymbol) -> Market | None:
    """Return a market by its symbol."""
    catalogue = context.services.markets.catalogue
    found, version = catalogue.get(symbol), catalogue.version
    if found is None:  # there is no end of symbols that don't exist
        context.refuse_sharing()
    context.note_source(lambda: catalogue.version == version)
    return found


def markets(
    context: RequestContext, page: PageArguments, filter: MarketFilter, order: MarketOrder = MarketOrder.SYMBOL
) -> Page[Market]:
    """Return markets that fit in the order of their symbols; raises INVALID for more than 500 symbols.

    A cursor is a place among all symbols, so it stays good whatever the filter, and where markets come and go.
    """
    if filter.symbols is not None and len(filter.symbols) > MAX_MARKETS:
        raise _too_many("symbols", len(filter.symbols))
    request = page_request(
        CursorScope(f"markets:{order.value}"), page.first, page.after, page.last, page.before, default=page.default
    )
    catalogue = context.services.markets.catalogue
    version = catalogue.version
    context.note_source(lambda: catalogue.version == version)
    found, is_reversed = catalogue.find(filter), order is MarketOrder.SYMBOL_DESCENDING
    rows = found[::-1] if is_reversed else found
    beyond, short_of = _symbol_in(request.after), _symbol_in(request.before)

    def lies_within(one: Market) -> bool:
        is_beyond = beyond is None or (one.symbol < beyond if is_reversed else one.symbol > beyond)
        return is_beyond and (short_of is None or (one.symbol > short_of if is_reversed else one.symbol < short_of))

    rest = [one for one in rows if lies_within(one)]
    part = rest[-request.limit - 1 :] if request.backwards else rest[: request.limit + 1]

    async def count() -> int:
        return len(found)

    return replace(build_page(request, part, lambda one: (one.symbol.venue, one.symbol.symbol)), count=count)


def _symbol_in(key: Key | None) -> MarketSymbol | None:
    if key is None:
        return None
    if len(key) != 2:  # noqa: PLR2004  # a venue and a symbol
        raise invalid_cursor()
    return MarketSymbol(*key)


def feed(context: RequestContext, market: Market) -> FeedStatus | None:
    """Return the state of the market's feed; None if this node doesn't follow it."""
    return context.services.markets.status(market.symbol)


async def ticker(context: RequestContext, market: Market) -> Ticker | None:
    """Return the present ticker; None if the feed doesn't start in 3 s."""
    hub, symbol = context.services.markets, market.symbol
    found = await hub.ticker(symbol, reader=context.feed_reader)
    if found is None:
        context.refuse_sharing()
    context.note_source(lambda: hub.latest_ticker(symbol) == found)
    return found


async def depth(context: RequestContext, market: Market, levels: DepthLevels) -> DepthSnapshot | None:
    """Return the present book; None if the feed doesn't start in 3 s."""
    hub, symbol = context.services.markets, market.symbol
    book = await hub.depth(symbol, reader=context.feed_reader)
    if book is None:
        context.refuse_sharing()
    context.note_source(lambda: hub.latest_depth(symbol) is book)
    return DepthSnapshot.of(book, levels, context.services.clock.now()) if book is not None else None


async def candles(
    context: RequestContext,
    market: Market,
    timeframe: Timeframe,
    start: datetime | None,
    end: datetime | None,
    page: PageArguments,
) -> Page[Candle]:
    """Return closed candles, oldest first; what is missing of the newest 10,000 is fetched for up to 3 s."""
    request, keyset_page = await _candles_request(context, market, timeframe, start, end, page)
    rows = await context.services.market_history.candles(market.symbol, timeframe, keyset_page)
    if not rows:  # it may have been waited for in vain
        context.refuse_sharing()
    return build_page(request, rows, lambda candle: time_key(candle.open_time))


async def candle_series(
    context: RequestContext,
    market: Market,
    timeframe: Timeframe,
    start: datetime | None,
    end: datetime | None,
    page: PageArguments,
) -> CandleSeries:
    """Return the same page as `candles`, as columns; a cursor of the one is valid for the other."""
    request, keyset_page = await _candles_request(context, market, timeframe, start, end, page)
    columns = await context.services.market_history.candle_columns(market.symbol, timeframe, keyset_page)
    if not columns:
        context.refuse_sharing()
    places = build_page(request, range(len(columns)), lambda place: time_key(columns.open_times[place]))
    first = places.nodes[0] if places.nodes else 0
    shown = columns[first : first + len(places.nodes)].all()
    return CandleSeries(*shown, market=market, timeframe=timeframe, page_info=places.page_info)


async def _candles_request(
    context: RequestContext,
    market: Market,
    timeframe: Timeframe,
    start: datetime | None,
    end: datetime | None,
    page: PageArguments,
) -> tuple[PageRequest, TimeKeysetPage]:
    """Return the request for a page of candles and its query, once it is noted what the answer is made of."""
    validate_time_range(start, end)
    start = await context.history_start(start)
    scope = CursorScope(f"candles:{market.symbol}:{timeframe.value}")
    request = page_request(scope, page.first, page.after, page.last, page.before, MAX_SERIES_PAGE).drop_cursors_outside(
        start, end
    )
    _note_history(context, (market.symbol, timeframe))
    return request, request.time_keyset_page(start, end)


async def trades(
    context: RequestContext, market: Market, start: datetime | None, end: datetime | None, page: PageArguments
) -> Page[Trade]:
    """Return stored trades, oldest first; the newest of a cold market are waited for up to 3 s."""
    validate_time_range(start, end)
    start = await context.history_start(start)
    scope = CursorScope(f"trades:{market.symbol}")
    request = page_request(scope, page.first, page.after, page.last, page.before, MAX_SERIES_PAGE).drop_cursors_outside(
        start, end
    )
    _note_history(context, (market.symbol, None))
    rows = await context.services.market_history.trades(market.symbol, request.tied_time_keyset_page(start, end))
    if not rows:
        context.refuse_sharing()
    return build_page(request, rows, lambda trade: (str(to_milliseconds(trade.at)), trade.venue_trade_id))


def _note_history(context: RequestContext, series: Series) -> None:
    versions = context.services.markets.history_versions
    version = versions.get(series)
    context.note_source(lambda: versions.get(series) == version)


def depth_stream(
    context: RequestContext, symbol: MarketSymbol, levels: DepthLevels, cadence: DepthCadence, mode: DepthMode
) -> DepthStream:
    """Return the shared stream of a market's book."""
    _require_market(context, symbol)
    services = context.services
    return DepthStream(services.markets, services.clock, symbol, levels, cadence, mode, context.feed_reader)


def ticker_stream(context: RequestContext, symbol: MarketSymbol) -> LatestStream[Ticker]:
    """Return the shared stream of a market's ticker."""
    _require_market(context, symbol)
    return LatestStream(_closing(context.services.markets.ticker_stream(symbol, context.feed_reader)))


def tickers_stream(context: RequestContext, symbols: Sequence[MarketSymbol]) -> LatestPerKeyStream[Ticker]:
    """Return the shared stream of the tickers of many markets; raises NOT_FOUND and INVALID."""
    known = _require_markets(context, symbols)
    stream = _closing(context.services.markets.tickers_stream(known, context.feed_reader))
    return LatestPerKeyStream(stream, lambda ticker: ticker.market, len(known))


def feeds_stream(context: RequestContext, symbols: Sequence[MarketSymbol]) -> LatestPerKeyStream[FeedStatus]:
    """Return the shared stream of the states of many markets' feeds; raises NOT_FOUND and INVALID."""
    known = _require_markets(context, symbols)
    stream = _closing(context.services.markets.feeds_stream(known, context.feed_reader))
    return LatestPerKeyStream(stream, lambda status: status.market, len(known))


def trades_stream(context: RequestContext, symbol: MarketSymbol) -> MergingStream[TradeBatch]:
    """Return the shared stream of a market's trades."""
    _require_market(context, symbol)
    return MergingStream(_batches(context, symbol), _with_dropped, covers=lambda _snapshot, _event: False)


def candles_stream(context: RequestContext, symbol: MarketSymbol, timeframe: Timeframe) -> MergingStream[Candle]:
    """Return the shared stream of a market's candles."""
    _require_market(context, symbol)
    return MergingStream(
        _closing(context.services.markets.candle_stream(symbol, timeframe, context.feed_reader)), _newest_forming
    )


def _require_market(context: RequestContext, symbol: MarketSymbol) -> Market:
    found = context.services.markets.catalogue.get(symbol)
    if found is None:
        raise InputError(ErrorCode.NOT_FOUND, f"There is no market {symbol}.", ("market",))
    return found


def _require_markets(context: RequestContext, symbols: Sequence[MarketSymbol]) -> tuple[MarketSymbol, ...]:
    """Return the markets, each once, in the order of their symbols."""
    if not symbols:
        raise RequestFault(FaultCode.INVALID, "`markets` is empty; name at least one market.")
    if len(symbols) > MAX_MARKETS:
        raise _too_many("markets", len(symbols))
    catalogue = context.services.markets.catalogue
    missing = [
        InputError(ErrorCode.NOT_FOUND, f"There is no market {symbol}.", ("markets", str(index)))
        for index, symbol in enumerate(symbols)
        if catalogue.get(symbol) is None
    ]
    if missing:
        raise InputErrors(missing[:MAX_NAMED])
    return tuple(sorted(set(symbols)))


def _too_many(argument: str, count: int) -> RequestFault:
    return RequestFault(FaultCode.INVALID, f"`{argument}` names {count} markets; at most {MAX_MARKETS} are answered.")


async def _closing(stream: AsyncIterator[T]) -> AsyncGenerator[T]:
    """Yield the items of a stream of the hub, and release its feeds at once when closed."""
    async with aclosing(stream):  # type: ignore[type-var]  # the hub's streams are generators
        async for item in stream:
            yield item


async def _batches(context: RequestContext, symbol: MarketSymbol) -> AsyncGenerator[TradeBatch]:
    async for batch in context.services.markets.trade_stream(symbol, context.feed_reader):
        yield TradeBatch(batch)


def _with_dropped(queued: Sequence[TradeBatch]) -> Sequence[TradeBatch]:
    """Keep the newest batch, and count what is lost with the others."""
    missed = sum(len(batch.trades) + batch.dropped for batch in queued[:-1])
    return [TradeBatch(queued[-1].trades, queued[-1].dropped + missed)]


def _newest_forming(queued: Sequence[Candle]) -> Sequence[Candle]:
    """Keep every closed candle, and of the forming ones the newest state."""
    last = len(queued) - 1
    return [candle for index, candle in enumerate(queued) if candle.closed or index == last]
