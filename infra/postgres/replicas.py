"""Connections to replicas, for reads of the past, as long as one follows the primary closely enough."""

import logging
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from infra.postgres.connection import translate_driver_errors
from infra.postgres.pool import Pool
from infra.postgres.pool_use import PoolUse
from infra.postgres.transaction_connection import PooledConnection, acquire, release

log = logging.getLogger(__name__)

ACQUIRE_SECONDS: Final = 1.0
"""How long a replica is waited for: the primary can answer instead."""
PAUSE_SECONDS: Final = 5.0
"""For so long nobody asks a replica again that couldn't be used."""

_REPLAYED = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END"
"""When the last commit that the replica has was made; None on a server that has been promoted.

Nodes renew leases every 2 s, so it is never much older than the lag.
"""


class Replicas:
    """Reads of the past go to a replica, or to the primary while none can be used: away, promoted or too far behind."""

    def __init__(self, pool: Pool, clock: Clock, max_lag_seconds: float) -> None:
        self.use = PoolUse(pool)
        self.reads = Counter[str]()
        """How many reads of the past each has answered: `replica` and `primary`."""
        self._pool = pool
        self._clock = clock
        self._max_lag = timedelta(seconds=max_lag_seconds)
        self._asked_again_at = 0.0
        self._reason: str | None = None

    async def acquire(self, until: datetime) -> "PooledConnection | None":
        """Return a connection to a replica that has what was committed by `until`; None if the primary must be read."""
        driver = None
        if time.monotonic() >= self._asked_again_at:
            driver = await self._acquire(until)
        self.reads["primary" if driver is None else "replica"] += 1
        return driver

    async def release(self, driver: PooledConnection) -> None:
        """Give a connection back."""
        await release(self._pool, driver)

    async def _acquire(self, until: datetime) -> "PooledConnection | None":
        try:
            with self.use.waiting():
                driver = await acquire(self._pool, ACQUIRE_SECONDS)
        except Unavailable as error:
            self._note(f"none can be reached: {error}")
            return None
        try:
            if await self._follows(driver, until):
                return driver
        except Unavailable as error:
            self._note(f"it doesn't answer: {error}")
        except BaseException:
            await self.release(driver)
            raise
        await self.release(driver)
        return None

    async def _follows(self, driver: PooledConnection, until: datetime) -> bool:
        """Return whether this server is a replica, within the lag, and has all of that time."""
        with translate_driver_errors(driver):
            replayed: datetime | None = await driver.fetchval(_REPLAYED)
        lag = None if replayed is None else self._clock.now() - replayed
        if lag is None:
            await self._pool.expire_connections()
            self._note("it has been promoted")
        elif lag > self._max_lag:
            self._note(f"it is {lag.total_seconds():.0f} s behind")
        else:
            self._note(None)
        return replayed is not None and lag is not None and until <= replayed and lag <= self._max_lag

    def _note(self, reason: str | None) -> None:
        """Log once when replicas can no longer be used, and when they can be again; leave one alone that can't."""
        if reason is not None:
            self._asked_again_at = time.monotonic() + PAUSE_SECONDS
        if (reason is None) == (self._reason is None):
            return
        self._reason = reason
        if reason is None:
            log.info("reads of the past go to a replica")
        else:
            log.warning("reads of the past go to the primary and not to a replica: %s", reason)
