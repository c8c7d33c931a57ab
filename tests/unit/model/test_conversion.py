from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.model.conversion import MAX_PATHS, CurrencyGraph, Step, convert
from domain.model.markets import MarketSymbol
from domain.model.trading import Balance
from domain.portfolio.valuation import Equity, compute_equity
from tests.support.call_count import effort
from tests.support.orders import a_market


def symbol(pair: str) -> MarketSymbol:
    return MarketSymbol("sandbox", pair)


def graph(*pairs: str) -> CurrencyGraph:
    parts = [(pair, *pair.split("/")) for pair in pairs]
    return CurrencyGraph(a_market(symbol=symbol(pair), base=base, quote=quote) for pair, base, quote in parts)


def partly_delisted(active: str, delisted: str) -> CurrencyGraph:
    """Return the graph of markets such as `BTC/USDT ETH/USDT`."""
    pairs = [(pair, True) for pair in active.split()] + [(pair, False) for pair in delisted.split()]
    parts = [(symbol(pair), *pair.split("/"), is_active) for pair, is_active in pairs]
    return CurrencyGraph(
        a_market(symbol=name, base=base, quote=quote, active=is_active) for name, base, quote, is_active in parts
    )


def a_large_venue() -> CurrencyGraph:
    """Return the graph of 2,001 markets, 400 of them delisted, with no way between USDT and XYZ."""
    coins = [f"C{number}" for number in range(400)]
    pairs = [f"{coin}/{quote}" for coin in coins for quote in ("USDT", "BTC", "BNB", "EUR")]
    return partly_delisted(" ".join(["XYZ/ABC", *pairs]), " ".join(f"{coin}/OLD" for coin in coins))


def worth(prices: dict[str, str], amount: str, currency: str, into: str, *unpriced: str) -> Decimal | None:
    known = {symbol(pair): Decimal(price) for pair, price in prices.items()}
    path = next(graph(*prices, *unpriced).paths(currency, into, known.__contains__), None)
    return None if path is None else convert(Decimal(amount), path, known.get)


@pytest.mark.parametrize(
    ("prices", "currency", "into", "expected"),
    [
        ({}, "USDT", "USDT", 2),
        ({"BTC/USDT": "60000"}, "BTC", "USDT", 120_000),
        ({"BTC/USDT": "60000"}, "USDT", "BTC", "0.000033333333333333"),
        ({"SOL/USDT": "150", "BTC/USDT": "60000"}, "SOL", "BTC", "0.005"),
        ({"SOL/USDT": "150", "USDT/USD": "0.999"}, "SOL", "USD", "299.7"),
        ({"SOL/BNB": "0.25", "BNB/BTC": "0.01", "BTC/EUR": "50000"}, "SOL", "EUR", 250),
        ({"A/B": "2", "B/C": "2", "C/D": "2", "D/E": "2"}, "A", "E", 32),
        ({"A/B": "2", "B/C": "2", "C/D": "2", "D/E": "2", "E/F": "2"}, "A", "F", None),
        ({"BTC/USDT": "60000"}, "SOL", "USDT", None),
        ({"BTC/USDT": "60000"}, "BTC", "EUR", None),
        ({"BTC/USDT": "0"}, "USDT", "BTC", None),
    ],
)
def test_an_amount_is_worth_what_the_shortest_way_of_known_prices_makes_of_it(
    prices: dict[str, str], currency: str, into: str, expected: object
) -> None:
    assert worth(prices, "2", currency, into) == (None if expected is None else Decimal(str(expected)))


def test_a_way_around_a_market_without_a_price_is_taken() -> None:
    prices = {"SOL/BTC": "0.0025", "BTC/USDT": "60000"}
    assert worth(prices, "2", "SOL", "USDT", "SOL/USDT") == 300


def test_the_ways_are_listed_shortest_first_and_are_few_in_however_large_a_venue() -> None:
    coins = [f"C{number}" for number in range(300)]
    large = graph("BTC/USDT", *(f"{coin}/{quote}" for coin in coins for quote in ("USDT", "BTC", "BNB", "EUR")))
    ways = list(large.paths("C7", "USDT", lambda _market: True))
    assert ways[0] == (Step(symbol("C7/USDT")),)
    assert [len(way) for way in ways] == sorted(len(way) for way in ways)
    assert len(ways) == MAX_PATHS
    assert list(large.paths("C7", "XYZ", lambda _market: True)) == []


@pytest.mark.parametrize(
    ("active", "delisted", "priced", "connects"),
    [
        ("LUNA/USDT", "", "", True),
        ("", "LUNA/USDT", "", False),
        ("BTC/USDT", "LUNA/USDT", "BTC/USDT", False),
        ("BTC/USDT", "LUNA/USDT", "LUNA/USDT", True),
        ("BTC/USDT", "LUNA/BTC", "", False),
        ("BTC/USDT", "LUNA/BTC", "LUNA/BTC", True),
        ("LUNA/BTC BTC/USDT", "LUNA/USDT", "", True),
        ("", "LUNA/USDT LUNA/BTC LUNA/EUR LUNA/BNB BNB/USDT", "LUNA/BNB BNB/USDT", True),
        ("", "LUNA/USDT LUNA/BTC LUNA/EUR LUNA/BNB BNB/USDT", "LUNA/BNB", False),
    ],
)
def test_what_is_delisted_connects_currencies_only_where_it_has_a_price(
    active: str, delisted: str, priced: str, connects: bool
) -> None:
    known = {symbol(pair) for pair in priced.split()}
    assert partly_delisted(active, delisted).connects("LUNA", "USDT", known.__contains__) == connects


def test_the_active_way_goes_around_what_is_delisted() -> None:
    ways = partly_delisted("LUNA/BTC BTC/USDT", "LUNA/USDT")
    assert ways.active_path("LUNA", "USDT") == (Step(symbol("LUNA/BTC")), Step(symbol("BTC/USDT")))
    assert ways.all_paths("LUNA", "USDT")[0] == (Step(symbol("LUNA/USDT")),)
    assert partly_delisted("", "LUNA/USDT").active_path("LUNA", "USDT") is None
    assert ways.active_path("USDT", "USDT") == ()


@pytest.mark.parametrize("pair", [("C7", "USDT"), ("USDT", "C7"), ("C7", "XYZ"), ("OLD", "USDT"), ("NONE", "USDT")])
def test_a_way_over_two_thousand_markets_is_found_once(pair: tuple[str, str]) -> None:
    large = a_large_venue()
    assert len(large.markets) == 2_001
    found = large.active_path(*pair), large.all_paths(*pair)
    again = effort(lambda: (large.active_path(*pair), large.all_paths(*pair)))
    assert again < 10
    assert (large.active_path(*pair), large.all_paths(*pair)) == found


def test_the_ways_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.model.conversion.CACHED_PAIRS", 10)
    large = a_large_venue()
    searched = effort(lambda: large.active_path("USDT", "C0"))
    for number in range(1, 11):
        large.active_path("USDT", f"C{number}")
    assert effort(lambda: large.active_path("USDT", "C0")) >= searched


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("ABCDEFG"), st.decimals("0.001", "100000", places=3), min_size=2))
def test_there_and_back_again_is_the_same_amount(prices: dict[str, Decimal]) -> None:
    known = {f"{coin}/USDT": str(price) for coin, price in prices.items()}
    first, second, *_ = sorted(prices)
    there = worth(known, "1000", first, second)
    assert there is not None
    assert worth(known, str(there), second, first) == pytest.approx(Decimal(1000), rel=Decimal("1E-9"))


def test_equity_is_the_sum_of_what_can_be_priced_and_names_the_rest() -> None:
    rates = {"BTC": Decimal(60_000), "USDT": Decimal(1)}

    def convert_by_rate(amount: Decimal, currency: str, _into: str) -> Decimal | None:
        return amount * rates[currency] if currency in rates else None

    held = [Balance(name, Decimal(amount), Decimal(0)) for name, amount in (("BTC", 1), ("LDBTC", 5), ("USDT", 10))]
    assert compute_equity("USDT", held, convert_by_rate) == Equity(Decimal(60_010), ("LDBTC",))
    assert compute_equity("USDT", held[1:2], convert_by_rate) == Equity(None, ("LDBTC",))
    assert compute_equity("USDT", [Balance("LDBTC", Decimal(0), Decimal(0))], convert_by_rate) == Equity(Decimal(0), ())
    assert compute_equity("USDT", [], convert_by_rate) == Equity(Decimal(0), ())
