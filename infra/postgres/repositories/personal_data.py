"""All that is stored about a user, in PostgreSQL."""

from datetime import datetime
from typing import Final
from uuid import UUID

from infra.postgres.repositories.base import Repository

IS_LAST_OPERATOR: Final = """
SELECT EXISTS (SELECT FROM users WHERE id <> $1 AND erased_at IS NULL)
AND NOT EXISTS (SELECT FROM users WHERE id <> $1 AND erased_at IS NULL AND role = 'OPERATOR')
"""

# An email that nobody can register: its host has no dot.
ERASE_USER: Final = """
UPDATE users SET email = 'erased-' || id || '@invalid', display_name = NULL, password_hash = '', role = 'USER',
    email_verified_at = NULL, time_zone = 'UTC', locale = 'en', report_currency = NULL, notify_sign_in = false,
    erased_at = $2
WHERE id = $1
"""

CREDENTIALS: Final = (
    "SELECT id FROM login_sessions WHERE user_id = $1 UNION ALL SELECT id FROM api_keys WHERE user_id = $1"
)

ERASE: Final = (
    "DELETE FROM mails WHERE user_id = $1 OR recipient = (SELECT email FROM users WHERE id = $1)",
    "DELETE FROM email_codes WHERE user_id = $1",
    "DELETE FROM recovery_codes WHERE user_id = $1",
    "DELETE FROM two_factors WHERE user_id = $1",
    "DELETE FROM login_sessions WHERE user_id = $1",
    "DELETE FROM api_keys WHERE user_id = $1",
    "DELETE FROM idempotency WHERE user_id = $1",
    "DELETE FROM backtest_drifts WHERE user_id = $1",
    "DELETE FROM recommendation_runs WHERE user_id = $1",
    "DELETE FROM optimization_trials WHERE optimization_id IN (SELECT id FROM optimizations WHERE user_id = $1)",
    "DELETE FROM optimizations WHERE user_id = $1",
    "DELETE FROM backtests WHERE user_id = $1",
    "DELETE FROM reports WHERE user_id = $1",
    "DELETE FROM jobs WHERE user_id = $1",
    "DELETE FROM user_events WHERE user_id = $1 AND order_id IS NULL",
    "UPDATE activities SET detail = NULL WHERE user_id = $1 AND detail IS NOT NULL",
    "UPDATE signal_webhooks SET name = '', revoked_at = coalesce(revoked_at, now()) WHERE user_id = $1",
    "UPDATE accounts SET name = '', sealed_credentials = '', key_hash = NULL WHERE user_id = $1",
    """DELETE FROM strategy_versions WHERE user_id = $1 AND strategy_id NOT IN (
        SELECT strategy_id FROM strategy_versions JOIN trading_sessions ON strategy_version_id = strategy_versions.id
        WHERE trading_sessions.user_id = $1)""",
    """DELETE FROM strategies WHERE user_id = $1
        AND NOT EXISTS (SELECT FROM strategy_versions WHERE strategy_id = strategies.id)""",
    """UPDATE strategies SET name = '', description = NULL, archived_at = coalesce(archived_at, now())
        WHERE user_id = $1""",
    """UPDATE halts SET reason = NULL WHERE reason IS NOT NULL AND subject_id IN (
        SELECT $1 UNION ALL SELECT id FROM accounts WHERE user_id = $1
        UNION ALL SELECT id FROM trading_sessions WHERE user_id = $1)""",
)
"""In an order that foreign keys allow; what refers to a user and isn't here is a record of trading."""


class PostgresPersonalData(Repository):
    """See `domain.ports.personal_data.PersonalData`."""

    async def is_last_operator(self, user_id: UUID) -> bool:
        return bool(await self._connection.fetchval(IS_LAST_OPERATOR, user_id))

    async def erase(self, user_id: UUID, at: datetime) -> list[UUID]:
        ended = [row["id"] for row in await self._connection.fetch(CREDENTIALS, user_id)]
        for statement in ERASE:
            await self._connection.execute(statement, user_id)
        await self._connection.execute(ERASE_USER, user_id, at)
        return ended
