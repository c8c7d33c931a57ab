from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.codec import decode_depth, encode_depth
from domain.model.depth import apply_delta, diff, is_crossed, truncate, with_top_of_book
from domain.model.markets import Depth, MarketSymbol, PriceLevel, Ticker

NOW = datetime(2024, 8, 8, tzinfo=UTC)

sides = st.dictionaries(st.integers(1, 40), st.integers(1, 5), max_size=30)


def book(bids: dict[int, int], asks: dict[int, int]) -> Depth:
    def levels(side: dict[int, int], *, descending: bool) -> tuple[PriceLevel, ...]:
        prices = sorted(side, reverse=descending)
        return tuple(PriceLevel(Decimal(price) / 100, Decimal(side[price])) for price in prices)

    asks = {price + 40: quantity for price, quantity in asks.items()}
    market = MarketSymbol("sandbox", "BTC/USDT")
    return Depth(market, "e", 7, levels(bids, descending=True), levels(asks, descending=False), NOW, NOW)


books = st.builds(book, sides, sides)


@given(books, books, st.sampled_from([1, 5, 20, 100]))
def test_applying_a_delta_to_the_previous_top_gives_the_present_one(before: Depth, after: Depth, levels: int) -> None:
    bids, asks = diff(before, after, levels)
    assert apply_delta(truncate(before, levels).bids, bids, descending=True) == truncate(after, levels).bids
    assert apply_delta(truncate(before, levels).asks, asks, descending=False) == truncate(after, levels).asks


@given(books, st.sampled_from([1, 20]))
def test_nothing_changed_is_an_empty_delta(depth: Depth, levels: int) -> None:
    assert diff(depth, depth, levels) == ((), ())


def test_a_level_that_leaves_the_top_is_sent_as_zero_and_one_that_enters_is_sent_whole() -> None:
    bids, asks = diff(book({10: 1, 9: 2}, {1: 1}), book({11: 3, 10: 1}, {1: 1}), 2)
    assert bids == (PriceLevel(Decimal("0.11"), Decimal(3)), PriceLevel(Decimal("0.09"), Decimal(0)))
    assert asks == ()


@given(books)
def test_a_book_survives_its_encoding(depth: Depth) -> None:
    assert decode_depth(encode_depth(depth)) == depth


def test_a_book_with_one_side_is_not_crossed() -> None:
    assert not is_crossed(book({1: 1}, {}).bids, ())
    assert is_crossed([PriceLevel(Decimal(2), Decimal(1))], [PriceLevel(Decimal(2), Decimal(1))])


def test_a_ticker_takes_the_best_prices_of_the_book_that_has_them() -> None:
    ticker = Ticker(MarketSymbol("sandbox", "BTC/USDT"), NOW, Decimal(1), Decimal(2), Decimal("1.5"), None, None)
    shown = with_top_of_book(ticker, book({3: 1, 2: 1}, {4: 1}))
    assert (shown.bid, shown.ask, shown.last) == (Decimal("0.03"), Decimal("0.44"), Decimal("1.5"))
    assert with_top_of_book(ticker, book({3: 1}, {})) == ticker
