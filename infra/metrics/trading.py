"""Metrics of orders and of what is under way, named after the domain.

No label holds a text of a user or of a venue: venues are those of the settings, statuses and reasons the engine's own
codes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.execution.order_counts import OrderCounts
from domain.model.monitoring import TradingSituation, Waiting
from domain.model.orders import ACTIVE, OrderStatus
from infra.metrics.histograms import buckets

Situation = Callable[[], TradingSituation | None]
"""Returns what was last seen; None on a node that doesn't look, and while the database is away."""

AccountsTraded = Callable[[], int]


class TradingMetrics(MetricsCollector):
    """What this node has made of orders; and, on a worker node, what is under way on all nodes."""

    def __init__(
        self,
        registry: CollectorRegistry,
        counts: OrderCounts,
        situation: Situation,
        accounts_traded: AccountsTraded,
        venues: Sequence[str],
    ) -> None:
        self._counts = counts
        self._situation = situation
        self._accounts_traded = accounts_traded
        self._venues = venues
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        yield from _steps(self._counts)
        traded = GaugeMetricFamily("r3edge_accounts_traded", "Accounts that this node trades.")
        traded.add_metric([], self._accounts_traded())
        yield traded
        situation = self._situation()
        yield from _under_way(situation or TradingSituation(), () if situation is None else self._venues)
        yield from _waiting(situation)


def _steps(counts: OrderCounts) -> Iterator[Metric]:
    steps = CounterMetricFamily(
        "r3edge_order_steps",
        "Orders that came to a status on this node, by the code of the reason.",
        labels=["venue", "status", "reason"],
    )
    for (venue, status, reason), count in counts.steps.items():
        steps.add_metric([venue, status.value, reason], count)
    yield steps
    seconds = HistogramMetricFamily(
        "r3edge_order_step_seconds", "How long orders were in a status that they left.", labels=["venue", "status"]
    )
    for (venue, status), histogram in list(counts.seconds.items()):
        seconds.add_metric([venue, status.value], buckets(histogram), histogram.sum)
    yield seconds


def _under_way(situation: TradingSituation, venues: Sequence[str]) -> Iterator[Metric]:
    orders = GaugeMetricFamily("r3edge_orders", "Active orders of all users.", labels=["venue", "status"])
    oldest = GaugeMetricFamily(
        "r3edge_order_oldest_seconds", "Since when the active order of a status hasn't changed.", labels=["status"]
    )
    ages = dict.fromkeys(sorted(ACTIVE) if venues else (), 0.0)
    found = {(venue, status): Waiting() for venue in venues for status in sorted(ACTIVE)} | dict(situation.orders)
    for (venue, status), waiting in found.items():
        orders.add_metric([venue, status.value], waiting.count)
        ages[status] = max(ages.get(status, 0.0), waiting.oldest_seconds)
    for status, age in ages.items():
        oldest.add_metric([status.value], age)
    yield from (orders, oldest)
    yield _counted("r3edge_positions", "Open positions.", "venue", _with_zeros(situation.positions, venues))
    yield _counted("r3edge_trading_sessions", "Live trading sessions.", "status", situation.trading_sessions)
    yield _counted("r3edge_halts", "Halts that hold, by level.", "level", situation.halts)
    accounts = GaugeMetricFamily("r3edge_accounts", "Accounts that aren't archived.", labels=["venue", "kind"])
    for (venue, kind), count in situation.accounts.items():
        accounts.add_metric([venue, kind], count)
    yield accounts


def _waiting(situation: TradingSituation | None) -> Iterator[Metric]:
    known = situation or TradingSituation()
    doubts = [waiting for (_, status), waiting in known.orders.items() if status is OrderStatus.IN_DOUBT]
    for name, text, waiting in (
        ("orders_in_doubt", "orders whose outcome isn't known", doubts),
        ("exits_waiting", "positions that are to be closed and aren't yet", list(known.exits.values())),
        ("protections_unwatched", "protections whose market can't be watched", list(known.unwatched.values())),
        ("mails_waiting", "mails that wait to be sent", [known.mails]),
    ):
        count = GaugeMetricFamily(f"r3edge_{name}", f"Number of {text}.")
        age = GaugeMetricFamily(f"r3edge_{name}_oldest_seconds", f"Age of the oldest of the {text}.")
        if situation is not None:
            count.add_metric([], sum(each.count for each in waiting))
            age.add_metric([], max((each.oldest_seconds for each in waiting), default=0.0))
        yield from (count, age)
    equity = GaugeMetricFamily("r3edge_equity_age_seconds", "Age of the oldest newest point of equity that moves.")
    if situation is not None:
        equity.add_metric([], situation.equity_age_seconds)
    yield equity


def _with_zeros(counts: Mapping[str, int], venues: Sequence[str]) -> Mapping[str, int]:
    return dict.fromkeys(venues, 0) | dict(counts)


def _counted(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
