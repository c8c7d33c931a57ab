"""Gives a node's work to the other nodes, on request or because it stops, and takes it up again."""

import logging
from typing import Final, NoReturn

from domain.core.wakeup import Wakeup
from infra.runtime.node import NodeWork
from infra.web.connections.registry import ConnectionRegistry

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2.0


class Draining:
    """Drains a node, and has it work again.

    A node that drains isn't ready any more; its roles stop, which give their leases and jobs back; then its sockets and
    streams are closed, a few at a time, so that their clients connect to other nodes.
    Requests go on being answered, so that a drained node can be looked at. `changed` is set when it begins or ends.
    """

    def __init__(self, work: NodeWork, connections: ConnectionRegistry) -> None:
        self._work = work
        self._connections = connections
        self._is_stopping = False
        self._wakeup = Wakeup()
        self.changed = Wakeup()

    def follow(self, *, is_requested: bool) -> None:
        """Have the node drain if that is requested, and otherwise work; a node that stops drains in any case."""
        is_expected = is_requested or self._is_stopping
        if self._work.is_draining != is_expected:
            self._work.is_draining = is_expected
            self.changed.set()
            self._wakeup.set()

    async def run(self) -> NoReturn:
        """Do what `follow` was told, until cancelled."""
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            try:
                await (self._drain() if self._work.is_draining else self._resume())
            except Exception:
                log.exception("the node could not %s; it is tried again", "drain" if self._work.is_draining else "work")
                await self._wakeup.wait(RETRY_SECONDS)
                self._wakeup.set()

    async def stop(self) -> None:
        """Drain for good."""
        self._is_stopping = True
        self.follow(is_requested=True)
        await self._drain()

    async def _drain(self) -> None:
        await self._work.stop()
        log.info("this node has given its work to the other nodes")
        await self._connections.close_all()
        self.changed.set()

    async def _resume(self) -> None:
        self._connections.reopen()
        await self._work.start()
        log.info("this node works again")
        self.changed.set()
