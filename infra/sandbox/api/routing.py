"""What handles each request of REST and of the WebSocket API, with its weight and what it requires."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from infra.sandbox.api.params import Params
from infra.sandbox.api.rate_limits import RateLimits
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.state.store import Account


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request: the exchange, the parameters, what limits it, and the account (None for public requests)."""

    exchange: Exchange
    params: Params
    limits: RateLimits
    account: Account | None = None

    @property
    def caller(self) -> Account:
        """The account of a signed request."""
        assert self.account is not None
        return self.account

    @property
    def listed_symbol(self) -> str:
        """The market in the mandatory parameter `symbol`; raises -1121 if it isn't listed."""
        return self.exchange.market(self.params.required("symbol")).spec.symbol

    def chosen_markets(self) -> list[SimulatedMarket]:
        """Return the markets in `symbol` or `symbols`, or all."""
        names = self.params.symbols()
        if names is None:
            return list(self.exchange.markets.values())
        return [self.exchange.market(name) for name in names]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The handler of a request, and what it costs and requires.

    `signed` needs key and signature, `keyed` only a key. `new_orders` count against the account's limit of orders.
    `live_handler` answers over REST if a mirror must ask its
    venue, else it returns None.
    """

    handler: Callable[[RequestContext], object]
    weight: int | Callable[[Params], int] = 1
    signed: bool = False
    keyed: bool = False
    new_orders: int = 0
    live_handler: Callable[[RequestContext], Awaitable[object] | None] | None = None

    def weigh(self, params: Params) -> int:
        """Return what a request with these parameters costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)
