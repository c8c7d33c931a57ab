"""How quickly one address may open connections, request, and send by WebSockets; what has to wait takes turns.

What a peer sends beyond the rate is read later: it fills the peer's own buffers, and nothing is lost. So neither a
flood of pings nor one of broken messages takes more of the event loop than the rate, however many sockets it uses.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache

BYTES_PER_UNIT: Final = 1024
"""A frame counts 1, and as much again for each so many bytes."""

CONNECTION_UNITS: Final = 4
"""What a new connection counts: a handshake takes the event loop as long as some messages."""

_REMEMBERED: Final = 100_000
_BURST_SECONDS: Final = 0.25
_MIN_PAUSE_SECONDS: Final = 0.01


class MessageRates:
    """The rates of all addresses; `on_wait` is called whenever a socket has to wait since its address sent too much."""

    def __init__(
        self, per_second: int, on_wait: Callable[[], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._on_wait = on_wait
        self._monotonic = monotonic
        self._rates: LRUCache[str, AddressRate] = LRUCache(_REMEMBERED)

    def of(self, network: str) -> "AddressRate":
        """Return the rate that all sockets of an address share."""
        found = self._rates.get(network)
        if found is None:
            found = self._rates[network] = AddressRate(self._per_second, self._on_wait, self._monotonic)
        return found


class AddressRate:
    """A bucket of units, a quarter of a second's at most, and the sockets that wait for it to fill."""

    def __init__(self, per_second: int, on_wait: Callable[[], None], monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._most = max(per_second * _BURST_SECONDS, 1.0)
        self._on_wait = on_wait
        self._monotonic = monotonic
        self._units = self._most
        self._filled_at = monotonic()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def may_read(self) -> bool:
        """Return whether anything may be read now."""
        self._fill()
        return self._units > 0

    def spend(self, frames: int, size: int) -> None:
        """Count so many frames, which had so many bytes together; the next ones may have to wait for it."""
        self._units -= frames + size / BYTES_PER_UNIT

    def wait(self, read: Callable[[], None]) -> None:
        """Call `read` when it is its turn: behind all that waits already, and in a later step of the event loop."""
        if not self.may_read():
            self._on_wait()
        self._waiting.append(read)
        self._schedule()

    def _schedule(self) -> None:
        if self._is_scheduled or not self._waiting:
            return
        self._is_scheduled = True
        missing = -self._units / self._per_second
        pause = 0.0 if self.may_read() else max(missing, _MIN_PAUSE_SECONDS)
        asyncio.get_running_loop().call_later(pause, self._serve)

    def _serve(self) -> None:
        self._is_scheduled = False
        for _ in range(len(self._waiting)):
            if not self.may_read():
                break
            self._waiting.popleft()()
        self._schedule()

    def _fill(self) -> None:
        now = self._monotonic()
        self._units = min(self._units + (now - self._filled_at) * self._per_second, self._most)
        self._filled_at = now
