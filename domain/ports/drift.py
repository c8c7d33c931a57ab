"""The port of drift: how far trading sessions have drifted from their backtests."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.model.drift import BacktestDrift


class DriftRepository(Protocol):
    """What is known of the drift of trading sessions, one row a session."""

    async def get_many(self, session_ids: Sequence[UUID]) -> list[BacktestDrift]:
        """Return what is known of these trading sessions, in any order."""
        ...

    async def get_for_job(self, job_id: UUID) -> BacktestDrift | None:
        """Return what the job computes."""
        ...

    async def request(self, drift: BacktestDrift) -> None:
        """Store the job that computes it; what is known of the trading session stays, and its earlier job goes."""
        ...

    async def save(self, drift: BacktestDrift) -> None:
        """Store what was computed."""
        ...

    async def count_open(self, user_id: UUID) -> int:
        """Return how many trading sessions of the user have a job that waits or runs."""
        ...
