"""Aborts the connection of a peer that no longer reads what it is sent."""

import asyncio
from collections.abc import Callable


class WriteTimeout:
    """While a transport's write buffer is full, checks every `seconds` whether it has become any shorter."""

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
        """Check after `seconds`, and again, until it is stopped."""
        self.stop()
        self._size = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._seconds, self._check)

    def stop(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._transport.get_write_buffer_size() < self._size:
            self.start()
            return
        self._on_unresponsive()
        self._transport.abort()


class WriteTimeoutMixin(asyncio.Protocol):
    """Runs a protocol's write time-out while its writing is paused; stands before the protocol among the bases."""

    _write_timeout: WriteTimeout | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timeout is not None:
            self._write_timeout.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timeout is not None:
            self._write_timeout.stop()
