"""The ports of accounts: their balances, transfers, halts and sealed credentials."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.trading import Account, AccountTransfer, Balance, TradingSession, VenueCredentials
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel
from domain.ports.leases import Lease


class KeyInUse(Exception):
    """The API key is that of another account that isn't archived. `owner` is that account's user, `name` its name."""

    def __init__(self, owner: UUID, name: str) -> None:
        self.owner = owner
        self.name = name
        super().__init__("the API key is in use by another account")


class AccountRepository(Protocol):
    """Accounts, their sealed credentials and balances."""

    async def add(self, account: Account, sealed_credentials: bytes, key_hash: bytes | None = None) -> None:
        """Store a new account with its credentials; raises `KeyInUse`."""
        ...

    async def get(self, user_id: UUID, account_id: UUID, *, keep_unarchived: bool = False) -> Account | None:
        """Return an account of the user; with `keep_unarchived` nobody archives it before the transaction ends."""
        ...

    async def by_id(self, account_id: UUID) -> Account | None:
        """Return an account, whichever user's it is; None if there is none by that id."""
        ...

    async def lock_against_orders(self, user_id: UUID) -> None:
        """Lock the user's accounts until the transaction ends; rows that refer to them wait, such as new orders."""
        ...

    async def get_for_update(self, account_id: UUID, *, keep_new_rows_out: bool = False) -> Account | None:
        """Return any account and lock its row until the transaction ends.

        `keep_new_rows_out` has inserts of rows that refer to the account wait as well, such as new orders.
        """
        ...

    async def update(self, account: Account) -> None:
        """Store the account's name, risk limits and times of archiving and reconciliation."""
        ...

    async def credentials(self, account_id: UUID) -> bytes | None:
        """Return the account's sealed credentials; None if there is no such account."""
        ...

    async def all_credentials(self) -> dict[UUID, bytes]:
        """Return the sealed credentials of all accounts."""
        ...

    async def replace_credentials(self, account_id: UUID, old: bytes, new: bytes) -> bool:
        """Replace sealed credentials if they are still `old` (compare and set); return whether they were."""
        ...

    async def set_credentials(self, account_id: UUID, sealed_credentials: bytes, key_hash: bytes | None = None) -> None:
        """Replace the account's sealed credentials, whatever they were; raises `KeyInUse`."""
        ...

    async def set_key_hash(self, account_id: UUID, key_hash: bytes) -> None:
        """Store the hash of the account's API key, unless the account is archived; raises `KeyInUse`."""
        ...

    async def live_credentials(self) -> dict[UUID, bytes]:
        """Return the sealed credentials of all LIVE accounts that aren't archived, oldest first."""
        ...

    async def list_page(self, user_id: UUID, page: KeysetPage) -> list[Account]:
        """Return a page of the user's accounts, archived ones too."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Account]:
        """Return the accounts that exist, in any order (for batches)."""
        ...

    async def list_tradable(self) -> list[Account]:
        """Return every account that is not archived, or has active orders, oldest first."""
        ...

    async def list_tradable_ids(self) -> list[UUID]:
        """Return the ids of the same accounts, in any order."""
        ...

    async def list_busy(self) -> list[UUID]:
        """Return the ids of the accounts with live trading sessions or open positions, orders, protections or intents.

        Of all accounts, so that the statement doesn't grow with the number of those that rest.
        """
        ...

    async def save_reconciled_at(self, account_id: UUID, at: datetime, until: datetime, lease: Lease) -> bool:
        """Store up to when the account agrees with its venue, by the node's clock and, `until`, by the venue's.

        Return False if the lease isn't held, storing nothing.
        """
        ...

    async def replace_balances(self, account_id: UUID, balances: Sequence[Balance], at: datetime | None = None) -> None:
        """Store all the balances of the account: currencies that are not among them are deleted.

        `at` is the venue's time at which they were asked for: what is stored of a later time stays. Times more than
        10 s later are not believed, since a venue's clock may have been set back. Without `at` nothing stays.
        """
        ...

    def upsert_balances(self, account_id: UUID, balances: Sequence[Balance], lease: Lease) -> None:
        """Store those of the balances that aren't older than what is stored, and leave other currencies as they are.

        They are written by the commit, in one statement, which raises `StaleLease` unless the lease is still held.
        """
        ...

    async def balances(self, account_ids: Sequence[UUID]) -> dict[UUID, list[Balance]]:
        """Return the balances by account, sorted by currency; accounts without any have empty lists (for batches).

        Where the venue reports the total alone, `free` is the total less what active orders need.
        """
        ...

    async def record_alerts(self, account_id: UUID, keys: Sequence[str], at: datetime) -> set[str]:
        """Record that these alerts were raised, or renew them; return the keys of those that weren't recorded."""
        ...

    async def delete_expired_alerts(self, kept: timedelta, now: datetime, most: int) -> int:
        """Delete up to `most` alerts that can't be raised again by the same cause, and return how many.

        They were last raised longer than `kept` before the account's last reconciliation, or before `now` if the
        account is archived.
        """
        ...

    async def delete_alert(self, account_id: UUID, key: str) -> None:
        """Delete an alert whose cause has ended, so that it can be raised again."""
        ...


class TransferRepository(Protocol):
    """The money that came into accounts and left them otherwise than by fills."""

    async def add(self, transfer: AccountTransfer) -> bool:
        """Store a transfer; False if the account has one with the same reference already."""
        ...

    async def get(self, user_id: UUID, transfer_id: UUID) -> AccountTransfer | None:
        """Return a transfer of the user."""
        ...

    async def update(self, transfer: AccountTransfer) -> None:
        """Store the kind, amount, time, reference and note of a transfer."""
        ...

    async def explain(self, adjustment: AccountTransfer, entry: AccountTransfer) -> None:
        """Store an entry in the place of an adjustment, or of the part of it that the entry's amount is.

        Both keep their share of what the adjustment was worth when it was noticed.
        """
        ...

    async def get_by_reference(self, account_id: UUID, reference: str) -> AccountTransfer | None:
        """Return the account's transfer with that reference."""
        ...

    async def list_page(self, account_id: UUID, page: KeysetPage) -> list[AccountTransfer]:
        """Return a page of the account's transfers."""
        ...

    async def list_all(self, account_id: UUID) -> list[AccountTransfer]:
        """Return all transfers of the account, oldest first (for reports)."""
        ...

    async def unexplained(self, account_id: UUID) -> dict[str, Decimal]:
        """Return by currency the stored balances less the sum of transfers and fills.

        Currencies whose difference is 0 are left out. The sums are maintained as transfers and fills are stored, so
        this reads one row for each currency, however many transfers and fills there are.
        """
        ...

    async def has_provisional_opening(self, account_id: UUID) -> bool:
        """Return whether the opening transfers may still be corrected: the account is older than transfers are."""
        ...

    async def correct_opening(self, account_id: UUID, currencies: Collection[str]) -> None:
        """Add what is unexplained of these currencies to the opening transfers.

        The caller has locked the account's row.
        """
        ...

    async def confirm_opening(self, account_id: UUID) -> None:
        """Mark the opening transfers as final."""
        ...


class HaltRepository(Protocol):
    """The halts in force: of each engine, user, account or trading session at most one of each author."""

    async def hold_off(self) -> None:
        """Have new halts wait for the end of this transaction, which then reads all that were committed.

        A transaction that may decide to send an order does so before it locks any row.
        """
        ...

    async def lock(self) -> None:
        """Do what `put` waits for already: for a transaction that locks rows before it puts a halt."""
        ...

    async def put(self, halt: Halt) -> None:
        """Store a halt, replacing the one that its author may have made of the subject before.

        It waits for the decisions to send an order that have not read it: what the transaction reads after this has
        their orders. No row may be locked before.
        """
        ...

    async def remove(self, level: HaltLevel, subject_id: UUID, by: HaltAuthor | None) -> list[Halt]:
        """Delete and return the halts of a subject itself that this author made; None for all of them."""
        ...

    async def apply_to(self, session: TradingSession) -> bool:
        """Return whether any halt applies to a trading session: its own, or one of a level above it."""
        ...

    async def get_many(self, subjects: Sequence[tuple[HaltLevel, UUID]]) -> list[Halt]:
        """Return the halts of these subjects themselves, those by operators first (for batches)."""
        ...


class Vault(Protocol):
    """Seals venue credentials so that the database alone can't read them (AES-256-GCM)."""

    def seal(self, credentials: VenueCredentials, account_id: UUID) -> bytes:
        """Return the sealed form, bound to the account."""
        ...

    def key_hash(self, credentials: VenueCredentials) -> bytes:
        """Return a keyed hash of the API key, by which the same key is known again and can't be guessed."""
        ...

    def unseal(self, sealed: bytes, account_id: UUID) -> VenueCredentials:
        """Return the credentials; raises ValueError if they were sealed with another key or for another account."""
        ...
