"""Halts as they can be read: a thing's own, and all that hold it."""

from uuid import UUID

from domain.model.trading import Account, TradingSession
from domain.model.trading_state import ENGINE_ID, Halt, HaltLevel
from domain.model.users import User
from resolvers.context import RequestContext

Halted = User | Account | TradingSession
"""What can be halted, apart from the engine."""


async def of_engine(context: RequestContext) -> Halt | None:
    """Return the halt of the engine."""
    return await context.loaders.halts.load((HaltLevel.ENGINE, ENGINE_ID))


async def own(context: RequestContext, subject: Halted) -> Halt | None:
    """Return the halt of the thing itself; None where only what is above it is halted, or nothing."""
    return await context.loaders.halts.load(_levels(subject)[-1])


async def holding(context: RequestContext, subject: Halted) -> list[Halt]:
    """Return all halts that hold the thing: the engine's, its user's, its account's and its own."""
    wanted = [(HaltLevel.ENGINE, ENGINE_ID), *_levels(subject)]
    return [halt for halt in await context.loaders.halts.load_many(wanted) if halt is not None]


def reason(context: RequestContext, halt: Halt) -> str | None:
    """Return why, which is for those who are held: a stranger is told of the engine's halt, not of its reason."""
    return halt.reason if context.user_id is not None else None


def _levels(subject: Halted) -> list[tuple[HaltLevel, UUID]]:
    """Return the halts from the user down to the thing itself."""
    if isinstance(subject, User):
        return [(HaltLevel.USER, subject.id)]
    if isinstance(subject, Account):
        return [(HaltLevel.USER, subject.user_id), (HaltLevel.ACCOUNT, subject.id)]
    above = [(HaltLevel.USER, subject.user_id), (HaltLevel.ACCOUNT, subject.account_id)]
    return [*above, (HaltLevel.TRADING_SESSION, subject.id)]
