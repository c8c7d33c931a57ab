"""Filters of lists from GraphQL arguments; an id of another user's object finds nothing, like an unknown id."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus, OrderType
from domain.model.reports import ReportScope
from domain.model.trading import AccountKind, TradingSessionStatus
from domain.ports.lists import AccountFilter, ActivityFilter, PositionFilter, ReportFilter
from domain.ports.orders import OrderFilter
from domain.ports.trading_sessions import TradingSessionFilter
from resolvers.ids import uuid_in

UNKNOWN_ID = UUID(int=0)
"""An id that no object has."""

T = TypeVar("T")


def filter_id(id: str | None, type_name: str) -> UUID | None:
    """Return the UUID of a global id, None for None; raises NOT_FOUND if it isn't an id of that type."""
    if id is None:
        return None
    key = uuid_in(id, type_name)
    if key is None:
        name = type_name[0].lower() + type_name[1:]
        raise InputError(ErrorCode.NOT_FOUND, f"{name} is {id[:60]!r}, which is no id of a {type_name}.", (name,))
    return key


def filter_values(values: Sequence[T] | None) -> tuple[T, ...] | None:
    """Return the values as a tuple, None for None."""
    return None if values is None else tuple(values)


def account_filter(kind: AccountKind | None, *, archived: bool | None) -> AccountFilter:
    """Return the filter of accounts that the arguments describe."""
    return AccountFilter(kind, archived)


def order_filter(
    *,
    account: str | None = None,
    trading_session: str | None = None,
    strategy: str | None = None,
    market: MarketSymbol | None = None,
    side: OrderSide | None = None,
    status: Sequence[OrderStatus] | None = None,
    type: Sequence[OrderType] | None = None,
    role: Sequence[OrderRole] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> OrderFilter:
    """Return the filter of orders or of fills that the arguments describe."""
    return OrderFilter(
        account_id=filter_id(account, "Account"),
        trading_session_id=filter_id(trading_session, "TradingSession"),
        market=market,
        side=side,
        statuses=filter_values(status),
        start=start,
        end=end,
        types=filter_values(type),
        roles=filter_values(role),
        strategy_id=filter_id(strategy, "Strategy"),
    )


def position_filter(
    *,
    account: str | None = None,
    trading_session: str | None = None,
    strategy: str | None = None,
    market: MarketSymbol | None = None,
    is_open: bool | None = None,
) -> PositionFilter:
    """Return the filter of positions that the arguments describe."""
    return PositionFilter(
        account_id=filter_id(account, "Account"),
        trading_session_id=filter_id(trading_session, "TradingSession"),
        market=market,
        strategy_id=filter_id(strategy, "Strategy"),
        is_open=is_open,
    )


def session_filter(
    *,
    account: str | None = None,
    strategy: str | None = None,
    market: MarketSymbol | None = None,
    status: Sequence[TradingSessionStatus] | None = None,
) -> TradingSessionFilter:
    """Return the filter of trading sessions that the arguments describe."""
    return TradingSessionFilter(
        filter_id(account, "Account"), market, filter_values(status), strategy_id=filter_id(strategy, "Strategy")
    )


def report_filter(
    account: str | None = None,
    trading_session: str | None = None,
    strategy: str | None = None,
    backtest: str | None = None,
) -> ReportFilter:
    """Return the filter of reports; no report is about several things at once."""
    scopes = [
        (scope, filter_id(given_id, type_name))
        for scope, given_id, type_name in (
            (ReportScope.ACCOUNT, account, "Account"),
            (ReportScope.TRADING_SESSION, trading_session, "TradingSession"),
            (ReportScope.STRATEGY, strategy, "Strategy"),
            (ReportScope.BACKTEST, backtest, "Backtest"),
        )
        if given_id is not None
    ]
    if not scopes:
        return ReportFilter()
    return ReportFilter(*scopes[0]) if len(scopes) == 1 else ReportFilter(scope_id=UNKNOWN_ID)


def activity_filter(
    action: Sequence[str] | None = None, start: datetime | None = None, end: datetime | None = None
) -> ActivityFilter:
    """Return the filter of activities that the arguments describe."""
    return ActivityFilter(filter_values(action), start, end)
