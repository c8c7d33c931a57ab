"""Which strategies suit a market now."""

from collections.abc import Sequence

from domain.core.errors import ErrorCode, FaultCode, InputError, RequestFault
from domain.core.pagination import MAX_PAGE
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.users import User
from domain.research.recommendation_service import StrategyRecommendation
from resolvers.context import RequestContext


async def recommendations(
    context: RequestContext, user: User, market: MarketSymbol, timeframe: Timeframe, first: int
) -> Sequence[StrategyRecommendation]:
    """Return up to `first` recommendations; raises NOT_FOUND for a market that there is not."""
    if not 1 <= first <= MAX_PAGE:
        raise RequestFault(FaultCode.INVALID, f"`first` is {first}; it must be from 1 to {MAX_PAGE}.")
    if context.services.markets.catalogue.get(market) is None:
        raise InputError(ErrorCode.NOT_FOUND, f"There is no market {market}.", ("market",))
    return await context.services.recommendations.recommend(user.id, market, timeframe, first)
