"""How `node` finds an object of each type: a private one for its owner alone, as if it didn't exist for all others."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.users import Activity
from domain.ports.unit_of_work import UnitOfWork
from resolvers.engine import ENGINE_KEY

if TYPE_CHECKING:
    from resolvers.context import RequestContext

NodeLoader = Callable[[str], Awaitable[object | None]]


class _Owned(Protocol):
    @property
    def user_id(self) -> UUID: ...


T = TypeVar("T", bound=_Owned)
Find = Callable[[UnitOfWork, UUID, UUID], Awaitable[object | None]]


def node_loaders(context: "RequestContext") -> Mapping[str, NodeLoader]:
    """Return a loader for each type name; a key that can't be read finds nothing."""
    loaders = context.loaders
    return {
        "Engine": lambda key: _engine(context, key),
        "Venue": lambda key: _venue(context, key),
        "Market": lambda key: _market(context, key),
        "User": lambda key: _user(context, key),
        "Account": _owned(context, loaders.accounts.load),
        "AccountTransfer": _found(context, lambda reading, user, key: reading.transfers.get(user, key)),
        "Strategy": _owned(context, loaders.strategies.load),
        "StrategyVersion": _owned(context, loaders.strategy_versions.load),
        "TradingSession": _owned(context, loaders.trading_sessions.load),
        "Signal": _owned(context, loaders.signals.load),
        "Order": _owned(context, loaders.orders.load),
        "Job": _owned(context, loaders.jobs.load),
        "Fill": _found(context, lambda reading, user, key: reading.orders.get_fill(user, key)),
        "Position": _found(context, lambda reading, user, key: reading.positions.get(user, key)),
        "Report": _found(context, lambda reading, user, key: reading.reports.get_report(user, key)),
        "Activity": _found(context, lambda reading, user, key: reading.users.get_activity(user, key)),
        "ApiKey": _found(context, _api_key),
        "LoginSession": lambda key: _login_session(context, key),
    }


def _owned(context: "RequestContext", load: Callable[[UUID], Awaitable[T | None]]) -> NodeLoader:
    async def find(key: str) -> object | None:
        node_id = _uuid(key)
        found = await load(node_id) if node_id is not None and context.user_id is not None else None
        return found if found is not None and found.user_id == context.user_id else None

    return find


def _found(context: "RequestContext", find: Find) -> NodeLoader:
    async def load(key: str) -> object | None:
        node_id, user_id = _uuid(key), context.user_id
        if node_id is None or user_id is None:
            return None
        async with context.services.database.read_only() as reading:
            return await find(reading, user_id, node_id)

    return load


async def _api_key(reading: UnitOfWork, user_id: UUID, key_id: UUID) -> object | None:
    return next((key for key in await reading.users.api_keys(user_id) if key.id == key_id), None)


async def _login_session(context: "RequestContext", key: str) -> object | None:
    session_id, user_id = _uuid(key), context.user_id
    if session_id is None or user_id is None:
        return None
    async with context.services.database.read_only() as reading:
        sessions = await reading.users.login_sessions(user_id, context.services.clock.now())
    return next((session for session in sessions if session.id == session_id), None)


async def _engine(context: "RequestContext", key: str) -> object | None:
    return context.services.engine if key == ENGINE_KEY else None


async def _venue(context: "RequestContext", key: str) -> object | None:
    return context.services.venues.get(key)


async def _market(context: "RequestContext", key: str) -> object | None:
    try:
        return context.services.markets.catalogue.get(MarketSymbol.parse(key))
    except ValueError:
        return None


async def _user(context: "RequestContext", key: str) -> object | None:
    user_id = _uuid(key)
    if user_id is None or user_id != context.user_id:
        return None
    async with context.services.database.read_only() as reading:
        return await reading.users.get(user_id)


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


async def subject(context: "RequestContext", activity: Activity) -> object | None:
    """Return the object that an activity names, as it is now."""
    if activity.subject_type is None or activity.subject_id is None:
        return None
    loader = context.node_loaders.get(activity.subject_type)
    return await loader(activity.subject_id) if loader else None
