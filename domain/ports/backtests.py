"""The port of backtests: what was asked for, and what it came to."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.model.backtests import Backtest, BacktestOutcome, RoundTripSlice


class BacktestRepository(Protocol):
    """Backtests, which jobs compute."""

    async def add(self, backtest: Backtest) -> None:
        """Insert a backtest whose job has yet to run."""
        ...

    async def get(self, user_id: UUID, backtest_id: UUID) -> Backtest | None:
        """Return a backtest of the user."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Backtest]:
        """Return the backtests that exist, in any order (for batches)."""
        ...

    async def get_for_job(self, job_id: UUID) -> Backtest | None:
        """Return the backtest that the job computes."""
        ...

    async def set_outcome(self, backtest_id: UUID, outcome: BacktestOutcome) -> None:
        """Store what the backtest came to."""
        ...

    async def outcomes(self, ids: Sequence[UUID]) -> dict[UUID, BacktestOutcome]:
        """Return what backtests came to, without those whose job hasn't succeeded."""
        ...

    async def outcomes_without_trips(self, ids: Sequence[UUID]) -> dict[UUID, BacktestOutcome]:
        """Return the same without round trips, of which each may have thousands."""
        ...

    async def round_trips(
        self, backtest_id: UUID, limit: int, after: int | None, before: int | None, *, backwards: bool
    ) -> RoundTripSlice:
        """Return at most `limit` round trips between two numbers that are not included, the last ones for `backwards`.

        There are none of a backtest whose job hasn't succeeded.
        """
        ...

    async def delete_old(self, kept: int, limit: int) -> int:
        """Delete backtests with their jobs that have ended, but for the newest `kept` of each user; return how many."""
        ...
