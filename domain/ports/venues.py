"""The ports to all venues that this engine reaches, and to the sandbox's administrative side."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Protocol

from domain.model.markets import Venue
from domain.model.trading import Account, Balance, VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.execution_client import ExecutionClient

AbilitiesOf = Callable[[str], Awaitable[VenueAbilities | None]]
"""Returns the abilities of a venue by its name, as `VenueDirectory.abilities` does."""


class PaperRefused(Exception):
    """The sandbox refuses a request about paper money for good: a retry would fail again. The message is its reason."""


class NoSuchPaperAccount(PaperRefused):
    """The sandbox has no such account."""


class PaperVenue(Protocol):
    """The administrative side of a sandbox exchange.

    Each call raises `VenueUnreachable` if there is no answer, `PaperRefused` for a definite refusal, and `Unavailable`
    if the sandbox refuses the engine's own token, which only the operator can fix.
    """

    async def currencies(self) -> tuple[str, ...]:
        """Return the currencies that its accounts can hold."""
        ...

    async def open_account(self, name: str, balances: Sequence[Balance]) -> VenueCredentials:
        """Open an account with balances; idempotent by `name`: a second call pays nothing and returns the same."""
        ...

    async def deposit(self, name: str, currency: str, amount: Decimal, key: str) -> bool:
        """Pay into an account once for each `key`; False if that was done before. Raises `NoSuchPaperAccount` too."""
        ...


class VenueDirectory(Protocol):
    """The configured venues, and connections to them."""

    def all(self) -> tuple[Venue, ...]:
        """Return the venues in the order of their names."""
        ...

    def get(self, name: str) -> Venue | None:
        """Return a venue by its name."""
        ...

    async def abilities(self, name: str) -> VenueAbilities | None:
        """Return which orders and requests the venue supports; None if there is no such venue."""
        ...

    def paper(self, name: str) -> PaperVenue | None:
        """Return the administrative side of a venue where paper accounts can be opened; None for all others."""
        ...

    def account(self, account: Account, credentials: VenueCredentials) -> ExecutionClient:
        """Return an execution client for the account, which the caller closes."""
        ...
