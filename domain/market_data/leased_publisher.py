"""Publishes a feed's messages for as long as this node holds the feed's lease."""

from domain.events.leases import LeaseHandle
from domain.ports.bus import MessageBus


class LeasedPublisher:
    """Drops what it is given once the lease has lapsed.

    A process that was frozen finds old messages of the venue when it wakes up, and would publish them beside the newer
    ones of the node that has taken the feed over, until it looks at its leases.
    """

    def __init__(self, bus: MessageBus, lease: LeaseHandle) -> None:
        self._bus = bus
        self._lease = lease

    async def publish(self, topic: str, message: bytes) -> None:
        """Publish, unless the lease is lost or has lapsed."""
        if self._lease.current is not None:
            await self._bus.publish(topic, message)
