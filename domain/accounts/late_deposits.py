"""Deposits that are recorded after the audit has noticed them: the engine ended between the payment and its commit."""

from dataclasses import replace
from datetime import datetime

from domain.core.money import EXACT, ZERO
from domain.model.trading import AccountTransfer, TransferKind
from domain.ports.unit_of_work import UnitOfWork


async def record_late(transaction: UnitOfWork, deposit: AccountTransfer) -> None:
    """Record a deposit that was paid some time ago, taking it out of the adjustment that the audit has made of it.

    It then counts from the time at which the audit noticed it. Where an upgrade came in between, it stands in what the
    account opened with. The account's balances must be stored already.
    """
    noticed = await _noticed(transaction, deposit)
    if noticed is None:
        await transaction.transfers.add(deposit)
    elif noticed.amount == deposit.amount:
        await transaction.transfers.update(replace(noticed, kind=deposit.kind, reference=deposit.reference))
    else:
        left = EXACT.subtract(noticed.amount, deposit.amount)
        await transaction.transfers.update(replace(noticed, amount=left))
        await transaction.transfers.add(replace(deposit, at=noticed.at))


async def _noticed(transaction: UnitOfWork, deposit: AccountTransfer) -> AccountTransfer | None:
    """Return what holds the deposit: the newest adjustment of its amount, or else a greater one, or the opening."""
    unexplained = await transaction.transfers.unexplained(deposit.account_id)
    if unexplained.get(deposit.currency, ZERO) >= deposit.amount:
        return None
    found = [
        transfer
        for transfer in await transaction.transfers.list_all(deposit.account_id)
        if transfer.kind in {TransferKind.ADJUSTMENT, TransferKind.OPENING}
        and transfer.currency == deposit.currency
        and transfer.amount >= deposit.amount
    ]
    return max(found, key=lambda transfer: _fit(transfer, deposit), default=None)


def _fit(transfer: AccountTransfer, deposit: AccountTransfer) -> tuple[bool, bool, datetime]:
    return transfer.kind is TransferKind.ADJUSTMENT, transfer.amount == deposit.amount, transfer.at
