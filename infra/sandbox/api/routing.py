"""What each request of REST and of the WebSocket API does, its weight, and what it takes to be allowed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from infra.sandbox.api.params import Params
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.state.store import Account


@dataclass(frozen=True, slots=True)
class Call:
    """One request: on what, with which parameters, by whom (public requests: nobody)."""

    exchange: Exchange
    params: Params
    account: Account | None = None

    @property
    def caller(self) -> Account:
        """The account of a signed request."""
        assert self.account is not None
        return self.account


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request that the exchange answers; `ask_live` answers it over REST where a live venue must be asked."""

    answer: Callable[[Call], object]
    weight: int = 1
    signed: bool = False
    keyed: bool = False
    places_order: bool = False
    ask_live: Callable[[Call], Awaitable[object] | None] | None = None
