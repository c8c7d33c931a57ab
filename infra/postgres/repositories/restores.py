"""Databases that were restored to an earlier moment, in PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.model.events import SEQUENCES_SKIPPED
from domain.model.markets import MarketSymbol
from domain.ports.restores import RestoreMark
from infra.postgres.repositories.base import Repository

EPOCHS_SKIPPED: Final = 1_000_000
"""More holders than a lease can have had after the moment."""
_FIRST_MINUTE: Final = datetime(2026, 1, 1, tzinfo=UTC)

_MARK_ACCOUNTS: Final = """
INSERT INTO restored_accounts (account_id, restored_to)
SELECT id, $1 FROM accounts WHERE archived_at IS NULL
ON CONFLICT (account_id) DO UPDATE SET restored_to = least(restored_accounts.restored_to, excluded.restored_to)"""
_END_LEASES: Final = "UPDATE leases SET epoch = epoch + $1, expires_at = '-infinity'"
# To what no earlier restore of the same backup has used: each minute has its own numbers. Never backwards.
_SKIP_SEQUENCES: Final = """
UPDATE user_event_heads SET sequence = sequence + $1 * greatest(1, $2 - sequence / $1) RETURNING user_id"""
# After the heads have been moved: what had waited was perhaps sent after the moment.
_SKIP_NOTIFICATIONS: Final = """
UPDATE notification_channels AS channel
SET sequence = head.sequence, sequence_at = $1, attempts = 0, is_held_back = false, claimed_by = NULL,
    claimed_until = NULL
FROM user_event_heads AS head WHERE head.user_id = channel.user_id"""
_SKIP_MAILS: Final = """
UPDATE mails SET given_up_at = $1, error = 'the database was restored, and it may have been sent before'
WHERE sent_at IS NULL AND given_up_at IS NULL"""
_END_LOGINS: Final = "UPDATE login_sessions SET revoked_at = $1 WHERE revoked_at IS NULL AND expires_at > $1"
_END_CODES: Final = "UPDATE email_codes SET expires_at = $1 WHERE expires_at > $1"
_RESTORED_TO: Final = "SELECT restored_to FROM restored_accounts WHERE account_id = $1"
_SETTLE: Final = "DELETE FROM restored_accounts WHERE account_id = $1"
_TRADED_MARKETS: Final = """
SELECT DISTINCT market FROM orders WHERE account_id = $1
UNION SELECT DISTINCT market FROM positions WHERE account_id = $1
UNION SELECT DISTINCT market FROM trading_sessions WHERE account_id = $1
UNION SELECT unnest(other_markets) FROM trading_sessions WHERE account_id = $1"""


class PostgresRestores(Repository):
    """See `domain.ports.restores.RestoreRepository`."""

    async def mark(self, restored_to: datetime, now: datetime) -> RestoreMark:
        accounts = await self._execute(_MARK_ACCOUNTS, restored_to)
        await self._execute(_END_LEASES, EPOCHS_SKIPPED)
        await self._execute("DELETE FROM node_reports")
        minutes = (now - _FIRST_MINUTE) // timedelta(minutes=1)
        heads = await self._connection.fetch(_SKIP_SEQUENCES, SEQUENCES_SKIPPED, minutes)
        skipped = await self._execute(_SKIP_NOTIFICATIONS, now) + await self._execute(_SKIP_MAILS, now)
        logins = await self._execute(_END_LOGINS, now)
        await self._execute(_END_CODES, now)
        return RestoreMark(accounts, logins, [row["user_id"] for row in heads], skipped)

    async def restored_to(self, account_id: UUID) -> datetime | None:
        at: datetime | None = await self._connection.fetchval(_RESTORED_TO, account_id)
        return at

    async def settle(self, account_id: UUID) -> None:
        await self._connection.execute(_SETTLE, account_id)

    async def traded_markets(self, account_id: UUID) -> set[MarketSymbol]:
        rows = await self._connection.fetch(_TRADED_MARKETS, account_id)
        return {MarketSymbol.parse(row["market"]) for row in rows}

    async def _execute(self, statement: str, *arguments: object) -> int:
        status = await self._connection.execute(statement, *arguments)
        return int(status.rpartition(" ")[2])
