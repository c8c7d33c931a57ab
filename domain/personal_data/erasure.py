"""Erases users: who they are is forgotten, and what was traded stays, under a number that names nobody."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.accounts.service import ACCOUNTS_TOPIC
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError, Unauthenticated
from domain.core.pagination import KeysetPage
from domain.model.trading import Account
from domain.model.users import Identity
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.authentication import Authenticator
from domain.users.identity_lock import lock_identity
from domain.users.operators import (
    Administrator,
    lock_operator,
    lock_subject,
    record_administration,
    require_login,
    validate_reason,
)
from domain.users.password_check import PasswordCheck, current_password_rejected
from domain.users.two_factor import SecondFactor, Verdict, two_factor_rejected, two_factor_required

ACTION: Final = "userErase"
_PAGE: Final = 100

Guard = Callable[[UnitOfWork, datetime], Awaitable[None]]


class Erasure:
    """Erases a user, at the request of the user or of an operator."""

    def __init__(
        self, database: Database, authenticator: Authenticator, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def erase(
        self, user_id: UUID, administrator: Administrator | None = None, guard: Guard | None = None
    ) -> None:
        """Erase the user at once and for good, for the user or an administrator.

        Raises CONFLICT while anything of the user's trades, and for the last operator. `guard` is awaited under the
        lock of the user, before anything is erased.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            accounts = await self._require_erasable(transaction, user_id)
            if guard is not None:
                await guard(transaction, now)
            await _archive(transaction, accounts, now)
            ended = await transaction.personal_data.erase(user_id, now)
            if administrator is None:
                await record_activity(transaction, self._ids, now, user_id, ACTION, ("User", str(user_id)))
            else:
                await record_administration(transaction, self._ids, now, administrator, user_id, ACTION)
        await self._authenticator.revoke(ended)
        for account in accounts:
            await self._bus.publish(ACCOUNTS_TOPIC, account.id.bytes)

    async def check(self, user_id: UUID) -> None:
        """Raise CONFLICT if the user can't be erased now."""
        async with self._database.transaction() as transaction:
            await self._require_erasable(transaction, user_id)

    async def _require_erasable(self, transaction: UnitOfWork, user_id: UUID) -> list[Account]:
        """Return the user's accounts. No order, trading session or account is added until the transaction ends."""
        # Before the user's row, so that of two operators who go at once one waits for the other.
        is_last_operator = await transaction.users.is_last_operator(user_id)
        if not await transaction.users.lock(user_id, keep_new_rows_out=True):
            raise Unauthenticated
        if is_last_operator:
            message = "This is the last operator, and other users are left: make one of them an operator first."
            raise InputError(ErrorCode.CONFLICT, message)
        accounts = await accounts_of(transaction, user_id)
        await transaction.accounts.lock_against_orders(user_id)
        await _require_rest(transaction, accounts)
        return accounts


class ErasureService:
    """Erases users who ask for it themselves, and others for operators."""

    def __init__(
        self,
        database: Database,
        erasure: Erasure,
        passwords: PasswordCheck,
        second_factor: SecondFactor,
        clock: Clock,
    ) -> None:
        self._database = database
        self._erasure = erasure
        self._passwords = passwords
        self._second_factor = second_factor
        self._clock = clock

    async def erase(self, identity: Identity, password: str | None, two_factor_code: str | None) -> None:
        """Erase the user of a login session.

        Raises CREDENTIALS_REJECTED, TWO_FACTOR_REQUIRED, CONFLICT while anything of the user trades, and `Forbidden` if
        the request came with an API key.
        """
        if not identity.is_login_session:
            raise Forbidden("An API key can't erase its user; sign in to do so.")
        await self._erase(identity, identity.user.id, password, two_factor_code, None)

    async def erase_other(
        self, administrator: Administrator, user_id: UUID, password: str | None, two_factor_code: str | None
    ) -> None:
        """Erase a user for an operator, who proves by the own password, and second factor, to be that operator.

        Raises as `erase`; NOT_FOUND, CONFLICT for the operator's self, and `Forbidden` for who is none.
        """
        identity = administrator.identity
        assert identity is not None
        require_login(identity, "erase users")
        administrator = replace(administrator, reason=validate_reason(administrator.reason))
        async with self._database.transaction() as transaction:
            await lock_subject(transaction, administrator, user_id, self._clock.now())
        await self._erase(identity, user_id, password, two_factor_code, administrator)

    async def _erase(
        self,
        identity: Identity,
        user_id: UUID,
        password: str | None,
        two_factor_code: str | None,
        administrator: Administrator | None,
    ) -> None:
        verified = await self._passwords.verify(identity, password, "currentPassword")
        # Before a code of the second factor is used up.
        await self._erasure.check(user_id)
        async with self._database.transaction() as transaction:
            verdict = await self._second_factor.verify(transaction, identity.user.id, two_factor_code)
        if verdict is Verdict.MISSING:
            raise two_factor_required()
        if verdict is Verdict.WRONG:
            raise two_factor_rejected("twoFactorCode")

        async def guard(transaction: UnitOfWork, now: datetime) -> None:
            if await lock_identity(transaction, identity, now) != verified:
                raise current_password_rejected("currentPassword")
            if administrator is not None:
                await lock_operator(transaction, administrator, now)

        await self._erasure.erase(user_id, administrator, guard)


async def accounts_of(transaction: UnitOfWork, user_id: UUID) -> list[Account]:
    """Return all accounts of a user."""
    found: list[Account] = []
    page = KeysetPage(_PAGE)
    while batch := await transaction.accounts.list_page(user_id, page):
        found += batch
        page = replace(page, after=batch[-1].id)
    return found


async def _require_rest(transaction: UnitOfWork, accounts: list[Account]) -> None:
    """Raise CONFLICT if anything trades: it would go on, or stay open at the venue, with nobody to look after it."""
    counts: Counter[str] = Counter()
    for account in accounts:
        counts["trading session"] += len(await transaction.trading_sessions.list_live(account.id))
        counts["open order"] += len(await transaction.orders.list_active(account.id))
        counts["open position"] += len(await transaction.positions.list_open(account.id))
        counts["protection"] += await transaction.protection.needs_keeper(account.id)
    if not +counts:
        return
    found = ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in (+counts).items())
    message = (
        f"There are still: {found}. Stop trading sessions, cancel orders and close positions first (tradingHalt of the "
        "user cancels and closes, userTradingStop by an operator stops too); nothing may be open at a venue when its "
        "owner is forgotten."
    )
    raise InputError(ErrorCode.CONFLICT, message)


async def _archive(transaction: UnitOfWork, accounts: list[Account], now: datetime) -> None:
    for account in accounts:
        if account.archived_at is None:
            await transaction.accounts.update(replace(account, archived_at=now))
