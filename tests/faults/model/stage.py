"""What the users of a run act on, whatever runs behind it."""

from typing import Protocol

from tests.faults.model.venue import Venue
from tests.support.graphql_client import Client


class Stage(Protocol):
    """An exchange, and an engine of one or more nodes whose faults can be taken back."""

    venue: Venue

    def clients(self, token: str | None = None) -> list[Client]:
        """Return a client of each node that users can reach."""
        ...

    async def heal(self) -> None:
        """Take all faults back, and wait until the engine is ready."""
        ...
