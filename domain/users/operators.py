"""Operators who act on users: whether they may is asked again under locks, and recorded for both."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.validation import is_encodable
from domain.model.users import ActivityAuthor, Identity, User, UserRole
from domain.ports.unit_of_work import UnitOfWork
from domain.users.activity import record_activity
from domain.users.identity_lock import lock_identity
from domain.users.recent_sign_in import require_recent_sign_in

MAXIMUM_REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who acts on a user, and why: an operator who has signed in, or by the command line somebody at the machine."""

    identity: Identity | None = None
    reason: str | None = None

    @property
    def author(self) -> ActivityAuthor:
        """How the activity log names them."""
        return ActivityAuthor.COMMAND_LINE if self.identity is None else ActivityAuthor.OPERATOR


def validate_reason(reason: str | None) -> str | None:
    """Return the reason without surrounding space, None for an empty one; raises INVALID for what is no text."""
    text = (reason or "").strip()
    if len(text) > MAXIMUM_REASON_LENGTH or "\0" in text or not is_encodable(text):
        message = f"reason must be text of at most {MAXIMUM_REASON_LENGTH} characters, and has {len(text)}."
        raise InputError(ErrorCode.INVALID, message, ("input", "reason"))
    return text or None


def require_login(identity: Identity | None, action: str) -> None:
    """Raise `Forbidden` for an API key: a program that is broken into must not make itself at home."""
    if identity is not None and not identity.is_login_session:
        raise Forbidden(f"An API key can't {action}; sign in to do so.")


async def require_person(transaction: UnitOfWork, administrator: Administrator, action: str, now: datetime) -> None:
    """Raise `Forbidden` for an API key, and CONFIRMATION_REQUIRED for a login session that may be a thief's by now."""
    require_login(administrator.identity, action)
    if administrator.identity is not None:
        await require_recent_sign_in(transaction, administrator.identity, now)


async def lock_operator(transaction: UnitOfWork, administrator: Administrator, now: datetime) -> None:
    """Have other operators wait until the transaction ends; raises `Forbidden` unless this one still is one.

    It raises `Unauthenticated` if the credential has ended. All who act on users take this lock before any row, so no
    two of them wait for each other.
    """
    await transaction.users.lock_operators()
    identity = administrator.identity
    if identity is None:
        return
    await lock_identity(transaction, identity, now)
    await require_operator(transaction, identity)


async def require_operator(transaction: UnitOfWork, identity: Identity) -> None:
    """Raise `Forbidden` unless this is an operator now. Nothing is locked: a halt waits for nobody, and no erasure."""
    operator = await transaction.users.get(identity.user.id)
    if operator is None or operator.role is not UserRole.OPERATOR or operator.disabled_at is not None:
        raise not_an_operator()


async def lock_subject(transaction: UnitOfWork, administrator: Administrator, user_id: UUID, now: datetime) -> User:
    """Lock the user on whom an operator acts, after the operator, and return the user.

    Raises as `lock_operator`; NOT_FOUND if there is no such user (any more), and CONFLICT if it is the operator's self.
    """
    await lock_operator(transaction, administrator, now)
    if administrator.identity is not None and administrator.identity.user.id == user_id:
        message = "This is yourself: what operators do to users, another operator has to do to you."
        raise InputError(ErrorCode.CONFLICT, message, ("id",))
    if not await transaction.users.lock(user_id):
        raise no_such_user()
    user = await transaction.users.get(user_id)
    assert user is not None
    return user


async def record_administration(
    transaction: UnitOfWork,
    ids: IdGenerator,
    at: datetime,
    administrator: Administrator,
    user_id: UUID,
    action: str,
    detail: str | None = None,
) -> None:
    """Record what was done to the user: in the user's activity log, and in the operator's own."""
    operator_id = administrator.identity.user.id if administrator.identity else None
    is_self = operator_id == user_id
    await record_activity(
        transaction, ids, at, user_id, action, ("User", str(user_id)), detail,
        author=ActivityAuthor.SELF if is_self else administrator.author,
        operator_id=None if is_self else operator_id, reason=administrator.reason,
    )  # fmt: skip
    if operator_id is not None and not is_self:
        subject = ("ManagedUser", str(user_id))
        await record_activity(transaction, ids, at, operator_id, action, subject, detail, reason=administrator.reason)


def not_an_operator() -> Forbidden:
    """Return the fault of somebody who isn't an operator (any more)."""
    return Forbidden("Only operators may do this.")


def no_such_user() -> InputError:
    """Return the error for an id of nobody, or of somebody who is erased."""
    return InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("id",))
