"""The money that came into accounts and left them otherwise than by fills, in PostgreSQL."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from uuid import UUID

from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.trading import AccountTransfer
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.accounts import INSERT_TRANSFER, SELECT_TRANSFER, transfer_from_row, transfer_params

# An amount that is corrected is valued again.
UPDATE = (
    "UPDATE account_transfers SET kind = $2, amount = $3, reference = $4, worth = CASE WHEN amount = $3 THEN worth END,"
    " at = $5, note = $6 WHERE id = $1"
)
# What a part is worth is its share, so that what was paid in altogether is worth what it was.
TAKE_PART = """
UPDATE account_transfers SET amount = amount - $2, worth = worth - round(worth * $2 / amount, 18)
WHERE id = $1 AND amount <> $2"""
TAKE_ALL = "DELETE FROM account_transfers WHERE id = $1 RETURNING worth"
SHARE = "SELECT round(worth * $2 / amount, 18) FROM account_transfers WHERE id = $1"
SET_WORTH = "UPDATE account_transfers SET worth = $2 WHERE id = $1"
GET = SELECT_TRANSFER + " WHERE id = $1 AND user_id = $2"
GET_BY_REFERENCE = SELECT_TRANSFER + " WHERE account_id = $1 AND reference = $2"
LIST_ALL = SELECT_TRANSFER + " WHERE account_id = $1 ORDER BY at, id"
UNEXPLAINED = """
SELECT currency, coalesce(held.total, 0) - coalesce(moved.amount, 0) AS amount
FROM (SELECT currency, total FROM balances WHERE account_id = $1) AS held
FULL JOIN (SELECT currency, amount FROM ledger_totals WHERE account_id = $1) AS moved USING (currency)
WHERE coalesce(held.total, 0) <> coalesce(moved.amount, 0) ORDER BY currency"""
# An opening whose amount becomes 0 is deleted, since no transfer has an amount of 0.
DROP_OPENINGS = f"""
DELETE FROM account_transfers USING ({UNEXPLAINED}) AS unexplained
WHERE account_id = $1 AND kind = 'OPENING' AND account_transfers.currency = unexplained.currency
    AND unexplained.currency = ANY($2::text[]) AND account_transfers.amount + unexplained.amount = 0"""
# Lists are ordered by id, so the id is a UUIDv7 of the time that the opening is of.
CORRECT_OPENINGS = f"""
INSERT INTO account_transfers (id, user_id, account_id, kind, currency, amount, at, reference)
SELECT (lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
    user_id, accounts.id, 'OPENING', unexplained.currency, amount, created_at,
    CASE kind WHEN 'PAPER' THEN 'opening:' ELSE 'estimated:' END || unexplained.currency
FROM ({UNEXPLAINED}) AS unexplained, accounts WHERE accounts.id = $1 AND unexplained.currency = ANY($2::text[])
ON CONFLICT (account_id, reference) DO UPDATE SET amount = account_transfers.amount + excluded.amount, worth = NULL"""
IS_PROVISIONAL = "SELECT opening_is_provisional FROM accounts WHERE id = $1"
CONFIRM_OPENING = "UPDATE accounts SET opening_is_provisional = false WHERE id = $1"


class PostgresTransfers(Repository):
    """See `domain.ports.accounts.TransferRepository`."""

    async def add(self, transfer: AccountTransfer) -> bool:
        return await self._connection.execute(INSERT_TRANSFER, *transfer_params(transfer)) == "INSERT 0 1"

    async def update(self, transfer: AccountTransfer) -> None:
        changed = (transfer.kind, transfer.amount, transfer.reference, transfer.at, transfer.note)
        await self._connection.execute(UPDATE, transfer.id, *changed)

    async def explain(self, adjustment: AccountTransfer, entry: AccountTransfer) -> None:
        if adjustment.amount == entry.amount:
            worth = await self._connection.fetchval(TAKE_ALL, adjustment.id)
        else:
            worth = await self._connection.fetchval(SHARE, adjustment.id, entry.amount)
            await self._connection.execute(TAKE_PART, adjustment.id, entry.amount)
        await self.add(entry)
        await self._connection.execute(SET_WORTH, entry.id, worth)

    async def get(self, user_id: UUID, transfer_id: UUID) -> AccountTransfer | None:
        return await self._fetch_transfer(GET, transfer_id, user_id)

    async def get_by_reference(self, account_id: UUID, reference: str) -> AccountTransfer | None:
        return await self._fetch_transfer(GET_BY_REFERENCE, account_id, reference)

    async def list_page(self, account_id: UUID, page: KeysetPage) -> list[AccountTransfer]:
        return [
            transfer_from_row(row) for row in await self._page(SELECT_TRANSFER, page, [("account_id = {}", account_id)])
        ]

    async def list_all(self, account_id: UUID) -> list[AccountTransfer]:
        return [transfer_from_row(row) for row in await self._connection.fetch(LIST_ALL, account_id)]

    async def unexplained(self, account_id: UUID) -> dict[str, Decimal]:
        rows: Sequence[Record] = await self._connection.fetch(UNEXPLAINED, account_id)
        return {row["currency"]: row["amount"] for row in rows}

    async def has_provisional_opening(self, account_id: UUID) -> bool:
        return bool(await self._connection.fetchval(IS_PROVISIONAL, account_id))

    async def correct_opening(self, account_id: UUID, currencies: Collection[str]) -> None:
        if currencies:
            await self._connection.execute(DROP_OPENINGS, account_id, list(currencies))
            await self._connection.execute(CORRECT_OPENINGS, account_id, list(currencies))

    async def confirm_opening(self, account_id: UUID) -> None:
        await self._connection.execute(CONFIRM_OPENING, account_id)

    async def _fetch_transfer(self, text: str, *arguments: object) -> AccountTransfer | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else transfer_from_row(row)
