"""Runs the roles of a node."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from domain.alerts.evaluator import AlertEvaluator
from domain.alerts.rule_book import AlertDependencies
from domain.core.background import cancel_and_wait
from domain.core.errors import Unavailable
from domain.events.work_balance import WorkBalance
from domain.jobs.handler import JobHandler
from domain.jobs.queue_monitor import JobQueueMonitor
from domain.jobs.runner import JobRunner, RunnerOptions
from domain.mail.sender import MailSender
from domain.market_data.feed_manager import LEASE_KIND as FEED_LEASE
from domain.market_data.feed_manager import FeedManager
from domain.market_data.history import MarketHistory
from domain.model.markets import MarketSymbol
from domain.notifications.deliverer import ChannelDeliverer
from domain.notifications.messages import ReportUrl, no_url
from domain.personal_data.export_handler import ExportHandler
from domain.reports.downloads import ReportDownloads
from domain.reports.file_maker import ReportFileMaker
from domain.reports.handler import ReportHandler
from domain.reports.scheduler import ReportScheduler
from domain.research.backtest_handler import BacktestHandler
from domain.research.candle_loader import CandleLoader
from domain.research.drift_handler import DriftHandler
from domain.research.optimization_candles import OptimizationCandles
from domain.research.optimization_handler import OptimizationHandler
from domain.research.recommendation_handler import RecommendationHandler
from domain.research.trial_runner import TrialOptions, TrialRunner
from domain.trading.dependencies import TradingDependencies
from domain.trading.situation_monitor import SituationMonitor
from domain.trading.trader import LEASE_KIND as ACCOUNT_LEASE
from domain.trading.trader import Trader
from domain.users.mail_composer import UserMailComposer
from infra.postgres.candle_series import PostgresBars
from infra.report_files.writer import ReportFileWriter
from infra.runtime.archive import archive_hourly
from infra.runtime.compute_pool import MAX_SECONDS, ProcessPool
from infra.runtime.container import Container
from infra.runtime.partitions import keep_partitions_ahead
from infra.runtime.retention import purge_expired_hourly
from infra.security import RandomTokens
from infra.settings import Role, Settings
from infra.smtp import SmtpTransport
from infra.tpe_sampler import TpeSampler
from resolvers.ids import encode_id
from resolvers.reports import REPORT_PATH

CONNECTIONS_OF_CHANNELS = 2
"""Reads, and transactions, of all notification channels of a node at once: a burst of events leaves the others room."""
OPTIMIZATIONS = 32
"""How many optimizations a node looks after at a time; their trials run on all nodes."""


def node_name(container: Container) -> str:
    """Return a name that no other node has, nor this node after a restart."""
    return f"{socket.gethostname()}:{container.backends.ids.next_id().hex[-12:]}"


class NodeWork:
    """What the roles of a node do. It may be given to other nodes and taken up again while the node runs.

    `feeds`, `trader` and `situation` are what is of use to others; None is what doesn't run here. The node takes no
    work while `is_draining`.
    """

    def __init__(self, container: Container, settings: Settings, name: str) -> None:
        self._container = container
        self._settings = settings
        self._name = name
        self._lock = asyncio.Lock()
        self._running: list[AsyncExitStack] = []
        self.is_draining = False
        self.feeds: FeedManager | None = None
        self.trader: Trader | None = None
        self.situation: SituationMonitor | None = None

    @property
    def is_running(self) -> bool:
        """Whether the roles have been started, and not stopped since."""
        return bool(self._running)

    async def start(self) -> None:
        """Start the roles that the settings name, unless they run."""
        async with self._lock:
            if self.is_running:
                return
            try:
                for start in (self._start_feeds, self._start_trader, self._start_worker):
                    stack = AsyncExitStack()
                    self._running.append(stack)
                    await start(stack)
            except BaseException:
                await self._stop()
                raise

    async def stop(self) -> None:
        """Stop all roles at once, each of which gives its leases and jobs back."""
        async with self._lock:
            await self._stop()

    async def _stop(self) -> None:
        stacks, self._running = self._running, []
        self.feeds = self.trader = self.situation = None
        ends = await asyncio.gather(*(stack.aclose() for stack in stacks), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _start_feeds(self, stack: AsyncExitStack) -> None:
        if Role.COLLECTOR in self._settings.roles:
            self.feeds = _feeds(self._container, self._settings, self._name)
            stack.push_async_callback(self.feeds.close)
            await self.feeds.start()

    async def _start_trader(self, stack: AsyncExitStack) -> None:
        if Role.TRADER in self._settings.roles:
            self.trader = _trader(self._container, self._settings, self._name)
            stack.push_async_callback(self.trader.close)
            await self.trader.start()

    async def _start_worker(self, stack: AsyncExitStack) -> None:
        container, settings, name = self._container, self._settings, self._name
        if Role.WORKER not in settings.roles:
            return
        pool = ProcessPool(settings.worker_processes, most_seconds=MAX_SECONDS)
        stack.push_async_callback(pool.close)
        for runner in (
            _report_runner(container, name),
            _export_runner(container, name),
            _research_runner(container, pool, name, settings),
            _optimization_runner(container, name),
            _trial_runner(container, pool, name, settings),
        ):
            stack.push_async_callback(_background(runner.run()))
        if (server := settings.smtp_server) is not None:
            stack.push_async_callback(_background(_mail_sender(container, SmtpTransport(server), settings).run()))
        stack.push_async_callback(_background(_alert_evaluator(container, name).run()))
        stack.push_async_callback(_background(_channel_deliverer(container, settings, name).run()))
        stack.push_async_callback(_background(_report_scheduler(container).run()))
        monitor = JobQueueMonitor(container.backends.database, container.work_counts)
        stack.push_async_callback(_background(monitor.run()))
        self.situation = SituationMonitor(container.backends.database)
        stack.push_async_callback(_background(self.situation.run()))
        stack.push_async_callback(_background(keep_partitions_ahead(container.backends.database)))
        purging = purge_expired_hourly(container.backends.database, container.backends.clock)
        stack.push_async_callback(_background(purging))
        if (archiver := container.backends.archiver) is not None:
            clock, activity = container.backends.clock, container.backends.archive_activity
            stack.push_async_callback(_background(archive_hourly(archiver, clock, settings, activity)))


@asynccontextmanager
async def running_work(container: Container, settings: Settings, name: str) -> AsyncGenerator[NodeWork]:
    """Run the roles of the settings while the block runs."""
    work = NodeWork(container, settings, name)
    await work.start()
    try:
        yield work
    finally:
        await work.stop()


async def pending_dependencies(container: Container, settings: Settings) -> Sequence[str]:
    """Return what this node still waits for: the database, the catalogue, the default market's book."""
    try:
        async with container.backends.database.read_only() as reading:
            await reading.halts.get_many([])
    except Unavailable:
        return ["the database"]
    symbol = MarketSymbol.parse(settings.default_market)
    if container.hub.catalogue.get(symbol) is None:
        return [f"the market {symbol}"]
    if await container.hub.depth(symbol, timeout_seconds=0.5) is None:
        return [f"the book of {symbol}"]
    return []


def _feeds(container: Container, settings: Settings, name: str) -> FeedManager:
    backends = container.backends
    sources = {venue: container.venues.public(venue) for venue in container.venues.names()}
    always = [MarketSymbol.parse(settings.default_market)]
    return FeedManager(
        sources,
        backends.database,
        backends.bus,
        backends.cache,
        backends.clock,
        backends.ids,
        name,
        always,
        balance=_balance(container, settings, name, FEED_LEASE, Role.COLLECTOR),
        on_stored=container.hub.history_versions.note_stored,
    )


def _balance(container: Container, settings: Settings, name: str, kind: str, role: Role) -> WorkBalance | None:
    """Return what spreads the leases of a kind over the nodes; None if this node keeps all that it gets."""
    backends, venues = container.backends, container.venues.names()
    if not settings.balance_work:
        return None
    return WorkBalance(backends.database, backends.clock, kind, role.value, name, venues, given=container.given_counts)


def _trader(container: Container, settings: Settings, name: str) -> Trader:
    backends = container.backends
    return Trader(
        TradingDependencies(
            database=backends.database,
            venues=container.venues,
            vault=container.vault,
            feed=container.hub,
            bus=backends.bus,
            clock=backends.clock,
            ids=backends.ids,
            notifier=container.order_notifier,
            holder=name,
            lease_database=backends.lease_database,
            cancel_foreign=settings.cancel_foreign_orders,
            balance=_balance(container, settings, name, ACCOUNT_LEASE, Role.TRADER),
        )
    )


def _report_runner(container: Container, name: str) -> JobRunner:
    backends = container.backends
    catalogue = container.hub.catalogue
    handler = ReportHandler(
        backends.database,
        backends.clock,
        lambda: {market.symbol: market for market in catalogue.all()},
        ReportFileMaker(backends.database, ReportFileWriter(), backends.ids),
        history=MarketHistory(backends.database, container.hub, container.venues, backends.bus, backends.clock),
    )
    return JobRunner(backends.database, backends.bus, backends.clock, name, [handler], counts=container.work_counts)


def _export_runner(container: Container, name: str) -> JobRunner:
    """Return the runner of exports, one at a time: nobody waits for one, and others need the processor."""
    backends = container.backends
    handler = ExportHandler(backends.database, backends.clock, backends.ids)
    return JobRunner(backends.database, backends.bus, backends.clock, name, [handler])


def _research_runner(container: Container, pool: ProcessPool, name: str, settings: Settings) -> JobRunner:
    """Return the runner of jobs that take a process for a while; reports don't wait behind them."""
    backends = container.backends
    candles = _candles(container)
    handlers: list[JobHandler] = [
        BacktestHandler(backends.database, candles, pool, container.work_counts),
        DriftHandler(backends.database, candles, pool, backends.clock),
        RecommendationHandler(backends.database, candles, pool, container.templates, backends.clock),
    ]
    options = RunnerOptions(slots=settings.worker_processes)
    return JobRunner(backends.database, backends.bus, backends.clock, name, handlers, options, container.work_counts)


def _optimization_runner(container: Container, name: str) -> JobRunner:
    """Return the runner of jobs that wait for trials: they compute nothing, so there may be many."""
    backends = container.backends
    candles = OptimizationCandles(_candles(container), PostgresBars(backends.pool, backends.archives.candles))
    handler = OptimizationHandler(backends.database, backends.bus, candles.prepare)
    options = RunnerOptions(slots=OPTIMIZATIONS)
    return JobRunner(backends.database, backends.bus, backends.clock, name, [handler], options, container.work_counts)


def _trial_runner(container: Container, pool: ProcessPool, name: str, settings: Settings) -> TrialRunner:
    """Return what runs trials here, of optimizations whose jobs may be other nodes'."""
    backends = container.backends
    candles = OptimizationCandles(_candles(container), PostgresBars(backends.pool, backends.archives.candles))
    options = TrialOptions(slots=settings.worker_processes)
    return TrialRunner(
        backends.database, backends.bus, TpeSampler(), candles.read, pool, name, options, container.work_counts
    )


def _mail_sender(container: Container, transport: SmtpTransport, settings: Settings) -> MailSender:
    backends = container.backends
    composer = UserMailComposer(RandomTokens(), backends.clock, backends.ids, settings.app_url)
    return MailSender(backends.database, transport, composer, backends.clock, container.deliveries)


def _alert_evaluator(container: Container, name: str) -> AlertEvaluator:
    backends = container.backends
    dependencies = AlertDependencies(backends.database, container.hub, backends.bus, backends.clock, name)
    return AlertEvaluator(dependencies)


def _report_scheduler(container: Container) -> ReportScheduler:
    backends = container.backends
    return ReportScheduler(backends.database, backends.bus, backends.clock, backends.ids)


def _channel_deliverer(container: Container, settings: Settings, name: str) -> ChannelDeliverer:
    backends = container.backends
    most = CONNECTIONS_OF_CHANNELS
    return ChannelDeliverer(
        backends.database.with_limits(reads=most, writes=most),
        container.outgoing.senders,
        container.vault,
        backends.clock,
        backends.ids,
        name,
        encode_id,
        container.channel_counts,
        report_url=_report_url(container, settings.public_url),
    )


def _report_url(container: Container, public_url: str | None) -> ReportUrl:
    """Return what makes addresses of reports' pages for messages."""
    if public_url is None:
        return no_url
    links = ReportDownloads(container.backends.database, container.report_links, container.backends.clock)
    return lambda page_id: f"{public_url.rstrip('/')}{REPORT_PATH}{links.message_link(page_id)}"


def _candles(container: Container) -> CandleLoader:
    backends, venues = container.backends, container.venues
    return CandleLoader(
        backends.database,
        PostgresBars(backends.pool, backends.archives.candles),
        lambda venue: None if venues.get(venue) is None else venues.public(venue),
        backends.clock,
    )


def _background(work: Coroutine[object, object, None]) -> "_TaskCanceller":
    return _TaskCanceller(asyncio.create_task(work))


class _TaskCanceller:
    """Cancels a task and waits for its end when called."""

    def __init__(self, task: "asyncio.Task[None]") -> None:
        self._task = task

    async def __call__(self) -> None:
        await cancel_and_wait(self._task)
        if not self._task.cancelled():
            self._task.result()  # raises what it failed with
