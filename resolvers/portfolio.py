"""Live values of the viewer's positions and accounts."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from uuid import UUID

from domain.accounts.live_valuation import VALUATION_SECONDS, AccountValue
from domain.core.errors import FaultCode, RequestFault
from domain.model.reports import PerformanceMetrics
from domain.model.trading import Position, TradingSession
from domain.model.users import ApiScope
from domain.trading.live_metrics import LiveMetrics, LiveSessionMetrics
from resolvers import trading
from resolvers.context import RequestContext
from resolvers.events import require_owned_id

MIN_EVERY = int(VALUATION_SECONDS * 1000)
MAX_EVERY = 60_000


async def position_updates(
    context: RequestContext, account: str | None, trading_session: str | None, every_milliseconds: int
) -> AsyncIterator[Position]:
    """Return the user's open positions of an account or a session, then each again when it or its price has changed.

    Raises NOT_FOUND for an account or a trading session that isn't the user's, and INVALID for the interval.
    """
    user, every = context.require_user(ApiScope.READ), _seconds(every_milliseconds)
    account_id = await require_owned_id(context, "Account", account)
    session_id = await require_owned_id(context, "TradingSession", trading_session)
    return _positions(context, user.id, account_id, session_id, every)


async def account_equity(context: RequestContext, account: str, every_milliseconds: int) -> AsyncIterator[AccountValue]:
    """Return the value of the user's account, then again whenever it has changed; raises as `position_updates`."""
    user, every = context.require_user(ApiScope.READ), _seconds(every_milliseconds)
    account_id = await require_owned_id(context, "Account", account)
    assert account_id is not None
    return _equity(context, user.id, account_id, every)


async def trading_session_metrics(
    context: RequestContext, trading_session: str, every_milliseconds: int
) -> AsyncIterator[LiveSessionMetrics]:
    """Return the metrics of the user's session, then again whenever they have changed; raises as `position_updates`."""
    user, every = context.require_user(ApiScope.READ), _seconds(every_milliseconds)
    session_id = await require_owned_id(context, "TradingSession", trading_session)
    assert session_id is not None
    return _metrics(context, user.id, session_id, every)


async def _metrics(
    context: RequestContext, user_id: UUID, session_id: UUID, every: float
) -> AsyncIterator[LiveSessionMetrics]:
    async with context.services.portfolios.for_user(user_id) as portfolio:
        # Read after the portfolio has begun to follow the log, which has every later state.
        context.reset_loaders()
        session = await context.loaders.trading_sessions.load(session_id)
        assert session is not None  # it is the user's
        account = await context.loaders.accounts.load(session.account_id)
        assert account is not None  # the session's row refers to it

        async def compute(newest: TradingSession) -> PerformanceMetrics | None:
            context.reset_loaders()
            return await trading.metrics(context, newest)

        convert = partial(context.services.markets.convert, account.venue)
        live = LiveMetrics(portfolio, session, account.currency, convert, compute, context.services.clock)
        async with aclosing(live.values(every)) as values:  # type: ignore[type-var]
            async for value in values:
                context.reset_loaders()
                yield value


async def _positions(
    context: RequestContext, user_id: UUID, account_id: UUID | None, session_id: UUID | None, every: float
) -> AsyncIterator[Position]:
    account = None if account_id is None else await context.loaders.accounts.load(account_id)

    def matches(position: Position) -> bool:
        return account_id in {None, position.account_id} and session_id in {None, position.trading_session_id}

    async with context.services.portfolios.for_user(user_id) as portfolio:

        def is_over() -> bool:
            return account is not None and (account.archived_at is not None or account.id in portfolio.archived)

        async with aclosing(portfolio.position_values(matches, every, is_over)) as values:  # type: ignore[type-var]
            async for value in values:
                context.reset_loaders()
                yield value.position


async def _equity(
    context: RequestContext, user_id: UUID, account_id: UUID, every: float
) -> AsyncIterator[AccountValue]:
    async with (
        context.services.portfolios.for_user(user_id) as portfolio,
        aclosing(portfolio.account_values(account_id, every)) as values,  # type: ignore[type-var]
    ):
        async for value in values:
            context.reset_loaders()
            yield value


def _seconds(every_milliseconds: int) -> float:
    if not MIN_EVERY <= every_milliseconds <= MAX_EVERY:
        message = f"`everyMilliseconds` is {every_milliseconds}; it must be from {MIN_EVERY} to {MAX_EVERY:,}."
        raise RequestFault(FaultCode.INVALID, message)
    return every_milliseconds / 1000
