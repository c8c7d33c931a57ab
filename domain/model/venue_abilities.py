"""What a venue can do for the engine."""

from dataclasses import dataclass

from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class VenueAbilities:
    """The orders that the engine can place at a venue, and the candles that it has of it.

    GTD is there everywhere, as the engine ends such an order itself; `timeframes` are also those that are made of the
    venue's shorter candles.
    """

    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    post_only: bool
    timeframes: tuple[Timeframe, ...]
