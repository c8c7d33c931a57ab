"""What operators see of users, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from domain.model.administration import ManagedUser, UserCounts, UserFilter, as_managed
from domain.model.users import UserStatus
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.credentials import USER_COLUMNS, user_from_row
from infra.postgres.sql import Condition

SELECT_USER: Final = f"SELECT {USER_COLUMNS} FROM users"
NOT_ERASED: Final = "erased_at IS NULL"

# The first part leaves out all others, unless it is the plan of those who were given none.
OF_PLAN: Final = """(id IN (SELECT user_id FROM plan_changes WHERE plan_name = {})
    OR (SELECT name FROM plans WHERE is_default) = {}) AND plan_of(id) = {}"""

# Each count reads an index of what is open: what a user has had over the years costs nothing.
COUNTS: Final = """
SELECT asked.id AS user_id,
    greatest(
        (SELECT max(last_seen_at) FROM login_sessions WHERE user_id = asked.id AND revoked_at IS NULL),
        (SELECT max(last_used_at) FROM api_keys WHERE user_id = asked.id AND revoked_at IS NULL)
    ) AS last_seen_at,
    (SELECT count(*) FROM login_sessions
        WHERE user_id = asked.id AND revoked_at IS NULL AND expires_at > $2) AS login_sessions,
    (SELECT count(*) FROM api_keys WHERE user_id = asked.id AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > $2)) AS api_keys,
    (SELECT count(*) FROM accounts
        WHERE user_id = asked.id AND kind = 'PAPER' AND archived_at IS NULL) AS paper_accounts,
    (SELECT count(*) FROM accounts
        WHERE user_id = asked.id AND kind = 'LIVE' AND archived_at IS NULL) AS live_accounts,
    (SELECT count(*) FROM trading_sessions
        WHERE user_id = asked.id AND status IN ('STARTING', 'RUNNING', 'PAUSED', 'STOPPING')) AS live_trading_sessions,
    (SELECT count(*) FROM trading_sessions
        WHERE user_id = asked.id AND status = 'FAILED') AS failed_trading_sessions,
    (SELECT count(*) FROM orders WHERE user_id = asked.id AND status IN
        ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')) AS active_orders,
    (SELECT count(*) FROM positions WHERE user_id = asked.id AND closed_at IS NULL) AS open_positions,
    (SELECT count(*) FROM jobs WHERE user_id = asked.id AND status IN ('QUEUED', 'RUNNING')) AS open_jobs
FROM unnest($1::uuid[]) AS asked (id)
"""


class PostgresAdministration(Repository):
    """See `domain.ports.administration.AdministrationReads`."""

    async def users(self, ids: Sequence[UUID]) -> list[ManagedUser]:
        query = f"{SELECT_USER} WHERE id = ANY($1::uuid[]) AND {NOT_ERASED}"
        return [managed_user_from_row(row) for row in await self._connection.fetch(query, list(ids))]

    async def counts(self, user_ids: Sequence[UUID], now: datetime) -> dict[UUID, UserCounts]:
        rows = await self._connection.fetch(COUNTS, list(user_ids), now)
        return {row["user_id"]: UserCounts(**{name: row[name] for name in _COUNTED}) for row in rows}


_COUNTED: Final = tuple(UserCounts.__dataclass_fields__)


def managed_user_from_row(row: Record) -> ManagedUser:
    """Return the user in a row of `SELECT_USER`."""
    return as_managed(user_from_row(row))


def user_conditions(filter: UserFilter) -> Sequence[Condition]:
    """Return the conditions of a filter of users."""
    # Not as parameters: the partial indexes of the few need the conditions in the text.
    status = {
        None: [],
        UserStatus.ACTIVE: [("disabled_at IS NULL",)],
        UserStatus.DISABLED: [("disabled_at IS NOT NULL",)],
    }[filter.status]
    return [
        (NOT_ERASED,),
        *status,
        ("strpos(email, {}) > 0", filter.email_part),
        *([] if filter.role is None else [(f"role = '{filter.role.value}'",)]),
        (OF_PLAN, filter.plan_name, filter.plan_name, filter.plan_name),
    ]
