"""Losses are what trading has earned less what it had earned, whatever was paid in or out meanwhile."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import divide
from domain.model.equity import (
    AccountLedger,
    ClosedResult,
    MarketResult,
    StoredEquity,
    TradingSessionLedger,
    UnvaluedTransfer,
)
from domain.model.markets import MarketSymbol
from domain.model.trading import RiskLimits
from domain.portfolio.equity_points import Standing, account_standing, session_standing
from domain.risk.context import LossRecord
from domain.risk.loss_history import day_start, measure_losses, measure_streak, needs_equity
from tests.support.orders import BTC, NOW, D
from tests.support.trading import new_account, new_session

SUBJECT = UUID(int=1)
PRICES = {"BTC": D(100), "BNB": D(600), "SOL": D(20)}
AMOUNTS = st.integers(-(10**9), 10**9).map(lambda units: Decimal(units) / 1000)


def convert(amount: Decimal, currency: str, into: str) -> Decimal | None:
    assert into == "USDT"
    return amount if currency == into else amount * PRICES[currency] if currency in PRICES else None


def connects(currency: str, _into: str) -> bool:
    return currency != "AIRDROP"


def point(
    profit: object, *, peak: object | None = None, deposited: object = 1000, hours_ago: float = 1
) -> StoredEquity:
    earned, paid = D(str(profit)), D(str(deposited))
    at = NOW - timedelta(hours=hours_ago)
    return StoredEquity(SUBJECT, SUBJECT, at, paid + earned, paid, earned if peak is None else D(str(peak)))


def standing(profit: object, deposited: object = 1000) -> Standing:
    earned, paid = D(str(profit)), D(str(deposited))
    return Standing(paid + earned, paid)


def measured(now: Standing, baseline: StoredEquity | None, last: StoredEquity | None = None) -> LossRecord:
    return measure_losses(now, baseline, last or baseline, began_today=False)


def test_a_loss_of_four_days_ago_is_not_todays() -> None:
    assert measured(standing(-1000), point(-1000)).daily_loss == 0


def test_what_was_won_yesterday_and_is_lost_today_is_todays_loss() -> None:
    assert measured(standing(50), point(900)).daily_loss == 850


def test_a_profit_is_a_negative_loss() -> None:
    assert measured(standing(30), point(10)).daily_loss == -20


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_deposits_and_withdrawals_are_neither_loss_nor_profit(
    began: Decimal, now: Decimal, before: Decimal, moved: Decimal
) -> None:
    losses = measured(standing(now, before + moved), point(began, deposited=before))
    assert losses.daily_loss == began - now


def test_the_drawdown_is_measured_from_the_most_that_was_ever_earned_though_never_realised() -> None:
    assert measured(standing(100), point(0), point(50, peak=400)).drawdown_percent == divide(D(30_000), D(1400))
    assert measured(standing(500), point(0), point(50, peak=400)).drawdown_percent == 0


def test_a_withdrawal_is_no_drawdown_and_makes_a_later_loss_weigh_more() -> None:
    assert measured(standing(0, 500), point(0, deposited=1000)).drawdown_percent == 0
    assert measured(standing(-100, 500), point(0, deposited=1000)).drawdown_percent == 20


def test_what_has_lost_all_its_equity_does_not_divide_by_nothing() -> None:
    assert measured(standing(0, 0), point(0, deposited=0)).drawdown_percent == 0
    assert measured(standing(-1000), point(0)).drawdown_percent == 100


def test_what_began_today_had_earned_nothing_before() -> None:
    assert measure_losses(standing(-7), None, None, began_today=True).daily_loss == 7
    assert measure_losses(standing(-7), point(-5), point(-5), began_today=True).daily_loss == 7
    assert measure_losses(standing(-7), None, None, began_today=True).drawdown_percent == D(700) / 1000


def test_without_a_price_or_a_point_nothing_is_known_and_why_is_said() -> None:
    blind = measured(replace(standing(0), missing=("SOL",)), point(0))
    assert (blind.daily_loss, blind.drawdown_percent, blind.unknown) == (None, None, "there is no price now of SOL")
    fresh = measured(standing(0), None)
    assert (fresh.daily_loss, fresh.drawdown_percent) == (None, None)
    assert "no equity is stored yet" in (fresh.unknown or "")


def results(*profits: int) -> list[ClosedResult]:
    return [ClosedResult(D(profit), NOW - timedelta(minutes=age)) for age, profit in enumerate(profits)]


@pytest.mark.parametrize(
    ("profits", "streak"), [((-1, -2, 3, -4), 2), ((1, -1), 0), ((0, -1), 0), ((-1, -1), 2), ((), 0)]
)
def test_losses_in_a_row_are_counted_from_the_position_that_closed_last(profits: tuple[int, ...], streak: int) -> None:
    record = measure_streak(results(*profits))
    assert (record.losing_streak, record.last_loss_at) == (streak, NOW if streak else None)


class TestStanding:
    def ledger(self, totals: dict[str, Decimal], *unvalued: UnvaluedTransfer, deposited: object = 0) -> AccountLedger:
        account = new_account(SUBJECT)
        return AccountLedger(account, totals, D(str(deposited)), unvalued, None, None)

    def test_equity_is_the_worth_of_all_that_has_a_price_over_as_many_markets_as_it_needs(self) -> None:
        now = account_standing(self.ledger({"USDT": D(50), "SOL": D(2), "BTC": D(1)}), convert, connects)
        assert (now.equity, now.missing) == (190, ())

    def test_a_coin_that_no_market_connects_stops_nothing_and_counts_nowhere(self) -> None:
        held = {"USDT": D(50), "AIRDROP": D(9)}
        paid = UnvaluedTransfer(UUID(int=5), "AIRDROP", D(9))
        now = account_standing(self.ledger(held, paid, deposited=50), convert, connects)
        assert (now.equity, now.deposited, now.missing) == (50, 50, ())
        assert now.worths == ((paid.id, D(0)),)

    def test_a_coin_that_has_a_price_at_other_times_makes_equity_unknown(self) -> None:
        now = account_standing(self.ledger({"USDT": D(50), "XRP": D(9)}), convert, connects)
        assert now.missing == ("XRP",)

    def test_a_new_deposit_is_valued_when_it_is_noticed(self) -> None:
        paid = UnvaluedTransfer(UUID(int=5), "BTC", D(2))
        now = account_standing(self.ledger({"USDT": D(50), "BTC": D(2)}, paid, deposited=50), convert, connects)
        assert (now.equity, now.deposited, now.profit, now.worths) == (250, 250, 0, ((paid.id, D(200)),))

    def test_a_fee_in_a_third_currency_is_a_loss(self) -> None:
        paid = self.ledger({"USDT": D(900), "BTC": D(1), "BNB": D("0.99")}, deposited=1600)
        assert account_standing(paid, convert, connects).profit == -6

    def test_a_session_has_earned_what_its_positions_have_realised_and_would_now(self) -> None:
        session = new_session(SUBJECT, SUBJECT, SUBJECT, start_equity=D(1000))
        result = MarketResult(BTC, D(-30), D(2), D(180))
        now = session_standing(
            TradingSessionLedger(session, (result,), None, None), "USDT", convert, lambda _market: D(100)
        )
        assert (now.equity, now.profit, now.missing) == (990, -10, ())

    def test_what_a_session_holds_without_a_price_makes_its_equity_unknown(self) -> None:
        session = new_session(SUBJECT, SUBJECT, SUBJECT, start_equity=D(1000))
        ledger = TradingSessionLedger(session, (MarketResult(BTC, D(0), D(2), D(180)),), None, None)
        assert session_standing(ledger, "USDT", convert, lambda _market: None).missing == (str(BTC),)
        flat = replace(ledger, results=(MarketResult(BTC, D(5), D(0), D(0)),))
        assert session_standing(flat, "USDT", convert, lambda _market: None).profit == 5
        unknown = replace(flat, session=replace(session, start_equity=None))
        assert session_standing(unknown, "USDT", convert, lambda _market: None).missing

    def test_a_market_in_another_quote_counts_in_the_accounts_currency(self) -> None:
        session = new_session(SUBJECT, SUBJECT, SUBJECT, start_equity=D(0))
        result = MarketResult(MarketSymbol("sandbox", "ETH/BTC"), D(1), D(0), D(0))
        assert (
            session_standing(
                TradingSessionLedger(session, (result,), None, None), "USDT", convert, lambda _m: None
            ).profit
            == 100
        )

    def test_a_point_keeps_the_highest_profit_of_all_before(self) -> None:
        first = standing(10).point(SUBJECT, SUBJECT, NOW, None)
        second = standing(-5).point(SUBJECT, SUBJECT, NOW, first)
        third = standing(20).point(SUBJECT, SUBJECT, NOW, second)
        assert [kept.peak for kept in (first, second, third)] == [10, 10, 20]


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (None, NOW.replace(hour=0, minute=0)),
        (12, NOW.replace(minute=0)),
        (13, NOW.replace(hour=13, minute=0) - timedelta(days=1)),
    ],
)
def test_the_day_begins_at_the_reset_hour(hour: int | None, expected: datetime) -> None:
    assert day_start(NOW, hour) == expected


def test_only_limits_on_losses_need_equity() -> None:
    assert not needs_equity(RiskLimits(max_order_notional=D(1), cool_down_losses=1))
    assert needs_equity(RiskLimits(max_daily_loss=D(1)))
    assert needs_equity(RiskLimits(max_drawdown_percent=D(1)))
