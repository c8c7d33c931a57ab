"""The webhooks of trading sessions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.model.trading import SignalWebhook
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.mapper import RowMapper

_WEBHOOKS = RowMapper("signal_webhooks", SignalWebhook, decoders={}, encoders={})
_LIVE = "revoked_at IS NULL"
_USER_MAY_ACT = "NOT EXISTS (SELECT FROM users WHERE id = signal_webhooks.user_id AND disabled_at IS NOT NULL)"

INSERT = _WEBHOOKS.insert()
UPDATE = _WEBHOOKS.update("id", "user_id", "trading_session_id", "created_at")
GET = _WEBHOOKS.select + " WHERE id = $1 AND user_id = $2"
GET_BY_SECRET = _WEBHOOKS.select + f" WHERE secret_hash = $1 AND {_LIVE} AND {_USER_MAY_ACT}"
GET_FOR_UPDATE = _WEBHOOKS.select + f" WHERE id = $1 AND {_LIVE} AND {_USER_MAY_ACT} FOR UPDATE"
REVOKE_ALL = f"UPDATE signal_webhooks SET revoked_at = $2 WHERE user_id = $1 AND {_LIVE}"
LIST_OF_TRADING_SESSIONS = (
    _WEBHOOKS.select + f" WHERE trading_session_id = ANY($1::uuid[]) AND {_LIVE} ORDER BY id DESC"
)


class PostgresSignalWebhooks(Repository):
    """See `domain.ports.signal_webhooks.SignalWebhookRepository`."""

    async def add(self, webhook: SignalWebhook) -> None:
        await self._connection.execute(INSERT, *_WEBHOOKS.params(webhook))

    async def save(self, webhook: SignalWebhook) -> None:
        await self._connection.execute(UPDATE, *_WEBHOOKS.params(webhook))

    async def get(self, user_id: UUID, webhook_id: UUID) -> SignalWebhook | None:
        return await self._fetch(GET, webhook_id, user_id)

    async def get_by_secret(self, secret_hash: bytes) -> SignalWebhook | None:
        return await self._fetch(GET_BY_SECRET, secret_hash)

    async def get_for_update(self, webhook_id: UUID) -> SignalWebhook | None:
        return await self._fetch(GET_FOR_UPDATE, webhook_id)

    async def revoke_all(self, user_id: UUID, at: datetime) -> None:
        await self._connection.execute(REVOKE_ALL, user_id, at)

    async def list_of_trading_sessions(self, session_ids: Sequence[UUID]) -> list[SignalWebhook]:
        rows = await self._connection.fetch(LIST_OF_TRADING_SESSIONS, session_ids)
        return [_WEBHOOKS.from_row(row) for row in rows]

    async def _fetch(self, statement: str, *arguments: object) -> SignalWebhook | None:
        row = await self._connection.fetchrow(statement, *arguments)
        return None if row is None else _WEBHOOKS.from_row(row)
