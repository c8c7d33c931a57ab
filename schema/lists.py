"""The arguments that lists have in common, and the connections that are named by other modules."""

from datetime import datetime
from typing import Annotated, Final

import strawberry

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus, OrderType
from domain.model.trading import TradingSessionStatus
from resolvers.lists import PositionOrder, TimeOrder
from schema.described import describe_enum
from schema.lazy import lazy

describe_enum(
    TimeOrder,
    "Which end of a list comes first, by the time at which its items were made.",
    {"NEWEST_FIRST": "The newest item comes first.", "OLDEST_FIRST": "The oldest item comes first."},
)
describe_enum(
    PositionOrder,
    "By what positions are listed, and which end comes first.",
    {
        "OPENED_NEWEST_FIRST": "By when they were opened, the newest first.",
        "OPENED_OLDEST_FIRST": "By when they were opened, the oldest first.",
        "CLOSED_NEWEST_FIRST": "By when they were closed, the newest first. Open positions are left out.",
        "CLOSED_OLDEST_FIRST": "By when they were closed, the oldest first. Open positions are left out.",
    },
)

AccountConnection = lazy("accounts", "AccountConnection")
StrategyConnection = lazy("strategies", "StrategyConnection")
TradingSessionConnection = lazy("trading", "TradingSessionConnection")
OrderConnection = lazy("orders", "OrderConnection")
FillConnection = lazy("orders", "FillConnection")
PositionConnection = lazy("positions", "PositionConnection")
JobConnection = lazy("reports", "JobConnection")
ReportConnection = lazy("reports", "ReportConnection")

OfAccount = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only what is of the account with this id.")
]
OfSession = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only what is of the trading session with this id.")
]
OfStrategy = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="Only what is of trading sessions that run a version of the strategy with this id."
    ),
]
OfMarket = Annotated[MarketSymbol | None, strawberry.argument(description="Only what is on this market.")]
OfSide = Annotated[OrderSide | None, strawberry.argument(description="Only buys, or only sells.")]
InStatus = Annotated[
    list[OrderStatus] | None, strawberry.argument(description="Only orders that are in one of these states.")
]
OfType = Annotated[list[OrderType] | None, strawberry.argument(description="Only orders of one of these types.")]
OfRole = Annotated[
    list[OrderRole] | None, strawberry.argument(description="Only orders that exist for one of these reasons.")
]
InSessionStatus = Annotated[
    list[TradingSessionStatus] | None,
    strawberry.argument(description="Only trading sessions that are in one of these states."),
]
IsOpen = Annotated[
    bool | None, strawberry.argument(name="open", description="True: only open positions. False: only closed ones.")
]
From = Annotated[
    datetime | None,
    strawberry.argument(name="from", description="Only what happened at this time or later."),
]
To = Annotated[datetime | None, strawberry.argument(description="Only what happened before this time.")]
OrderBy = Annotated[
    TimeOrder,
    strawberry.argument(
        description="Which end of the list comes first. A cursor can only be used with the order that it came from."
    ),
]
PositionOrderBy = Annotated[
    PositionOrder,
    strawberry.argument(
        description="By what the positions are listed. A cursor can only be used with the order that it came from."
    ),
]

NESTED_PAGE: Final = 10
"""How many items a list has by default that hangs on an object which itself comes in lists."""

NESTED: Final = {"default_page": NESTED_PAGE}
"""The metadata of such a list, by which its cost is counted."""

FirstOfNested = Annotated[
    int | None,
    strawberry.argument(name="first", description="How many items from the beginning of the list; 10 by default."),
]
