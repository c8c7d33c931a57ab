"""Finds what moved an account's balances beside fills and known transfers, and records it with the time it was noticed.

A venue's own list of deposits and withdrawals isn't asked for: it knows nothing of trades in another client, dust that
was converted, or interest, and each venue has another one. The difference itself is certain.
"""

from datetime import datetime
from decimal import Decimal

from domain.execution.account_context import AccountContext
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import AccountTransfer, TransferKind
from domain.portfolio.discrepancies import considerable
from domain.ports.unit_of_work import UnitOfWork


class BalanceAudit:
    """Compares an account's stored balances with its transfers and fills.

    A fill and the balance after it come in two messages, so a difference counts only if the next check, at least
    `OrderTimings.agreement` later, finds the same. The check delays no order; only what is to be recorded is checked
    again under the account's lease.

    An account from before transfers were recorded has a provisional opening: it was computed from what a version
    without them had stored, which lacks what was under way when it ended. A difference of such an account is one of its
    opening, until a look finds none.
    """

    def __init__(self, desk: AccountContext) -> None:
        self.due = True
        self._desk = desk
        self._opening_is_provisional = True
        self._noticed: dict[str, tuple[Decimal, datetime]] = {}

    async def look(self) -> None:
        """Compare, unless no balance has changed since the last time, and record what was found before already."""
        if self._opening_is_provisional and not await self.correct_opening():
            await self._confirm_opening()
        if self._opening_is_provisional or not (self.due or self._noticed):
            return
        self.due = False
        async with self._desk.database.read_only() as reading:
            found = await self._differences(reading)
        if self._confirmed(found):
            found = await self._record()
        now = self._desk.clock.now()
        self._noticed = {currency: (amount, self._since(currency, amount) or now) for currency, amount in found.items()}

    async def correct_opening(self) -> bool:
        """Make the opening, while it is provisional, what transfers and fills don't explain; tell whether it changed.

        It is to be called only when the account has been reconciled and nothing is open about any of its orders.
        """
        account, now = self._desk.account, self._desk.clock.now()
        if not await self._has_provisional_opening():
            return False
        async with self._desk.moving() as transaction:
            # A deposit holds the account's row from before it pays until its transfer is committed.
            await transaction.accounts.get_for_update(account.id)
            corrected = await transaction.transfers.correct_opening(account.id)
            for currency, amount in corrected.items():
                message = f"opening corrected by {amount:f} {currency}, as what was under way at an upgrade shows"
                transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, message)])
        return bool(corrected)

    async def _has_provisional_opening(self) -> bool:
        if self._opening_is_provisional:
            async with self._desk.database.read_only() as reading:
                provisional = await reading.transfers.has_provisional_opening(self._desk.account.id)
            self._opening_is_provisional = provisional
        return self._opening_is_provisional

    async def _confirm_opening(self) -> None:
        if self._opening_is_provisional:
            async with self._desk.moving() as transaction:
                await transaction.transfers.confirm_opening(self._desk.account.id)
            self._opening_is_provisional = False

    async def _record(self) -> dict[str, Decimal]:
        """Record what is still as it was noticed; return the differences that are left."""
        account, now = self._desk.account, self._desk.clock.now()
        async with self._desk.moving() as transaction:
            # A deposit holds the account's row from before it pays until its transfer is committed.
            await transaction.accounts.get_for_update(account.id)
            found = await self._differences(transaction)
            for transfer in self._confirmed(found):
                await transaction.transfers.add(transfer)
                message = f"balance adjusted by {transfer.amount:f} {transfer.currency}, which no fill explains"
                transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, message)])
                del found[transfer.currency]
        return found

    async def _differences(self, reading: UnitOfWork) -> dict[str, Decimal]:
        """Return what is more than the venue's rounding, which is kept until it adds up to more."""
        account_id = self._desk.account.id
        balances = await reading.accounts.balances([account_id])
        return considerable(await reading.transfers.unexplained(account_id), balances.get(account_id, []))

    def _confirmed(self, differences: dict[str, Decimal]) -> list[AccountTransfer]:
        confirmed = []
        for currency, amount in differences.items():
            since = self._since(currency, amount)
            if since is not None:
                confirmed.append(self._transfer(currency, amount, since))
        return confirmed

    def _since(self, currency: str, amount: Decimal) -> datetime | None:
        """Return when this difference was noticed first; None where it is new."""
        noticed = self._noticed.get(currency)
        return noticed[1] if noticed is not None and noticed[0] == amount else None

    def _transfer(self, currency: str, amount: Decimal, at: datetime) -> AccountTransfer:
        account = self._desk.account
        return AccountTransfer(
            id=self._desk.ids.next_id(),
            user_id=account.user_id,
            account_id=account.id,
            kind=TransferKind.ADJUSTMENT,
            currency=currency,
            amount=amount,
            at=at,
            reference=f"adjustment:{currency}:{at.isoformat()}",
        )
