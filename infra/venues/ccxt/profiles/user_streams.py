"""How the messages of a venue's private streams are read: as reports, and as answers to subscriptions.

ccxt connects, authenticates and subscribes. What it makes of the messages isn't used: it collapses several states of
an order into the last, takes the order's cost for a fill's, loses client order ids, and stops reading at frames that
venues do send.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.model.markets import MarketSymbol
from domain.ports.execution_client import BalanceReport, FillReport, OrderReport
from domain.ports.market_data import VenueUnreachable

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The venue has confirmed a subscription: its topic, by the venue's name."""

    topic: str


@dataclass(frozen=True, slots=True)
class BalancesChanged:
    """Balances have changed, and the message doesn't have what is free: they have to be fetched."""


class StreamRefused(VenueUnreachable):
    """The venue refuses the login or a subscription; the message is its reason."""


StreamEvent = OrderReport | FillReport | BalanceReport | Subscribed | BalancesChanged


class VenueNames(Protocol):
    """The engine's names of what a venue names in its own way."""

    def order_id(self, text: object) -> str:
        """Return the engine's client order id of the venue's; empty for None."""
        ...

    def market(self, venue_id: object) -> MarketSymbol | None:
        """Return the spot market that the venue calls so; None if there is none."""
        ...

    def currency(self, venue_id: object) -> str:
        """Return the code of the currency that the venue calls so."""
        ...


StreamReader = Callable[[Message], Sequence[StreamEvent] | None]
"""Returns what a message reports; None if it is none of a private stream, which is left to ccxt alone.

Raises `StreamRefused` if the venue refuses the stream, and any other error for a message that can't be read.
"""


@dataclass(frozen=True, slots=True)
class UserStreams:
    """A reader of one connection, and the topics that must be confirmed before the streams stand."""

    read: StreamReader
    topics: frozenset[str]


ReaderFactory = Callable[[VenueNames], UserStreams]
"""Makes the reader of a new connection; readers may remember earlier messages of theirs."""
