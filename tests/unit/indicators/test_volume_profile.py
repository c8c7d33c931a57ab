"""Volume profiles hold all volume, and their value area is the one that the CBOT's rule gives."""

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import is_multiple
from domain.indicators.volume_profile import (
    VolumeProfile,
    VolumeSource,
    bin_width,
    build_profile,
    coarse_bins,
    make_bins,
    pick_source,
    point_of_control,
    rebin,
    to_levels,
    value_area,
)
from domain.model.volume import Bins, BinVolume, PriceRange

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
CENT = Decimal("0.01")

volumes = st.lists(st.integers(0, 1_000).map(lambda n: Decimal(n) / 1000), min_size=1, max_size=60).filter(any)
prices = st.integers(1, 20_000_000).map(lambda ticks: ticks * CENT)
trades = st.lists(st.tuples(prices, st.integers(1, 10**9), st.booleans()), min_size=1, max_size=60)


def decimals(*numbers: int) -> list[Decimal]:
    return [Decimal(number) for number in numbers]


def profile(traded: list[tuple[Decimal, int, bool]], max_bins: int, increment: Decimal = CENT) -> VolumeProfile:
    """Return the profile of trades, put into bins as the database does it."""
    found = [price for price, _, _ in traded]
    bins = make_bins(PriceRange(min(found), max(found), Decimal(sum(q for _, q, _ in traded))), max_bins, increment)
    bought: dict[int, Decimal] = defaultdict(Decimal)
    sold: dict[int, Decimal] = defaultdict(Decimal)
    for price, quantity, is_buy in traded:
        (bought if is_buy else sold)[int((price - bins.low) // bins.width)] += quantity
    filled = [BinVolume(number, bought[number], sold[number]) for number in {*bought, *sold}]
    return build_profile(START, END, VolumeSource.TRADES, to_levels(bins, filled), increment)


@given(trades, st.integers(1, 1_000))
def test_no_volume_is_lost_or_made_on_either_side(traded: list[tuple[Decimal, int, bool]], max_bins: int) -> None:
    levels = profile(traded, max_bins).levels
    assert sum(level.buy_volume for level in levels) == sum(quantity for _, quantity, is_buy in traded if is_buy)
    assert sum(level.volume for level in levels) == sum(quantity for _, quantity, _ in traded)


@given(trades, st.integers(1, 1_000))
def test_levels_follow_on_each_other_on_the_increment_over_all_prices(
    traded: list[tuple[Decimal, int, bool]], max_bins: int
) -> None:
    levels = profile(traded, max_bins).levels
    assert 1 <= len(levels) <= max_bins
    assert levels[0].price_low == min(price for price, _, _ in traded)
    assert levels[-1].price_low <= max(price for price, _, _ in traded) < levels[-1].price_high
    assert [level.price_high for level in levels[:-1]] == [level.price_low for level in levels[1:]]
    assert all(is_multiple(level.price_low, CENT) for level in levels)


@given(trades, st.integers(1, 1_000))
def test_the_point_of_control_is_in_the_value_area_which_holds_seventy_percent(
    traded: list[tuple[Decimal, int, bool]], max_bins: int
) -> None:
    found = profile(traded, max_bins)
    low, control, high = found.value_area_low, found.point_of_control, found.value_area_high
    assert low is not None
    assert control is not None
    assert high is not None
    assert low <= control < high
    assert is_multiple(control, CENT)
    held = sum(level.volume for level in found.levels if low <= level.price_low and level.price_high <= high)
    assert held >= Decimal("0.7") * sum(level.volume for level in found.levels)


@given(volumes)
def test_the_value_area_would_not_hold_enough_without_its_last_pair(found: list[Decimal]) -> None:
    control = point_of_control(found)
    lowest, highest = value_area(found, control)
    assert lowest <= control <= highest
    if highest - lowest >= 1:
        held = sum(found[lowest : highest + 1])
        pairs = [found[highest + 1 - size : highest + 1] for size in (1, 2)]
        pairs += [found[lowest : lowest + size] for size in (1, 2)]
        assert any(held - sum(pair) < Decimal("0.7") * sum(found) for pair in pairs)


def test_the_larger_of_the_two_neighbouring_pairs_is_taken_first() -> None:
    # 100 in all. Control 30 (place 4); above 8 + 20, below 15 + 9: 28 > 24, then the pair below.
    found = decimals(1, 3, 9, 15, 30, 8, 20, 10, 4)
    assert value_area(found, point_of_control(found)) == (2, 6)


def test_of_equal_pairs_the_upper_one_is_taken() -> None:
    assert value_area(decimals(0, 10, 10, 20, 10, 10, 0), 3) == (1, 5)
    assert value_area(decimals(5, 5, 20, 5, 5), 2) == (2, 4)


def test_a_value_area_at_the_edge_grows_the_only_way_there_is() -> None:
    assert value_area(decimals(10, 5, 4, 3, 1), 0) == (0, 2)
    assert value_area(decimals(1, 3, 4, 5, 10), 4) == (2, 4)
    assert value_area(decimals(7), 0) == (0, 0)


def test_of_equal_volumes_the_one_nearest_to_the_middle_is_in_control() -> None:
    assert point_of_control(decimals(9, 1, 9, 1, 1)) == 2
    assert point_of_control(decimals(9, 1, 1, 9)) == 0
    assert point_of_control(decimals(9, 9)) == 0


def test_a_single_price_is_one_level_and_its_own_point_of_control() -> None:
    found = profile([(Decimal("100.07"), 3, True), (Decimal("100.07"), 4, False)], 50)
    assert [(level.price_low, level.price_high) for level in found.levels] == [(Decimal("100.07"), Decimal("100.08"))]
    assert found.point_of_control == found.value_area_low == Decimal("100.07")


def test_nothing_traded_is_an_empty_profile() -> None:
    nothing = to_levels(Bins(Decimal(100), CENT, 3), [])
    assert build_profile(START, END, VolumeSource.CANDLES, nothing, CENT) == VolumeProfile(
        START, END, VolumeSource.CANDLES
    )


def test_a_market_without_an_increment_has_bins_too() -> None:
    bins = make_bins(PriceRange(Decimal(1), Decimal(2), Decimal(1)), 10, Decimal(0))
    assert bins.count == 10
    assert bins.edge(0) == 1
    assert bins.edge(10) > 2


def test_prices_of_a_time_with_a_finer_increment_have_bins_of_their_own_digits() -> None:
    traded = [(Decimal("0.001"), 1, True), (Decimal("0.0025"), 5, True), (Decimal("0.005"), 2, False)]
    found = profile(traded, 50)
    assert (len(found.levels), found.levels[0].price_low) == (5, Decimal("0.001"))
    assert {level.price_high - level.price_low for level in found.levels} == {Decimal("0.001")}
    assert found.point_of_control == Decimal("0.002")


def test_sums_of_a_time_with_a_finer_increment_fill_bins_of_their_digits() -> None:
    traded = PriceRange(Decimal("0.001"), Decimal("0.005"), Decimal(1))
    assert rebin(traded, 50, CENT) == Bins(Decimal("0.001"), Decimal("0.001"), 5)


def test_prices_on_the_increment_keep_it_however_fine_their_digits() -> None:
    traded = PriceRange(Decimal("100.25"), Decimal("101.50"), Decimal(1))
    assert make_bins(traded, 50, Decimal("0.25")) == Bins(Decimal("100.25"), Decimal("0.25"), 6)


@pytest.mark.parametrize("high", ["0.005", "1.2345"])
def test_coarse_bins_are_never_finer_than_the_sums_at_the_highest_price(high: str) -> None:
    bins = coarse_bins(PriceRange(Decimal("0.00012345"), Decimal(high), Decimal(1)), 1_000)
    assert is_multiple(bins.width, bin_width(Decimal(high)))


@given(st.integers(1, 10**9), st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 1_000))
def test_bins_hold_prices_of_any_digits(low: int, apart: int, digits: int, max_bins: int) -> None:
    traded = PriceRange(Decimal(low).scaleb(-digits), Decimal(low + apart).scaleb(-digits), Decimal(1))
    bins = make_bins(traded, max_bins, CENT)
    assert 0 < bins.edge(0) <= traded.low
    assert bins.edge(bins.count - 1) <= traded.high < bins.edge(bins.count)
    assert bins.count <= max_bins


@pytest.mark.parametrize(
    ("price", "step"), [("61234.56", "1"), ("99999", "1"), ("100000", "10"), ("1", "0.0001"), ("0.0123", "0.000001")]
)
def test_sums_are_kept_to_five_digits_of_the_price(price: str, step: str) -> None:
    assert bin_width(Decimal(price)) == Decimal(step)


def test_sums_serve_bins_that_are_wide_enough_for_them() -> None:
    day = PriceRange(Decimal(60_000), Decimal(61_500), Decimal(1))
    assert rebin(day, 50, CENT) == Bins(Decimal(60_000), Decimal(31), 49)
    assert rebin(day, 1_000, CENT) is None
    assert rebin(PriceRange(Decimal(60_000), Decimal(60_010), Decimal(1)), 50, CENT) is None


def test_sums_serve_all_bins_of_a_market_whose_increment_is_no_finer() -> None:
    cheap = PriceRange(Decimal("0.00001230"), Decimal("0.00001239"), Decimal(1))
    assert rebin(cheap, 1_000, Decimal("1E-8")) == Bins(Decimal("0.00001230"), Decimal("1E-8"), 10)


def test_trades_are_preferred_until_more_than_a_hundredth_of_them_is_gone() -> None:
    def traded(volume: str) -> PriceRange:
        return PriceRange(Decimal(1), Decimal(2), Decimal(volume))

    assert pick_source(traded("99"), traded("100")) is VolumeSource.TRADES
    assert pick_source(traded("98.9"), traded("100")) is VolumeSource.CANDLES
    assert pick_source(None, traded("100")) is VolumeSource.CANDLES
    assert pick_source(traded("1"), None) is VolumeSource.TRADES
    assert pick_source(None, None) is VolumeSource.TRADES
