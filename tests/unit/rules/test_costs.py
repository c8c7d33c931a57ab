"""Costs are those that were asked for, to their last digit, and otherwise those of the market."""

from decimal import Decimal

from domain.rules.costs import FeeCurrency, FeePercents, TradingCosts, fee_percents
from tests.support.backtests import a_spot_market

D = Decimal


def test_fees_in_percent_lose_no_digit() -> None:
    fine = D("0.00000000000000000000000000000000000001")
    costs = TradingCosts.of_percents(D("0.1") + fine, D("0.02"), D(5), FeeCurrency.QUOTE)
    assert costs == TradingCosts(D("0.001") + fine / 100, D("0.0002"), D(5), FeeCurrency.QUOTE)


def test_a_fee_that_is_not_given_is_the_highest_of_the_markets() -> None:
    cheap = a_spot_market(taker_fee=D("0.001"), maker_fee=None)
    dear = a_spot_market(taker_fee=D("0.002"), maker_fee=D("0.0005"))
    assert fee_percents(None, None, [cheap, dear]) == FeePercents(D("0.2"), D("0.05"))
    assert fee_percents(D(0), None, [cheap]) == FeePercents(D(0), D(0))
    assert fee_percents(None, D("0.3"), []) == FeePercents(D(0), D("0.3"))


def test_unknown_fees_of_a_market_are_none() -> None:
    market = a_spot_market(taker_fee=D("0.001"), maker_fee=None)
    assert TradingCosts.of_market(market, D(5)) == TradingCosts(D("0.001"), D(0), D(5))
