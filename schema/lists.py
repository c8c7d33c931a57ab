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
    "The order of a list, by the time at which its items were created.",
    {"NEWEST_FIRST": "The newest item comes first.", "OLDEST_FIRST": "The oldest item comes first."},
)
describe_enum(
    PositionOrder,
    "The order of a list of positions.",
    {
        "OPENED_NEWEST_FIRST": "By the time of opening, newest first.",
        "OPENED_OLDEST_FIRST": "By the time of opening, oldest first.",
        "CLOSED_NEWEST_FIRST": "By the time of closing, newest first. Open positions are left out.",
        "CLOSED_OLDEST_FIRST": "By the time of closing, oldest first. Open positions are left out.",
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

OfAccount = Annotated[strawberry.ID | None, strawberry.argument(description="Only items of the account with this id.")]
OfSession = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only items of the trading session with this id.")
]
OfStrategy = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only items of trading sessions that run a version of the strategy with this id."),
]
OfMarket = Annotated[MarketSymbol | None, strawberry.argument(description="Only items on this market.")]
OfSide = Annotated[OrderSide | None, strawberry.argument(description="Only buys, or only sells.")]
InStatus = Annotated[
    list[OrderStatus] | None, strawberry.argument(description="Only orders with one of these statuses.")
]
OfType = Annotated[list[OrderType] | None, strawberry.argument(description="Only orders of one of these types.")]
OfRole = Annotated[list[OrderRole] | None, strawberry.argument(description="Only orders with one of these roles.")]
InSessionStatus = Annotated[
    list[TradingSessionStatus] | None,
    strawberry.argument(description="Only trading sessions with one of these statuses."),
]
IsOpen = Annotated[
    bool | None,
    strawberry.argument(
        name="open", description="True: only open positions. False: only closed positions. By default both."
    ),
]
From = Annotated[
    datetime | None,
    strawberry.argument(name="from", description="Only items from this time on, inclusive."),
]
To = Annotated[datetime | None, strawberry.argument(description="Only items before this time, exclusive.")]
OrderBy = Annotated[
    TimeOrder,
    strawberry.argument(
        description="The order of the list. A cursor is only valid with the order in which it was returned."
    ),
]
PositionOrderBy = Annotated[
    PositionOrder,
    strawberry.argument(
        description="The order of the list. A cursor is only valid with the order in which it was returned."
    ),
]

NESTED_PAGE: Final = 10
"""How many items a list has by default that hangs on an object which itself comes in lists."""

NESTED: Final = {"default_page": NESTED_PAGE}
"""The metadata of such a list, by which its cost is counted."""

FirstOfNested = Annotated[
    int | None,
    strawberry.argument(
        name="first",
        description=(
            "The size of the page, from the start of the list. The default is 10, the maximum 100. Not valid together "
            "with `last`."
        ),
    ),
]
