"""What `r3edge account transfers` does, in the database of an engine that runs or doesn't."""

from typing import Final

from domain.accounts.transfer_entries import TransferEntry, TransferEntryService
from domain.core.csv_rows import csv_text
from domain.core.pagination import KeysetPage
from domain.model.trading import Account, AccountTransfer
from domain.ports.unit_of_work import UnitOfWork
from infra.cli.named_objects import chosen
from infra.cli.user_scope import UserScope, open_user_scope
from infra.settings import Settings
from resolvers.ids import encode_id

_PURPOSE: Final = "r3edge account transfers"
_MAX_ACCOUNTS: Final = 100
_COLUMNS: Final = ("id", "at", "kind", "currency", "amount", "note")


class TransferCommands:
    """Reads and records the transfers of an account of the user with that email, or of the only one."""

    def __init__(self, settings: Settings, email: str | None) -> None:
        self._settings = settings
        self._email = email

    async def list_all(self, account: str) -> str:
        """Return all transfers of an account as CSV, the oldest first; raises `BadArgument`."""
        async with (
            open_user_scope(self._settings, _PURPOSE, self._email) as scope,
            scope.database.read_only() as reading,
        ):
            found = await _found(reading, scope, account)
            transfers = await reading.transfers.list_all(found.id)
        lines = [
            (encode_id("AccountTransfer", one.id), one.at, one.kind.value, one.currency, one.amount, one.note)
            for one in sorted(transfers, key=lambda one: (one.at, one.id))
        ]
        return csv_text([_COLUMNS, *lines])

    async def record(self, account: str, entry: TransferEntry, key: str | None) -> AccountTransfer:
        """Say what an adjustment was; the same key with the same entry records it once.

        Raises `BadArgument`, and as `TransferEntryService.record`.
        """
        async with open_user_scope(self._settings, _PURPOSE, self._email) as scope:
            async with scope.database.read_only() as reading:
                found = await _found(reading, scope, account)
            service = TransferEntryService(scope.database, scope.clock, scope.ids)
            return await service.record(scope.user.id, found.id, entry, key or scope.ids.next_id().hex)


async def _found(reading: UnitOfWork, scope: UserScope, name: str) -> Account:
    accounts = await reading.accounts.list_page(scope.user.id, KeysetPage(_MAX_ACCOUNTS))
    return chosen("account", "Account", accounts, name)
