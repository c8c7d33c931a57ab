"""The port of the message bus: fast, but messages may be lost. What must not be lost is in the database."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID


class BusSubscription(Protocol):
    """A listener's subscription to a topic, until it is closed."""

    async def close(self) -> None:
        """Unsubscribe; the listener isn't called after this has returned."""
        ...


class Publisher(Protocol):
    """Delivers messages by topic."""

    async def publish(self, topic: str, message: bytes) -> None:
        """Deliver `message` to the listeners of `topic`; never raises for a failure of what carries it."""
        ...


class MessageBus(Publisher, Protocol):
    """Delivers messages by topic to every listener on every node, in the order in which each publisher sent them.

    A message may be lost when a connection breaks. Then `on_loss` is called, at least once after listening works again,
    so that the listener reads from the database what it missed. It may also be called when only messages of other
    topics were lost. Listeners on the publisher's own node lose nothing.
    """

    @property
    def is_connected(self) -> bool:
        """Whether messages reach other nodes, and theirs this one, as far as is known."""
        ...

    async def publish(self, topic: str, message: bytes) -> None:
        """Deliver `message` to every listener of `topic`; never raises for a failure of the bus itself.

        Listeners on this node have been called when this returns; other nodes get the message later.
        """
        ...

    def publish_here(self, topic: str, message: bytes) -> None:
        """Deliver `message` to every listener of `topic` on this node, and to no other node."""
        ...

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` on the event loop for every message from now on; it must return at once.

        An exception of a listener is logged the first time; other listeners get the message all the same.
        """
        ...

    async def close(self) -> None:
        """Close every subscription and release all resources."""
        ...


def commands_topic(account_id: UUID) -> str:
    """Return the topic that wakes an account's executor; the message is the id of an order to look at, or empty."""
    return f"commands:{account_id}"
