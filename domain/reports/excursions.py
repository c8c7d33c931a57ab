"""Reads how far prices went during round trips, out of the best candles for each, or of one timeframe for very many."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.model.markets import MarketSymbol, Timeframe
from domain.model.reports import Extremes, ReportResult, Span
from domain.performance.price_ranges import extremes_within
from domain.performance.round_trips import spans, with_extremes
from domain.ports.reports import PriceRepository

MOST_SPANS: Final = 2_000
"""For more round trips than this, candles of one timeframe are read instead of the best ones for each."""
MOST_CANDLES: Final = 20_000


async def with_excursions(prices: PriceRepository, result: ReportResult, end: datetime) -> ReportResult:
    """Return the result, whose excursions include the highest and lowest price during each round trip."""
    by_index = await asyncio.to_thread(spans, result.round_trips, end)
    if len(by_index) > MOST_SPANS:
        extremes = await _bulk_extremes(prices, by_index)
    else:
        indices = list(by_index)
        found = await prices.extremes(list(by_index.values()))
        extremes = {indices[number]: each for number, each in found.items()}
    trips = await asyncio.to_thread(with_extremes, result.round_trips, extremes)
    return replace(result, round_trips=trips)


async def _bulk_extremes(prices: PriceRepository, by_index: Mapping[int, Span]) -> dict[int, Extremes]:
    """Return the extremes of many spans, out of candles of the shortest timeframe of which there aren't too many."""
    by_market: dict[MarketSymbol, dict[int, Span]] = {}
    for index, span in by_index.items():
        by_market.setdefault(span.market, {})[index] = span
    extremes: dict[int, Extremes] = {}
    for market, of_market in by_market.items():
        start, end = min(span.start for span in of_market.values()), max(span.end for span in of_market.values())
        for timeframe in Timeframe:
            if (end - start) / timeframe.duration > MOST_CANDLES:
                continue
            ranges = await prices.ranges(market, timeframe, start, end)
            if len(ranges.opened):
                extremes |= await asyncio.to_thread(extremes_within, ranges, of_market)
                break
    return extremes
