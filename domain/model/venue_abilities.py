"""What the engine supports at a venue."""

from dataclasses import dataclass
from enum import StrEnum

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce


class ReportSource(StrEnum):
    """How the reports of one kind arrive.

    STREAM: the venue sends them as they happen. POLL: the engine asks for them again and again.
    """

    STREAM = "STREAM"
    POLL = "POLL"


class AmendAbility(StrEnum):
    """How a venue changes an order that rests.

    IN_PLACE: it changes the order, which keeps its ids. REPLACE: it cancels the order and places another in one
    request. NONE: it does neither.
    """

    IN_PLACE = "IN_PLACE"
    REPLACE = "REPLACE"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class VenueAbilities:
    """The orders that the engine can place at a venue, how it follows them, and the candles that it has of the venue.

    GTD is always included, as the engine cancels such an order itself, and TRAILING_STOP where MARKET is, as it holds
    such an order itself; `trailing_stop` says whether the venue could do so too. `timeframes` includes those that the
    engine aggregates from the venue's shorter candles. `live_accounts` is false for a venue of which the engine doesn't
    know enough to follow orders with real money. `client_order_id_length` is that of the ids under which the venue has
    the engine's orders.
    """

    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    post_only: bool
    timeframes: tuple[Timeframe, ...]
    live_accounts: bool = False
    orders: ReportSource = ReportSource.POLL
    fills: ReportSource = ReportSource.POLL
    balances: ReportSource = ReportSource.POLL
    amend: AmendAbility = AmendAbility.NONE
    order_lists: bool = False
    trailing_stop: bool = False
    client_order_id_length: int | None = None
