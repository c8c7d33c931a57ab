from prometheus_client import CollectorRegistry

from domain.execution.order_counts import OrderCounts
from domain.model.monitoring import TradingSituation, Waiting
from domain.model.orders import CancelCode, OrderStatus, RejectCode, RiskCode
from infra.metrics.trading import TradingMetrics
from tests.support.orders import NOW, an_order

VENUES = ("sandbox", "kraken")


def registered(situation: TradingSituation | None, counts: OrderCounts | None = None) -> CollectorRegistry:
    registry = CollectorRegistry()
    TradingMetrics(registry, counts or OrderCounts(), lambda: situation, lambda: 3, VENUES)
    return registry


def test_a_node_that_does_not_look_exports_nothing_of_what_is_under_way() -> None:
    registry = registered(None)
    names = {sample.name for metric in registry.collect() for sample in metric.samples}
    assert names == {"r3edge_accounts_traded"}
    assert registry.get_sample_value("r3edge_accounts_traded") == 3


def test_doubts_and_waiting_exits_are_added_up_over_venues_with_the_oldest_of_all() -> None:
    registry = registered(
        TradingSituation(
            orders={
                ("sandbox", OrderStatus.IN_DOUBT): Waiting(2, 5.0),
                ("kraken", OrderStatus.IN_DOUBT): Waiting(1, 9.0),
            },
            exits={"kraken": Waiting(4, 70.0)},
            equity_age_seconds=61.5,
        )
    )
    value = registry.get_sample_value
    assert (value("r3edge_orders_in_doubt"), value("r3edge_orders_in_doubt_oldest_seconds")) == (3, 9.0)
    assert (value("r3edge_exits_waiting"), value("r3edge_exits_waiting_oldest_seconds")) == (4, 70.0)
    assert value("r3edge_equity_age_seconds") == 61.5
    assert value("r3edge_orders", {"venue": "kraken", "status": "OPEN"}) == 0
    assert value("r3edge_order_oldest_seconds", {"status": "IN_DOUBT"}) == 9.0


def test_the_series_of_orders_are_bounded_by_the_engines_own_words() -> None:
    counts = OrderCounts()
    reasons = [*RiskCode, *RejectCode, *CancelCode]
    for number in range(500):
        order = an_order(reject_reason=f"text {number}", client_order_id=f"c{number}")
        for status in OrderStatus:
            code = RejectCode.UNKNOWN if status is OrderStatus.REJECTED else None
            counts.count(order.changed(NOW, status=status, reject_code=code), order)
    samples = [sample for metric in registered(None, counts).collect() for sample in metric.samples]
    assert len(samples) < 60
    words = {"", *OrderStatus, *(reason.value for reason in reasons)}
    assert {sample.labels["reason"] for sample in samples if "reason" in sample.labels} <= words
