"""Returns what is known of the drift of trading sessions, and has workers find out what isn't."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import InputError
from domain.jobs.queue import add_job, notify_workers
from domain.model.drift import BacktestDrift
from domain.model.jobs import Job, JobKind
from domain.model.trading import TradingSession
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.recommendation_candidates import age_limit

MOST_OPEN: Final = 2
"""How many trading sessions of one user are worked on at a time."""
PAUSE: Final = timedelta(minutes=10)
"""How long after a request the next one begins at the earliest, even if the job failed."""


class DriftService:
    """Returns the drift of trading sessions. A query waits for nothing but the database."""

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def drifts(self, sessions: Sequence[TradingSession]) -> list[BacktestDrift | None]:
        """Return what is known of each trading session, in order; None of one that isn't compared yet.

        What is missing or old is computed by a job, after the answer.
        """
        async with self._database.read_only() as reading:
            found = await reading.drift.get_many([session.id for session in sessions])
        known = {drift.trading_session_id: drift for drift in found}
        for session in sessions:
            if self._is_due(session, known.get(session.id)):
                await self._request(session)
        drifts = [known.get(session.id) for session in sessions]
        return [drift if drift is not None and drift.drift is not None else None for drift in drifts]

    def _is_due(self, session: TradingSession, known: BacktestDrift | None) -> bool:
        now = self._clock.now()
        if known is None:
            return now - session.started_at >= session.timeframe.duration
        if now - known.requested_at < PAUSE:
            return False
        if known.computed_at is None:
            return True
        if session.stopped_at is not None and known.computed_at > session.stopped_at + session.timeframe.duration:
            return False
        return now - known.computed_at >= age_limit(session.timeframe)

    async def _request(self, session: TradingSession) -> None:
        """Queue a job, unless one is open or the user has too many; a later query asks again."""
        now, job_id = self._clock.now(), self._ids.next_id()
        requested = BacktestDrift(session.id, session.user_id, job_id, now)
        async with self._database.read_only() as reading:
            if not await self._has_room(reading, session):
                return
        with suppress(InputError):  # the plan allows no further job
            async with self._database.transaction() as transaction:
                await transaction.users.lock(session.user_id)
                if not await self._has_room(transaction, session):
                    return
                await add_job(transaction, Job(job_id, session.user_id, JobKind.DRIFT, now))
                await transaction.drift.request(requested)
            await notify_workers(self._bus)

    async def _has_room(self, reading: UnitOfWork, session: TradingSession) -> bool:
        known = await reading.drift.get_many([session.id])
        if known and not await self._has_ended(reading, known[0].job_id):
            return False
        if known and not self._is_due(session, known[0]):
            return False
        return await reading.drift.count_open(session.user_id) < MOST_OPEN

    async def _has_ended(self, reading: UnitOfWork, job_id: UUID) -> bool:
        return all(job.status.is_final for job in await reading.jobs.get_many([job_id]))
