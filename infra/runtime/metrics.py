"""Registers all metrics of a node."""

import importlib.metadata
import platform
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

from domain.events.follower_counts import FollowerCounts
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
from infra.runtime.container import Container
from infra.runtime.node import NodeWork


def build_registry(
    container: Container, work: NodeWork, followers: FollowerCounts, name: str, roles: Sequence[str]
) -> CollectorRegistry:
    """Return a registry with the metrics of a node but for those of its web server, which adds its own."""
    registry = CollectorRegistry()
    backends = container.backends
    build_info(registry)
    node_info(registry, name, roles, lambda: work.is_draining)
    ProcessCollector(registry=registry)
    MarketDataMetrics(registry, container.hub, lambda: work.feeds)
    VenueMetrics(registry, container.venues)
    TradingMetrics(
        registry,
        container.order_notifier.counts,
        lambda: None if work.situation is None else work.situation.situation,
        lambda: 0 if work.trader is None else len(work.trader.accounts),
        container.venues.names(),
    )
    EventMetrics(registry, followers)
    pools = {"main": backends.database.use, "leases": backends.lease_database.use}
    if backends.replicas is not None:
        pools["replicas"] = backends.replicas.use
    DatabaseMetrics(registry, pools)
    ReplicaMetrics(registry, backends.replicas)
    BusMetrics(registry, backends.bus)
    HazelcastMetrics(registry, backends.bus)
    MailMetrics(registry, container.deliveries)
    ChannelMetrics(registry, container.channel_counts)
    JobMetrics(registry, container.work_counts)
    BalanceMetrics(registry, container.given_counts)
    ArchiveMetrics(registry, backends.archive_activity)
    return registry


def build_info(registry: CollectorRegistry) -> None:
    """Register which version runs, on which Python."""
    info = Gauge("r3edge_build_info", "1, by what runs.", ["version", "python"], registry=registry)
    info.labels(importlib.metadata.version("r3edge-engine"), platform.python_version()).set(1)


def node_info(
    registry: CollectorRegistry, name: str, roles: Sequence[str], is_draining: Callable[[], bool] = lambda: False
) -> None:
    """Register which node this is, by the name that `engine.nodes` lists, what it does, and whether it drains."""
    info = Gauge("r3edge_node_info", "1, by the node's name and roles.", ["node", "roles"], registry=registry)
    info.labels(name, ",".join(roles)).set(1)
    draining = Gauge("r3edge_node_draining", "1 while the node gives its work away, or has done so.", registry=registry)
    draining.set_function(is_draining)
