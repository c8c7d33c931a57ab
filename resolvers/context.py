"""The request context: who asks, what answers, and what one operation loads in batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from domain.accounts.halts import HaltService
from domain.accounts.live_valuation import Portfolios
from domain.accounts.service import AccountService
from domain.core.clock import Clock
from domain.core.errors import Forbidden, Unauthenticated
from domain.events.stream import EventLogReader
from domain.execution.service import OrderService
from domain.market_data.analytics import MarketAnalytics
from domain.market_data.feed_limit import FeedReader
from domain.market_data.history import MarketHistory
from domain.market_data.hub import MarketDataHub
from domain.model.users import ApiScope, Identity, User
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory
from domain.reports.service import ReportService
from domain.trading.strategies import StrategyService
from domain.trading.trading_sessions import TradingSessionService
from domain.users.api_keys import ApiKeyService
from domain.users.service import UserService
from resolvers.engine import EngineInfo
from resolvers.lists import ListLoaders
from resolvers.loaders import Loaders
from resolvers.nodes import NodeLoader, node_loaders


@dataclass(frozen=True, slots=True)
class Services:
    """The domain's services on this node, built by the composition root."""

    database: Database
    clock: Clock
    engine: EngineInfo
    users: UserService
    api_keys: ApiKeyService
    venues: VenueDirectory
    markets: MarketDataHub
    market_history: MarketHistory
    analytics: MarketAnalytics
    accounts: AccountService
    strategies: StrategyService
    trading_sessions: TradingSessionService
    orders: OrderService
    halts: HaltService
    reports: ReportService
    events: EventLogReader
    portfolios: Portfolios


class RequestContext:
    """One operation's context; its loaders live as long as the operation."""

    def __init__(
        self, services: Services, identity: Identity | None, address: str, *, opened_by_user: bool = False
    ) -> None:
        self.services = services
        self.identity = identity
        self.address = address
        self._opened_by_user = opened_by_user

    @cached_property
    def loaders(self) -> Loaders:
        """The batches of this operation."""
        return Loaders(self.services.database)

    @cached_property
    def lists(self) -> ListLoaders:
        """The lists of this operation."""
        return ListLoaders(self.services.database)

    @cached_property
    def node_loaders(self) -> Mapping[str, NodeLoader]:
        """How `node` finds an object of each type."""
        return node_loaders(self)

    def forget(self) -> None:
        """Let go of all that was loaded: a subscription's next event must see what is true then."""
        self.__dict__.pop("loaders", None)
        self.__dict__.pop("lists", None)
        self.__dict__.pop("node_loaders", None)

    @property
    def client(self) -> str:
        """Whom limits are counted for: the user, or where a stranger comes from."""
        return f"user:{self.identity.user.id}" if self.identity else self.address

    @property
    def feed_reader(self) -> FeedReader:
        """On whose behalf markets are followed: a shared stream is nobody's, and yet a user may have opened it."""
        return FeedReader.USER if self.identity or self._opened_by_user else FeedReader.ANONYMOUS

    @property
    def credential_id(self) -> str | None:
        """Which login session or API key was accepted."""
        return str(self.identity.credential_id) if self.identity else None

    @property
    def credential_kind(self) -> str | None:
        """What was accepted, for the log."""
        if self.identity is None:
            return None
        return "login_session" if self.identity.is_login_session else "api_key"

    @property
    def principal_id(self) -> str | None:
        """The user who asks, for the log, whatever the credential may do."""
        return str(self.identity.user.id) if self.identity else None

    @property
    def credential_seconds_left(self) -> float | None:
        """For how long the credential is good; None where it doesn't expire."""
        if self.identity is None or self.identity.expires_at is None:
            return None
        return (self.identity.expires_at - self.services.clock.now()).total_seconds()

    @property
    def user_id(self) -> UUID | None:
        """Whose private data this operation may see."""
        return self.identity.user.id if self.identity and self.identity.may(ApiScope.READ) else None

    def require(self, scope: ApiScope) -> Identity:
        """Return who asks; raise `Unauthenticated` for a stranger and `Forbidden` for a key without the scope."""
        if self.identity is None:
            raise Unauthenticated
        if not self.identity.may(scope):
            raise Forbidden(f"This API key lacks the scope {scope.value}.")
        return self.identity

    def require_user(self, scope: ApiScope) -> User:
        """Return the user who asks, as `require`."""
        return self.require(scope).user
