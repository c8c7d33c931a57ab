"""Ladders: each add is made once, in any order of prices; all of them together are what was to be spent or risked."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import is_multiple
from domain.model.definitions import EntryAdd, ExitDistance, Sizing
from domain.rules.ladder import (
    Ladder,
    add_at_price,
    add_share,
    entry_share,
    has_adds_left,
    ladder_entries,
    price_levels,
    reached_add,
    signalled_add,
)
from domain.rules.sizing import SizingContext, SizingError, size_entry
from tests.support.orders import a_market

MARKET = a_market()
HUNDRED = Decimal(100)
PERCENTS = st.decimals(Decimal("0.1"), 50, places=1).map(lambda value: ExitDistance(percent=value))
FACTORS = st.decimals(Decimal("0.1"), 10, places=1)
COUNTS = st.integers(1, 4)
BY_PRICE = st.one_of(
    st.builds(lambda d, f, n: EntryAdd(below=d, size_factor=f, count=n), PERCENTS, FACTORS, COUNTS),
    st.builds(lambda d, f, n: EntryAdd(above=d, size_factor=f, count=n), PERCENTS, FACTORS, COUNTS),
)
ADDS = st.lists(BY_PRICE, min_size=1, max_size=4).map(tuple)
TWO_BELOW = EntryAdd(below=ExitDistance(percent=Decimal(2)), count=2)


def sizing_context(price: Decimal, free: Decimal = Decimal(10) ** 9) -> SizingContext:
    return SizingContext(MARKET, price, free, equity=Decimal(1_000_000), stop_distance=price / 10)


@given(ADDS, st.lists(st.integers(100, 100_000), min_size=1, max_size=60))
def test_each_add_is_made_once_and_only_where_its_price_is_reached(
    adds: tuple[EntryAdd, ...], ticks: list[int]
) -> None:
    ladder, made = Ladder(adds, frozenset(), HUNDRED), []
    for tick in ticks:
        price = tick * MARKET.price_increment
        number = add_at_price(price_levels(ladder, MARKET, None), price, MARKET)
        if number is not None:
            add = next(entry.add for entry in ladder_entries(adds) if entry.number == number)
            moved = abs(price - ladder.last_price) / ladder.last_price * 100
            distance = add.below or add.above
            assert distance is not None
            assert (price < ladder.last_price) is (add.below is not None)
            assert moved >= distance.percent
            made.append(number)
            ladder = Ladder(adds, ladder.taken | {number}, price)
    assert len(made) == len(set(made)) <= sum(add.count for add in adds)
    assert has_adds_left(adds, made) is (len(made) < sum(add.count for add in adds))


@given(ADDS, st.integers(1_000, 50_000), st.integers(0, 2_000))
def test_a_bar_reaches_what_one_of_its_prices_reaches(adds: tuple[EntryAdd, ...], low: int, height: int) -> None:
    levels = price_levels(Ladder(adds, frozenset(), HUNDRED), MARKET, None)
    by_price = {
        add_at_price(levels[i : i + 1], tick * MARKET.price_increment, MARKET)
        for i in range(len(levels))
        for tick in (low, low + height)
    }
    assert (reached_add(levels, low, low + height) is not None) is bool(by_price - {None})


@given(ADDS, st.sampled_from(["quote_amount", "equity_percent", "risk_percent"]), st.data())
def test_a_whole_ladder_never_spends_or_risks_more_than_its_sizing(
    adds: tuple[EntryAdd, ...], kind: str, data: st.DataObject
) -> None:
    sizing = Sizing(**{kind: Decimal(10_000) if kind == "quote_amount" else Decimal(1)})
    whole, spent, risked = Decimal(10_000), Decimal(0), Decimal(0)
    taken: set[int] = set()
    for entry in [None, *data.draw(st.permutations(list(ladder_entries(adds))))]:
        price = data.draw(st.integers(5_000, 20_000)) * MARKET.price_increment
        ladder = Ladder(adds, frozenset(taken), price)
        share = entry_share(adds) if entry is None else add_share(ladder, entry.number)
        try:
            quantity = size_entry(sizing, sizing_context(price), share)
        except SizingError:
            quantity = Decimal(0)
        assert is_multiple(quantity, MARKET.quantity_increment)
        spent, risked = spent + quantity * price, risked + quantity * price / 10
        taken |= set() if entry is None else {entry.number}
    assert (risked if kind == "risk_percent" else spent) <= whole


@given(ADDS, st.decimals(10, 10_000, places=2))
def test_the_entry_leaves_free_what_the_rest_of_its_ladder_needs(adds: tuple[EntryAdd, ...], free: Decimal) -> None:
    share = entry_share(adds)
    quantity = size_entry(Sizing(equity_percent=HUNDRED), sizing_context(HUNDRED, free), share)
    assert quantity * HUNDRED * share.total <= free


def test_without_further_entries_an_entry_has_the_whole_size() -> None:
    assert size_entry(Sizing(quote_amount=Decimal(500)), sizing_context(HUNDRED), entry_share(())) == 5


def test_two_adds_of_one_distance_each_follow_the_last_entry() -> None:
    first = price_levels(Ladder((TWO_BELOW,), frozenset(), HUNDRED), MARKET, None)
    assert [(level.number, level.price) for level in first] == [(1, 9_800)]
    second = price_levels(Ladder((TWO_BELOW,), frozenset({1}), Decimal(98)), MARKET, None)
    assert [(level.number, level.price) for level in second] == [(2, 9_604)]
    assert price_levels(Ladder((TWO_BELOW,), frozenset({1, 2}), Decimal(96)), MARKET, None) == ()


def test_a_distance_in_atr_waits_for_the_atr() -> None:
    ladder = Ladder((EntryAdd(below=ExitDistance(atr_multiple=Decimal(2))),), frozenset(), HUNDRED)
    assert price_levels(ladder, MARKET, None) == ()
    assert [level.price for level in price_levels(ladder, MARKET, Decimal("1.5"))] == [9_700]


def test_a_price_that_can_never_be_is_no_level() -> None:
    ladder = Ladder((EntryAdd(below=ExitDistance(absolute=HUNDRED)),), frozenset(), HUNDRED)
    assert price_levels(ladder, MARKET, None) == ()


def test_a_signal_leads_to_the_first_add_whose_conditions_hold() -> None:
    adds = (
        EntryAdd(rule="close < 1", below=ExitDistance(percent=Decimal(2))),
        TWO_BELOW,
        EntryAdd(on_entry_signal=True),
    )
    ladder = Ladder(adds, frozenset(), HUNDRED)
    assert signalled_add(ladder, Decimal(98), None, rules={0}) == 1
    assert signalled_add(ladder, Decimal(99), None, rules={0}) is None
    assert signalled_add(ladder, Decimal(90), None) is None
    assert signalled_add(ladder, Decimal(99), None, rules={0}, enters=True) == 4
    assert signalled_add(Ladder(adds, frozenset({1, 4}), HUNDRED), Decimal(90), None, rules={0}, enters=True) is None


@pytest.mark.parametrize("price", ["97.99", "98", "98.01"])
def test_a_price_between_two_ticks_reaches_no_level_that_it_has_not_passed(price: str) -> None:
    levels = price_levels(Ladder((TWO_BELOW,), frozenset(), HUNDRED), MARKET, None)
    assert (add_at_price(levels, Decimal(price) + Decimal("0.001"), MARKET) is not None) is (price == "97.99")
