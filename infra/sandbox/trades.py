"""Public executions, one by one and as a taker's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """One public execution."""

    id: int
    price: int
    quantity: int
    time_ms: int
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class AggregateTrade:
    """The executions of one taker order at one price, taken together."""

    id: int
    price: int
    quantity: int
    first_id: int
    last_id: int
    time_ms: int
    buyer_is_maker: bool
