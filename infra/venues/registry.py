"""The venues of this node, each connected at its first use."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from domain.core.background import close_within
from domain.core.clock import Clock
from domain.model.markets import Venue
from domain.model.trading import Account, VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.bus import MessageBus
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from infra.venues.ccxt.market_data import CcxtMarketData, StreamTimings
from infra.venues.config import UnknownVenue, VenueSettings
from infra.venues.rate_limit.limiters import RateLimiters
from infra.venues.sandbox_admin import SandboxAdmin

CLOSE_SECONDS = 10.0
"""How long a venue's sockets may take to close."""


class Venues:
    """The venues by name; `sandbox_tokens` has the administrative tokens of those that are sandboxes, by name."""

    def __init__(
        self,
        settings: Sequence[VenueSettings],
        clock: Clock,
        sandbox_tokens: dict[str, str] | None = None,
        timings: StreamTimings | None = None,
    ) -> None:
        self._limiters = RateLimiters(clock)
        self._connections = {venue.name: VenueConnection(venue, clock, self._limiters.get(venue)) for venue in settings}
        self._public = {
            name: CcxtMarketData(connection, clock, timings) for name, connection in self._connections.items()
        }
        self._paper = {
            venue.name: SandboxAdmin(venue.url, token)
            for venue in settings
            if venue.url is not None and (token := (sandbox_tokens or {}).get(venue.name)) is not None
        }

    def names(self) -> tuple[str, ...]:
        """Return the venues' names, in the order of the settings."""
        return tuple(self._connections)

    def all(self) -> tuple[Venue, ...]:
        """Return the venues in the order of their names."""
        return tuple(self._connections[name].venue for name in sorted(self._connections))

    def get(self, name: str) -> Venue | None:
        """Return a venue; None if there is none by that name."""
        connection = self._connections.get(name)
        return None if connection is None else connection.venue

    async def abilities(self, name: str) -> VenueAbilities | None:
        """Return which orders and candles the venue supports; None if there is none by that name."""
        connection = self._connections.get(name)
        return None if connection is None else await connection.abilities()

    def venue(self, name: str) -> Venue:
        """Return a venue; raises `UnknownVenue`."""
        return self.connection(name).venue

    def public(self, name: str) -> CcxtMarketData:
        """Return the venue's public data; raises `UnknownVenue`."""
        return self._public[self.connection(name).settings.name]

    def account(self, account: Account, credentials: VenueCredentials) -> CcxtExecutionClient:
        """Return an account's execution client, which the caller closes before this; raises `UnknownVenue`."""
        return CcxtExecutionClient(self.connection(account.venue), credentials, str(account.id))

    def paper(self, name: str) -> SandboxAdmin | None:
        """Return a sandbox's administrative client; None if the venue isn't a sandbox or its token is unknown."""
        return self._paper.get(name)

    def connection(self, name: str) -> VenueConnection:
        """Return the venue's shared connection; raises `UnknownVenue`."""
        connection = self._connections.get(name)
        if connection is None:
            raise UnknownVenue(name)
        return connection

    def venue_now(self, name: str) -> datetime:
        """Return the venue's time by its measured offset; raises `UnknownVenue`."""
        return self.public(name).venue_now()

    async def share_bans(self, bus: MessageBus) -> None:
        """Announce a venue's bans to other nodes, and observe theirs."""
        await self._limiters.share_bans(bus)

    async def close(self) -> None:
        """Close every connection."""
        await self._limiters.close()
        for paper in self._paper.values():
            await paper.close()
        await asyncio.gather(
            *(
                close_within(CLOSE_SECONDS, f"the connection to {name}", connection.close())
                for name, connection in self._connections.items()
            )
        )
