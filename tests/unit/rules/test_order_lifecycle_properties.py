"""Any order, repetition or interleaving of a venue's messages about one order ends the same."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.model.order_transitions import require_legal
from domain.model.orders import Order, OrderEvent, OrderEventKind, OrderStatus
from domain.ports.execution_client import FillReport, OrderReport
from domain.rules.order_lifecycle import Transition, apply_fill, apply_report, fill_from_report
from tests.support.orders import NOW, an_order, fill_report, order_report

S = OrderStatus
LATER = NOW + timedelta(seconds=1)

ReportedHistory: TypeAlias = "tuple[VenueHistory, list[FillReport | OrderReport]]"


@dataclass(frozen=True)
class VenueHistory:
    """The true history of an order at a venue: its fills, and how it ended (None: it still rests)."""

    fills: tuple[FillReport, ...]
    end: OrderStatus | None

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    def reports(self) -> list[FillReport | OrderReport]:
        """All reports of the venue, in the order of what they report."""
        order, sofar = an_order(), Decimal(0)
        reports: list[FillReport | OrderReport] = [order_report(order, S.OPEN)]
        for fill in self.fills:
            sofar += fill.quantity
            reports += [fill, order_report(order, S.FILLED if sofar == 1 else S.PARTIALLY_FILLED, sofar)]
        return reports + ([order_report(order, self.end, sofar)] if self.end else [])

    @property
    def outcome(self) -> OrderStatus:
        if self.filled == 1:
            return S.FILLED
        return self.end or (S.PARTIALLY_FILLED if self.fills else S.OPEN)


@st.composite
def venue_histories(draw: st.DrawFn) -> VenueHistory:
    parts = draw(st.lists(st.integers(1, 40), max_size=5))
    parts = [part for number, part in enumerate(parts) if sum(parts[: number + 1]) <= 100]
    if draw(st.booleans()) and sum(parts) < 100:
        parts.append(100 - sum(parts))
    prices = draw(st.lists(st.integers(1, 10**6), min_size=len(parts), max_size=len(parts)))
    fills = tuple(
        fill_report(str(number), Decimal(part) / 100, Decimal(price) / 100)
        for number, (part, price) in enumerate(zip(parts, prices, strict=True))
    )
    full = sum(parts) == 100
    return VenueHistory(fills, None if full else draw(st.sampled_from([None, S.CANCELED, S.EXPIRED])))


class StoredOrder:
    """An order with its fills by the venue's trade id, as the database has them."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.trades: set[str] = set()
        self.events: list[OrderEvent] = []

    def on_report(self, report: FillReport | OrderReport) -> None:
        if isinstance(report, FillReport):
            if report.venue_trade_id not in self.trades:
                self.trades.add(report.venue_trade_id)
                self.apply(apply_fill(self.order, fill_from_report(self.order, report, UUID(int=5)), "v-1", LATER))
        else:
            self.apply(apply_report(self.order, report, LATER))

    def apply(self, transition: Transition) -> None:
        before = self.order
        for event in transition.events:
            require_legal(before, event.order.status)
            assert event.order.revision == before.revision + 1
            assert event.order.filled_quantity >= before.filled_quantity
            before = event.order
        assert before == transition.order
        self.order = transition.order
        self.events += transition.events


@st.composite
def reported_histories(draw: st.DrawFn) -> ReportedHistory:
    history = draw(venue_histories())
    reports = history.reports()
    repeats = draw(st.lists(st.sampled_from(reports), max_size=6))
    return history, draw(st.permutations(reports + repeats))


@given(reported_histories(), st.sampled_from([S.SUBMITTED, S.IN_DOUBT]))
def test_an_order_ends_the_same_in_any_sequence_of_its_reports(reported: ReportedHistory, start: OrderStatus) -> None:
    history, reports = reported
    stored = StoredOrder(an_order(status=start))
    for report in reports:
        stored.on_report(report)
    assert stored.order.status is history.outcome
    assert stored.order.filled_quantity == history.filled
    assert stored.order.filled_cost == sum((fill.price * fill.quantity for fill in history.fills), Decimal(0))
    counted = [event.fill.venue_trade_id for event in stored.events if event.kind is OrderEventKind.FILL]
    assert sorted(counted) == sorted(fill.venue_trade_id for fill in history.fills)


@given(reported_histories())
def test_a_pending_cancel_waits_for_the_venues_final_status_whatever_comes_before_it(reported: ReportedHistory) -> None:
    history, reports = reported
    order = an_order(status=S.PENDING_CANCEL, venue_order_id="v-1", cancel_requested_at=NOW)
    stored = StoredOrder(order)
    for report in reports:
        stored.on_report(report)
    resting = history.outcome in {S.OPEN, S.PARTIALLY_FILLED}
    assert stored.order.status is (S.PENDING_CANCEL if resting else history.outcome)
    assert stored.order.filled_quantity == history.filled


@given(reported_histories())
def test_repeated_reports_change_nothing(reported: ReportedHistory) -> None:
    _, reports = reported
    stored = StoredOrder(an_order(status=S.SUBMITTED))
    for report in reports:
        stored.on_report(report)
    ended = stored.order
    for report in reports:
        stored.on_report(report)
    assert stored.order == replace(ended)
