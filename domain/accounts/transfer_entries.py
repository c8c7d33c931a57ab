"""Entries of deposits and withdrawals by hand: users say what a change of a balance was, and when.

The balance at the venue is the truth. An entry explains a change that the balance audit has recorded as an adjustment,
or a part of it, and never makes one up: so transfers and fills always come to the balance.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.accounts.validation import Path, currency_errors
from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import ZERO, plain, size_error
from domain.core.validation import is_encodable
from domain.events.idempotency import reserve
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import Account, AccountTransfer, TransferKind
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity

MAXIMUM_NOTE_LENGTH: Final = 200
REFERENCE: Final = "entry:"


@dataclass(frozen=True, slots=True)
class TransferEntry:
    """A deposit or a withdrawal of `amount`, which is positive for both."""

    kind: TransferKind
    currency: str
    amount: Decimal
    at: datetime
    note: str | None = None


@dataclass(frozen=True, slots=True)
class TransferCorrection:
    """What to correct of a transfer; what isn't given stays as it is."""

    kind: TransferKind | Unchanged | None = UNCHANGED
    at: datetime | Unchanged | None = UNCHANGED
    note: str | Unchanged | None = UNCHANGED


class TransferEntryService:
    """Records entries, and corrects them."""

    def __init__(self, database: Database, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def record(self, user_id: UUID, account_id: UUID, entry: TransferEntry, key: str) -> AccountTransfer:
        """Record a deposit or a withdrawal in the place of an adjustment of the same currency, or of a part of it.

        The same key with the same entry returns the same transfer. Raises NOT_FOUND, INVALID, and CONFLICT if no
        adjustment is as great.
        """
        errors = self._errors(entry)
        if errors:
            raise InputErrors(errors)
        signed = entry.amount if entry.kind is TransferKind.DEPOSIT else -entry.amount
        async with self._database.transaction() as transaction:
            account = await self._get_owned(transaction, user_id, account_id)
            new_id, request = self._ids.next_id(), (str(account_id), entry)
            known = await reserve(transaction, self._clock, user_id, "accountTransferRecord", key, request, new_id)
            if known is not None:
                return await _existing(transaction, user_id, known)
            self._check_time(account, entry.at)
            adjustment = _adjustment_for(await transaction.transfers.list_all(account_id), entry.currency, signed)
            recorded = AccountTransfer(
                new_id, user_id, account_id, entry.kind, entry.currency, signed, entry.at, f"{REFERENCE}{key}",
                _clean(entry.note),
            )  # fmt: skip
            await transaction.transfers.explain(adjustment, recorded)
            detail = f"{entry.kind.value} {entry.amount:f} {entry.currency} at {entry.at:%Y-%m-%dT%H:%M:%SZ}"
            await self._publish(transaction, account, "accountTransferRecord", recorded, detail)
        return recorded

    async def correct(self, user_id: UUID, transfer_id: UUID, correction: TransferCorrection) -> AccountTransfer:
        """Correct an adjustment or an entry: say what it was, and when; as an adjustment it is unexplained again.

        Raises NOT_FOUND, INVALID, and UNSUPPORTED for a transfer that the engine knows by itself.
        """
        reject_nulls(kind=correction.kind, at=correction.at)
        async with self._database.transaction() as transaction:
            found = await transaction.transfers.get(user_id, transfer_id)
            if found is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such transfer.", ("id",))
            account = await self._get_owned(transaction, user_id, found.account_id)
            transfer = await _existing(transaction, user_id, transfer_id)  # as it is under the account's lock
            if not transfer.reference.startswith((REFERENCE, "adjustment:")):
                message = "The engine knows of this transfer by itself; correct adjustments, and what was entered."
                raise InputError(ErrorCode.UNSUPPORTED, message, ("id",))
            corrected = replace(
                transfer,
                kind=value_or_current(correction.kind, transfer.kind) or transfer.kind,
                at=value_or_current(correction.at, transfer.at) or transfer.at,
                note=_clean(value_or_current(correction.note, transfer.note)),
            )
            errors = [*_kind_errors(corrected), *_note_errors(corrected.note)]
            if errors:
                raise InputErrors(errors)
            if corrected.at != transfer.at:
                self._check_time(account, corrected.at)
            if corrected != transfer:
                await transaction.transfers.update(corrected)
                detail = f"{transfer.kind.value} to {corrected.kind.value} at {corrected.at:%Y-%m-%dT%H:%M:%SZ}"
                await self._publish(transaction, account, "accountTransferUpdate", corrected, detail)
        return corrected

    def _errors(self, entry: TransferEntry) -> list[InputError]:
        path: Path = ("input", "amount")
        errors = currency_errors(entry.currency, ("input", "currency"))
        if entry.amount <= 0:
            message = f"The amount must be more than 0, for a withdrawal too; it is {plain(entry.amount)}."
            errors.append(InputError(ErrorCode.INVALID, message, path))
        elif (size := size_error(entry.amount)) is not None:
            errors.append(InputError(ErrorCode.INVALID, f"The amount {size}.", path))
        if entry.kind not in {TransferKind.DEPOSIT, TransferKind.WITHDRAWAL}:
            errors.append(InputError(ErrorCode.INVALID, "kind must be DEPOSIT or WITHDRAWAL.", ("input", "kind")))
        return [*errors, *_note_errors(entry.note)]

    def _check_time(self, account: Account, at: datetime) -> None:
        if not account.created_at <= at <= self._clock.now():
            message = (
                f"at is {at:%Y-%m-%dT%H:%M:%SZ}; it must be after the account was opened, at "
                f"{account.created_at:%Y-%m-%dT%H:%M:%SZ}, and not in the future."
            )
            raise InputError(ErrorCode.INVALID, message, ("input", "at"))

    async def _get_owned(self, transaction: UnitOfWork, user_id: UUID, account_id: UUID) -> Account:
        account = await transaction.accounts.get_for_update(account_id)
        if account is None or account.user_id != user_id:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such account.", ("id",))
        return account

    async def _publish(
        self, transaction: UnitOfWork, account: Account, action: str, transfer: AccountTransfer, detail: str
    ) -> None:
        now, subject = self._clock.now(), ("AccountTransfer", str(transfer.id))
        transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, action)])
        await record_activity(transaction, self._ids, now, account.user_id, action, subject, detail)


async def _existing(transaction: UnitOfWork, user_id: UUID, transfer_id: UUID) -> AccountTransfer:
    found = await transaction.transfers.get(user_id, transfer_id)
    if found is None:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such transfer.", ("id",))
    return found


def _adjustment_for(transfers: list[AccountTransfer], currency: str, signed: Decimal) -> AccountTransfer:
    """Return the adjustment that a change is contained in: one of the same amount, or else the newest greater one."""
    adjustments = [
        each
        for each in transfers
        if each.kind is TransferKind.ADJUSTMENT and each.currency == currency and (each.amount > 0) == (signed > 0)
    ]
    found = max(
        (each for each in adjustments if abs(each.amount) >= abs(signed)),
        key=lambda each: (each.amount == signed, each.at),
        default=None,
    )
    if found is None:
        known = ", ".join(plain(abs(each.amount)) for each in adjustments[-5:]) or "none"
        direction = "to" if signed > ZERO else "from"
        message = (
            f"No adjustment {direction} the account has {plain(abs(signed))} {currency} in it (there are: {known}). "
            "The engine records one when it notices that the balance at the venue has changed, within minutes."
        )
        raise InputError(ErrorCode.CONFLICT, message, ("input", "amount"))
    return found


def _kind_errors(transfer: AccountTransfer) -> list[InputError]:
    fitting = TransferKind.DEPOSIT if transfer.amount > 0 else TransferKind.WITHDRAWAL
    if transfer.kind in {fitting, TransferKind.ADJUSTMENT}:
        return []
    message = f"kind must be {fitting.value} or ADJUSTMENT, as the amount is {plain(transfer.amount)}."
    return [InputError(ErrorCode.INVALID, message, ("input", "kind"))]


def _clean(note: str | None) -> str | None:
    return (note.strip() or None) if note is not None else None


def _note_errors(note: str | None) -> list[InputError]:
    if note is None or (len(note) <= MAXIMUM_NOTE_LENGTH and note.isprintable() and is_encodable(note)):
        return []
    message = f"note must have at most {MAXIMUM_NOTE_LENGTH} printable characters, and has {len(note)}."
    return [InputError(ErrorCode.INVALID, message, ("input", "note"))]
