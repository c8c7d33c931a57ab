"""The steps of a position's protection, by properties: what must hold for every way that prices may go."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rules.protection import RATE, Exit, ExitCause, ProtectionState, Target, step_bar, step_price

PRICES = st.lists(st.integers(1, 10_000), min_size=1, max_size=60)
BEYOND = st.integers(0, 500)
"""How far a bar goes beyond a level."""
SIGNS = st.sampled_from([1, -1])
TRAILS = st.one_of(
    st.builds(lambda ticks: {"trail": ticks}, st.integers(1, 500)),
    st.builds(lambda rate: {"trail_rate": rate}, st.integers(1, RATE // 2)),
)


def run(state: ProtectionState, prices: list[int]) -> tuple[ProtectionState, list[Exit]]:
    """Return the state after the prices and what they closed; a position that is closed whole sees no more of them."""
    exits = []
    for at, price in enumerate(prices):
        state, exit_ = step_price(state, price, at)
        if exit_ is not None:
            exits.append(exit_)
            if exit_.cause is not ExitCause.TARGET:
                break
    return state, exits


@given(SIGNS, st.integers(1, 10_000), PRICES, TRAILS)
def test_a_trailing_stop_never_moves_away_from_the_price(
    sign: int, entry: int, prices: list[int], trail: dict[str, int]
) -> None:
    state = ProtectionState(high_water=sign * entry, **trail)
    before = state.trailing_stop
    assert before is not None
    for price in prices:
        state, exit_ = step_price(state, sign * price, 0)
        assert state.trailing_stop is not None
        assert state.trailing_stop >= before
        assert state.trailing_stop < state.high_water
        assert (exit_ is not None) == (sign * price <= before)
        before = state.trailing_stop


@given(st.integers(2, 10_000), st.integers(1, 10_000), st.integers(1, 10_000), PRICES)
def test_nothing_is_closed_on_the_wrong_side(entry: int, below: int, above: int, prices: list[int]) -> None:
    state = ProtectionState(stop_loss=entry - below, take_profit=entry + above, high_water=entry)
    _, exits = run(state, prices)
    crossed = [price for price in prices if price <= entry - below or price >= entry + above]
    if not crossed:
        assert exits == []
    else:
        cause = ExitCause.STOP_LOSS if crossed[0] <= entry - below else ExitCause.TAKE_PROFIT
        assert exits == [Exit(cause)]


@given(st.integers(1, 10_000), PRICES, st.integers(1, 100), st.integers(1, 100))
def test_a_short_position_is_a_long_one_upside_down(entry: int, prices: list[int], stop: int, target: int) -> None:
    long = ProtectionState(entry - stop, entry + target, high_water=entry)
    mirrored = [2 * entry - price for price in prices]
    short = ProtectionState(-entry - stop, -entry + target, high_water=-entry)
    assert run(long, prices)[1] == run(short, [-price for price in mirrored])[1]


@given(st.integers(1, 1_000), BEYOND, BEYOND, st.integers(1, 500), st.integers(1, 500), st.data())
def test_a_bar_that_reaches_both_closes_with_the_worse(
    low: int, under: int, over: int, stop: int, target: int, data: st.DataObject
) -> None:
    entry = low + under + stop
    high = entry + target + over
    state = ProtectionState(entry - stop, entry + target, high_water=entry)
    close = data.draw(st.integers(low, high))
    assert step_bar(state, low, high, close, 0)[1] == Exit(ExitCause.STOP_LOSS)


@given(st.lists(st.integers(50, 150), min_size=2, max_size=30), st.integers(1, 30))
def test_a_bar_never_closes_later_than_its_trades_do(prices: list[int], trail: int) -> None:
    state = ProtectionState(stop_loss=60, take_profit=140, trail=trail, high_water=100)
    bar = step_bar(state, min(prices), max(prices), prices[-1], 0)[1]
    by_trade = run(state, prices)[1]
    if not by_trade and bar is not None:
        pytest.fail(f"{bar} without a trade that justifies it")
    if by_trade and by_trade[0].cause is ExitCause.STOP_LOSS:
        assert bar is not None


def test_a_trailing_stop_that_a_bar_has_moved_is_reached_by_its_close_alone() -> None:
    state = ProtectionState(trail=10, high_water=100)
    assert step_bar(state, 95, 120, 111, 0) == (replace(state, high_water=120), None)
    assert step_bar(state, 95, 120, 110, 0)[1] == Exit(ExitCause.TRAILING_STOP)
    assert step_bar(state, 90, 120, 120, 0) == (state, Exit(ExitCause.TRAILING_STOP))


def test_of_two_stops_the_nearer_one_is_the_cause() -> None:
    state = ProtectionState(stop_loss=80, trail=10, high_water=100)
    assert step_price(state, 70, 0)[1] == Exit(ExitCause.TRAILING_STOP)
    assert step_price(replace(state, stop_loss=95), 70, 0)[1] == Exit(ExitCause.STOP_LOSS)


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=6, unique=True), PRICES)
def test_each_partial_target_is_reached_once(targets: list[int], prices: list[int]) -> None:
    state = ProtectionState(targets=tuple(Target(index, price) for index, price in enumerate(targets)))
    after, exits = run(state, prices)
    reached = [index for exit_ in exits for index in exit_.targets]
    assert sorted(reached) == [index for index, price in enumerate(targets) if max(prices) >= price]
    assert {target.index for target in after.targets} == set(range(len(targets))) - set(reached)


def test_the_longest_holding_time_closes_at_its_end_and_not_before() -> None:
    state = ProtectionState(exit_at=1_000)
    assert step_price(state, 5, 999)[1] is None
    assert step_price(state, 5, 1_000)[1] == Exit(ExitCause.TIME)


def test_a_price_that_changes_nothing_makes_no_new_state() -> None:
    state = ProtectionState(stop_loss=80, take_profit=140, trail=10, high_water=100)
    assert step_price(state, 95, 0)[0] is state
