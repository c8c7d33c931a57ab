"""Accounts, their sealed credentials and balances in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.trading import Account, Balance
from domain.ports.accounts import KeyInUse
from domain.ports.leases import Lease
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.leases import IS_HELD, LOCK, lease_params
from infra.postgres.repositories.trading_sessions import IS_LIVE
from infra.postgres.rows.accounts import INSERT_ACCOUNT, SELECT_ACCOUNT, account_from_row, account_params
from infra.postgres.rows.columns import to_json
from infra.postgres.rows.orders import IS_ACTIVE

UPDATE = """
UPDATE accounts SET name = $2, risk = $3, archived_at = $4, reconciled_at = $5 WHERE id = $1"""
GET = SELECT_ACCOUNT + " WHERE id = $1 AND user_id = $2"
BY_ID = SELECT_ACCOUNT + " WHERE id = $1"
GET_FOR_UPDATE = BY_ID + " FOR NO KEY UPDATE"
GET_MANY = SELECT_ACCOUNT + " WHERE id = ANY($1::uuid[])"
_IS_TRADABLE = (
    f" WHERE archived_at IS NULL OR EXISTS (SELECT FROM orders WHERE account_id = accounts.id AND {IS_ACTIVE})"
    " ORDER BY id"
)
LIST_TRADABLE = SELECT_ACCOUNT + _IS_TRADABLE
LIST_TRADABLE_IDS = f"SELECT id FROM accounts{_IS_TRADABLE}"
# Each part is answered by a partial index, whose condition it repeats.
LIST_BUSY = f"""
SELECT account_id FROM position_protections WHERE ended_at IS NULL
UNION SELECT account_id FROM position_intents WHERE ended_at IS NULL
UNION SELECT account_id FROM positions WHERE closed_at IS NULL
UNION SELECT account_id FROM orders WHERE {IS_ACTIVE}
UNION SELECT account_id FROM trading_sessions WHERE {IS_LIVE}"""
SAVE_RECONCILED_AT = f"""
WITH held AS (SELECT true FROM leases WHERE {IS_HELD.format("$3", "$4", "$5", "$6")} {LOCK}),
saved AS (UPDATE accounts SET reconciled_at = $2, reconciled_until = $7 WHERE id = $1 AND EXISTS (SELECT FROM held))
SELECT EXISTS (SELECT FROM held)"""
CREDENTIALS = "SELECT sealed_credentials FROM accounts WHERE id = $1"
ALL_CREDENTIALS = "SELECT id, sealed_credentials FROM accounts"
REPLACE_CREDENTIALS = (
    "UPDATE accounts SET sealed_credentials = $3 WHERE id = $1 AND sealed_credentials = $2 RETURNING id"
)
SET_CREDENTIALS = "UPDATE accounts SET sealed_credentials = $2, key_hash = $3 WHERE id = $1"
SET_KEY_HASH = (
    "UPDATE accounts SET key_hash = $2 WHERE id = $1 AND archived_at IS NULL AND key_hash IS DISTINCT FROM $2"
)
LIVE_CREDENTIALS = (
    "SELECT id, sealed_credentials FROM accounts WHERE kind = 'LIVE' AND archived_at IS NULL ORDER BY created_at, id"
)
OWNER_OF_KEY = "SELECT user_id, name FROM accounts WHERE key_hash = $1 AND archived_at IS NULL AND id <> $2"
LOCK_KEY = "SELECT pg_advisory_xact_lock($1)"
# What active orders need of a currency whose free part isn't reported, as `domain.portfolio.reservations` has it.
BALANCES = f"""
SELECT account_id, currency, total, coalesce(free, greatest(total - (
    SELECT coalesce(sum((quantity - filled_quantity)
        * CASE side WHEN 'SELL' THEN 1 ELSE coalesce(price, stop_price, 0) END), 0)
    FROM orders WHERE orders.account_id = balances.account_id AND {IS_ACTIVE}
        AND split_part(split_part(market, ':', 2), '/', CASE side WHEN 'SELL' THEN 1 ELSE 2 END) = balances.currency
), 0)), at
FROM balances WHERE account_id = ANY($1::uuid[]) ORDER BY account_id, currency"""
IS_IMPLAUSIBLE = "coalesce(balances.at > $6::timestamptz + interval '10 seconds', false)"
REPLACE_BALANCES = f"""
WITH gone AS (
    DELETE FROM balances WHERE account_id = $1 AND currency <> ALL ($2::text[])
        AND ($6::timestamptz IS NULL OR balances.at IS NULL OR balances.at <= $6::timestamptz OR {IS_IMPLAUSIBLE})
)
INSERT INTO balances (account_id, currency, total, free, at)
SELECT $1, * FROM unnest($2::text[], $3::numeric[], $4::numeric[], $5::timestamptz[])
ON CONFLICT (account_id, currency) DO UPDATE SET total = excluded.total, free = excluded.free, at = excluded.at
WHERE (balances.total, balances.free, balances.at) IS DISTINCT FROM (excluded.total, excluded.free, excluded.at)
    AND (excluded.at IS NULL OR balances.at IS NULL OR balances.at <= excluded.at OR {IS_IMPLAUSIBLE})"""
UPSERT_BALANCES = f"""
WITH held AS (SELECT true FROM leases WHERE {IS_HELD.format("$6", "$7", "$8", "$9")} {LOCK}),
saved AS (
    INSERT INTO balances (account_id, currency, total, free, at)
    SELECT $1, * FROM unnest($2::text[], $3::numeric[], $4::numeric[], $5::timestamptz[])
    WHERE EXISTS (SELECT FROM held)
    ON CONFLICT (account_id, currency) DO UPDATE SET total = excluded.total, free = excluded.free, at = excluded.at
    WHERE (balances.total, balances.free, balances.at) IS DISTINCT FROM (excluded.total, excluded.free, excluded.at)
        AND (excluded.at IS NULL OR balances.at IS NULL OR balances.at <= excluded.at)
)
SELECT EXISTS (SELECT FROM held)"""
# A row that was inserted, not updated, has no transaction that replaced an earlier version of it: its `xmax` is 0.
RECORD_ALERTS = """
INSERT INTO account_alerts (account_id, key, raised_at)
SELECT $1, key, $3 FROM unnest($2::text[]) AS keys (key) ORDER BY key
ON CONFLICT (account_id, key) DO UPDATE SET raised_at = greatest(account_alerts.raised_at, excluded.raised_at)
RETURNING key, xmax = 0 AS is_new"""
DELETE_EXPIRED_ALERTS = """
DELETE FROM account_alerts WHERE (account_id, key) IN (
    SELECT account_id, key FROM account_alerts JOIN accounts ON accounts.id = account_id
    WHERE raised_at < CASE WHEN archived_at IS NULL THEN reconciled_at ELSE $2 END - $1::interval LIMIT $3
)"""
DELETE_ALERT = "DELETE FROM account_alerts WHERE account_id = $1 AND key = $2"


class PostgresAccounts(Repository):
    """See `domain.ports.accounts.AccountRepository`."""

    pending_balances: tuple[object, ...] | None = None
    """The parameters of `UPSERT_BALANCES`, which the end of the transaction runs."""

    async def add(self, account: Account, sealed_credentials: bytes, key_hash: bytes | None = None) -> None:
        await self._check_key(account.id, key_hash)
        await self._connection.execute(INSERT_ACCOUNT, *account_params(account), sealed_credentials, key_hash)

    async def get(self, user_id: UUID, account_id: UUID, *, keep_unarchived: bool = False) -> Account | None:
        return await self._fetch_account(f"{GET} FOR KEY SHARE" if keep_unarchived else GET, account_id, user_id)

    async def by_id(self, account_id: UUID) -> Account | None:
        return await self._fetch_account(BY_ID, account_id)

    async def lock_against_orders(self, user_id: UUID) -> None:
        await self._connection.execute("SELECT FROM accounts WHERE user_id = $1 ORDER BY id FOR UPDATE", user_id)

    async def get_for_update(self, account_id: UUID, *, keep_new_rows_out: bool = False) -> Account | None:
        return await self._fetch_account(f"{BY_ID} FOR UPDATE" if keep_new_rows_out else GET_FOR_UPDATE, account_id)

    async def update(self, account: Account) -> None:
        await self._connection.execute(
            UPDATE,
            account.id,
            account.name,
            to_json(account.risk),
            account.archived_at,
            account.reconciled_at,
        )

    async def credentials(self, account_id: UUID) -> bytes | None:
        sealed: bytes | None = await self._connection.fetchval(CREDENTIALS, account_id)
        return sealed

    async def all_credentials(self) -> dict[UUID, bytes]:
        return {row["id"]: row["sealed_credentials"] for row in await self._connection.fetch(ALL_CREDENTIALS)}

    async def replace_credentials(self, account_id: UUID, old: bytes, new: bytes) -> bool:
        return await self._connection.fetchval(REPLACE_CREDENTIALS, account_id, old, new) is not None

    async def set_credentials(self, account_id: UUID, sealed_credentials: bytes, key_hash: bytes | None = None) -> None:
        await self._check_key(account_id, key_hash)
        await self._connection.execute(SET_CREDENTIALS, account_id, sealed_credentials, key_hash)

    async def set_key_hash(self, account_id: UUID, key_hash: bytes) -> None:
        await self._check_key(account_id, key_hash)
        await self._connection.execute(SET_KEY_HASH, account_id, key_hash)

    async def live_credentials(self) -> dict[UUID, bytes]:
        return {row["id"]: row["sealed_credentials"] for row in await self._connection.fetch(LIVE_CREDENTIALS)}

    async def _check_key(self, account_id: UUID, key_hash: bytes | None) -> None:
        """Raise `KeyInUse` if another account has the key; a transaction that stores the same one is waited for."""
        if key_hash is None:
            return
        await self._connection.execute(LOCK_KEY, int.from_bytes(key_hash[:8], "big", signed=True))
        owner = await self._connection.fetchrow(OWNER_OF_KEY, key_hash, account_id)
        if owner is not None:
            raise KeyInUse(owner["user_id"], owner["name"])

    async def list_page(self, user_id: UUID, page: KeysetPage) -> list[Account]:
        return [account_from_row(row) for row in await self._page(SELECT_ACCOUNT, page, [("user_id = {}", user_id)])]

    async def get_many(self, ids: Sequence[UUID]) -> list[Account]:
        return [account_from_row(row) for row in await self._connection.fetch(GET_MANY, ids)]

    async def list_tradable(self) -> list[Account]:
        return [account_from_row(row) for row in await self._connection.fetch(LIST_TRADABLE)]

    async def list_tradable_ids(self) -> list[UUID]:
        return [row["id"] for row in await self._connection.fetch(LIST_TRADABLE_IDS)]

    async def list_busy(self) -> list[UUID]:
        return [row["account_id"] for row in await self._connection.fetch(LIST_BUSY)]

    async def save_reconciled_at(self, account_id: UUID, at: datetime, until: datetime, lease: Lease) -> bool:
        values = (account_id, at, *lease_params(lease), until)
        return bool(await self._connection.fetchval(SAVE_RECONCILED_AT, *values))

    async def replace_balances(self, account_id: UUID, balances: Sequence[Balance], at: datetime | None = None) -> None:
        await self._connection.execute(REPLACE_BALANCES, *_balance_params(account_id, balances, at), at)

    def upsert_balances(self, account_id: UUID, balances: Sequence[Balance], lease: Lease) -> None:
        """Keep the balances until the end of the transaction, which writes them."""
        assert self.pending_balances is None, "a transaction stores the balances of one message"
        self.pending_balances = (*_balance_params(account_id, balances), *lease_params(lease))

    async def balances(self, account_ids: Sequence[UUID]) -> dict[UUID, list[Balance]]:
        found: dict[UUID, list[Balance]] = {account_id: [] for account_id in account_ids}
        for account_id, currency, total, free, at in await self._connection.fetch(BALANCES, account_ids):
            found[account_id].append(Balance(currency, total, free, at))
        return found

    async def record_alerts(self, account_id: UUID, keys: Sequence[str], at: datetime) -> set[str]:
        rows = await self._connection.fetch(RECORD_ALERTS, account_id, list(keys), at)
        return {row["key"] for row in rows if row["is_new"]}

    async def delete_expired_alerts(self, kept: timedelta, now: datetime, most: int) -> int:
        return int((await self._connection.execute(DELETE_EXPIRED_ALERTS, kept, now, most)).rpartition(" ")[2])

    async def delete_alert(self, account_id: UUID, key: str) -> None:
        await self._connection.execute(DELETE_ALERT, account_id, key)

    async def _fetch_account(self, text: str, *arguments: object) -> Account | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else account_from_row(row)


def _balance_params(account_id: UUID, balances: Sequence[Balance], at: datetime | None = None) -> tuple[object, ...]:
    # Of several balances of one currency the last is stored.
    by_currency = {balance.currency: balance for balance in balances}
    ordered = [by_currency[currency] for currency in sorted(by_currency)]  # so that two writers can't deadlock
    return (
        account_id,
        [balance.currency for balance in ordered],
        [balance.total for balance in ordered],
        [balance.free for balance in ordered],
        [balance.at or at for balance in ordered],
    )
