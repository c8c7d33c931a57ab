"""Costs are those that were asked for, to their last digit, and otherwise those of the market."""

from decimal import Decimal

from domain.rules.costs import FeeCurrency, TradingCosts, fee_percent
from tests.support.backtests import a_spot_market

D = Decimal


def test_fees_in_percent_lose_no_digit() -> None:
    fine = D("0.00000000000000000000000000000000000001")
    costs = TradingCosts.of_percents(D("0.1") + fine, D("0.02"), D(5), FeeCurrency.QUOTE)
    assert costs == TradingCosts(D("0.001") + fine / 100, D("0.0002"), D(5), FeeCurrency.QUOTE)


def test_a_fee_that_is_not_given_is_the_one_of_the_market() -> None:
    assert fee_percent(None, D("0.001")) == D("0.1")
    assert fee_percent(D(0), D("0.001")) == 0
    assert fee_percent(None, None) == 0


def test_unknown_fees_of_a_market_are_none() -> None:
    market = a_spot_market(taker_fee=D("0.001"), maker_fee=None)
    assert TradingCosts.of_market(market, D(5)) == TradingCosts(D("0.001"), D(0), D(5))
