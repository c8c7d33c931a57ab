"""Plans, and who has which, in PostgreSQL."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from domain.model.plans import (
    Entitlement,
    EntitlementUsage,
    Plan,
    PlanChange,
    PlanChangeSource,
    PlanChangeStatus,
)
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.trading_sessions import COUNT_LIVE, MARKETS_OF_USER
from infra.postgres.rows.orders import IS_ACTIVE

_LIMITS: Final = tuple(field.name for field in fields(Plan) if field.name not in {"name", "is_default", "archived_at"})
_PLACEHOLDERS: Final = ", ".join(f"${number + 2}" for number in range(len(_LIMITS)))
_ADD: Final = f"""
INSERT INTO plans (name, {", ".join(_LIMITS)}) VALUES ($1, {_PLACEHOLDERS}) ON CONFLICT DO NOTHING RETURNING name"""
_SAVE: Final = f"""
UPDATE plans SET ({", ".join(_LIMITS)}, archived_at) = ({_PLACEHOLDERS}, ${len(_LIMITS) + 2}) WHERE name = $1"""
_SELECT: Final = "SELECT to_json(plans)::text FROM plans"

PLAN_OF_USER: Final = f"({_SELECT} WHERE name = plan_of({{}}))"
"""The plan that a user has now as JSON, an expression; see `plan_from_json`."""

_TODAY: Final = "(statement_timestamp() AT TIME ZONE 'UTC')::date"
_USED: Final = {
    Entitlement.TRADING_SESSIONS: COUNT_LIVE,
    Entitlement.MARKETS: f"SELECT count(*) FROM ({MARKETS_OF_USER}) AS traded",
    Entitlement.ACTIVE_ORDERS: f"SELECT count(*) FROM orders WHERE user_id = $1 AND {IS_ACTIVE}",
    Entitlement.API_KEYS: """SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > statement_timestamp())""",
    Entitlement.ALERT_RULES: "SELECT count(*) FROM alert_rules WHERE user_id = $1",
    Entitlement.REPORT_SCHEDULES: "SELECT count(*) FROM report_schedules WHERE user_id = $1",
    Entitlement.OPEN_JOBS: "SELECT count(*) FROM jobs WHERE user_id = $1 AND status IN ('QUEUED', 'RUNNING')",
    Entitlement.BACKTEST_CANDLES_PER_DAY: f"""SELECT coalesce(sum(used), 0)::bigint FROM plan_uses
        WHERE user_id = $1 AND entitlement = 'BACKTEST_CANDLES_PER_DAY' AND day = {_TODAY}""",
}
_DAILY: Final = {Entitlement.BACKTEST_CANDLES_PER_DAY}
_USAGE: Final = f"""SELECT {", ".join(f'({query}) AS "{entitlement}"' for entitlement, query in _USED.items())},
    ({_TODAY} + 1)::timestamp AT TIME ZONE 'UTC' AS tomorrow"""
_ADD_USE: Final = f"""
INSERT INTO plan_uses (user_id, entitlement, day, used) VALUES ($1, $2, {_TODAY}, $3)
ON CONFLICT (user_id, entitlement, day) DO UPDATE SET used = plan_uses.used + excluded.used"""

_PLACES_OF_OTHERS: Final = """
SELECT coalesce(sum(places), 0) FROM subscription_places
WHERE user_id = $1 AND node <> $2 AND expires_at > statement_timestamp()"""
_RENEW_PLACES: Final = """
INSERT INTO subscription_places (user_id, node, places, expires_at)
VALUES ($1, $2, $3, statement_timestamp() + $4 * interval '1 second')
ON CONFLICT (user_id, node) DO UPDATE SET places = excluded.places, expires_at = excluded.expires_at"""

# A decision that was made later hides an earlier one from the moment at which it takes effect.
_CHANGE: Final = """
SELECT id, user_id, plan_name, decided_at, effective_at, source, reason, event_id, cancelled_at, event_hash, CASE
    WHEN cancelled_at IS NOT NULL THEN 'CANCELED'
    WHEN EXISTS (SELECT FROM plan_changes AS later WHERE later.user_id = plan_changes.user_id
        AND (later.decided_at, later.id) > (plan_changes.decided_at, plan_changes.id) AND later.cancelled_at IS NULL
        AND later.effective_at <= greatest(plan_changes.effective_at, statement_timestamp())) THEN 'REPLACED'
    WHEN effective_at > statement_timestamp() THEN 'SCHEDULED'
    ELSE 'IN_FORCE' END AS status
FROM plan_changes"""
_ADD_CHANGE: Final = """
INSERT INTO plan_changes (id, user_id, plan_name, decided_at, effective_at, source, reason, event_id, event_hash)
VALUES ($1, $2, $3, $4, CASE WHEN $10 THEN least($5, statement_timestamp()) ELSE $5 END, $6, $7, $8, $9)
ON CONFLICT (event_id) DO NOTHING"""

_decode_plan: Final = msgspec.json.Decoder(Plan).decode


class PostgresPlans(Repository):
    """See `domain.ports.plans.PlanRepository`."""

    async def get(self, name: str, *, lock: bool = False) -> Plan | None:
        text = await self._connection.fetchval(f"{_SELECT} WHERE name = $1{' FOR UPDATE' if lock else ''}", name)
        return None if text is None else plan_from_json(text)

    async def list_all(self) -> list[Plan]:
        return [plan_from_json(row[0]) for row in await self._connection.fetch(f"{_SELECT} ORDER BY name")]

    async def add(self, plan: Plan) -> bool:
        return await self._connection.fetchval(_ADD, plan.name, *_limits(plan)) is not None

    async def save(self, plan: Plan) -> None:
        await self._connection.execute(_SAVE, plan.name, *_limits(plan), plan.archived_at)

    async def set_default(self, name: str) -> None:
        await self._connection.execute("UPDATE plans SET is_default = false WHERE is_default AND name <> $1", name)
        await self._connection.execute("UPDATE plans SET is_default = true WHERE name = $1", name)

    async def default(self) -> Plan:
        return plan_from_json(await self._connection.fetchval(f"{_SELECT} WHERE is_default"))

    async def of_user(self, user_id: UUID) -> Plan:
        return plan_from_json(await self._connection.fetchval(f"SELECT {PLAN_OF_USER.format('$1')}", user_id))

    async def usage(self, user_id: UUID, plan: Plan) -> list[EntitlementUsage]:
        row = await self._connection.fetchrow(_USAGE, user_id)
        assert row is not None  # a SELECT without FROM has one
        return [
            EntitlementUsage(one, plan.limit(one), row[one.value], row["tomorrow"] if one in _DAILY else None)
            for one in _USED
        ]

    async def used(self, user_id: UUID, entitlement: Entitlement) -> int:
        return int(await self._connection.fetchval(_USED[entitlement], user_id))

    async def add_use(self, user_id: UUID, entitlement: Entitlement, amount: int) -> None:
        await self._connection.execute(_ADD_USE, user_id, entitlement, amount)

    async def reserve_places(self, user_id: UUID, node: str, wished: tuple[int, int], most: int, seconds: float) -> int:
        others = int(await self._connection.fetchval(_PLACES_OF_OTHERS, user_id, node))
        granted = max(min(wished[1], most - others), wished[0], 0)
        await self.renew_places(user_id, node, granted, seconds)
        return granted

    async def renew_places(self, user_id: UUID, node: str, places: int, seconds: float) -> None:
        if places:
            await self._connection.execute(_RENEW_PLACES, user_id, node, places, seconds)
        else:
            query = "DELETE FROM subscription_places WHERE user_id = $1 AND node = $2"
            await self._connection.execute(query, user_id, node)

    async def add_change(
        self, change: PlanChange, event_hash: bytes | None = None, *, at_once: bool = False
    ) -> PlanChange | None:
        await self._connection.execute(
            _ADD_CHANGE,
            *(change.id, change.user_id, change.plan_name, change.decided_at, change.effective_at),
            *(change.source, change.reason, change.event_id, event_hash, at_once),
        )
        return await self.get_change(change.user_id, change.id)

    async def latest_decision_at(self, user_id: UUID) -> datetime | None:
        query = "SELECT max(decided_at) FROM plan_changes WHERE user_id = $1"
        at: datetime | None = await self._connection.fetchval(query, user_id)
        return at

    async def cancel_change(self, change_id: UUID, at: datetime) -> None:
        await self._connection.execute("UPDATE plan_changes SET cancelled_at = $2 WHERE id = $1", change_id, at)

    async def get_change(self, user_id: UUID, change_id: UUID) -> PlanChange | None:
        row = await self._connection.fetchrow(f"{_CHANGE} WHERE user_id = $1 AND id = $2", user_id, change_id)
        return None if row is None else _change_from_row(row)

    async def change_by_id(self, change_id: UUID) -> PlanChange | None:
        row = await self._connection.fetchrow(f"{_CHANGE} WHERE id = $1", change_id)
        return None if row is None else _change_from_row(row)

    async def changes(self, user_id: UUID, limit: int) -> list[PlanChange]:
        query = f"{_CHANGE} WHERE user_id = $1 ORDER BY decided_at DESC, id DESC LIMIT $2"
        return [_change_from_row(row) for row in await self._connection.fetch(query, user_id, limit)]

    async def change_of_event(self, event_id: str) -> tuple[PlanChange, bytes | None] | None:
        row = await self._connection.fetchrow(f"{_CHANGE} WHERE event_id = $1", event_id)
        return None if row is None else (_change_from_row(row), row["event_hash"])

    async def count_users(self) -> Mapping[str, int]:
        query = "SELECT plan_of(id) AS name, count(*) AS users FROM users WHERE erased_at IS NULL GROUP BY 1"
        return {row["name"]: row["users"] for row in await self._connection.fetch(query)}


def plan_from_json(text: str) -> Plan:
    """Return the plan of a row as JSON."""
    return _decode_plan(text)


def _limits(plan: Plan) -> list[object]:
    return [getattr(plan, name) for name in _LIMITS]


def _change_from_row(row: asyncpg.Record) -> PlanChange:
    return PlanChange(
        id=row["id"],
        user_id=row["user_id"],
        plan_name=row["plan_name"],
        decided_at=row["decided_at"],
        effective_at=row["effective_at"],
        source=PlanChangeSource(row["source"]),
        reason=row["reason"],
        event_id=row["event_id"],
        cancelled_at=row["cancelled_at"],
        status=PlanChangeStatus(row["status"]),
    )
