"""Protection between its row and the steps: prices on the grid, what a fill changes, and what a candle may close."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import is_multiple
from domain.model.markets import Candle, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderRole, OrderType
from domain.model.protection import ExitLevel, PartialTarget, PositionProtection, ProtectionRules
from domain.model.trading import Position
from domain.rules.direction import Direction
from domain.rules.protected_position import (
    exit_reason,
    new_protection,
    protection_state,
    step_missed_candle,
    step_trade,
    stepped,
    succeeding,
    targets_share,
    with_fills,
)
from domain.rules.protection import Exit, ExitCause
from tests.support.orders import BTC, a_market

AT = datetime(2026, 11, 5, 12, 30, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)
SESSION = UUID(int=1)
MARKET = a_market()
POSITION = Position(UUID(int=5), UUID(int=2), UUID(int=4), BTC, SESSION, AT, Decimal(1), average_price=Decimal(100))
ENTRY = Order(
    UUID(int=7), UUID(int=2), UUID(int=4), BTC, "c", OrderSide.BUY, OrderType.MARKET, OrderRole.ENTRY, Decimal(1),
    AT, AT, trading_session_id=SESSION,
)  # fmt: skip

MONEY = st.decimals(Decimal("0.01"), 100_000, places=4)
STEPS = st.sampled_from([Decimal("0.01"), Decimal("0.5"), Decimal(10)])
HALF = Decimal("0.5")
SHARES = [("1", "0.5"), ("2", "0.3"), ("3", "0.2")]
LEVELS = st.one_of(
    st.builds(lambda value: ExitLevel(percent=value), st.decimals(Decimal("0.001"), 99, places=3)),
    st.builds(lambda value: ExitLevel(absolute=value), MONEY),
)


def a_fill(quantity: str = "1", price: str = "100", at: datetime = AT, fee: str = "0") -> Fill:
    return Fill(
        UUID(int=9), ENTRY.id, ENTRY.user_id, ENTRY.account_id, BTC, OrderSide.BUY, "t", at, Decimal(price),
        Decimal(quantity), Decimal(fee), "BTC", False,
    )  # fmt: skip


def protected(direction: Direction = Direction.LONG, entry: str = "100", **rules: object) -> PositionProtection:
    """Return the protection of a position of one unit that was entered at that price."""
    position = POSITION.changed(quantity=Decimal(direction), average_price=Decimal(entry))
    waiting = new_protection(ENTRY, replace(ProtectionRules(), **rules), UUID(int=8))
    return with_fills(waiting, position, [a_fill(price=entry)], MARKET)


@given(MONEY, STEPS, LEVELS, LEVELS, st.sampled_from(Direction))
def test_prices_lie_on_the_grid_and_on_their_own_side_of_the_entry(
    entry: Decimal, step: Decimal, stop: ExitLevel, profit: ExitLevel, direction: Direction
) -> None:
    market = replace(MARKET, price_increment=step)
    position = POSITION.changed(quantity=Decimal(direction), average_price=entry)
    waiting = new_protection(ENTRY, ProtectionRules(stop, profit), UUID(int=8))
    active = with_fills(waiting, position, [a_fill()], market)
    for price, sign in ((active.stop_loss_price, -direction), (active.take_profit_price, direction)):
        assert price is None or (price > 0 and sign * price > sign * entry and is_multiple(price, step))
    assert active.take_profit_price is not None or direction is Direction.SHORT
    state = protection_state(active, market, direction)
    assert step_trade(state, entry, AT, market, direction)[1] is None


@given(st.decimals(1, 100_000, places=4), st.decimals(1, 50, places=2))
def test_rounding_never_widens_a_stop_that_is_farther_than_the_grid(entry: Decimal, percent: Decimal) -> None:
    market = replace(MARKET, price_increment=Decimal("0.001"))
    waiting = new_protection(ENTRY, ProtectionRules(ExitLevel(percent=percent)), UUID(int=8))
    stop = with_fills(waiting, POSITION.changed(average_price=entry), [a_fill()], market).stop_loss_price
    assert stop is not None
    assert entry - stop <= entry * percent / 100


@given(st.decimals(90, 110, places=6), st.sampled_from(Direction))
def test_a_trade_between_two_ticks_closes_nothing_that_it_doesnt_reach(price: Decimal, direction: Direction) -> None:
    stop, profit = ExitLevel(price=Decimal(100 - 5 * direction)), ExitLevel(price=Decimal(100 + 5 * direction))
    active = protected(direction, stop_loss=stop, take_profit=profit)
    exit_ = step_trade(protection_state(active, MARKET, direction), price, AT, MARKET, direction)[1]
    if direction * price > direction * stop.price and direction * price < direction * profit.price:
        assert exit_ is None


def test_a_protection_waits_for_the_first_fill_and_is_of_the_whole_position_of_a_session() -> None:
    waiting = new_protection(ENTRY, ProtectionRules(ExitLevel(percent=Decimal(2))), UUID(int=8))
    assert (waiting.position_id, waiting.stop_loss_price, waiting.quantity) == (None, None, None)
    active = with_fills(waiting, POSITION, [a_fill()], MARKET)
    assert (active.position_id, active.stop_loss_price, active.watched_until) == (
        POSITION.id,
        Decimal(98),
        AT + INSTANT,
    )
    assert with_fills(active, POSITION, [a_fill()], MARKET) is active


def test_a_protection_grows_with_its_fills_and_forgets_what_the_price_did_before_them() -> None:
    waiting = new_protection(replace(ENTRY, trading_session_id=None), ProtectionRules(ExitLevel(percent=Decimal(2))), UUID(int=8))  # fmt: skip  # noqa: E501
    first = a_fill("0.4", "100", fee="0.001")
    active = with_fills(waiting, POSITION, [first], MARKET)
    assert (active.quantity, active.stop_loss_price) == (Decimal("0.399"), Decimal(98))
    sold = active.changed(quantity=Decimal("0.199"))
    grown = with_fills(sold, POSITION, [first, a_fill("0.6", "110", AT + SECOND)], MARKET)
    assert (grown.quantity, grown.entry_quantity) == (Decimal("0.799"), Decimal("0.999"))
    assert (grown.stop_loss_price, grown.watched_until) == (Decimal("103.88"), AT + SECOND + INSTANT)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_trailing_stop_is_carried_on_from_its_row(direction: Direction) -> None:
    active = protected(direction, trailing_stop=ExitLevel(percent=Decimal(5)))
    state = protection_state(active, MARKET, direction)
    state, _ = step_trade(state, Decimal(100 + 20 * direction), AT + SECOND, MARKET, direction)
    stored = stepped(active, state, AT + SECOND, MARKET, direction)
    assert stored.high_water == 100 + 20 * direction
    again = protection_state(stored, MARKET, direction)
    assert again == state
    _, exit_ = step_trade(again, Decimal(100 + 14 * direction), AT + SECOND, MARKET, direction)
    assert exit_ == Exit(ExitCause.TRAILING_STOP)
    level = {Direction.LONG: "114", Direction.SHORT: "84"}[direction]
    assert exit_reason(exit_, stored, again, MARKET) == f"The trailing stop of {level}.00 was reached."


def test_partial_targets_are_done_once_and_stay_done_in_the_row() -> None:
    half = PartialTarget(ExitLevel(percent=Decimal(1)), Decimal("0.5"))
    active = protected(targets=(half, replace(half, level=ExitLevel(percent=Decimal(3)))))
    state = protection_state(active, MARKET, Direction.LONG)
    state, exit_ = step_trade(state, Decimal(102), AT, MARKET, Direction.LONG)
    assert step_trade(state, Decimal(102), AT, MARKET, Direction.LONG)[1] is None
    assert exit_ == Exit(ExitCause.TARGET, (0,))
    assert targets_share(active, exit_) == Decimal("0.5")
    stored = active.changed(targets_done=exit_.targets)
    left = protection_state(stored, MARKET, Direction.LONG)
    assert step_trade(left, Decimal(102), AT, MARKET, Direction.LONG)[1] is None
    assert step_trade(left, Decimal(103), AT, MARKET, Direction.LONG)[1] == Exit(ExitCause.TARGET, (1,))


def test_shares_of_targets_are_of_the_whole_position() -> None:
    thirds = [PartialTarget(ExitLevel(percent=Decimal(percent)), Decimal(share)) for percent, share in SHARES]
    active = protected(targets=tuple(thirds))
    assert targets_share(active, Exit(ExitCause.TARGET, (0,))) == Decimal("0.5")
    half = active.changed(targets_done=(0,))
    assert targets_share(half, Exit(ExitCause.TARGET, (1,))) == Decimal("0.6")
    assert targets_share(half, Exit(ExitCause.TARGET, (1, 2))) == 1
    assert targets_share(active.changed(targets_done=(0, 1)), Exit(ExitCause.TARGET, (2,))) == 1


def test_the_protection_of_a_further_entry_goes_on_from_the_one_before() -> None:
    rules = {
        "trailing_stop": ExitLevel(percent=Decimal(5)),
        "targets": (PartialTarget(ExitLevel(percent=Decimal(1)), HALF),),
    }
    before = protected(**rules).changed(targets_done=(0,), high_water=Decimal(110))
    newest = succeeding(protected(entry="98", **rules), before, Decimal(120), Direction.LONG)
    assert (newest.targets_done, newest.high_water, newest.reference_price) == ((0,), 120, 98)
    state = protection_state(newest, MARKET, Direction.LONG)
    assert (state.targets, state.trailing_stop) == ((), 11_400)


def test_the_longest_holding_time_counts_from_the_start_of_the_bar_of_the_entry() -> None:
    active = protected(maximum_bars=2, timeframe=Timeframe.M1)
    assert active.exit_at == datetime(2026, 11, 5, 12, 32, tzinfo=UTC)


def test_a_missed_candle_closes_by_a_stop_and_by_nothing_else() -> None:
    active = protected(stop_loss=ExitLevel(price=Decimal(95)), take_profit=ExitLevel(price=Decimal(105)))
    state = protection_state(active, MARKET, Direction.LONG)
    opened = Timeframe.M1.open_time(AT) + timedelta(minutes=1)
    candle = Candle(
        BTC, Timeframe.M1, opened, Decimal(100), Decimal(110), Decimal(95), Decimal(100), Decimal(1), closed=True
    )
    assert step_missed_candle(state, candle, AT, MARKET, Direction.LONG)[1] == Exit(ExitCause.STOP_LOSS)
    higher = replace(candle, low=Decimal(96))
    assert step_missed_candle(state, higher, AT, MARKET, Direction.LONG) == (state, None)


def test_of_the_candle_of_the_entry_the_close_alone_counts() -> None:
    active = protected(stop_loss=ExitLevel(price=Decimal(95)))
    state = protection_state(active, MARKET, Direction.LONG)
    candle = Candle(
        BTC, Timeframe.M1, Timeframe.M1.open_time(AT), Decimal(90), Decimal(110), Decimal(90), Decimal(100), Decimal(1),
        closed=True,
    )  # fmt: skip
    assert step_missed_candle(state, candle, AT, MARKET, Direction.LONG)[1] is None
    under = replace(candle, close=Decimal(94))
    assert step_missed_candle(state, under, AT, MARKET, Direction.LONG)[1] == Exit(ExitCause.STOP_LOSS)


def test_a_coarser_grid_than_at_the_entry_keeps_the_stop_where_it_is_or_nearer_to_be_reached() -> None:
    active = protected(stop_loss=ExitLevel(price=Decimal("97.53")))
    coarse = replace(MARKET, price_increment=Decimal("0.5"))
    state = protection_state(active, coarse, Direction.LONG)
    assert step_trade(state, Decimal("97.5"), AT, coarse, Direction.LONG)[1] == Exit(ExitCause.STOP_LOSS)
    assert step_trade(state, Decimal(98), AT, coarse, Direction.LONG)[1] is None
