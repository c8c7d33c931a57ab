"""Indicators, and what is computed from a market's history: profiles, books of the past, trends."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.core.errors import FaultCode, RequestFault
from domain.indicators.catalogue import IndicatorDefinition, catalogue
from domain.indicators.series import IndicatorSeries
from domain.indicators.trend import Trend
from domain.indicators.volume_profile import VolumeProfile
from domain.market_data.analytics import DEFAULT_TIMES, CandleRange, IndicatorRequest
from domain.model.depth_views import DepthLevels, DepthSnapshot
from domain.model.markets import Market, Timeframe
from domain.model.trading import ParameterValue
from resolvers.context import RequestContext


def indicators() -> Sequence[IndicatorDefinition]:
    """Return every indicator in the order of their names."""
    return catalogue()


async def volume_profile(
    context: RequestContext, market: Market, start: datetime, end: datetime, bins: int
) -> VolumeProfile:
    """Return the volume by price of a period."""
    await context.history_start(start)
    return await context.services.analytics.volume_profile(market, start, end, bins)


async def depth_history(
    context: RequestContext, market: Market, start: datetime, end: datetime, every_seconds: int, levels: DepthLevels
) -> Sequence[DepthSnapshot]:
    """Return stored snapshots, oldest first; what the engine sent then is what it had received."""
    await context.history_start(start)
    depths = await context.services.analytics.depth_history(market, start, end, every_seconds, levels)
    return [DepthSnapshot.of(depth, levels, depth.received_at) for depth in depths]


async def indicator(
    context: RequestContext,
    market: Market,
    timeframe: Timeframe,
    name: str,
    parameters: Sequence[ParameterValue],
    inputs: Sequence[str],
    shown: CandleRange,
) -> IndicatorSeries | None:
    """Return an indicator at closed candles; None if there are none."""
    values = {parameter.name: parameter.value for parameter in parameters}
    if len(values) < len(parameters):
        raise RequestFault(FaultCode.INVALID, "`parameters` names one more than once.")
    start = await context.history_start(shown.start)
    if start != shown.start:
        shown = replace(shown, start=start, last=DEFAULT_TIMES if shown.last is None else shown.last)
    return await context.services.analytics.indicator(market, timeframe, IndicatorRequest(name, values, inputs), shown)


async def trend(context: RequestContext, market: Market, timeframe: Timeframe) -> Trend | None:
    """Return the trend at the newest closed candle; None if there are too few."""
    return await context.services.analytics.trend(market, timeframe)
