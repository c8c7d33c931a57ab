"""Builds the domain's services on this node."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.accounts.live_valuation import Portfolios
from domain.accounts.service import AccountService
from domain.accounts.transfer_entries import TransferEntryService
from domain.administration.nodes import NodeService
from domain.administration.service import UserAdministration
from domain.alerts.service import AlertService
from domain.events.stream import EventLogReader
from domain.events.work_balance import GivenCounts
from domain.execution.notifications import OrderNotifier
from domain.execution.service import OrderService
from domain.jobs.counts import WorkCounts
from domain.jobs.queue import JobService
from domain.mail.sender import DeliveryCounts
from domain.market_data.analytics import MarketAnalytics
from domain.market_data.history import MarketHistory
from domain.market_data.hub import MarketDataHub
from domain.model.strategy_templates import TemplateCatalogue
from domain.notifications.channels import ChannelService
from domain.notifications.deliverer import ChannelCounts
from domain.personal_data.erasure import Erasure, ErasureService
from domain.personal_data.exports import DataExportService
from domain.reports.downloads import ReportDownloads
from domain.reports.schedule_service import ReportScheduleService, follow_time_zone
from domain.reports.service import ReportService
from domain.reports.tax_export import TaxExport
from domain.reports.tax_links import TaxLinks
from domain.research.backtest_service import BacktestService
from domain.research.drift_service import DriftService
from domain.research.optimization_service import OptimizationService
from domain.research.recommendation_service import RecommendationService
from domain.strategies.templates import BUILT_IN
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
from domain.users.authentication import Authenticator
from domain.users.billing import BillingService
from domain.users.code_checks import MailLimits
from domain.users.confirmation import ConfirmationService
from domain.users.email_addresses import EmailService
from domain.users.invitations import InvitationService
from domain.users.login_throttle import LoginThrottle, RegistrationLimit
from domain.users.oidc_attempts import OidcAttempts
from domain.users.oidc_sign_in import OidcSignIn
from domain.users.password_check import PasswordCheck
from domain.users.password_hashing import HashQueue
from domain.users.password_reset import PasswordResetService
from domain.users.plans import PlanService
from domain.users.registration import Registrar, Registration
from domain.users.request_rates import RequestRates
from domain.users.service import UserService
from domain.users.sign_in import SignIn
from domain.users.two_factor import SecondFactor, TwoFactorService
from domain.users.user_mails import UserMails
from infra.oidc.client import AiohttpOidcClient
from infra.runtime.backends import Backends
from infra.runtime.outgoing import Outgoing
from infra.security import AesVault, Argon2Hasher, HmacLinks, RandomTokens
from infra.settings import Settings
from infra.venues.registry import Venues
from resolvers.services import EngineInfo, Services

CONNECTIONS_KEPT_FREE = 8
"""Connections that clients' reads never take: leases, orders and the market data writer need theirs."""

WRITES_AT_ONCE = 4
"""Transactions of clients at once: a user's wait for one another anyway, at the head of the user's event log, and the
executors that carry out a burst of orders mustn't wait behind all of it."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the services of this node share."""

    backends: Backends
    venues: Venues
    hub: MarketDataHub
    order_notifier: OrderNotifier
    vault: AesVault
    authenticator: Authenticator
    hasher: Argon2Hasher
    templates: TemplateCatalogue
    export_links: HmacLinks
    report_links: HmacLinks
    tax_links: HmacLinks
    outgoing: Outgoing
    deliveries: DeliveryCounts = field(default_factory=DeliveryCounts)
    channel_counts: ChannelCounts = field(default_factory=ChannelCounts)
    work_counts: WorkCounts = field(default_factory=WorkCounts)
    given_counts: GivenCounts = field(default_factory=GivenCounts)


def build_container(
    backends: Backends,
    venues: Venues,
    hub: MarketDataHub,
    key: bytes,
    earlier_keys: Sequence[bytes] = (),
    templates: TemplateCatalogue = BUILT_IN,
    outgoing: Outgoing | None = None,
) -> Container:
    """Return the container; `key` seals venue credentials, `earlier_keys` still open them.

    Without `outgoing` nothing is sent to notification channels.
    """
    authenticator = Authenticator(backends.database, backends.cache, backends.bus, backends.clock)
    return Container(
        backends,
        venues,
        hub,
        OrderNotifier(backends.bus),
        AesVault(key, earlier_keys),
        authenticator,
        Argon2Hasher(),
        templates,
        HmacLinks(key, "exports"),
        HmacLinks(key, "reports"),
        HmacLinks(key, "taxes"),
        outgoing or Outgoing(),
    )


def build_services(container: Container, settings: Settings, engine_info: EngineInfo) -> Services:
    """Return the services that resolvers call."""
    backends, hub = container.backends, container.hub
    reading_connections = max(settings.database_pool_size - CONNECTIONS_KEPT_FREE, 1)
    database, bus, clock, ids = (
        backends.database.with_limits(reads=reading_connections, writes=WRITES_AT_ONCE),
        backends.bus,
        backends.clock,
        backends.ids,
    )
    tokens = RandomTokens()
    events = EventLogReader(database, bus, clock)
    history = MarketHistory(database, hub, container.venues, bus, clock)
    throttle, hashing = LoginThrottle(backends.cache, clock), HashQueue(container.hasher)
    passwords = PasswordCheck(database, throttle, hashing, clock)
    second_factor = SecondFactor(container.vault, clock)
    mails, mail_limits = UserMails(ids, is_configured=settings.smtp_host is not None), MailLimits(backends.cache)
    registrar = Registrar(
        database,
        RegistrationLimit(backends.cache, settings.registrations_per_hour),
        mail_limits,
        mails,
        clock,
        ids,
        Registration(settings.registration.value),
    )
    halts = HaltService(backends.database, bus, clock, ids)  # a halt waits behind no client's orders
    sign_in = SignIn(mails, tokens, clock, ids)
    users = UserService(
        database,
        container.authenticator,
        throttle,
        registrar,
        hashing,
        passwords,
        mails,
        second_factor,
        sign_in,
        clock,
        ids,
        on_time_zone=follow_time_zone,
    )
    oidc_client = AiohttpOidcClient(settings.oidc_providers, settings.public_url or "", clock)
    attempts = OidcAttempts(database, oidc_client, backends.cache, mail_limits, tokens, clock, ids)
    orders = OrderService(database, hub, clock, ids, container.order_notifier, container.venues.abilities)
    signals = SignalService(database, hub, bus, clock, ids)
    backtests = BacktestService(database, hub.catalogue.get, bus, clock, ids)
    return Services(
        database=database,
        clock=clock,
        engine=engine_info,
        users=users,
        invitations=InvitationService(database, mails, tokens, clock, ids),
        oidc=OidcSignIn(
            database, container.authenticator, attempts, registrar, second_factor, sign_in, mails, clock, ids
        ),
        oidc_attempts=attempts,
        sign_in_providers=oidc_client.providers,
        confirmations=ConfirmationService(database, passwords, second_factor, clock, ids),
        emails=EmailService(database, mails, mail_limits, passwords, clock, ids),
        password_resets=PasswordResetService(
            database, container.authenticator, mails, mail_limits, hashing, clock, ids
        ),
        data_exports=DataExportService(database, container.export_links, bus, clock, ids),
        erasure=ErasureService(
            database,
            Erasure(database, container.authenticator, bus, clock, ids),
            passwords,
            second_factor,
            clock,
        ),
        two_factor=TwoFactorService(database, second_factor, container.vault, passwords, mails, tokens, clock, ids),
        api_keys=ApiKeyService(database, container.authenticator, tokens, clock, ids),
        plans=PlanService(database, clock, ids),
        alerts=AlertService(database, hub.catalogue.get, bus, clock, ids),
        channels=ChannelService(
            database, container.outgoing.senders, container.outgoing.guard, container.vault, tokens, clock, ids
        ),
        rates=RequestRates(backends.cache, clock),
        billing=BillingService(database, clock, ids, verifies_emails=mails.is_configured),
        venues=container.venues,
        markets=hub,
        market_history=history,
        analytics=MarketAnalytics(database, history, clock),
        accounts=AccountService(database, container.venues, container.vault, bus, clock, ids),
        strategies=StrategyService(database, clock, ids),
        templates=container.templates,
        trading_sessions=TradingSessionService(
            database, hub.catalogue.get, bus, clock, ids, container.venues.abilities
        ),
        orders=orders,
        positions=PositionService(database, hub, bus, clock, ids, orders),
        position_tags=PositionTagService(database, clock, ids),
        protection=ProtectionService(database, hub, bus, clock, ids, container.venues.abilities),
        signals=signals,
        signal_webhooks=SignalWebhookService(database, tokens, clock, ids),
        webhook_receiver=WebhookReceiver(database, signals, backends.cache, clock, ids),
        halts=halts,
        administration=UserAdministration(backends.database, container.authenticator, halts, mails, tokens, clock, ids),
        nodes=NodeService(backends.database, bus, clock, ids),
        jobs=JobService(database, bus, clock, ids),
        reports=ReportService(database, hub.catalogue.get, bus, clock, ids),
        report_schedules=ReportScheduleService(database, hub.catalogue.get, clock, ids),
        report_downloads=ReportDownloads(database, container.report_links, clock),
        transfer_entries=TransferEntryService(database, clock, ids),
        tax_links=TaxLinks(
            database,
            TaxExport(database, [venue.name for venue in container.venues.all()], hub.graph),
            container.tax_links,
            clock,
        ),
        backtests=backtests,
        drift=DriftService(database, bus, clock, ids),
        recommendations=RecommendationService(database, container.templates, bus, clock, ids),
        optimizations=OptimizationService(database, backtests, bus, clock, ids),
        events=events,
        portfolios=Portfolios(database, hub, events, clock),
    )
