"""The filters of lists that several objects have: each function declares the arguments of a group and makes its value.

Ids of another user's objects select nothing, as ids of no object do.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus, OrderType
from domain.model.trading import TradingSessionStatus
from domain.ports.lists import PositionFilter
from domain.ports.orders import OrderFilter
from domain.ports.trading_sessions import TradingSessionFilter
from resolvers import filters

F = TypeVar("F", OrderFilter, PositionFilter)

From = Annotated[
    datetime | None, strawberry.argument(name="from", description="Only items from this time on, inclusive.")
]
To = Annotated[datetime | None, strawberry.argument(description="Only items before this time, exclusive.")]
OnMarket = Annotated[MarketSymbol | None, strawberry.argument(description="Only items on this market.")]
OfSide = Annotated[OrderSide | None, strawberry.argument(description="Only buys, or only sells.")]
OfAccount = Annotated[strawberry.ID | None, strawberry.argument(description="Only items of the account with this id.")]
OfSession = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only items of the trading session with this id.")
]
OfStrategy = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only items of trading sessions that run a version of the strategy with this id."),
]


@dataclass(frozen=True, slots=True)
class Owners:
    """The objects to which the items of a user's list belong; None selects all."""

    account_id: UUID | None
    trading_session_id: UUID | None
    strategy_id: UUID | None

    def narrow(self, filter: F) -> F:
        """Return the filter for items that belong to these objects only."""
        return replace(
            filter,
            account_id=self.account_id,
            trading_session_id=self.trading_session_id,
            strategy_id=self.strategy_id,
        )


def owners(account: OfAccount = None, trading_session: OfSession = None, strategy: OfStrategy = None) -> Owners:
    """The owners that the lists of a user can select."""
    return Owners(
        filters.filter_id(account, "Account"),
        filters.filter_id(trading_session, "TradingSession"),
        filters.filter_id(strategy, "Strategy"),
    )


def order_filter(
    market: OnMarket = None,
    side: OfSide = None,
    status: Annotated[
        list[OrderStatus] | None, strawberry.argument(description="Only orders with one of these statuses.")
    ] = None,
    type: Annotated[
        list[OrderType] | None, strawberry.argument(description="Only orders of one of these types.")
    ] = None,
    role: Annotated[
        list[OrderRole] | None, strawberry.argument(description="Only orders with one of these roles.")
    ] = None,
    from_: From = None,
    to: To = None,
) -> OrderFilter:
    """The filter of a list of orders."""
    return filters.order_filter(market=market, side=side, status=status, type=type, role=role, start=from_, end=to)


def fill_filter(market: OnMarket = None, side: OfSide = None, from_: From = None, to: To = None) -> OrderFilter:
    """The filter of a list of fills."""
    return filters.order_filter(market=market, side=side, start=from_, end=to)


def position_filter(
    market: OnMarket = None,
    open: Annotated[
        bool | None,
        strawberry.argument(
            description="True: only open positions. False: only closed positions. By default, both are included."
        ),
    ] = None,
) -> PositionFilter:
    """The filter of a list of positions."""
    return filters.position_filter(market=market, is_open=open)


def session_filter(
    market: OnMarket = None,
    status: Annotated[
        list[TradingSessionStatus] | None,
        strawberry.argument(description="Only trading sessions with one of these statuses."),
    ] = None,
) -> TradingSessionFilter:
    """The filter of a list of trading sessions."""
    return filters.session_filter(market=market, status=status)
