"""The configured venues, and how ccxt reaches them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """One venue: its name in the engine, ccxt's id, and `url` if it is a sandbox.

    A sandbox speaks Binance's protocol, so its `ccxt_id` is `binance`; `url` is its base, such as `http://host:port`.
    """

    name: str
    ccxt_id: str
    url: str | None
    live: bool

    @property
    def is_binance(self) -> bool:
        """Whether the venue speaks Binance's protocol, of which the adapter uses more than ccxt's unified calls."""
        return self.ccxt_id in {"binance", "binanceus"}


class UnknownVenue(Exception):
    """No configured venue has this name, or ccxt doesn't know its id."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no venue {name[:40]!r}; R3EDGE_VENUES names the venues of this engine.")
