"""Finds an object of any type by its key. A private object is found only by its owner."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.users import Activity
from domain.ports.unit_of_work import UnitOfWork
from resolvers.loaders import Loaders
from resolvers.reads import OperationReads
from resolvers.services import ENGINE_KEY, Services

NodeLoader = Callable[[str], Awaitable[object | None]]


class NodeContext(Protocol):
    """The part of a request context that finds objects by their ids."""

    @property
    def services(self) -> Services:
        """The services of the domain."""
        ...

    @property
    def reads(self) -> OperationReads:
        """What this operation reads from the database."""
        ...

    @property
    def loaders(self) -> Loaders:
        """The batch loaders of this operation."""
        ...

    @property
    def user_id(self) -> UUID | None:
        """The user whose private data this operation may read."""
        ...

    async def is_operator_now(self) -> bool:
        """Return whether an operator asks, by a credential that may administer."""
        ...

    @property
    def is_operator(self) -> bool:
        """Whether this operation may read what operators alone may."""
        ...

    @property
    def node_loaders(self) -> Mapping[str, NodeLoader]:
        """The loader of an object by its key, for each type name."""
        ...


class _Owned(Protocol):
    @property
    def user_id(self) -> UUID: ...


T = TypeVar("T", bound=_Owned)
Find = Callable[[UnitOfWork, UUID, UUID], Awaitable[object | None]]


def node_loaders(context: NodeContext) -> Mapping[str, NodeLoader]:
    """Return a loader for each type name. A loader returns None for a key that isn't valid."""
    loaders = context.loaders
    return {
        "Engine": lambda key: _engine(context, key),
        "Venue": lambda key: _venue(context, key),
        "Market": lambda key: _market(context, key),
        "User": lambda key: _user(context, key),
        "ManagedUser": lambda key: _managed_user(context, key),
        "Account": owned_loader(context, loaders.accounts.load),
        "AccountTransfer": query_loader(context, lambda reading, user, key: reading.transfers.get(user, key)),
        "Strategy": owned_loader(context, loaders.strategies.load),
        "StrategyVersion": owned_loader(context, loaders.strategy_versions.load),
        "TradingSession": owned_loader(context, loaders.trading_sessions.load),
        "Signal": owned_loader(context, loaders.signals.load),
        "Order": owned_loader(context, loaders.orders.load),
        "Job": owned_loader(context, loaders.jobs.load),
        "Backtest": owned_loader(context, loaders.backtests.load),
        "Optimization": owned_loader(context, loaders.optimizations.load),
        "Fill": query_loader(context, lambda reading, user, key: reading.orders.get_fill(user, key)),
        "Position": query_loader(context, lambda reading, user, key: reading.positions.get(user, key)),
        "SignalWebhook": query_loader(context, lambda reading, user, key: reading.signal_webhooks.get(user, key)),
        "AlertRule": query_loader(context, lambda reading, user, key: reading.alert_rules.get(user, key)),
        "ReportSchedule": query_loader(context, lambda reading, user, key: reading.report_schedules.get(user, key)),
        "NotificationChannel": query_loader(context, lambda reading, user, key: reading.channels.get(user, key)),
        "ChannelDelivery": query_loader(context, lambda reading, user, key: reading.channels.get_delivery(user, key)),
        "DataExport": query_loader(context, lambda reading, user, key: reading.data_exports.get(user, key)),
        "Report": query_loader(context, lambda reading, user, key: reading.reports.get_report(user, key)),
        "Activity": query_loader(context, lambda reading, user, key: reading.users.get_activity(user, key)),
        "PlanChange": query_loader(context, lambda reading, user, key: reading.plans.get_change(user, key)),
        "ApiKey": query_loader(context, _api_key),
        "LoginSession": lambda key: _login_session(context, key),
        "LinkedIdentity": query_loader(context, lambda reading, user, key: reading.oidc.get(user, key)),
        "Invitation": lambda key: _invitation(context, key),
    }


def owned_loader(context: NodeContext, load: Callable[[UUID], Awaitable[T | None]]) -> NodeLoader:
    """Return a loader of objects that it returns only to their owner."""

    async def find(key: str) -> object | None:
        node_id = _uuid(key)
        found = await load(node_id) if node_id is not None and context.user_id is not None else None
        return found if found is not None and found.user_id == context.user_id else None

    return find


def query_loader(context: NodeContext, find: Find) -> NodeLoader:
    """Return a loader by a query that takes the user and the id of the object."""

    async def load(key: str) -> object | None:
        node_id, user_id = _uuid(key), context.user_id
        if node_id is None or user_id is None:
            return None
        async with context.reads.read_only() as reading:
            return await find(reading, user_id, node_id)

    return load


async def _api_key(reading: UnitOfWork, user_id: UUID, key_id: UUID) -> object | None:
    return next((key for key in await reading.users.api_keys(user_id) if key.id == key_id), None)


async def _login_session(context: NodeContext, key: str) -> object | None:
    session_id, user_id = _uuid(key), context.user_id
    if session_id is None or user_id is None:
        return None
    async with context.reads.read_only() as reading:
        sessions = await reading.users.login_sessions(user_id, context.services.clock.now())
    return next((session for session in sessions if session.id == session_id), None)


async def _invitation(context: NodeContext, key: str) -> object | None:
    invitation_id = _uuid(key)
    if invitation_id is None or not context.is_operator:
        return None
    async with context.reads.read_only() as reading:
        return await reading.invitations.get(invitation_id)


async def _engine(context: NodeContext, key: str) -> object | None:
    return context.services.engine if key == ENGINE_KEY else None


async def _venue(context: NodeContext, key: str) -> object | None:
    return context.services.venues.get(key)


async def _market(context: NodeContext, key: str) -> object | None:
    try:
        return context.services.markets.catalogue.get(MarketSymbol.parse(key))
    except ValueError:
        return None


async def _user(context: NodeContext, key: str) -> object | None:
    user_id = _uuid(key)
    if user_id is None or user_id != context.user_id:
        return None
    async with context.reads.read_only() as reading:
        return await reading.users.get(user_id)


async def _managed_user(context: NodeContext, key: str) -> object | None:
    user_id = _uuid(key)
    if user_id is None or not await context.is_operator_now():
        return None
    return await context.loaders.managed_users.load(user_id)


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


async def subject(context: NodeContext, activity: Activity) -> object | None:
    """Return the object of an activity, as it is now. None if it no longer exists or the activity has none."""
    if activity.subject_type is None or activity.subject_id is None:
        return None
    loader = context.node_loaders.get(activity.subject_type)
    return await loader(activity.subject_id) if loader else None
