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

Telling: TypeAlias = "tuple[Story, list[FillReport | OrderReport]]"


@dataclass(frozen=True)
class Story:
    """What really happened to an order at a venue: its fills, and how it ended (None: it rests)."""

    fills: tuple[FillReport, ...]
    end: OrderStatus | None

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    def messages(self) -> list[FillReport | OrderReport]:
        """Everything that the venue says while it happens, in the order in which it happens."""
        order, sofar = an_order(), Decimal(0)
        said: list[FillReport | OrderReport] = [order_report(order, S.OPEN)]
        for fill in self.fills:
            sofar += fill.quantity
            said += [fill, order_report(order, S.FILLED if sofar == 1 else S.PARTIALLY_FILLED, sofar)]
        return said + ([order_report(order, self.end, sofar)] if self.end else [])

    @property
    def outcome(self) -> OrderStatus:
        if self.filled == 1:
            return S.FILLED
        return self.end or (S.PARTIALLY_FILLED if self.fills else S.OPEN)


@st.composite
def stories(draw: st.DrawFn) -> Story:
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
    return Story(fills, None if full else draw(st.sampled_from([None, S.CANCELED, S.EXPIRED])))


class Book:
    """An order with its fills by the venue's trade id, as the database keeps them."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.trades: set[str] = set()
        self.events: list[OrderEvent] = []

    def hear(self, message: FillReport | OrderReport) -> None:
        if isinstance(message, FillReport):
            if message.venue_trade_id not in self.trades:
                self.trades.add(message.venue_trade_id)
                self.take(apply_fill(self.order, fill_from_report(self.order, message, UUID(int=5)), "v-1", LATER))
        else:
            self.take(apply_report(self.order, message, LATER))

    def take(self, step: Transition) -> None:
        before = self.order
        for event in step.events:
            require_legal(before, event.order.status)
            assert event.order.revision == before.revision + 1
            assert event.order.filled_quantity >= before.filled_quantity
            before = event.order
        assert before == step.order
        self.order = step.order
        self.events += step.events


@st.composite
def tellings(draw: st.DrawFn) -> Telling:
    story = draw(stories())
    said = story.messages()
    repeats = draw(st.lists(st.sampled_from(said), max_size=6))
    return story, draw(st.permutations(said + repeats))


@given(tellings(), st.sampled_from([S.SUBMITTED, S.IN_DOUBT]))
def test_however_the_venue_tells_it_the_order_ends_the_same(telling: Telling, start: OrderStatus) -> None:
    story, said = telling
    book = Book(an_order(status=start))
    for message in said:
        book.hear(message)
    assert book.order.status is story.outcome
    assert book.order.filled_quantity == story.filled
    assert book.order.filled_cost == sum((fill.price * fill.quantity for fill in story.fills), Decimal(0))
    counted = [event.fill.venue_trade_id for event in book.events if event.kind is OrderEventKind.FILL]
    assert sorted(counted) == sorted(fill.venue_trade_id for fill in story.fills)


@given(tellings())
def test_a_cancel_under_way_waits_for_the_venues_end_whatever_comes_before_it(telling: Telling) -> None:
    story, said = telling
    order = an_order(status=S.PENDING_CANCEL, venue_order_id="v-1", cancel_requested_at=NOW)
    book = Book(order)
    for message in said:
        book.hear(message)
    resting = story.outcome in {S.OPEN, S.PARTIALLY_FILLED}
    assert book.order.status is (S.PENDING_CANCEL if resting else story.outcome)
    assert book.order.filled_quantity == story.filled


@given(tellings())
def test_telling_everything_once_more_changes_nothing(telling: Telling) -> None:
    _, said = telling
    book = Book(an_order(status=S.SUBMITTED))
    for message in said:
        book.hear(message)
    ended = book.order
    for message in said:
        book.hear(message)
    assert book.order == replace(ended)
