"""Indicators, and what is computed from a market's history: profiles, books of the past, trends."""

from collections.abc import Sequence
from datetime import datetime

from domain.analytics.catalogue import IndicatorDefinition, catalogue
from domain.analytics.series import IndicatorSeries
from domain.analytics.service import Asked, Shown
from domain.analytics.trend import Trend
from domain.analytics.volume_profile import VolumeProfile
from domain.errors import FaultCode, RequestFault
from domain.markets.types import Market, Timeframe
from domain.markets.views import DepthLevels, DepthSnapshot
from domain.trading.types import ParameterValue
from resolvers.context import RequestContext


def indicators() -> Sequence[IndicatorDefinition]:
    """Return every indicator in the order of their names."""
    return catalogue()


async def volume_profile(
    context: RequestContext, market: Market, start: datetime, end: datetime, bins: int
) -> VolumeProfile:
    """Return the volume by price of a period."""
    return await context.services.analytics.volume_profile(market, start, end, bins)


async def depth_history(
    context: RequestContext, market: Market, start: datetime, end: datetime, every_seconds: int, levels: DepthLevels
) -> Sequence[DepthSnapshot]:
    """Return stored snapshots, oldest first; what the engine sent then is what it had received."""
    depths = await context.services.analytics.depth_history(market, start, end, every_seconds, levels)
    return [DepthSnapshot.of(depth, levels, depth.received_at) for depth in depths]


async def indicator(
    context: RequestContext,
    market: Market,
    timeframe: Timeframe,
    name: str,
    parameters: Sequence[ParameterValue],
    inputs: Sequence[str],
    shown: Shown,
) -> IndicatorSeries | None:
    """Return an indicator at closed candles; None where there are none."""
    values = {parameter.name: parameter.value for parameter in parameters}
    if len(values) < len(parameters):
        raise RequestFault(FaultCode.INVALID, "`parameters` names one more than once.")
    return await context.services.analytics.indicator(market, timeframe, Asked(name, values, inputs), shown)


async def trend(context: RequestContext, market: Market, timeframe: Timeframe) -> Trend | None:
    """Return the trend at the newest closed candle; None where there are too few."""
    return await context.services.analytics.trend(market, timeframe)
