"""What is paid in or taken out is no return: it changes no figure that is one."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.model.reports import EquityPoint, PerformanceMetrics, ReportResult
from domain.model.trading import AccountTransfer, TransferKind
from domain.performance.equity_curve import with_drawdown
from domain.performance.fills_ledger import compute_result, unpriced_markets
from domain.performance.metrics import MetricsInput, metrics
from tests.support.fill_ledgers import BUY, ETH, SELL, hours, ledger, marks, report_data
from tests.support.orders import BTC

START = datetime(2026, 3, 1, 7, tzinfo=UTC)
RETURNS = (
    "net_profit_percent", "cagr", "volatility", "sharpe", "sortino", "calmar", "omega",
    "max_drawdown_percent", "max_drawdown_days",
)  # fmt: skip

steps = st.lists(st.integers(-60, 60), min_size=12, max_size=40).map(
    lambda given: [Decimal(step) / 1000 for step in given]
)
payments = st.dictionaries(st.integers(0, 40), st.integers(-900, 100_000), max_size=5)


def curve(steps: list[Decimal], payments: dict[int, int]) -> tuple[EquityPoint, ...]:
    """Return the equity of 1,000 that earns `steps`, one every seven hours, whatever is paid in or taken out.

    A payment comes just after the step of its number; no withdrawal takes more than nine tenths of what is there.
    """
    equity, paid_in, points = Decimal(1000), Decimal(0), [EquityPoint(START, Decimal(1000), 0.0)]
    for number, step in enumerate(steps):
        equity *= 1 + step
        payment = max(Decimal(payments.get(number, 0)), -equity * Decimal("0.9"))
        equity, paid_in = equity + payment, paid_in + payment
        points.append(EquityPoint(START + (number + 1) * timedelta(hours=7), equity, 0.0, paid_in))
    return with_drawdown(points)


def figures(points: tuple[EquityPoint, ...]) -> PerformanceMetrics:
    return metrics(MetricsInput("USDT", points, [], points[0].equity, Decimal(0), Decimal(0), {}))


@settings(deadline=None)
@given(steps, payments)
def test_a_deposit_or_a_withdrawal_changes_no_return(steps: list[Decimal], payments: dict[int, int]) -> None:
    without, paid = curve(steps, {}), curve(steps, payments)
    expected, ours = asdict(figures(without)), asdict(figures(paid))

    for name in RETURNS:
        assert ours[name] == (None if expected[name] is None else pytest.approx(expected[name], rel=1e-6, abs=1e-9)), (
            name
        )
    drawdowns = [point.drawdown_percent for point in paid]
    assert drawdowns == pytest.approx([point.drawdown_percent for point in without], abs=1e-9)


@settings(deadline=None)
@given(steps, payments)
def test_the_profit_is_what_the_equity_grew_by_less_what_was_paid_in(
    steps: list[Decimal], payments: dict[int, int]
) -> None:
    points = curve(steps, payments)
    ours = figures(points)
    assert ours.net_deposits == points[-1].net_deposits
    assert ours.net_profit == ours.end_equity - ours.start_equity - ours.net_deposits


def test_money_that_is_paid_in_and_only_lies_there_is_neither_profit_nor_a_rise() -> None:
    points = with_drawdown([
        EquityPoint(START, Decimal(1000), 0.0),
        EquityPoint(START + timedelta(hours=1), Decimal(900), 0.0),
        EquityPoint(START + timedelta(hours=2), Decimal(9900), 0.0, Decimal(9000)),
        EquityPoint(START + timedelta(hours=3), Decimal(9950), 0.0, Decimal(9000)),
    ])  # fmt: skip
    ours = figures(points)

    assert (ours.net_profit, ours.net_deposits, ours.max_drawdown) == (-50, 9000, 100)
    assert ours.max_drawdown_percent == pytest.approx(10)
    assert ours.net_profit_percent == pytest.approx((0.9 * 9950 / 9900 - 1) * 100)
    # It never came back to where it was: the time below the high lasts until the end.
    assert ours.max_drawdown_days == pytest.approx(3 / 24)


def test_an_account_that_is_emptied_and_filled_again_goes_on_where_it_was() -> None:
    points = with_drawdown([
        EquityPoint(START, Decimal(100), 0.0),
        EquityPoint(START + timedelta(hours=1), Decimal(110), 0.0),
        EquityPoint(START + timedelta(hours=2), Decimal(0), 0.0, Decimal(-110)),
        EquityPoint(START + timedelta(hours=3), Decimal(500), 0.0, Decimal(390)),
        EquityPoint(START + timedelta(hours=4), Decimal(550), 0.0, Decimal(390)),
    ])  # fmt: skip
    assert figures(points).net_profit_percent == pytest.approx(21)
    assert figures(points).net_profit == 60


moments = st.integers(1, 239).map(lambda number: number / 5)


def an_account(deposits: list[AccountTransfer]) -> ReportResult:
    """Return the report of two days of an account that trades BTC and holds ETH, with these deposits."""
    fills = ledger((3, BUY, 2, 100, "0.2"), (20, SELL, 1, 120, "0.1"), (30, BUY, 3, 90, "0.27"), (45, SELL, 4, 95))
    prices = [*marks(*((hour, 100 + 20 * (hour % 7) - hour) for hour in range(49)))]
    prices += marks(*((hour, 10 + hour % 5) for hour in range(0, 49, 2)), market=ETH)
    held = {"USDT": Decimal(1000), "ETH": Decimal(7)}
    return compute_result(report_data(fills, marks=prices, holdings=held, transfers=deposits, end=hours(48)))


def deposit(hour: float, currency: str, amount: Decimal) -> AccountTransfer:
    nobody = UUID(int=0)
    return AccountTransfer(nobody, nobody, nobody, TransferKind.DEPOSIT, currency, amount, hours(hour), str(hour))


@settings(deadline=None)
@given(st.lists(st.tuples(moments, st.integers(-500, 10**6).filter(bool)), max_size=4))
def test_cash_paid_into_an_account_changes_no_profit_and_no_return_before_it(given: list[tuple[float, int]]) -> None:
    paid = [deposit(hour, "USDT", Decimal(amount)) for hour, amount in given]
    without, result = an_account([]), an_account(paid)

    for name in ("net_profit", "max_drawdown", "fees", "turnover", "round_trips", "wins", "expectancy", "start_equity"):
        assert getattr(result.metrics, name) == getattr(without.metrics, name), name
    assert result.round_trips == without.round_trips
    assert result.metrics.net_deposits == sum(amount for _, amount in given)
    first = min((transfer.at for transfer in paid), default=hours(48))
    before = [point for point in result.equity_curve if point.at < first]
    assert before == [point for point in without.equity_curve if point.at < first]


@settings(deadline=None)
@given(moments, st.integers(1, 50))
def test_a_share_of_everything_that_is_held_changes_no_return_at_all(hour: float, times: int) -> None:
    held = {"USDT": Decimal(1000), "ETH": Decimal(7)}
    quiet = an_account_that_only_holds([])
    paid = [deposit(hour, currency, amount * times) for currency, amount in held.items()]
    result = an_account_that_only_holds(paid)
    for name in RETURNS:
        expected = getattr(quiet.metrics, name)
        assert getattr(result.metrics, name) == (None if expected is None else pytest.approx(expected, abs=1e-9)), name


def an_account_that_only_holds(deposits: list[AccountTransfer]) -> ReportResult:
    prices = marks(*((hour, 10 + hour % 5) for hour in range(49)), market=ETH)
    held = {"USDT": Decimal(1000), "ETH": Decimal(7)}
    return compute_result(report_data([], marks=prices, holdings=held, transfers=deposits, end=hours(48)))


MINUTE = 1 / 60


@pytest.mark.parametrize(
    ("minutes", "notes"), [(-60, set()), (0, set()), (1, set()), (5, set()), (6, {"PRICE_MISSING"})]
)
def test_a_payment_counts_at_the_price_of_the_next_minutes_where_none_is_older(minutes: int, notes: set[str]) -> None:
    paid = report_data(
        [],
        holdings={"USDT": Decimal(10)},
        transfers=[deposit(1, "BTC", Decimal(2))],
        marks=[*marks((1 + minutes * MINUTE, 100)), *marks((2, 110))],
    )
    result = compute_result(paid)
    assert result.metrics.net_deposits == 200
    assert result.metrics.net_profit == 20
    assert {note.code.value for note in result.metrics.notes} - {"PERIOD_TOO_SHORT"} == notes


def test_the_markets_are_named_whose_prices_are_missing() -> None:
    held = report_data(
        [],
        currency="BTC",
        end=hours(3),
        holdings={"USDT": Decimal(10), "ETH": Decimal(0), "DOGE": Decimal(4)},
        transfers=[deposit(1, "BTC", Decimal(2))],
        marks=marks((1, 100)),
    )
    assert unpriced_markets(held) == {BTC}
    assert unpriced_markets(replace(held, marks=marks((0, 100)))) == set()
    coins = replace(held, currency="USDT", holdings={"ETH": Decimal(1)}, marks=[])
    assert unpriced_markets(coins) == {BTC, ETH}
