"""The drift of trading sessions from their backtests in PostgreSQL."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from domain.model.drift import BacktestDrift, Drift
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import to_json
from infra.postgres.rows.mapper import RowMapper

_DRIFT = msgspec.json.Decoder(Drift)


def _decode_drift(stored: bytes | None) -> Drift | None:
    return None if stored is None else _DRIFT.decode(stored)


_ROWS: Final = RowMapper(
    "backtest_drifts", BacktestDrift, decoders={"drift": _decode_drift}, encoders={"drift": to_json}
)
GET_MANY: Final = _ROWS.select + " WHERE trading_session_id = ANY($1::uuid[])"
OF_JOB: Final = _ROWS.select + " WHERE job_id = $1"
JOB: Final = "SELECT job_id FROM backtest_drifts WHERE trading_session_id = $1 FOR UPDATE"
REQUEST: Final = _ROWS.upsert("trading_session_id", "user_id", "computed_at", "until", "drift")
SAVE: Final = _ROWS.update("trading_session_id", "user_id", "job_id", "requested_at")
DELETE_JOB: Final = "DELETE FROM jobs WHERE id = $1 AND status NOT IN ('QUEUED', 'RUNNING')"
COUNT_OPEN: Final = """
SELECT count(*) FROM backtest_drifts JOIN jobs ON jobs.id = backtest_drifts.job_id
WHERE backtest_drifts.user_id = $1 AND jobs.status IN ('QUEUED', 'RUNNING')"""


class PostgresDrift(Repository):
    """See `domain.ports.drift.DriftRepository`."""

    async def get_many(self, session_ids: Sequence[UUID]) -> list[BacktestDrift]:
        return [_ROWS.from_row(row) for row in await self._connection.fetch(GET_MANY, session_ids)]

    async def get_for_job(self, job_id: UUID) -> BacktestDrift | None:
        row = await self._connection.fetchrow(OF_JOB, job_id)
        return None if row is None else _ROWS.from_row(row)

    async def request(self, drift: BacktestDrift) -> None:
        earlier = await self._connection.fetchval(JOB, drift.trading_session_id)
        await self._connection.execute(REQUEST, *_ROWS.params(drift))
        if earlier is not None:
            await self._connection.execute(DELETE_JOB, earlier)

    async def save(self, drift: BacktestDrift) -> None:
        await self._connection.execute(SAVE, *_ROWS.params(drift))

    async def count_open(self, user_id: UUID) -> int:
        count: int = await self._connection.fetchval(COUNT_OPEN, user_id)
        return count
