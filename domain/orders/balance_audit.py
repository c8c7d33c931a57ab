"""Finds what moved an account's balances beside fills and known transfers, and records it with the time it was noticed.

A venue's own list of deposits and withdrawals isn't asked for: it knows nothing of trades in another client, dust that
was converted, or interest, and each venue has another one. The difference itself is certain.
"""

from datetime import datetime
from decimal import Decimal

from domain.events import NewEvent, UserEventKind
from domain.orders.desk import Desk
from domain.trading.types import AccountTransfer, TransferKind

NEGLIGIBLE = Decimal("1E-8")
"""What some venues' rounding of fees leaves; it is kept until it adds up to more."""


class BalanceAudit:
    """Compares an account's stored balances with its transfers and fills.

    A fill and the balance after it come in two messages, so a difference counts only if the next look, at least
    `Timing.agreement` later, finds the same.
    """

    def __init__(self, desk: Desk) -> None:
        self.due = True
        self._desk = desk
        self._noticed: dict[str, tuple[Decimal, datetime]] = {}

    async def look(self) -> None:
        """Compare, unless no balance has changed since the last time, and record what was found before already."""
        if not self.due and not self._noticed:
            return
        self.due = False
        account, now = self._desk.account, self._desk.clock.now()
        async with self._desk.moving() as transaction:
            # A deposit holds the account's row from before it pays until its transfer is committed.
            await transaction.accounts.by_id(account.id, lock=True)
            found = await transaction.transfers.unexplained(account.id)
            differences = {currency: amount for currency, amount in found.items() if abs(amount) > NEGLIGIBLE}
            for transfer in self._confirmed(differences):
                await transaction.transfers.add(transfer)
                message = f"balance adjusted by {transfer.amount:f} {transfer.currency}, which no fill explains"
                transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, message)])
                del differences[transfer.currency]
        self._noticed = {
            currency: (amount, self._since(currency, amount) or now) for currency, amount in differences.items()
        }

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
            id=self._desk.ids.new(),
            user_id=account.user_id,
            account_id=account.id,
            kind=TransferKind.ADJUSTMENT,
            currency=currency,
            amount=amount,
            at=at,
            reference=f"adjustment:{currency}:{at.isoformat()}",
        )
