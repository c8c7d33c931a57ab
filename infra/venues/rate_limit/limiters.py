"""The rate limiters of this node, one for each venue and address, and the bans that nodes announce to each other."""

import asyncio
import logging

import msgspec

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from domain.ports.bus import BusSubscription, MessageBus
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter

log = logging.getLogger(__name__)

BAN_TOPIC = "venue-silence"
"""A venue has banned a node; the message is a `_BanMessage`."""

ANNOUNCE_EVERY_SECONDS = 5.0
"""How often a ban is announced while it lasts, for nodes that start later and for messages that the bus loses."""


class _BanMessage(msgspec.Struct):
    """The banned venue, by ccxt's id and its address, and how many seconds are left."""

    venue: str
    address: str
    seconds: float


class RateLimiters:
    """Two names of one venue at one address share a limiter. A sandbox's address is its own, others have none.

    Nodes can't know whether the venue sees them at the same address, so a ban of one stops all of them: a node that
    stops without need loses minutes, and one that goes on while another is banned makes the ban longer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limiters: dict[tuple[str, str], RateLimiter] = {}
        self._bus: MessageBus | None = None
        self._subscription: BusSubscription | None = None
        self._announcements: dict[tuple[str, str], asyncio.Task[None]] = {}

    def get(self, settings: VenueSettings) -> RateLimiter:
        """Return the rate limiter of a venue."""
        key = (settings.ccxt_id, (settings.url or "").rstrip("/"))
        if key not in self._limiters:
            limiter = self._limiters[key] = RateLimiter(self._clock)
            limiter.on_ban = lambda: self._on_ban(key)
        return self._limiters[key]

    async def share_bans(self, bus: MessageBus) -> None:
        """Announce bans to other nodes and observe theirs, until `close`."""
        self._bus = bus
        self._subscription = await bus.subscribe(BAN_TOPIC, self._on_ban_message)

    async def close(self) -> None:
        """Stop the announcements and the subscription."""
        await cancel_and_wait(*self._announcements.values())
        if self._subscription is not None:
            await self._subscription.close()

    def _on_ban_message(self, payload: bytes) -> None:
        try:
            message = msgspec.json.decode(payload, type=_BanMessage)
        except msgspec.DecodeError:
            return
        limiter = self._limiters.get((message.venue, message.address))
        if limiter is not None:
            limiter.ban(message.seconds)

    def _on_ban(self, key: tuple[str, str]) -> None:
        log.warning(
            "%s asked for fewer requests: nothing is asked for %.0f s", key[0], self._limiters[key].banned_seconds
        )
        if self._bus is not None and (key not in self._announcements or self._announcements[key].done()):
            self._announcements[key] = asyncio.create_task(
                self._announce(self._bus, key), name=f"venue-silence:{key[0]}"
            )

    async def _announce(self, bus: MessageBus, key: tuple[str, str]) -> None:
        while seconds := self._limiters[key].banned_seconds:
            await bus.publish(BAN_TOPIC, msgspec.json.encode(_BanMessage(*key, seconds)))
            await asyncio.sleep(min(seconds, ANNOUNCE_EVERY_SECONDS))
