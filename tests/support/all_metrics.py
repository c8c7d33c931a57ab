"""All metrics that an engine exports, with their kinds and labels, without an engine."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from domain.events.follower_counts import FollowerCounts
from domain.events.work_balance import GivenCounts
from domain.execution.order_counts import OrderCounts
from domain.jobs.counts import WorkCounts
from domain.mail.sender import DeliveryCounts
from domain.market_data.feed_manager import FeedManager
from domain.market_data.hub import MarketDataHub
from domain.model.monitoring import TradingSituation
from domain.notifications.deliverer import ChannelCounts
from infra.archive_storage.activity import ArchiveActivity
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.metrics.archive import ArchiveMetrics
from infra.metrics.balance import BalanceMetrics
from infra.metrics.bus import BusMetrics
from infra.metrics.channels import ChannelMetrics
from infra.metrics.database import DatabaseMetrics, ReplicaMetrics
from infra.metrics.events import EventMetrics
from infra.metrics.hazelcast import HazelcastMetrics
from infra.metrics.jobs import JobMetrics
from infra.metrics.mail import MailMetrics
from infra.metrics.market_data import MarketDataMetrics
from infra.metrics.trading import TradingMetrics
from infra.metrics.venues import VenueMetrics
from infra.postgres.database import PostgresDatabase
from infra.runtime.loop_monitor import LoopMonitor
from infra.runtime.metrics import build_info, node_info
from infra.venues.registry import Venues
from infra.web.metrics import WebMetrics

OWN: Final = "r3edge_"
"""What the names begin with that are the engine's own; the others are those of its process."""


@dataclass(frozen=True)
class MetricKind:
    """What a metric is, and the names of its labels."""

    kind: str
    labels: frozenset[str]


def all_metrics() -> dict[str, MetricKind]:
    """Return the kinds of all metrics by their names as Prometheus has them."""
    registry = CollectorRegistry()
    WebMetrics(registry)
    database, bus, clock = PostgresDatabase(None, EmbeddedBus(), None), EmbeddedBus(), SystemClock()  # type: ignore[arg-type]
    cache = EmbeddedCache(clock)
    feeds = FeedManager({}, database, bus, cache, clock, TimeOrderedIds(), "node")
    MarketDataMetrics(registry, MarketDataHub(bus, cache, database, clock), lambda: feeds)
    VenueMetrics(registry, Venues([], clock))
    BusMetrics(registry, bus)
    HazelcastMetrics(registry, bus)
    LoopMonitor(registry)
    node_info(registry, "node", ["web"])
    MailMetrics(registry, DeliveryCounts())
    ChannelMetrics(registry, ChannelCounts())
    JobMetrics(registry, WorkCounts())
    BalanceMetrics(registry, GivenCounts())
    ArchiveMetrics(registry, ArchiveActivity())
    TradingMetrics(registry, OrderCounts(), TradingSituation, lambda: 0, ())
    DatabaseMetrics(registry, {})
    ReplicaMetrics(registry, None)
    EventMetrics(registry, FollowerCounts())
    build_info(registry)
    ProcessCollector(registry=registry)
    labels = {
        collector._name: collector._labelnames
        for collector in registry._collector_to_names
        if isinstance(collector, MetricWrapperBase)
    }
    return {
        metric.name + ("_total" if metric.type == "counter" else ""): MetricKind(
            metric.type, frozenset(labels.get(metric.name, getattr(metric, "_labelnames", ())))
        )
        for metric in registry.collect()
    }
