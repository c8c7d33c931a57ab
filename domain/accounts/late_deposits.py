"""Records deposits after the balance audit has noticed them: the engine ended between payment and commit."""

from dataclasses import replace
from datetime import datetime

from domain.core.money import EXACT, ZERO
from domain.model.trading import AccountTransfer, TransferKind
from domain.ports.unit_of_work import UnitOfWork


async def record_late_deposit(transaction: UnitOfWork, deposit: AccountTransfer) -> None:
    """Record a deposit that was paid earlier, in place of the adjustment that the audit has made of it.

    It then has the time of that adjustment. After an upgrade it may be contained in an opening transfer instead. The
    account's balances must be stored already.
    """
    containing = await _transfer_with(transaction, deposit)
    if containing is None:
        await transaction.transfers.add(deposit)
    elif containing.amount == deposit.amount:
        await transaction.transfers.update(replace(containing, kind=deposit.kind, reference=deposit.reference))
    else:
        left = EXACT.subtract(containing.amount, deposit.amount)
        await transaction.transfers.update(replace(containing, amount=left))
        await transaction.transfers.add(replace(deposit, at=containing.at))


async def _transfer_with(transaction: UnitOfWork, deposit: AccountTransfer) -> AccountTransfer | None:
    """Return the transfer that contains the deposit: an adjustment of its amount, a greater one, or an opening."""
    unexplained = (await transaction.transfers.unexplained(deposit.account_id)).get(deposit.currency, ZERO)
    if unexplained >= deposit.amount:
        return None
    # An opening contains the deposit only if nothing else is open; otherwise an order may be under way.
    kinds = {TransferKind.ADJUSTMENT, TransferKind.OPENING} if unexplained == ZERO else {TransferKind.ADJUSTMENT}
    candidates = [
        transfer
        for transfer in await transaction.transfers.list_all(deposit.account_id)
        if transfer.kind in kinds and transfer.currency == deposit.currency and transfer.amount >= deposit.amount
    ]
    return max(candidates, key=lambda transfer: _preference(transfer, deposit), default=None)


def _preference(transfer: AccountTransfer, deposit: AccountTransfer) -> tuple[bool, bool, datetime]:
    return transfer.kind is TransferKind.ADJUSTMENT, transfer.amount == deposit.amount, transfer.at
