"""Drops a peer that has stopped to take what it is sent."""

import asyncio
from collections.abc import Callable


class WriteWatch:
    """While a transport's buffer is full, looks now and then whether it gets any shorter."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.WriteTransport,
        seconds: float,
        on_unresponsive: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._on_unresponsive = on_unresponsive
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look after a while, and again, until it is stopped."""
        self.stop()
        self._size = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._seconds, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._transport.get_write_buffer_size() < self._size:
            self.start()
            return
        self._on_unresponsive()
        self._transport.abort()


class WatchedWriting(asyncio.Protocol):
    """A protocol that watches its peer while what is to be sent has to be held; stands before its base."""

    _writing: WriteWatch | None = None

    def pause_writing(self) -> None:
        """Hold what is to be sent: the peer takes nothing at the moment."""
        super().pause_writing()
        if self._writing is not None:
            self._writing.start()

    def resume_writing(self) -> None:
        """Send on."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.stop()
