"""The port of the message bus: fast and forgetful. It only saves a wait; what must not be lost is in the database."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID


class BusSubscription(Protocol):
    """A listener on a topic, until it is closed."""

    async def close(self) -> None:
        """Stop listening; no call of the listener starts after this has returned."""
        ...


class MessageBus(Protocol):
    """Messages by topic to every listener on every node, in the order of each publisher.

    A hint, not a truth: a message may be lost when a connection breaks. `on_loss` is then called, at least once after
    listening works again, so that the listener reads the truth from where it is kept. It may be called for messages of
    other topics too. Listeners on the publisher's own node miss nothing.
    """

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic`; never raises for the bus's own failure.

        Listeners on this node have had it on return; for those elsewhere it is on its way, and nobody waits for them.
        """
        ...

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` on the event loop for every message from now on; it must hand over and return.

        A listener that raises is logged the first time, and keeps the message from nobody else.
        """
        ...

    async def close(self) -> None:
        """Close every subscription and let go of all resources."""
        ...


def commands_topic(account_id: UUID) -> str:
    """Return the topic that wakes an account's executor; the message is the id of an order to look at, or empty."""
    return f"commands:{account_id}"
