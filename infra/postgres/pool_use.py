"""How a pool of connections is used: for its metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from domain.core.errors import Unavailable
from domain.core.metrics import LatencyHistogram
from infra.postgres.pool import Pool

SECONDS: Final = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""The upper bounds by which waits are counted."""


class PoolUse:
    """How long the pool's connections were waited for, and how often none could be had."""

    def __init__(self, pool: Pool) -> None:
        self.waits = LatencyHistogram(SECONDS)
        self.failures = 0
        self._pool = pool

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return self._pool.get_size()

    @property
    def idle_connections(self) -> int:
        """How many of them nobody uses."""
        return self._pool.get_idle_size()

    @property
    def most_connections(self) -> int:
        """How many may be open."""
        return self._pool.get_max_size()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Measure the block, which waits for a connection, and count it if it gets none."""
        started = time.perf_counter()
        try:
            yield
        except Unavailable:
            self.failures += 1
            raise
        finally:
            self.waits.observe(time.perf_counter() - started)
