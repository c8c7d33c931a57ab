"""What protects positions and closes them, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.model.orders import Order
from domain.model.protection import PositionIntent, PositionProtection
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.positions import LIST_HALTED
from infra.postgres.rows.orders import IS_ACTIVE
from infra.postgres.rows.protection import (
    INSERT_INTENT,
    INSERT_PROTECTION,
    SELECT_INTENT,
    SELECT_PROTECTION,
    UPDATE_INTENT,
    UPDATE_PROTECTION,
    intent_from_row,
    intent_params,
    protection_from_row,
    protection_params,
)

_ROW_FOR_UPDATE = " WHERE id = $1 FOR NO KEY UPDATE"
_OPEN = " WHERE account_id = $1 AND ended_at IS NULL ORDER BY id"
_OF_POSITIONS = " WHERE position_id = ANY($1::uuid[]) ORDER BY id"
GET_FOR_UPDATE = SELECT_PROTECTION + _ROW_FOR_UPDATE
LIST_OPEN = SELECT_PROTECTION + _OPEN
LIST_OF_POSITIONS = SELECT_PROTECTION + _OF_POSITIONS
LIST_OF_ENTRIES = SELECT_PROTECTION + " WHERE entry_order_id = ANY($1::uuid[]) ORDER BY id"
END = "UPDATE position_protections SET ended_at = $2 WHERE id = ANY($1::uuid[]) AND ended_at IS NULL"
GET_INTENT_FOR_UPDATE = SELECT_INTENT + _ROW_FOR_UPDATE
LIST_OPEN_INTENTS = SELECT_INTENT + _OPEN
# Ids follow the time at which the engine made them.
GET_ENDED_INTENT = (
    SELECT_INTENT
    + """
 WHERE account_id = $1 AND market = $2 AND id > $3 AND id < $4 AND ended_at IS NOT NULL AND quantity IS NULL
    AND (protection_id = $5 OR trading_session_id = $6)
 ORDER BY id DESC LIMIT 1"""
)
NEEDS_KEEPER = f"""
SELECT EXISTS (SELECT FROM position_protections WHERE account_id = ANY($1::uuid[]) AND ended_at IS NULL)
    OR EXISTS (SELECT FROM position_intents WHERE account_id = ANY($1) AND ended_at IS NULL)
    OR EXISTS (SELECT FROM orders WHERE account_id = ANY($1) AND {IS_ACTIVE}
        AND (protection_id IS NOT NULL OR (reduce_only AND role = 'MANUAL')))
    OR EXISTS ({LIST_HALTED})"""
LIST_INTENTS_OF_POSITIONS = SELECT_INTENT + _OF_POSITIONS


class PostgresProtection(Repository):
    """See `domain.ports.protection.ProtectionRepository`.

    `added` has the user and the account of each row that was added: the account's position keeper is to be notified.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.added: list[tuple[UUID, UUID]] = []

    async def add(self, protection: PositionProtection) -> None:
        self.added.append((protection.user_id, protection.account_id))
        await self._connection.execute(INSERT_PROTECTION, *protection_params(protection))

    async def add_many(self, protections: Sequence[PositionProtection]) -> None:
        self.added += [(protection.user_id, protection.account_id) for protection in protections]
        await self._connection.executemany(INSERT_PROTECTION, map(protection_params, protections))

    async def save(self, protection: PositionProtection) -> None:
        await self._connection.execute(UPDATE_PROTECTION, *protection_params(protection))

    async def end(self, protection_ids: Sequence[UUID], at: datetime) -> int:
        return int((await self._connection.execute(END, protection_ids, at)).rpartition(" ")[2])

    async def needs_keeper(self, account_id: UUID) -> bool:
        return bool(await self._connection.fetchval(NEEDS_KEEPER, [account_id]))

    async def get_for_update(self, protection_id: UUID) -> PositionProtection | None:
        row = await self._connection.fetchrow(GET_FOR_UPDATE, protection_id)
        return None if row is None else protection_from_row(row)

    async def list_open(self, account_id: UUID) -> list[PositionProtection]:
        return [protection_from_row(row) for row in await self._connection.fetch(LIST_OPEN, account_id)]

    async def list_of_positions(self, position_ids: Sequence[UUID]) -> list[PositionProtection]:
        rows = await self._connection.fetch(LIST_OF_POSITIONS, list(position_ids))
        return [protection_from_row(row) for row in rows]

    async def list_of_entries(self, order_ids: Sequence[UUID]) -> list[PositionProtection]:
        rows = await self._connection.fetch(LIST_OF_ENTRIES, list(order_ids))
        return [protection_from_row(row) for row in rows]

    async def add_intent(self, intent: PositionIntent) -> bool:
        self.added.append((intent.user_id, intent.account_id))
        return await self._connection.execute(INSERT_INTENT, *intent_params(intent)) == "INSERT 0 1"

    async def save_intent(self, intent: PositionIntent) -> None:
        await self._connection.execute(UPDATE_INTENT, *intent_params(intent))

    async def get_intent_for_update(self, intent_id: UUID) -> PositionIntent | None:
        row = await self._connection.fetchrow(GET_INTENT_FOR_UPDATE, intent_id)
        return None if row is None else intent_from_row(row)

    async def get_ended_intent(self, order: Order, protection_id: UUID, newest_id: UUID) -> PositionIntent | None:
        between, owner = (order.id, newest_id), (protection_id, order.trading_session_id)
        row = await self._connection.fetchrow(GET_ENDED_INTENT, order.account_id, str(order.market), *between, *owner)
        return None if row is None else intent_from_row(row)

    async def list_open_intents(self, account_id: UUID) -> list[PositionIntent]:
        return [intent_from_row(row) for row in await self._connection.fetch(LIST_OPEN_INTENTS, account_id)]

    async def list_intents_of_positions(self, position_ids: Sequence[UUID]) -> list[PositionIntent]:
        rows = await self._connection.fetch(LIST_INTENTS_OF_POSITIONS, list(position_ids))
        return [intent_from_row(row) for row in rows]
