"""The profile of a venue: what the order protocol needs to know of it, as data and a few functions."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.model.orders import Order, OrderType, TimeInForce
from domain.model.venue_abilities import AmendAbility, ReportSource
from infra.venues.ccxt.conversion import NO_MARKET_RULES, CcxtStructure, CcxtValue, MarketRules, OrderReading
from infra.venues.ccxt.order_arguments import OrderArguments
from infra.venues.ccxt.profiles.fill_pages import FillPages
from infra.venues.ccxt.profiles.key_rights import KeyRightsQuery
from infra.venues.ccxt.profiles.user_streams import ReaderFactory
from infra.venues.ccxt.profiles.verdicts import ErrorTable

OrderLookup = Callable[[CcxtValue, Order, str, int], Awaitable[CcxtStructure | None]]
"""Asks ccxt's exchange for an order by the client order id as the venue has it; None if the venue has no such order.

The last argument is when the order was sent at the earliest, by the venue's clock in milliseconds since 1970.

An OrderNotFound of ccxt means the same.
"""

PlacingOverride = Callable[[Order, OrderArguments, datetime], OrderArguments]
"""Changes the arguments of ccxt's `create_order` where its own don't do what they are called; with the venue's time."""

Subscribe = Callable[[CcxtValue], Awaitable[object]]
"""Subscribes with ccxt's exchange; ends with an error alone."""


def no_market_rules(_info: Mapping[str, Any]) -> MarketRules:
    """Return the rules of a venue of which ccxt leaves none in the venue's own structure."""
    return NO_MARKET_RULES


@dataclass(frozen=True, slots=True)
class OrderFills:
    """The parameter by which `fetch_my_trades` returns one order's executions alone, and how many at most."""

    parameter: str
    page: int


@dataclass(frozen=True, slots=True)
class VenueProfile:
    """A venue on which LIVE accounts can trade.

    `placing_id` and `cancel_id` name the parameters of ccxt that carry the client order id when an order is placed and
    cancelled; a venue without `cancel_id` cancels by its own id alone. `orders`, `fills` and `balances` are how
    reports of each kind arrive. `absent_after_seconds` is how long after an order was sent its absence proves nothing.
    `answers_with_fills`: whether the answer to a new order has its state and fills.
    """

    ccxt_id: str
    reading: OrderReading
    placing_id: str
    cancel_id: str | None
    lookup: OrderLookup
    fill_pages: FillPages
    errors: ErrorTable
    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    api_urls: Callable[[str], CcxtValue]
    orders: ReportSource = ReportSource.STREAM
    fills: ReportSource = ReportSource.STREAM
    balances: ReportSource = ReportSource.STREAM
    answers_with_fills: bool = False
    post_only: bool = True
    amend: AmendAbility = AmendAbility.NONE
    order_lists: bool = False
    trailing_stop: bool = False
    absent_after_seconds: float = 0.0
    order_fills: OrderFills | None = None
    reader: ReaderFactory | None = None
    placing: PlacingOverride | None = None
    market_rules: Callable[[Mapping[str, Any]], MarketRules] = no_market_rules
    options: Mapping[str, Any] = field(default_factory=dict)
    streams: tuple[Subscribe, ...] = ()
    """The calls of ccxt.pro that subscribe to the account's streams; their results aren't used."""

    deadline_header: str | None = None
    """The header by which the venue drops a request that arrives too late, in milliseconds since 1970."""

    key_rights: KeyRightsQuery | None = None
    """How the venue is asked what a key may do; None if it doesn't say."""

    serial_requests: bool = False
    """Whether the venue takes the requests of a key in the order of their numbers alone."""
