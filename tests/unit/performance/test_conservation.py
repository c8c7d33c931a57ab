"""What a report's figures owe to the ledger, whatever the ledger holds."""

import math
from dataclasses import astuple, dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.performance.equity_curve import replay
from domain.performance.fills_ledger import ReportData, compute_result
from tests.support.fill_ledgers import BUY, MARKETS, SELL, ledger, marks, report_data
from tests.support.orders import BTC, D, a_market

LOT = Decimal("0.1")
"""Worth more than the least notional at every price here, so that nothing is dust."""


@dataclass
class Book:
    """A second, plain way to the same figures: exact fractions, average cost."""

    cash: Fraction = Fraction(0)
    base: Fraction = Fraction(0)

    def take(self, fill: Fill) -> None:
        sign = 1 if fill.side is OrderSide.BUY else -1
        self.base += sign * Fraction(fill.quantity)
        self.cash -= sign * Fraction(fill.quantity) * Fraction(fill.price)
        if fill.fee_currency == "BTC":
            self.base -= Fraction(fill.fee)
        else:
            self.cash -= Fraction(fill.fee)


steps = st.tuples(
    st.integers(1, 50).map(lambda lots: lots * LOT),
    st.integers(5_000, 20_000).map(lambda cents: Decimal(cents) / 100),
    st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("0.01")]),
)


@st.composite
def ledgers(draw: st.DrawFn, *, flat: bool) -> list[Fill]:
    """Draw fills that never sell what isn't held; with `flat` the last one sells all there is."""
    held, rows = Decimal(0), []
    for hour, (quantity, price, rate) in enumerate(draw(st.lists(steps, min_size=1, max_size=30)), start=1):
        if held > 0 and draw(st.booleans()):
            sold = min(quantity, held)
            rows.append((hour, SELL, sold, price, sold * price * rate, "USDT"))
            held -= sold
        else:
            in_base = draw(st.booleans())
            fee = quantity * rate if in_base else quantity * price * rate
            rows.append((hour, BUY, quantity, price, fee, "BTC" if in_base else "USDT"))
            held += quantity - (fee if in_base else 0)
    if flat and held:
        rows.append((len(rows) + 1, SELL, held, 100, 0, "USDT"))
    return ledger(*rows)


def close(value: object, other: object) -> bool:
    return abs(Fraction(value) - Fraction(other)) < Fraction(1, 10**12)  # type: ignore[arg-type]


@settings(deadline=None)
@given(ledgers(flat=True))
def test_who_ends_flat_has_gained_exactly_the_profits_of_the_round_trips(fills: list[Fill]) -> None:
    """End equity - start equity = sum of the profits, where nothing is held at either end and nothing was dust.

    Average prices are cut to 18 places, so that the sums agree to 1e-12. Dust, which the equity goes on to hold, would
    add dust x (price - average price).
    """
    fine_grained = a_market(quantity_increment=D("1E-18"), minimum_quantity=D(0), minimum_notional=None)
    result = compute_result(report_data(fills, markets={BTC: fine_grained}))
    book = Book()
    for fill in fills:
        book.take(fill)

    assert book.base == 0
    assert all(trip.closed_at is not None for trip in result.round_trips)
    assert close(result.metrics.net_profit, book.cash)
    assert close(sum(trip.profit for trip in result.round_trips), book.cash)


@settings(deadline=None)
@given(ledgers(flat=False), st.integers(5_000, 20_000))
def test_the_equity_is_always_what_is_held_at_the_price_of_the_moment(fills: list[Fill], last: int) -> None:
    price = Decimal(last) / 100
    result = compute_result(report_data(fills, marks=marks((1_000, price))))
    book, expected = Book(), []
    for fill in fills:
        book.take(fill)
        expected.append(1000 + book.cash + book.base * Fraction(fill.price))
    expected.append(1000 + book.cash + book.base * Fraction(price))

    assert all(close(point.equity, equity) for point, equity in zip(result.equity_curve[1:], expected, strict=True))
    highest = max(result.equity_curve, key=lambda point: point.equity).equity
    falls = [
        max(before.equity for before in result.equity_curve[: index + 1]) - point.equity
        for index, point in enumerate(result.equity_curve)
    ]
    assert result.metrics.max_drawdown == max(falls)
    assert highest >= result.metrics.end_equity


@settings(deadline=None)
@given(ledgers(flat=False), st.data())
def test_the_two_parts_of_a_period_add_up_to_the_whole(fills: list[Fill], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(fills)))
    first, second = fills[:cut], fills[cut:]
    whole = compute_result(report_data(fills))
    early = compute_result(report_data(first))
    late = compute_result(_continued(first, second))

    gains = early.metrics.net_profit + late.metrics.net_profit
    revaluation = late.metrics.start_equity - early.metrics.end_equity
    assert close(gains + revaluation, whole.metrics.net_profit)
    assert early.metrics.fees + late.metrics.fees == whole.metrics.fees
    assert early.metrics.turnover + late.metrics.turnover == whole.metrics.turnover
    assert early.metrics.round_trips + late.metrics.round_trips == whole.metrics.round_trips


def _continued(first: list[Fill], second: list[Fill]) -> ReportData:
    start = second[0].at if second else first[-1].at + timedelta(hours=1)
    holdings = replay({"USDT": D(1000)}, first, MARKETS)
    return report_data(second, earlier=first, holdings=holdings, start=start)


extremes = st.sampled_from([Decimal("1E-18"), Decimal("0.01"), Decimal(1), Decimal("1E+18")])


@settings(deadline=None)
@given(st.lists(st.tuples(extremes, extremes, st.floats(0.01, 2_000)), max_size=20))
@example([(Decimal("1E+18"), Decimal("1E+18"), 200.0), (Decimal(1), Decimal("1E-18"), 400.0)])
def test_no_figure_is_ever_infinite_or_not_a_number(rows: list[tuple[Decimal, Decimal, float]]) -> None:
    hour, trades = 0.0, []
    for index, (quantity, price, gap) in enumerate(rows):
        hour += gap
        trades.append((hour, (BUY, SELL)[index % 2], quantity, price))
    result = compute_result(report_data(ledger(*trades), holdings={"USDT": Decimal("1E-6")}))

    points = [value for point in result.equity_curve for value in astuple(point)]
    trips = [value for trip in result.round_trips for value in astuple(trip)]
    for value in [*astuple(result.metrics), *points, *trips]:
        assert not isinstance(value, float) or math.isfinite(value)
        assert not isinstance(value, Decimal) or value.is_finite()
