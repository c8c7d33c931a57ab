"""Alert rules in PostgreSQL."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from domain.model.markets import MarketSymbol, Timeframe
from domain.ports.alert_rules import RuleOutcome
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.mapper import RowMapper


def _kinds(names: Sequence[str]) -> tuple[UserEventKind, ...]:
    # A newer version of the engine may know more kinds.
    return tuple(UserEventKind(name) for name in names if name in UserEventKind.__members__)


_RULES: Final = RowMapper(
    "alert_rules",
    AlertRule,
    decoders={
        "condition": AlertCondition,
        "repeat": AlertRepeat,
        "status": AlertRuleStatus,
        "market": lambda text: None if text is None else MarketSymbol.parse(text),
        "timeframe": lambda text: None if text is None else Timeframe[text],
        "direction": lambda text: None if text is None else AlertDirection(text),
        "event_kinds": _kinds,
        "channel_ids": tuple,
    },
    encoders={
        "market": lambda market: None if market is None else str(market),
        "timeframe": lambda timeframe: None if timeframe is None else timeframe.name,
        "event_kinds": list,
        "channel_ids": list,
    },
)
SELECT_RULE: Final = _RULES.select
rule_from_row: Final = _RULES.from_row

_OF_USER: Final = f"{_RULES.select} WHERE user_id = $1 AND id = $2"
_SAVE: Final = _RULES.update("id", "user_id", "condition", "created_at")
# A condition that this version of the engine doesn't know is left to nodes of a newer one.
_ACTIVE: Final = f"""
{_RULES.select} WHERE status = 'ACTIVE' AND condition = ANY($2::text[]) AND ($1::uuid IS NULL OR user_id = $1)
AND NOT EXISTS (SELECT FROM users WHERE users.id = alert_rules.user_id AND users.disabled_at IS NOT NULL)"""
_OUTCOMES: Final = """
UPDATE alert_rules AS rule SET
    is_armed = given.is_armed,
    fired_count = rule.fired_count + given.fired,
    last_fired_at = coalesce(given.fired_at, rule.last_fired_at),
    status = CASE WHEN given.fired_at IS NOT NULL AND rule.repeat = 'ONCE' THEN 'FIRED' ELSE rule.status END
FROM unnest($1::uuid[], $2::integer[], $3::boolean[], $4::timestamptz[], $5::integer[])
    AS given (id, revision, is_armed, fired_at, fired), users
WHERE rule.id = given.id AND rule.revision = given.revision AND rule.status = 'ACTIVE'
AND users.id = rule.user_id AND users.disabled_at IS NULL
RETURNING rule.id"""


class PostgresAlertRules(Repository):
    """See `domain.ports.alert_rules.AlertRuleRepository`."""

    async def add(self, rule: AlertRule) -> None:
        await self._connection.execute(_RULES.insert(), *_RULES.params(rule))

    async def get(self, user_id: UUID, rule_id: UUID) -> AlertRule | None:
        row = await self._connection.fetchrow(_OF_USER, user_id, rule_id)
        return None if row is None else rule_from_row(row)

    async def get_for_update(self, user_id: UUID, rule_id: UUID) -> AlertRule | None:
        row = await self._connection.fetchrow(f"{_OF_USER} FOR UPDATE", user_id, rule_id)
        return None if row is None else rule_from_row(row)

    async def save(self, rule: AlertRule) -> None:
        await self._connection.execute(_SAVE, *_RULES.params(rule))

    async def delete(self, rule_id: UUID) -> None:
        await self._connection.execute("DELETE FROM alert_rules WHERE id = $1", rule_id)

    async def list_active(self, user_id: UUID | None = None) -> list[AlertRule]:
        return [rule_from_row(row) for row in await self._connection.fetch(_ACTIVE, user_id, list(AlertCondition))]

    async def save_outcomes(self, outcomes: Sequence[RuleOutcome]) -> set[UUID]:
        if not outcomes:
            return set()
        # In the order of their ids, so that two transactions don't wait for each other.
        given = (
            (one.rule_id, one.revision, one.is_armed, one.fired_at, one.fired) for one in sorted(outcomes, key=_id)
        )
        columns = zip(*given, strict=True)
        rows = await self._connection.fetch(_OUTCOMES, *(list(column) for column in columns))
        return {row["id"] for row in rows}

    async def heads(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        query = "SELECT user_id, sequence FROM user_event_heads WHERE user_id = ANY($1::uuid[])"
        return {row["user_id"]: row["sequence"] for row in await self._connection.fetch(query, list(user_ids))}

    async def save_sequence(self, rule_ids: Sequence[UUID], sequence: int) -> None:
        query = "UPDATE alert_rules SET sequence = greatest(sequence, $2) WHERE id = ANY($1::uuid[])"
        await self._connection.execute(query, list(rule_ids), sequence)


def _id(outcome: RuleOutcome) -> UUID:
    return outcome.rule_id
