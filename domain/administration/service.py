"""What an operator does to a user. Each action asks again who acts, and is recorded for the user and the operator."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.model.mail import CodePurpose, EmailCode, MailKind
from domain.model.trading import TradingSession, TradingSessionStatusCode
from domain.model.users import User, UserRole
from domain.personal_data.erasure import accounts_of
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import TokenSource
from domain.trading.halts import HaltRequest, HaltService
from domain.trading.trading_sessions import request_stop
from domain.users.authentication import Authenticator
from domain.users.mail_composer import RESET_CODE_LIFE
from domain.users.operators import Administrator, lock_subject, record_administration, require_person, validate_reason
from domain.users.standing_access import end_standing_access
from domain.users.tokens import credential_hash, new_email_code
from domain.users.user_mails import UserMails

ENTRIES_ONLY: Final = HaltRequest(cancel_orders=True, reduce_only=True)
"""The halt of a disabled user: nothing is opened any more, and what is open stays protected and may be closed."""


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """How a user gets a new password: by a mail, or without a mail server by a code that the operator passes on."""

    user: User
    code: str | None


class _Action(NamedTuple):
    """What an operator does to a user whose row is locked; `record` takes the name of the action and a detail."""

    transaction: UnitOfWork
    user: User
    now: datetime
    record: Callable[..., Awaitable[None]]


class UserAdministration:
    """Acts on users, for operators and for the command line.

    Every method raises NOT_FOUND for nobody, CONFLICT for the operator's own self, INVALID for a reason that is no
    text, and `Forbidden` for who isn't an operator (any more). What changes credentials or roles, or an operator, needs
    a login session (else `Forbidden`) with a recent sign-in (else CONFIRMATION_REQUIRED).
    """

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        halts: HaltService,
        mails: UserMails,
        tokens: TokenSource,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._halts = halts
        self._mails = mails
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def disable(self, administrator: Administrator, user_id: UUID, halt: HaltRequest = ENTRIES_ONLY) -> User:
        """Disable the user: login sessions end, API keys and webhooks rest, and trading is halted.

        Raises CONFLICT if the user is disabled already, or is the last operator.
        """
        administrator = _checked(administrator)
        async with self._database.transaction() as transaction:
            await transaction.users.lock_operators()
            await transaction.halts.lock()
            now = self._clock.now()
            user = await lock_subject(transaction, administrator, user_id, now)
            await _require_right_over(transaction, administrator, user, now)
            if user.disabled_at is not None:
                message = f"{user.email} is disabled already, since {user.disabled_at:%F %T} UTC."
                raise InputError(ErrorCode.CONFLICT, message, ("id",))
            await _require_another_operator(transaction, user)
            await transaction.users.set_disabled(user_id, now)
            halt = _with_reason(halt, administrator)
            woken = await self._halts.add_halt_of_user(transaction, user_id, halt, now, is_disabled=True)
            ended = await transaction.users.revoke_other_login_sessions(user_id, None, now)
            keys = [key.id for key in await transaction.users.api_keys(user_id)]
            await self._mails.notify(transaction, MailKind.USER_DISABLED, user, now)
            await record_administration(transaction, self._ids, now, administrator, user_id, "userDisable")
        await self._authenticator.revoke([*ended, *keys])
        await self._halts.wake_executors(woken)
        return replace(user, disabled_at=now)

    async def enable(self, administrator: Administrator, user_id: UUID, *, resume_trading: bool = True) -> User:
        """Enable a disabled user; the halt that came with disabling ends too, unless trading isn't to be resumed.

        Raises CONFLICT if the user isn't disabled.
        """
        async with self._acting(administrator, user_id) as (transaction, user, now, record):
            if user.disabled_at is None:
                raise InputError(ErrorCode.CONFLICT, f"{user.email} isn't disabled.", ("id",))
            await transaction.users.set_disabled(user_id, None)
            if resume_trading:
                await self._halts.resume_enabled_user(transaction, user_id, user.disabled_at)
            await self._mails.notify(transaction, MailKind.USER_ENABLED, user, now)
            keys = [key.id for key in await transaction.users.api_keys(user_id)]
            await record("userEnable")
        await self._authenticator.restore(keys)
        return replace(user, disabled_at=None)

    async def stop_trading(
        self, administrator: Administrator, user_id: UUID, *, close_positions: bool = False
    ) -> tuple[User, int]:
        """Stop all of the user's trading sessions for good, and halt the user so that nothing is opened any more.

        Positions stay protected, or are closed if asked. Return the user with how many trading sessions stop.
        """
        administrator = _checked(administrator)
        halt = _with_reason(replace(ENTRIES_ONLY, close_positions=close_positions), administrator)
        async with self._database.transaction() as transaction:
            await transaction.users.lock_operators()
            await transaction.halts.lock()
            now = self._clock.now()
            user = await lock_subject(transaction, administrator, user_id, now)
            await _require_right_over(transaction, administrator, user, now)
            # Sessions before their orders, as when users stop them themselves.
            stopped = await _stop_sessions(transaction, user_id, now, close_positions=close_positions)
            woken = await self._halts.add_halt_of_user(transaction, user_id, halt, now, is_disabled=False)
            detail = f"{len(stopped)} trading sessions"
            await record_administration(transaction, self._ids, now, administrator, user_id, "userTradingStop", detail)
        await self._halts.wake_executors(woken | {session.account_id for session in stopped})
        return user, len(stopped)

    async def change_role(self, administrator: Administrator, user_id: UUID, role: UserRole) -> User:
        """Give the user another role. Raises CONFLICT if it is the present one, or the user is the last operator."""
        async with self._acting(administrator, user_id) as (transaction, user, now, record):
            await require_person(transaction, administrator, "change roles", now)
            if user.role is role:
                raise InputError(ErrorCode.CONFLICT, f"{user.email} is {_A[role]} already.", ("input", "role"))
            if role is not UserRole.OPERATOR:
                await _require_another_operator(transaction, user)
            changed = await transaction.users.set_role(user.email, role)
            assert changed is not None
            await self._mails.notify(transaction, MailKind.ROLE_CHANGED, user, now, f"to {_A[role]}")
            await record("userRoleChange", role.value)
        await self._forget(user_id)
        return changed

    async def reset_password(self, administrator: Administrator, user_id: UUID) -> PasswordReset:
        """Have the user set a new password, within an hour; the present one stays good until then.

        With a mail server the code is sent to the user and shown to nobody else.
        """
        code = None
        async with self._acting(administrator, user_id) as (transaction, user, now, record):
            await require_person(transaction, administrator, "reset passwords", now)
            if self._mails.is_configured and administrator.identity is not None:
                await self._mails.add(transaction, MailKind.PASSWORD_RESET, user.email, now)
            else:
                code = new_email_code(self._tokens)
                expires_at = now + RESET_CODE_LIFE
                stored = EmailCode(user_id, CodePurpose.OPERATOR_RESET, user.email, now, expires_at)
                await transaction.email_codes.add(stored, credential_hash(code))
            await record("userPasswordReset")
        return PasswordReset(user, code)

    async def reset_two_factor(self, administrator: Administrator, user_id: UUID) -> User:
        """Take the second factor and the recovery codes of the user away; raises CONFLICT if there are none."""
        async with self._acting(administrator, user_id) as (transaction, user, now, record):
            await require_person(transaction, administrator, "reset second factors", now)
            if await transaction.two_factors.get(user_id, lock=True) is None:
                message = f"{user.email} has no two-factor authentication."
                raise InputError(ErrorCode.CONFLICT, message, ("id",))
            await transaction.two_factors.delete(user_id)
            await self._mails.notify(transaction, MailKind.TWO_FACTOR_DISABLED, user, now)
            await record("userTwoFactorReset")
        return replace(user, two_factor_enabled_at=None)

    async def sign_out(
        self, administrator: Administrator, user_id: UUID, *, revoke_api_keys: bool = False
    ) -> tuple[User, int, int]:
        """End the user's login sessions; if asked also API keys, webhooks, linked identities, and what channels send.

        A user without a password then needs a reset of it to sign in again. Return the user with how many login
        sessions and API keys ended.
        """
        async with self._acting(administrator, user_id) as (transaction, user, now, record):
            await _require_right_over(transaction, administrator, user, now)
            sessions = await transaction.users.revoke_other_login_sessions(user_id, None, now)
            keys: list[UUID] = []
            if revoke_api_keys:
                keys = await end_standing_access(transaction, user_id, now)
            detail = f"{len(sessions)} login sessions" + (f", {len(keys)} API keys" if revoke_api_keys else "")
            await record("userSignOut", detail)
        await self._authenticator.revoke([*sessions, *keys])
        return user, len(sessions), len(keys)

    async def _forget(self, user_id: UUID) -> None:
        """Have no node go on with what it remembers of the user."""
        now = self._clock.now()
        async with self._database.read_only() as reading:
            sessions = await reading.users.login_sessions(user_id, now)
            keys = await reading.users.api_keys(user_id)
        await self._authenticator.forget([*(session.id for session in sessions), *(key.id for key in keys)])

    @asynccontextmanager
    async def _acting(self, administrator: Administrator, user_id: UUID) -> AsyncGenerator[_Action]:
        administrator = _checked(administrator)
        async with self._database.transaction() as transaction:
            now = self._clock.now()

            async def record(action: str, detail: str | None = None) -> None:
                await record_administration(transaction, self._ids, now, administrator, user_id, action, detail)

            user = await lock_subject(transaction, administrator, user_id, now)
            yield _Action(transaction, user, now, record)


_A: Final = {UserRole.USER: "a user", UserRole.OPERATOR: "an operator"}


def _checked(administrator: Administrator) -> Administrator:
    return replace(administrator, reason=validate_reason(administrator.reason))


def _with_reason(halt: HaltRequest, administrator: Administrator) -> HaltRequest:
    return replace(halt, reason=administrator.reason)


async def _stop_sessions(
    transaction: UnitOfWork, user_id: UUID, now: datetime, *, close_positions: bool
) -> list[TradingSession]:
    stopped = []
    for account in await accounts_of(transaction, user_id):
        for live in await transaction.trading_sessions.list_live(account.id):
            session = await transaction.trading_sessions.get_for_update(live.id)
            if session is not None and not session.status.is_final:
                code = TradingSessionStatusCode.STOPPED_BY_OPERATOR
                stopped.append(await request_stop(transaction, session, now, code, close_position=close_positions))
    return stopped


async def _require_right_over(transaction: UnitOfWork, administrator: Administrator, user: User, now: datetime) -> None:
    """Let a program act on users alone: with a stolen key nobody shuts out the operators who would stop them."""
    if user.role is UserRole.OPERATOR:
        await require_person(transaction, administrator, "act on operators", now)


async def _require_another_operator(transaction: UnitOfWork, user: User) -> None:
    if await transaction.users.is_last_operator(user.id):
        message = f"{user.email} is the last operator: make another user one first."
        raise InputError(ErrorCode.CONFLICT, message, ("id",))
