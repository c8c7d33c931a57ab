"""Halts: to halt and resume, an object's own halt, and all that apply to it."""

from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.model.administration import ManagedUser
from domain.model.trading import Account, TradingSession
from domain.model.trading_state import ENGINE_ID, Halt, HaltLevel, TradingState
from domain.model.users import ApiScope, User
from domain.trading.halts import HaltRequest
from resolvers.context import RequestContext
from resolvers.ids import decode_id, uuid_in
from resolvers.services import ENGINE_KEY

Halted = User | ManagedUser | Account | TradingSession
"""An object that can be halted, apart from the engine."""


async def engine_halt(context: RequestContext) -> Halt | None:
    """Return the halt of the engine."""
    return _first(await context.loaders.halts.load((HaltLevel.ENGINE, ENGINE_ID)))


async def engine_state(context: RequestContext) -> TradingState:
    """Return what a halt of the engine allows."""
    halt = await engine_halt(context)
    return TradingState.ACTIVE if halt is None else halt.state


async def own_halt(context: RequestContext, subject: Halted) -> Halt | None:
    """Return the object's own halt, an operator's before the user's; None if it has none.

    A halt of a higher level may apply to it all the same.
    """
    return _first(await context.loaders.halts.load(_levels(subject)[-1]))


async def effective_halts(context: RequestContext, subject: Halted) -> list[Halt]:
    """Return all halts that apply to the object: the engine's, its user's, its account's and its own."""
    levels = [(HaltLevel.ENGINE, ENGINE_ID), *_levels(subject)]
    return [halt for halts in await context.loaders.halts.load_many(levels) for halt in halts]


def visible_reason(context: RequestContext, halt: Halt) -> str | None:
    """Return the reason of a halt; None for a visitor without an account, who may see the engine's halt alone."""
    return halt.reason if context.user_id is not None else None


async def halt(context: RequestContext, id: str, request: HaltRequest | None) -> object | None:
    """Halt the object with this global id, or resume it if `request` is None, and return it.

    An operator may halt another user, who isn't returned, since a user's data is private. Raises NOT_FOUND, and
    `Forbidden` if anybody but an operator names the engine.
    """
    identity, halts = context.require(ApiScope.TRADE), context.services.halts
    if decode_id(id) == ("Engine", ENGINE_KEY):
        await halts.set_halt_of_engine(context.require(ApiScope.ADMIN), request)
        return context.services.engine
    if session_id := uuid_in(id, "TradingSession"):
        return await halts.set_halt_of_trading_session(identity.user.id, session_id, request)
    if account_id := uuid_in(id, "Account"):
        return await halts.set_halt_of_account(identity.user.id, account_id, request)
    if user_id := uuid_in(id, "User") or uuid_in(id, "ManagedUser"):
        return await _halt_user(context, user_id, request)
    message = "There is nothing to halt with this id; name a trading session, an account, a user or the engine."
    raise InputError(ErrorCode.NOT_FOUND, message, ("id",))


async def _halt_user(context: RequestContext, user_id: UUID, request: HaltRequest | None) -> User | None:
    is_self = user_id == context.require(ApiScope.TRADE).user.id
    identity = context.require(ApiScope.TRADE if is_self else ApiScope.ADMIN)
    user = await context.services.halts.set_halt_of_user(identity, user_id, request)
    return user if is_self else None


def _first(halts: list[Halt]) -> Halt | None:
    return halts[0] if halts else None


def _levels(subject: Halted) -> list[tuple[HaltLevel, UUID]]:
    """Return the levels and ids from the user down to the object itself."""
    if isinstance(subject, User | ManagedUser):
        return [(HaltLevel.USER, subject.id)]
    if isinstance(subject, Account):
        return [(HaltLevel.USER, subject.user_id), (HaltLevel.ACCOUNT, subject.id)]
    above = [(HaltLevel.USER, subject.user_id), (HaltLevel.ACCOUNT, subject.account_id)]
    return [*above, (HaltLevel.TRADING_SESSION, subject.id)]
