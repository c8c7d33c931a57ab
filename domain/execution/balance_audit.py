"""Records changes of an account's balances that neither fills nor known transfers explain, as adjustments.

The venue's list of deposits and withdrawals isn't used: it doesn't contain trades by another program, converted dust
or interest, and every venue has a list of its own kind. The difference itself is certain.
"""

from datetime import datetime
from decimal import Decimal

from domain.execution.account_context import AccountContext
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import AccountTransfer, TransferKind
from domain.portfolio.discrepancies import significant_differences
from domain.ports.unit_of_work import UnitOfWork


class BalanceAudit:
    """Compares an account's stored balances with its transfers and fills.

    A fill and the balance after it come in two reports, so a difference counts only if the next run, at least
    `OrderTimings.checkpoint_interval` later, finds the same one. The comparison delays no order; only a difference that
    is to be recorded is computed again under the account's lease.

    An account from before transfers were recorded has a provisional opening: it was computed from what a version
    without transfers had stored, which lacks what was in flight when that version ended. A difference of such an
    account corrects its opening, until a run finds none.
    """

    def __init__(self, context: AccountContext) -> None:
        self.is_due = True
        self._context = context
        self._opening_is_provisional = True
        self._noticed: dict[str, tuple[Decimal, datetime]] = {}

    async def run(self) -> None:
        """Compare, unless no balance has changed since the last run, and record differences that were found before."""
        if self._opening_is_provisional and not await self.correct_opening():
            await self._confirm_opening()
        if self._opening_is_provisional or not (self.is_due or self._noticed):
            return
        self.is_due = False
        async with self._context.database.read_only() as reading:
            found = await self._differences(reading)
        if self._confirmed(found):
            found = await self._record()
        now = self._context.clock.now()
        self._noticed = {currency: (amount, self._since(currency, amount) or now) for currency, amount in found.items()}

    async def correct_opening(self) -> bool:
        """Correct a provisional opening by what transfers and fills don't explain; return whether it has changed.

        Differences within the venue's rounding are left, since a live account has new ones after nearly every fill.
        To be called only when the account has been reconciled and no query about its orders is pending.
        """
        account, now = self._context.account, self._context.clock.now()
        if not await self._has_provisional_opening():
            return False
        async with self._context.fenced_transaction() as transaction:
            # A deposit locks the account's row from before it pays until its transfer is committed.
            await transaction.accounts.get_for_update(account.id)
            differences = await self._differences(transaction)
            await transaction.transfers.correct_opening(account.id, differences.keys())
            for currency, amount in differences.items():
                message = f"opening corrected by {amount:f} {currency}, as what was under way at an upgrade shows"
                transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, message)])
        return bool(differences)

    async def _has_provisional_opening(self) -> bool:
        if self._opening_is_provisional:
            async with self._context.database.read_only() as reading:
                provisional = await reading.transfers.has_provisional_opening(self._context.account.id)
            self._opening_is_provisional = provisional
        return self._opening_is_provisional

    async def _confirm_opening(self) -> None:
        if self._opening_is_provisional:
            async with self._context.fenced_transaction() as transaction:
                await transaction.transfers.confirm_opening(self._context.account.id)
            self._opening_is_provisional = False

    async def _record(self) -> dict[str, Decimal]:
        """Record the differences that are still the same; return those that are left."""
        account, now = self._context.account, self._context.clock.now()
        async with self._context.fenced_transaction() as transaction:
            # A deposit locks the account's row from before it pays until its transfer is committed.
            await transaction.accounts.get_for_update(account.id)
            found = await self._differences(transaction)
            for transfer in self._confirmed(found):
                await transaction.transfers.add(transfer)
                message = f"balance adjusted by {transfer.amount:f} {transfer.currency}, which no fill explains"
                transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, message)])
                del found[transfer.currency]
        return found

    async def _differences(self, reading: UnitOfWork) -> dict[str, Decimal]:
        """Return the differences by currency, without those within the venue's rounding, which may add up later."""
        account_id = self._context.account.id
        balances = await reading.accounts.balances([account_id])
        return significant_differences(await reading.transfers.unexplained(account_id), balances.get(account_id, []))

    def _confirmed(self, differences: dict[str, Decimal]) -> list[AccountTransfer]:
        confirmed = []
        for currency, amount in differences.items():
            since = self._since(currency, amount)
            if since is not None:
                confirmed.append(self._transfer(currency, amount, since))
        return confirmed

    def _since(self, currency: str, amount: Decimal) -> datetime | None:
        """Return when this difference was first noticed; None if it is new."""
        noticed = self._noticed.get(currency)
        return noticed[1] if noticed is not None and noticed[0] == amount else None

    def _transfer(self, currency: str, amount: Decimal, at: datetime) -> AccountTransfer:
        account = self._context.account
        return AccountTransfer(
            id=self._context.ids.next_id(),
            user_id=account.user_id,
            account_id=account.id,
            kind=TransferKind.ADJUSTMENT,
            currency=currency,
            amount=amount,
            at=at,
            reference=f"adjustment:{currency}:{at.isoformat()}",
        )
