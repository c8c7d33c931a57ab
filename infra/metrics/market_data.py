"""Metrics of market data, read from the objects that count them whenever Prometheus scrapes.

A market has series while this node collects it; those of a feed that has ended disappear, and start at 0 when it is
collected again, which `rate()` and `increase()` handle.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.market_data.collector import Collector
from domain.market_data.feed_manager import FeedManager
from domain.market_data.hub import MarketDataHub
from domain.model.markets import FeedState
from infra.metrics.histograms import buckets


class MarketDataMetrics(MetricsCollector):
    """Metrics of the feeds that this node collects (none while it drains), and of its subscribers."""

    def __init__(
        self, registry: CollectorRegistry, hub: MarketDataHub, feeds: Callable[[], FeedManager | None]
    ) -> None:
        self._hub = hub
        self._feeds = feeds
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        yield _single(
            CounterMetricFamily("r3edge_dropped_trade_batches", "Batches of trades that slow subscribers missed."),
            self._hub.dropped_trades,
        )
        if (feeds := self._feeds()) is not None:
            collectors = [(str(market), collector) for market, collector in sorted(feeds.collectors.items())]
            yield from _states(collectors)
            yield from _counts(collectors)
            yield from _candles(collectors)
            yield _latency(collectors)
            yield from _storing(feeds)


Feeds = list[tuple[str, Collector]]


def _states(feeds: Feeds) -> Iterable[Metric]:
    states = GaugeMetricFamily("r3edge_feed_state", "1 for the state that the feed is in.", labels=["market", "state"])
    ages = GaugeMetricFamily("r3edge_feed_book_age_seconds", "Age of the last valid book.", labels=["market"])
    for market, feed in feeds:
        for state in FeedState:
            states.add_metric([market, state.value], float(feed.status.state is state))
        if (age := feed.book_age_seconds) is not None:
            ages.add_metric([market], age)
    return states, ages


def _counts(feeds: Feeds) -> Iterator[Metric]:
    for name, text, attribute in (
        ("gaps", "Times a stream had a gap or restarted.", "gaps"),
        ("reconnects", "Times a stream lost the venue.", "reconnects"),
        ("crossed_books", "Crossed books, which are never published.", "crossed_books"),
        ("trades", "Trades received, without duplicates.", "trade_count"),
        ("late_trades", "Trades that arrived after their minute had closed.", "late_trades"),
    ):
        family = CounterMetricFamily(f"r3edge_feed_{name}", text, labels=["market"])
        for market, feed in feeds:
            family.add_metric([market], getattr(feed, attribute))
        yield family


def _candles(feeds: Feeds) -> Iterator[Metric]:
    for name, text, attribute in (
        ("candles_closed", "Candles closed.", "candles_closed"),
        ("candle_corrections", "Closed candles that differed from the venue's own.", "corrections"),
    ):
        family = CounterMetricFamily(f"r3edge_feed_{name}", text, labels=["market", "timeframe"])
        for market, feed in feeds:
            for timeframe, count in getattr(feed, attribute).items():
                family.add_metric([market, timeframe.venue_name], count)
        yield family


def _latency(feeds: Feeds) -> Metric:
    family = HistogramMetricFamily(
        "r3edge_feed_depth_publish_seconds", "Time from reading a book to publishing it.", labels=["market"]
    )
    for market, feed in feeds:
        family.add_metric([market], buckets(feed.depth_seconds), feed.depth_seconds.sum)
    return family


def _storing(feeds: FeedManager) -> Iterator[Metric]:
    writer = feeds.writer
    stored = CounterMetricFamily("r3edge_recorder_rows", "Rows of market data stored.", labels=["kind"])
    stored.add_metric(["trades"], writer.stored_trades)
    stored.add_metric(["candles"], writer.stored_candles)
    stored.add_metric(["depth_snapshots"], writer.stored_depths)
    stored.add_metric(["backfilled_candles"], writer.backfilled_candles)
    yield stored
    for family, value in (
        (GaugeMetricFamily("r3edge_recorder_waiting_rows", "Rows that wait for the next batch."), writer.waiting),
        (
            CounterMetricFamily("r3edge_recorder_lost_rows", "Rows dropped during an outage of the database."),
            writer.dropped_rows,
        ),
        (
            GaugeMetricFamily("r3edge_backfill_waiting", "Back-fills that wait or run."),
            feeds.backfill_waiting,
        ),
    ):
        yield _single(family, value)


def _single(family: GaugeMetricFamily | CounterMetricFamily, value: float) -> Metric:
    family.add_metric([], value)
    return family
