"""The bus inside one process: a message is handed over by a plain call."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


class EmbeddedSubscription:
    """A listener on a topic of an `EmbeddedBus`, until it is closed."""

    def __init__(
        self, bus: "EmbeddedBus", topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None
    ) -> None:
        self.topic = topic
        self._bus = bus
        self._on_message = on_message
        self._on_gap = on_loss
        self._closed = False
        self._failed = False

    def __repr__(self) -> str:
        return f"EmbeddedSubscription(topic={self.topic!r}, closed={self._closed})"

    def hand_over(self, message: bytes) -> None:
        """Call the listener, unless it was closed since the message was on its way."""
        self._call(lambda: self._on_message(message))

    def tell_gap(self) -> None:
        """Tell the listener that it may have missed messages."""
        if self._on_gap is not None:
            self._call(self._on_gap)

    async def close(self) -> None:
        """Stop listening; no call of the listener starts after this has returned."""
        self._closed = True
        self._bus.forget(self)

    def _call(self, listener: Callable[[], None]) -> None:
        if self._closed:
            return
        try:
            listener()
        except Exception as error:  # noqa: BLE001  # whatever one listener raises must not keep others from the message
            self._log_first(error)

    def _log_first(self, error: Exception) -> None:
        if not self._failed:
            _log.error("a listener of the topic %s raises", self.topic, exc_info=error)
        self._failed = True


class EmbeddedBus:
    """`domain.ports.bus.MessageBus` for one node: every listener has had the message when `publish` returns."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, dict[EmbeddedSubscription, None]] = {}

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic`, in the order of their subscription."""
        self.deliver(topic, message)

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> EmbeddedSubscription:
        """Call `on_message` for every message from now on; `on_loss` never, for nothing is lost inside a process."""
        subscription = EmbeddedSubscription(self, topic, on_message, on_loss)
        self._subscriptions.setdefault(topic, {})[subscription] = None
        return subscription

    async def close(self) -> None:
        """Close every subscription."""
        for subscription in self._present():
            await subscription.close()

    def deliver(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic` at once."""
        for subscription in tuple(self._subscriptions.get(topic, ())):
            subscription.hand_over(message)

    def tell_gap(self, concerns: Callable[[str], bool]) -> None:
        """Tell the listeners of each topic that `concerns` holds for that they may have missed messages."""
        for subscription in self._present():
            if concerns(subscription.topic):
                subscription.tell_gap()

    def forget(self, subscription: EmbeddedSubscription) -> None:
        """Take out a subscription that closes itself; nothing happens where it is out already."""
        listeners = self._subscriptions.get(subscription.topic, {})
        listeners.pop(subscription, None)
        if not listeners:
            self._subscriptions.pop(subscription.topic, None)

    def _present(self) -> list[EmbeddedSubscription]:
        return [subscription for listeners in self._subscriptions.values() for subscription in listeners]
