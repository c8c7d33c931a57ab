"""The domain's services that resolvers call."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.accounts.live_valuation import Portfolios
from domain.accounts.service import AccountService
from domain.accounts.transfer_entries import TransferEntryService
from domain.administration.nodes import NodeService
from domain.administration.service import UserAdministration
from domain.alerts.service import AlertService
from domain.core.clock import Clock
from domain.events.stream import EventLogReader
from domain.execution.feed_warmup import BOOK_WAIT_SECONDS
from domain.execution.service import OrderService
from domain.jobs.queue import JobService
from domain.market_data.analytics import MarketAnalytics
from domain.market_data.history import MarketHistory
from domain.market_data.hub import MarketDataHub
from domain.model.oidc import SignInProvider
from domain.model.strategy_templates import TemplateCatalogue
from domain.notifications.channels import ChannelService
from domain.personal_data.erasure import ErasureService
from domain.personal_data.exports import DataExportService
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory
from domain.reports.downloads import ReportDownloads
from domain.reports.schedule_service import ReportScheduleService
from domain.reports.service import ReportService
from domain.reports.tax_links import TaxLinks
from domain.research.backtest_service import BacktestService
from domain.research.drift_service import DriftService
from domain.research.optimization_service import OptimizationService
from domain.research.recommendation_service import RecommendationService
from domain.trading.close_requests import PositionService
from domain.trading.halts import HaltService
from domain.trading.position_tags import PositionTagService
from domain.trading.protection_requests import ProtectionService
from domain.trading.signal_requests import SignalService
from domain.trading.signal_webhooks import SignalWebhookService
from domain.trading.strategies import StrategyService
from domain.trading.trading_sessions import TradingSessionService
from domain.trading.webhook_messages import WebhookReceiver
from domain.users.api_keys import ApiKeyService
from domain.users.billing import BillingService
from domain.users.confirmation import ConfirmationService
from domain.users.email_addresses import EmailService
from domain.users.invitations import InvitationService
from domain.users.oidc_attempts import OidcAttempts
from domain.users.oidc_sign_in import OidcSignIn
from domain.users.password_reset import PasswordResetService
from domain.users.plans import PlanService
from domain.users.request_rates import RequestRates
from domain.users.service import UserService
from domain.users.two_factor import TwoFactorService

ENGINE_KEY = "engine"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """This node: its version, when it started, whether all its parts work, and whether the engine sends mail.

    `app_url` is the web page that links with codes open.
    """

    version: str
    started_at: datetime
    is_healthy: Callable[[], Awaitable[bool]]
    sends_mail: bool = False
    app_url: str | None = None

    @property
    def id(self) -> str:
        """The key of the engine, of which there is one."""
        return ENGINE_KEY


@dataclass(frozen=True, slots=True)
class Services:
    """The domain's services on this node, built by the composition root.

    An account's equity waits up to `price_wait_seconds` for the feeds that price its currencies.
    """

    database: Database
    clock: Clock
    engine: EngineInfo
    users: UserService
    invitations: InvitationService
    oidc: OidcSignIn
    oidc_attempts: OidcAttempts
    sign_in_providers: Mapping[str, SignInProvider]
    confirmations: ConfirmationService
    emails: EmailService
    password_resets: PasswordResetService
    two_factor: TwoFactorService
    erasure: ErasureService
    data_exports: DataExportService
    api_keys: ApiKeyService
    plans: PlanService
    channels: ChannelService
    rates: RequestRates
    billing: BillingService
    alerts: AlertService
    venues: VenueDirectory
    markets: MarketDataHub
    market_history: MarketHistory
    analytics: MarketAnalytics
    accounts: AccountService
    strategies: StrategyService
    templates: TemplateCatalogue
    trading_sessions: TradingSessionService
    orders: OrderService
    positions: PositionService
    position_tags: PositionTagService
    protection: ProtectionService
    signals: SignalService
    signal_webhooks: SignalWebhookService
    webhook_receiver: WebhookReceiver
    halts: HaltService
    administration: UserAdministration
    nodes: NodeService
    jobs: JobService
    reports: ReportService
    report_schedules: ReportScheduleService
    report_downloads: ReportDownloads
    tax_links: TaxLinks
    transfer_entries: TransferEntryService
    backtests: BacktestService
    recommendations: RecommendationService
    optimizations: OptimizationService
    drift: DriftService
    events: EventLogReader
    portfolios: Portfolios
    price_wait_seconds: float = BOOK_WAIT_SECONDS
