"""Metrics of the venues: clocks, rate limits, and answers by status."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from infra.venues.ccxt.connection import VenueConnection
from infra.venues.rate_limit.usage import NO_ANSWER
from infra.venues.registry import Venues


class VenueMetrics(MetricsCollector):
    """Metrics of every venue; venues that share a rate limiter have the same values of it."""

    def __init__(self, registry: CollectorRegistry, venues: Venues) -> None:
        self._venues = venues
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        connections = [(name, self._venues.connection(name)) for name in self._venues.names()]
        yield from _clocks(connections)
        yield from _limiters(connections)
        responses = CounterMetricFamily(
            "r3edge_venue_requests", "Requests by the status of the answer.", labels=["venue", "status"]
        )
        for name, connection in connections:
            for status, count in connection.responses.by_status.items():
                responses.add_metric([name, "none" if status == NO_ANSWER else str(status)], count)
        yield responses


def _clocks(connections: Sequence[tuple[str, VenueConnection]]) -> Iterator[Metric]:
    offset = GaugeMetricFamily(
        "r3edge_venue_clock_offset_seconds", "How far the venue's clock is ahead of this node's.", labels=["venue"]
    )
    trip = GaugeMetricFamily(
        "r3edge_venue_clock_round_trip_seconds", "The round trip of that measurement.", labels=["venue"]
    )
    for name, connection in connections:
        if connection.clock.is_measured:
            offset.add_metric([name], connection.clock.offset_seconds)
            trip.add_metric([name], connection.clock.round_trip_seconds)
    yield offset
    yield trip


def _limiters(connections: Sequence[tuple[str, VenueConnection]]) -> Iterator[Metric]:
    used = GaugeMetricFamily("r3edge_venue_budget_used_weight", "Weight used this minute.", labels=["venue"])
    limit = GaugeMetricFamily("r3edge_venue_budget_limit_weight", "Weight per minute allowed.", labels=["venue"])
    waiting = GaugeMetricFamily("r3edge_venue_budget_waiting_calls", "Requests that wait for it.", labels=["venue"])
    ban_seconds = GaugeMetricFamily(
        "r3edge_venue_silence_seconds", "Seconds that the venue's ban (418 or 429) still lasts.", labels=["venue"]
    )
    rejections = CounterMetricFamily(
        "r3edge_venue_silences", "Answers 418 and 429, each of which starts or extends a ban.", labels=["venue"]
    )
    for name, connection in connections:
        limiter = connection.limiter
        if limiter.weight_per_minute is not None:
            used.add_metric([name], limiter.used)
            limit.add_metric([name], limiter.weight_per_minute)
        waiting.add_metric([name], limiter.waiting)
        ban_seconds.add_metric([name], limiter.banned_seconds)
        rejections.add_metric([name], limiter.venue_ban.count)
    yield from (used, limit, waiting, ban_seconds, rejections)
