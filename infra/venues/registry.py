"""Every venue of this node, connected with its first use."""

from collections.abc import Sequence
from datetime import datetime

from domain.core.clock import Clock
from domain.model.markets import Venue
from domain.model.trading import Account, VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.bus import MessageBus
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from infra.venues.ccxt.market_data import CcxtMarketData
from infra.venues.config import UnknownVenue, VenueSettings
from infra.venues.rate_limit.limiters import RateBudgets
from infra.venues.sandbox_admin import SandboxAdmin


class Venues:
    """The venues by name; `sandbox_tokens` holds the administrative token of those that are sandboxes."""

    def __init__(
        self, settings: Sequence[VenueSettings], clock: Clock, sandbox_tokens: dict[str, str] | None = None
    ) -> None:
        self._budgets = RateBudgets(clock)
        self._connections = {each.name: VenueConnection(each, clock, self._budgets.of(each)) for each in settings}
        self._public = {name: CcxtMarketData(each, clock) for name, each in self._connections.items()}
        self._paper = {
            each.name: SandboxAdmin(each.url, token)
            for each in settings
            if each.url is not None and (token := (sandbox_tokens or {}).get(each.name)) is not None
        }

    def names(self) -> tuple[str, ...]:
        """Return the venues' names, in the order of the settings."""
        return tuple(self._connections)

    def all(self) -> tuple[Venue, ...]:
        """Return the venues in the order of their names."""
        return tuple(self._connections[name].settings.venue for name in sorted(self._connections))

    def get(self, name: str) -> Venue | None:
        """Return a venue; None where none is called so."""
        found = self._connections.get(name)
        return None if found is None else found.settings.venue

    async def abilities(self, name: str) -> VenueAbilities | None:
        """Return what the engine can have done at the venue; None where none is called so."""
        found = self._connections.get(name)
        return None if found is None else await found.abilities()

    def venue(self, name: str) -> Venue:
        """Return a venue; raises `UnknownVenue`."""
        return self.connection(name).settings.venue

    def public(self, name: str) -> CcxtMarketData:
        """Return the venue's public data; raises `UnknownVenue`."""
        return self._public[self.connection(name).settings.name]

    def account(self, account: Account, credentials: VenueCredentials) -> CcxtExecutionClient:
        """Return the way to an account's orders, to be closed by the caller before this is; raises `UnknownVenue`."""
        return CcxtExecutionClient(self.connection(account.venue), credentials, str(account.id))

    def paper(self, name: str) -> SandboxAdmin | None:
        """Return the administrative side of a sandbox; None where the venue is none, or its token isn't known."""
        return self._paper.get(name)

    def connection(self, name: str) -> VenueConnection:
        """Return what all use of the venue shares; raises `UnknownVenue`."""
        found = self._connections.get(name)
        if found is None:
            raise UnknownVenue(name)
        return found

    def venue_now(self, name: str) -> datetime:
        """Return the venue's time by its measured offset; raises `UnknownVenue`."""
        return self.public(name).venue_now()

    async def share_bans(self, bus: MessageBus) -> None:
        """Tell other nodes where a venue asks for silence, and be silent where one was asked."""
        await self._budgets.share(bus)

    async def close(self) -> None:
        """Close every connection."""
        await self._budgets.close()
        for paper in self._paper.values():
            await paper.close()
        for connection in self._connections.values():
            await connection.close()
