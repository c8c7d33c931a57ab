"""Which venues there are and how ccxt is told to reach them."""

from dataclasses import dataclass

from domain.model.markets import Venue


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """One venue: its name in the engine, the ccxt id that speaks to it, and `url` where it is a sandbox's address.

    A sandbox speaks Binance's protocol, so its `ccxt_id` is `binance`; `url` is its base, as in `http://host:port`.
    """

    name: str
    ccxt_id: str
    url: str | None
    live: bool

    @property
    def venue(self) -> Venue:
        """The venue as the domain knows it."""
        return Venue(self.name, self.live)

    @property
    def is_binance(self) -> bool:
        """Whether Binance's own protocol is spoken, which the adapter knows more of than ccxt's unified calls."""
        return self.ccxt_id in {"binance", "binanceus"}


class UnknownVenue(Exception):
    """A venue is named that isn't configured, or that ccxt doesn't know."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no venue {name[:40]!r}; R3EDGE_VENUES names the venues of this engine.")
