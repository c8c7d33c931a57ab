"""The rate budgets of this node, one a venue and address, and the word of a ban that nodes tell each other."""

import asyncio
import logging

import msgspec

from domain.core.clock import Clock
from domain.ports.bus import BusSubscription, MessageBus
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter

log = logging.getLogger(__name__)

SILENCE_TOPIC = "venue-silence"
"""A venue has asked a node for silence; the message is `_Told`."""

TELL_AGAIN_SECONDS = 5.0
"""How often that is told again while it lasts, for nodes that came later and for what the bus lost."""


class _Told(msgspec.Struct):
    """Which venue, by ccxt's name for it and its address, and for how many more seconds."""

    venue: str
    address: str
    seconds: float


class RateBudgets:
    """Two names of one venue at one address share one budget; a sandbox's address is its own, all else is the venue's.

    Nodes can't know whether they share an address in the venue's eyes, so a ban of one silences all: a node that is
    silent for nothing loses minutes, and one that goes on where another was banned makes the ban longer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._budgets: dict[tuple[str, str], RateLimiter] = {}
        self._bus: MessageBus | None = None
        self._subscription: BusSubscription | None = None
        self._telling: dict[tuple[str, str], asyncio.Task[None]] = {}

    def of(self, settings: VenueSettings) -> RateLimiter:
        """Return the budget of a venue."""
        key = (settings.ccxt_id, (settings.url or "").rstrip("/"))
        if key not in self._budgets:
            budget = self._budgets[key] = RateLimiter(self._clock)
            budget.on_silence = lambda: self._silenced(key)
        return self._budgets[key]

    async def share(self, bus: MessageBus) -> None:
        """Tell other nodes of bans, and heed theirs, until `close`."""
        self._bus = bus
        self._subscription = await bus.subscribe(SILENCE_TOPIC, self._hear)

    async def close(self) -> None:
        """Stop telling and listening."""
        for task in (telling := list(self._telling.values())):
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.close()

    def _hear(self, message: bytes) -> None:
        try:
            told = msgspec.json.decode(message, type=_Told)
        except msgspec.DecodeError:
            return
        budget = self._budgets.get((told.venue, told.address))
        if budget is not None:
            budget.hush(told.seconds)

    def _silenced(self, key: tuple[str, str]) -> None:
        log.warning(
            "%s asked for fewer requests: nothing is asked for %.0f s", key[0], self._budgets[key].silent_seconds
        )
        if self._bus is not None and (key not in self._telling or self._telling[key].done()):
            self._telling[key] = asyncio.create_task(self._tell(self._bus, key), name=f"venue-silence:{key[0]}")

    async def _tell(self, bus: MessageBus, key: tuple[str, str]) -> None:
        while seconds := self._budgets[key].silent_seconds:
            await bus.publish(SILENCE_TOPIC, msgspec.json.encode(_Told(*key, seconds)))
            await asyncio.sleep(min(seconds, TELL_AGAIN_SECONDS))
