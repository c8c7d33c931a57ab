"""The port to all venues that this engine reaches."""

from typing import Protocol

from domain.model.markets import Venue
from domain.model.trading import Account, VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.execution_client import ExecutionClient
from domain.ports.trading import PaperVenue


class VenueDirectory(Protocol):
    """The configured venues, and connections to them."""

    def all(self) -> tuple[Venue, ...]:
        """Return the venues in the order of their names."""
        ...

    def get(self, name: str) -> Venue | None:
        """Return a venue by its name."""
        ...

    async def abilities(self, name: str) -> VenueAbilities | None:
        """Return what the engine can have done at the venue; None where none is called so."""
        ...

    def paper(self, name: str) -> PaperVenue | None:
        """Return the administrative side of a venue where paper accounts can be made; None for all others."""
        ...

    def account(self, account: Account, credentials: VenueCredentials) -> ExecutionClient:
        """Return a connection of the account, which the caller closes."""
        ...
