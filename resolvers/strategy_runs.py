"""What backtests and optimizations have in common: the version that was asked for, and the job."""

from typing import Protocol
from uuid import UUID

from domain.model.jobs import Job
from domain.model.strategies import StrategyVersion
from resolvers.context import RequestContext


class StrategyRun(Protocol):
    """A strategy that a job runs on past candles."""

    @property
    def job_id(self) -> UUID:
        """The job that computes it."""
        ...

    @property
    def strategy_version_id(self) -> UUID | None:
        """The version that was asked for; None if it was a definition."""
        ...


async def strategy_version(context: RequestContext, run: StrategyRun) -> StrategyVersion | None:
    """Return the version that was asked for; None if it was a definition."""
    if run.strategy_version_id is None:
        return None
    return await context.loaders.strategy_versions.load(run.strategy_version_id)


async def job(context: RequestContext, run: StrategyRun) -> Job | None:
    """Return the job that computes it."""
    return await context.loaders.jobs.load(run.job_id)
