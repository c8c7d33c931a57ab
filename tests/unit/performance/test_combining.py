"""Several accounts or trading sessions as one: sums, and returns that money of one part doesn't change."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.reports import EquityPoint, ReportNote, ReportNoteCode, ReportResult
from domain.performance.combining import combined, combined_curve
from domain.performance.equity_curve import with_drawdown
from domain.performance.metrics import MetricsInput, metrics

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOTE = ReportNote(ReportNoteCode.NO_MARKET, "No market.", "XYZ")


def curve(*equities: float, first: int = 0, paid: dict[int, float] | None = None) -> tuple[EquityPoint, ...]:
    points, paid_in = [], Decimal(0)
    for number, equity in enumerate(equities):
        paid_in += Decimal(str((paid or {}).get(number, 0)))
        points.append(EquityPoint(START + (first + number) * DAY, Decimal(str(equity)), 0.0, paid_in))
    return with_drawdown(points)


def result(points: tuple[EquityPoint, ...], note: ReportNote | None = None) -> ReportResult:
    given = MetricsInput("USDT", points, [], points[0].equity, Decimal(7), Decimal("0.5"), {})
    found = metrics(given)
    notes = () if note is None else (note,)
    return ReportResult(type(found)(**{**{f: getattr(found, f) for f in found.__slots__}, "notes": notes}), points, ())


def test_two_accounts_add_up() -> None:
    together = combined([result(curve(100, 110, 121)), result(curve(300, 300, 270))], "USDT").metrics
    assert (together.start_equity, together.end_equity, together.net_profit) == (400, 391, -9)
    assert together.net_profit_percent == pytest.approx(-9 / 400 * 100)
    assert (together.turnover, together.fees) == (14, 1)


def test_a_part_that_begins_later_counts_as_a_deposit_and_one_that_ends_as_a_withdrawal() -> None:
    points = combined_curve([curve(100, 110, 110, 110), curve(1_000, 1_100, first=1)])
    together = combined([result(curve(100, 110, 110, 110)), result(curve(1_000, 1_100, first=1))], "USDT").metrics
    assert points[0].equity == 100
    assert points[-1].net_deposits == 1_000 - 1_100
    assert together.net_profit == 10 + 100
    # 10 % on the first day, then 100 of 1,110.
    assert together.net_profit_percent == pytest.approx((1.1 * (1 + 100 / 1_110) - 1) * 100)


def test_deposits_into_a_part_are_deposits_of_the_whole() -> None:
    parts = [result(curve(100, 150, 165, paid={1: 50})), result(curve(100, 100, 100))]
    together = combined(parts, "USDT").metrics
    assert (together.net_deposits, together.net_profit) == (50, 15)
    assert together.net_profit_percent == pytest.approx(15 / 250 * 100)


def test_one_part_is_itself() -> None:
    alone = result(curve(100, 110))
    assert combined([alone], "USDT") is alone


def test_a_note_of_several_parts_is_there_once() -> None:
    parts = [result(curve(100, 110), NOTE), result(curve(100, 90), NOTE)]
    assert [note.code for note in combined(parts, "USDT").metrics.notes] == ["NO_MARKET", "PERIOD_TOO_SHORT"]


def test_without_the_prices_of_one_part_the_return_of_all_is_unknown() -> None:
    points = curve(100, 110)
    unknown = metrics(
        MetricsInput("USDT", points, [], points[0].equity, Decimal(0), Decimal(0), {}, prices_known=False)
    )
    parts = [result(curve(100, 110)), ReportResult(unknown, points, ())]
    assert combined(parts, "USDT").metrics.net_profit_percent is None


part = st.tuples(
    st.integers(0, 5),
    st.lists(st.integers(1, 10_000), min_size=1, max_size=6),
    st.dictionaries(st.integers(1, 5), st.integers(-50, 50)),
)


@given(st.lists(part, min_size=1, max_size=5))
def test_the_profit_of_the_whole_is_the_sum_of_the_profits(
    parts: list[tuple[int, list[int], dict[int, float]]],
) -> None:
    curves = [curve(*equities, first=first, paid=paid) for first, equities, paid in parts]
    points = combined_curve(curves)
    profit = points[-1].equity - points[0].equity - points[-1].net_deposits
    assert profit == sum(each[-1].equity - each[0].equity - each[-1].net_deposits for each in curves)
    assert [point.at for point in points] == sorted(point.at for point in points)
