"""The message bus inside one process: a message is delivered by a plain call."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


class EmbeddedSubscription:
    """A listener's subscription to a topic of an `EmbeddedBus`, until it is closed."""

    def __init__(
        self, bus: "EmbeddedBus", topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None
    ) -> None:
        self.topic = topic
        self._bus = bus
        self._on_message = on_message
        self._on_loss = on_loss
        self._closed = False
        self._failed = False

    def __repr__(self) -> str:
        return f"EmbeddedSubscription(topic={self.topic!r}, closed={self._closed})"

    def deliver(self, message: bytes) -> None:
        """Call the listener, unless the subscription was closed meanwhile."""
        self._call(lambda: self._on_message(message))

    def notify_loss(self) -> None:
        """Notify the listener that it may have missed messages."""
        if self._on_loss is not None:
            self._call(self._on_loss)

    async def close(self) -> None:
        self._closed = True
        self._bus.remove(self)

    def _call(self, listener: Callable[[], None]) -> None:
        if self._closed:
            return
        try:
            listener()
        except Exception as error:  # noqa: BLE001  # an error of one listener must not keep the message from others
            self._log_first(error)

    def _log_first(self, error: Exception) -> None:
        if not self._failed:
            _log.error("a listener of the topic %s raises", self.topic, exc_info=error)
        self._failed = True


class EmbeddedBus:
    """`domain.ports.bus.MessageBus` for one node: all listeners have been called when `publish` returns."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, dict[EmbeddedSubscription, None]] = {}

    @property
    def is_connected(self) -> bool:
        return True

    @property
    def topics(self) -> frozenset[str]:
        """The topics that have a listener."""
        return frozenset(self._subscriptions)

    async def publish(self, topic: str, message: bytes) -> None:
        self.publish_here(topic, message)

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> EmbeddedSubscription:
        # `on_loss` is only called through `notify_loss`: nothing is lost inside of a process.
        subscription = EmbeddedSubscription(self, topic, on_message, on_loss)
        self._subscriptions.setdefault(topic, {})[subscription] = None
        return subscription

    async def close(self) -> None:
        for subscription in self._all():
            await subscription.close()

    def publish_here(self, topic: str, message: bytes) -> None:
        """Deliver `message` to every listener of `topic`, in the order of their subscription."""
        for subscription in tuple(self._subscriptions.get(topic, ())):
            subscription.deliver(message)

    def notify_loss(self, is_affected: Callable[[str], bool]) -> None:
        """Notify the listeners of every topic for which `is_affected` holds that they may have missed messages."""
        for subscription in self._all():
            if is_affected(subscription.topic):
                subscription.notify_loss()

    def remove(self, subscription: EmbeddedSubscription) -> None:
        """Remove a subscription, if it is still there; called by its `close`."""
        listeners = self._subscriptions.get(subscription.topic, {})
        listeners.pop(subscription, None)
        if not listeners:
            self._subscriptions.pop(subscription.topic, None)

    def _all(self) -> list[EmbeddedSubscription]:
        return [subscription for listeners in self._subscriptions.values() for subscription in listeners]
