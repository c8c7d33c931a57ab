"""The public requests of candles, from a second to a month."""

from collections.abc import Awaitable

from infra.sandbox.api.routing import RequestContext
from infra.sandbox.candles import (
    DAY_MS,
    INTERVALS,
    MINUTE_MS,
    MONTH,
    SECOND_MS,
    Candle,
    merge,
    month_start,
    span_start,
)
from infra.sandbox.errors import ExchangeError
from infra.sandbox.matching.market import SimulatedMarket

MAX_ROWS = 1000


def live_klines(context: RequestContext) -> Awaitable[object] | None:
    """Fetch candles of a mirrored venue; None if the exchange has its own."""
    params = context.params
    market = context.exchange.market(params.required("symbol"))
    if market.live_candles is None:
        return None
    if params.get("interval") == MONTH:
        raise ExchangeError(-1120, "Invalid interval: a mirror has no months.")
    span, limit = _span(context), params.limit(500, MAX_ROWS)
    start, end = params.number("startTime"), params.number("endTime")
    if start is None and end is not None:
        start = span_start(end, span) - (limit - 1) * span
    return _rows(market.live_candles(span, start, limit), span, end)


def klines(context: RequestContext) -> list[list[int | str]]:
    """Return candles: from `startTime` on, or the newest up to `endTime`."""
    params, now = context.params, context.exchange.clock.now_ms()
    market = context.exchange.market(params.required("symbol"))
    limit, start, end = params.limit(500, MAX_ROWS), params.number("startTime"), params.number("endTime")
    market.roll_candle(now)
    last = min(now if end is None else end, now) + 1
    if params.required("interval") == MONTH:
        return _months(market, start, last, limit)
    span = _span(context)
    if start is None:
        start = span_start(last - 1, span) - (limit - 1) * span
    most = max(start, market.history_start()) + (limit + 1) * span
    if span == SECOND_MS:
        return [candle.row(span) for candle in market.seconds(max(start, market.history_start()), min(last, most))][
            :limit
        ]
    found = market.candles(span, start, min(last, most))
    hidden = market.candle_faults.hidden_ms if span == MINUTE_MS else ()
    return [candle.row(span) for candle in found if candle.open_ms not in hidden][:limit]


def _months(market: SimulatedMarket, start: int | None, last: int, limit: int) -> list[list[int | str]]:
    """Return the candles of calendar months that open from `start` on, before `last`."""
    if start is not None and start >= last:
        return []
    oldest = month_start(market.history_start())
    if start is None:
        first = max(oldest, month_start(max(oldest, last), 1 - limit))
    else:
        first = month_start(max(start, oldest) - 1, 1)
    days: dict[int, list[Candle]] = {}
    for day in market.candles(DAY_MS, first, min(last, month_start(first, limit + 1))):
        days.setdefault(month_start(day.open_ms), []).append(day)
    return [merge(part, opened).row(month_start(opened, 1) - opened) for opened, part in days.items()][:limit]


async def _rows(candles: Awaitable[list[Candle]], span: int, end: int | None) -> list[list[int | str]]:
    return [candle.row(span) for candle in await candles if end is None or candle.open_ms <= end]


def _span(context: RequestContext) -> int:
    span = INTERVALS.get(context.params.required("interval"))
    if span is None:
        raise ExchangeError(-1120, "Invalid interval.")
    return span
