"""The request context: who makes the request, the services, and what one operation loads in batches."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.core.errors import Forbidden, Unauthenticated
from domain.market_data.feed_limit import FeedReader
from domain.model.administration import UserCounts
from domain.model.drift import BacktestDrift
from domain.model.plans import Plan
from domain.model.trading import TradingSession
from domain.model.users import ApiScope, Device, Identity, User, UserRole
from domain.users.history_limit import readable_start
from domain.users.request_rates import RequestLimit, limits_of
from resolvers.lists import ListLoaders
from resolvers.loaders import Loaders
from resolvers.nodes import NodeLoader, node_loaders
from resolvers.reads import OperationReads
from resolvers.services import Services
from resolvers.sources import Sources


class RequestContext:
    """The context of one operation. Its loaders live as long as the operation."""

    def __init__(
        self,
        services: Services,
        identity: Identity | None,
        address: str,
        *,
        opened_by_user: bool = False,
        device: Device | None = None,
    ) -> None:
        self.services = services
        self.sources: Sources | None = None
        self._identity = identity
        self.address = address
        self.device = device
        self._opened_by_user = opened_by_user

    @property
    def identity(self) -> Identity | None:
        """Who asks; an answer that depends on it is never shared."""
        if self.sources is not None:
            self.sources.refuse()
        return self._identity

    def note_source(self, holds: Callable[[], bool]) -> None:
        """Note what is read for an answer that may be shared; `holds` must not keep this context."""
        if self.sources is not None:
            self.sources.add(holds)

    def refuse_sharing(self) -> None:
        """Have the answer made again for everybody: it isn't complete, or holds for the caller alone."""
        if self.sources is not None:
            self.sources.refuse()

    @property
    def sharing_scope(self) -> Hashable:
        """What public data depends on besides the document; callers with the same scope may get the same answer."""
        identity = self._identity
        return self.feed_reader, None if identity is None else identity.user.plan.history_days is None

    @cached_property
    def reads(self) -> OperationReads:
        """What this operation reads, but for what services read by themselves."""
        return OperationReads(self.services.database)

    @cached_property
    def loaders(self) -> Loaders:
        """The batch loaders of this operation."""
        return Loaders(self.reads)

    @cached_property
    def drifts(self) -> DataLoader[TradingSession, BacktestDrift | None]:
        """How far trading sessions have drifted from their backtests."""
        return DataLoader(self.services.drift.drifts)

    @cached_property
    def user_counts(self) -> DataLoader[UUID, UserCounts]:
        """How much users have, for operators."""

        async def load(ids: list[UUID]) -> list[UserCounts]:
            async with self.reads.read_only() as reading:
                found = await reading.administration.counts(ids, self.services.clock.now())
            return [found[user_id] for user_id in ids]

        return DataLoader(load)

    @cached_property
    def lists(self) -> ListLoaders:
        """The list loaders of this operation."""
        return ListLoaders(self.reads)

    @cached_property
    def node_loaders(self) -> Mapping[str, NodeLoader]:
        """The loader of an object by its key, for each type name."""
        return node_loaders(self)

    def reset_loaders(self) -> None:
        """Forget all that was loaded: the next event of a subscription, or mutation, must see what is stored then."""
        self.__dict__.pop("loaders", None)
        self.__dict__.pop("drifts", None)
        self.__dict__.pop("user_counts", None)
        self.__dict__.pop("lists", None)
        self.__dict__.pop("node_loaders", None)

    @cached_property
    def client(self) -> str:
        """For whom limits are counted: the user, or the address of a caller who isn't signed in."""
        return f"user:{self.identity.user.id}" if self.identity else self.address

    @property
    def feed_reader(self) -> FeedReader:
        """For whom markets are followed. A shared stream has no user, but a user may have opened it."""
        return FeedReader.USER if self._identity or self._opened_by_user else FeedReader.ANONYMOUS

    @property
    def credential_id(self) -> str | None:
        """The id of the login session or API key of the request."""
        return str(self.identity.credential_id) if self.identity else None

    @property
    def credential_kind(self) -> str | None:
        """The kind of the credential, for the log."""
        if self.identity is None:
            return None
        return "login_session" if self.identity.is_login_session else "api_key"

    @cached_property
    def principal_id(self) -> str | None:
        """The id of the user, for the log, independent of what the credential may do."""
        return str(self.identity.user.id) if self.identity else None

    @property
    def request_limits(self) -> Sequence[RequestLimit]:
        """What requests of the user are counted by; none for a caller who isn't signed in."""
        return limits_of(self.identity) if self.identity else ()

    @property
    def plan(self) -> Plan | None:
        """The user's plan; None for a caller who isn't signed in."""
        return self.identity.user.plan if self.identity else None

    async def history_start(self, start: datetime | None) -> datetime | None:
        """Return from when on history may be read, at the earliest `start`; raises `HistoryLimitReached`."""
        plans = self.services.plans
        if self._identity is not None:
            plan = self._identity.user.plan
        else:
            plan = await plans.default_plan()
            self.note_source(lambda: plans.is_default(plan))
        if plan.history_days is not None:  # the limit moves with the clock
            self.refuse_sharing()
        return readable_start(plan, start, self.services.clock.now())

    @property
    def credential_seconds_left(self) -> float | None:
        """For how long the credential is valid; None if it doesn't expire."""
        if self.identity is None or self.identity.expires_at is None:
            return None
        return (self.identity.expires_at - self.services.clock.now()).total_seconds()

    @property
    def user_id(self) -> UUID | None:
        """The user whose private data this operation may read; None if there is none."""
        return self.identity.user.id if self.identity and self.identity.may(ApiScope.READ) else None

    @property
    def is_operator(self) -> bool:
        """Whether this operation may read what operators alone may."""
        identity = self.identity
        return identity is not None and identity.user.role is UserRole.OPERATOR and identity.may(ApiScope.ADMIN)

    async def is_operator_now(self) -> bool:
        """Return whether an operator asks, by a credential that may administer.

        It is looked up: what is remembered of a login session may be some seconds old.
        """
        if self.identity is None or not self.identity.may(ApiScope.ADMIN):
            return False
        async with self.reads.read_only() as reading:
            user = await reading.users.get(self.identity.user.id)
        return user is not None and user.role is UserRole.OPERATOR and user.disabled_at is None

    def require(self, scope: ApiScope) -> Identity:
        """Return the caller's identity. Raises `Unauthenticated` if there is none, `Forbidden` without the scope."""
        if self.identity is None:
            raise Unauthenticated
        if not self.identity.may(scope):
            raise Forbidden(f"This API key lacks the scope {scope.value}.")
        return self.identity

    def require_operator(self) -> Identity:
        """Return the caller's identity; raises as `require` without ADMIN, and `Forbidden` for who is no operator."""
        identity = self.require(ApiScope.ADMIN)
        if not self.is_operator:
            raise Forbidden("Only an operator can do this.")
        return identity

    def require_user(self, scope: ApiScope) -> User:
        """Return the user of the request. Raises as `require`."""
        return self.require(scope).user
