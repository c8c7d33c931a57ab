"""The protection of a position between its row, with prices as decimals, and the steps of `domain.rules.protection`."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from uuid import UUID

from domain.core.clock import to_milliseconds
from domain.core.money import EXACT, ZERO, divide, round_down, round_up
from domain.model.markets import Candle, Market
from domain.model.orders import Fill, Order, OrderRole
from domain.model.protection import ExitLevel, PositionProtection, ProtectAt, ProtectionRules
from domain.model.trading import Position
from domain.rules.direction import Direction
from domain.rules.protection import RATE, Exit, ExitCause, ProtectionState, Target, step_bar, step_price

_HUNDRED = Decimal(100)
_ONE = Decimal(1)
_INSTANT = timedelta(microseconds=1)
_NO_INCREMENT = Decimal("1E-18")
"""The tick of a market whose increment isn't known."""

EXIT_ROLES = {
    ExitCause.STOP_LOSS: OrderRole.STOP_LOSS,
    ExitCause.TRAILING_STOP: OrderRole.TRAILING_STOP,
    ExitCause.TAKE_PROFIT: OrderRole.TAKE_PROFIT,
    ExitCause.TARGET: OrderRole.TAKE_PROFIT,
    ExitCause.TIME: OrderRole.EXIT,
    ExitCause.PASSED: OrderRole.EXIT,
}
"""The role of the order that each cause leads to."""


def of_no_position(protection: PositionProtection) -> PositionProtection:
    """Return a protection as it was before the first fill: the position that it was of is closed."""
    return protection.changed(
        position_id=None,
        quantity=None if protection.quantity is None else ZERO,
        entry_quantity=ZERO,
        sold_by_hand=ZERO,
        reference_price=None,
        high_water=None,
        watched_until=None,
        targets_done=(),
        unwatched_since=None,
        unwatched_reason=None,
    )


def new_protection(
    entry: Order,
    rules: ProtectionRules,
    protection_id: UUID,
    protect_at: ProtectAt = ProtectAt.ENGINE,
) -> PositionProtection:
    """Return the protection of what an entry order brings, to be stored in the same transaction as the order.

    It becomes active with the order's first fill and grows with its fills. An order of a trading session protects the
    session's whole position, any other order what it fills itself.
    """
    return PositionProtection(
        id=protection_id,
        user_id=entry.user_id,
        account_id=entry.account_id,
        market=entry.market,
        rules=rules,
        created_at=entry.created_at,
        trading_session_id=entry.trading_session_id,
        entry_order_id=entry.id,
        quantity=None if entry.trading_session_id is not None else ZERO,
        protect_at=protect_at,
    )


def with_fills(
    protection: PositionProtection,
    position: Position,
    fills: Sequence[Fill],
    market: Market,
    high_water: Decimal | None = None,
) -> PositionProtection:
    """Return the protection of a position after `fills`, all those of its entry order; unchanged if it knows them.

    Prices that are distances from the entry are computed from the position's average price, or from that of the order's
    own fills if the protection isn't one of the whole position. Trades up to the newest fill don't count any more;
    `high_water` is the best price that they have reached.
    """
    entry_quantity = sum((_net_quantity(fill, market) for fill in fills), ZERO) if fills else protection.entry_quantity
    entry = position.average_price if protection.quantity is None else _mean_price(fills)
    is_known = protection.position_id == position.id and protection.entry_quantity == entry_quantity
    if entry is None or (is_known and protection.reference_price == entry):
        return protection
    direction, after = Direction.of(position.quantity), position.opened_at + _INSTANT
    grown = protection.changed(
        position_id=position.id,
        entry_quantity=entry_quantity,
        reference_price=entry,
        watched_until=max([protection.watched_until or after, *(fill.at + _INSTANT for fill in fills)]),
        exit_at=_exit_at(protection.rules, position.opened_at),
    )
    if protection.quantity is not None:
        added = EXACT.subtract(entry_quantity, protection.entry_quantity)
        grown = grown.changed(quantity=EXACT.add(protection.quantity, added))
    prices = [price for price in (protection.high_water, high_water, entry) if price is not None]
    best = max(prices, key=lambda price: direction * price)
    return grown.changed(
        stop_loss_price=_stop_price(protection.rules.stop_loss, entry, direction, market.price_increment),
        take_profit_price=_profit_price(protection.rules.take_profit, entry, direction, market.price_increment),
        high_water=None if protection.rules.trailing_stop is None else best,
    )


def succeeding(
    newest: PositionProtection, before: PositionProtection, high_water: Decimal | None, direction: Direction
) -> PositionProtection:
    """Return the protection of a position's newest entry, which goes on from what the one `before` has seen.

    `high_water` is the best price of the older one, in quote per base, trades included that aren't stored yet.
    """
    if newest.high_water is not None and newest.reference_price is not None:
        seen = [price for price in (newest.high_water, before.high_water, high_water) if price is not None]
        newest = newest.changed(high_water=max(seen, key=lambda price: direction * price))
    return newest.changed(targets_done=tuple(sorted({*newest.targets_done, *before.targets_done})))


def protection_state(protection: PositionProtection, market: Market, direction: Direction) -> ProtectionState:
    """Return the state of an active protection in whole ticks of the market as it is now."""
    assert protection.reference_price is not None
    prices = (protection.stop_loss_price, protection.take_profit_price, protection.high_water)
    return _state(
        protection.rules,
        protection.reference_price,
        prices,
        protection.targets_done,
        protection.exit_at,
        market,
        direction,
    )


def entered_state(
    rules: ProtectionRules, entry: Decimal, opened_at: datetime, market: Market, direction: Direction
) -> ProtectionState:
    """Return the state of a position that one fill at the price `entry` has just opened, as its row would have it."""
    stop_loss = _stop_price(rules.stop_loss, entry, direction, market.price_increment)
    take_profit = _profit_price(rules.take_profit, entry, direction, market.price_increment)
    exit_at = _exit_at(rules, opened_at)
    return _state(rules, entry, (stop_loss, take_profit, entry), (), exit_at, market, direction)


def step_trade(
    state: ProtectionState, price: Decimal, at: datetime, market: Market, direction: Direction
) -> tuple[ProtectionState, Exit | None]:
    """Return the state after a trade at the venue, and what it closes."""
    tick = market.price_increment or _NO_INCREMENT
    worst, best = _at_least(price, tick, direction), _at_most(price, tick, direction)
    if worst == best:
        return step_price(state, best, to_milliseconds(at))
    return step_bar(state, worst, best, best, to_milliseconds(at))


def step_time(state: ProtectionState, at: datetime) -> Exit | None:
    """Return the exit of a position that was held for as long as it may be."""
    is_over = state.exit_at is not None and to_milliseconds(at) >= state.exit_at
    return Exit(ExitCause.TIME) if is_over else None


def step_missed_candle(
    state: ProtectionState, candle: Candle, since: datetime, market: Market, direction: Direction
) -> tuple[ProtectionState, Exit | None]:
    """Return the state after a candle whose trades may not have been seen, and the stop that it reached.

    Of a candle that began before `since` only the close counts, which came later. A stop that was hit is acted on late
    rather than never; a take-profit isn't: by now the price may be a loss.
    """
    tick = market.price_increment or _NO_INCREMENT
    whole = candle.open_time >= since
    low, high = (candle.low, candle.high) if whole else (candle.close, candle.close)
    least, most = (low, high) if direction is Direction.LONG else (high, low)
    worst, best = _at_least(least, tick, direction), _at_most(most, tick, direction)
    close = _at_least(candle.close, tick, direction)
    after, exit_ = step_bar(_stops_only(state), worst, best, close, to_milliseconds(candle.close_time))
    return _with_high_water(state, after.high_water), exit_


def stepped(
    protection: PositionProtection, state: ProtectionState, until: datetime, market: Market, direction: Direction
) -> PositionProtection:
    """Return the protection after steps up to `until`."""
    tick = market.price_increment or _NO_INCREMENT
    best = EXACT.multiply(tick, Decimal(direction * state.high_water))
    return protection.changed(watched_until=until, high_water=None if state.trailing_stop is None else best)


def targets_share(protection: PositionProtection, exit_: Exit) -> Decimal:
    """Return which share of what is left of the position the partial targets of an exit close, at most all of it.

    Shares are those of the whole position: two halves close all of it.
    """
    return share_of_rest(protection.rules, protection.targets_done, exit_.targets)


def share_of_rest(rules: ProtectionRules, done: Collection[int], reached: Collection[int]) -> Decimal:
    """Return which share of what is left of a position some targets close, those that are `done` being sold."""
    closing = sum((rules.targets[index].share for index in reached), ZERO)
    left = EXACT.subtract(_ONE, sum((rules.targets[index].share for index in done), ZERO))
    return _ONE if closing >= left else EXACT.divide(closing, left)


def exit_reason(exit_: Exit, protection: PositionProtection, state: ProtectionState, market: Market) -> str:
    """Return the sentence that says which of the protection's limits was reached."""
    tick = market.price_increment or _NO_INCREMENT
    match exit_.cause:
        case ExitCause.STOP_LOSS:
            return f"The stop-loss of {protection.stop_loss_price} was reached."
        case ExitCause.TRAILING_STOP:
            return f"The trailing stop of {EXACT.multiply(tick, Decimal(abs(state.trailing_stop or 0)))} was reached."
        case ExitCause.TAKE_PROFIT:
            return f"The take-profit of {protection.take_profit_price} was reached."
        case ExitCause.TARGET:
            return f"The target {', '.join(str(index + 1) for index in exit_.targets)} was reached."
        case ExitCause.TIME:
            return f"maxHoldingBars is reached: {protection.rules.maximum_bars}"
        case ExitCause.PASSED:
            return (
                "The venue refused the orders of the protection, because the market had passed the price of one of "
                "them: the stop or the take-profit. Which one is not known."
            )


def _state(
    rules: ProtectionRules,
    entry: Decimal,
    prices: tuple[Decimal | None, Decimal | None, Decimal | None],
    targets_done: tuple[int, ...],
    exit_at: datetime | None,
    market: Market,
    direction: Direction,
) -> ProtectionState:
    """Return the state of a position that was entered at `entry`; `prices`: stop-loss, take-profit, high-water mark."""
    tick, (stop_loss, take_profit, high_water) = market.price_increment or _NO_INCREMENT, prices
    targets = []
    for index, target in enumerate(rules.targets):
        price = _profit_price(target.level, entry, direction, market.price_increment)
        if price is not None and index not in targets_done:
            targets.append(Target(index, _at_least(price, tick, direction)))
    return ProtectionState(
        stop_loss=None if stop_loss is None else _at_most(stop_loss, tick, direction),
        take_profit=None if take_profit is None else _at_least(take_profit, tick, direction),
        trail=_trail(rules.trailing_stop, tick),
        trail_rate=_trail_rate(rules.trailing_stop),
        high_water=_at_most(high_water or entry, tick, direction),
        targets=tuple(targets),
        exit_at=None if exit_at is None else to_milliseconds(exit_at),
    )


def _stop_price(level: ExitLevel | None, entry: Decimal, direction: Direction, step: Decimal) -> Decimal | None:
    """Return the price of a stop, rounded towards the entry but never up to it; None if it could never be reached."""
    if level is None or level.price is not None:
        return None if level is None else level.price
    signed = direction * entry
    target = EXACT.subtract(signed, level_distance(level, entry))
    price = round_up(target, step)
    if price >= signed:
        price = round_down(target, step)
    if price >= signed:
        price = EXACT.subtract(price, step)
    return direction * price if direction * price > 0 else None


def _profit_price(level: ExitLevel | None, entry: Decimal, direction: Direction, step: Decimal) -> Decimal | None:
    """Return the price of a target, rounded towards the entry but never down to it; None if it can't be reached."""
    if level is None or level.price is not None:
        return None if level is None else level.price
    signed = direction * entry
    target = EXACT.add(signed, level_distance(level, entry))
    price = round_down(target, step)
    if price <= signed:
        price = round_up(target, step)
    if price <= signed:
        price = EXACT.add(price, step)
    return direction * price if direction * price > 0 else None


def level_distance(level: ExitLevel, entry: Decimal) -> Decimal:
    """Return the distance of a level that is no price from the entry, in quote per base."""
    if level.percent is not None:
        return divide(EXACT.multiply(entry, level.percent), _HUNDRED)
    assert level.absolute is not None
    return level.absolute


def _trail(level: ExitLevel | None, tick: Decimal) -> int | None:
    if level is None or level.absolute is None:
        return None
    return max(int(EXACT.divide(level.absolute, tick).to_integral_value(ROUND_FLOOR)), 1)


def _trail_rate(level: ExitLevel | None) -> int | None:
    if level is None or level.percent is None:
        return None
    return int(EXACT.divide(EXACT.multiply(level.percent, Decimal(RATE)), _HUNDRED))


def _at_most(price: Decimal, tick: Decimal, direction: Direction) -> int:
    return int(EXACT.divide(direction * price, tick).to_integral_value(ROUND_FLOOR))


def _at_least(price: Decimal, tick: Decimal, direction: Direction) -> int:
    return int(EXACT.divide(direction * price, tick).to_integral_value(ROUND_CEILING))


def _exit_at(rules: ProtectionRules, opened_at: datetime) -> datetime | None:
    if rules.maximum_bars is None or rules.timeframe is None:
        return None
    return rules.timeframe.open_time(opened_at) + rules.maximum_bars * rules.timeframe.duration


def _net_quantity(fill: Fill, market: Market) -> Decimal:
    return EXACT.subtract(fill.quantity, fill.fee) if fill.fee_currency == market.base else fill.quantity


def _mean_price(fills: Sequence[Fill]) -> Decimal | None:
    if not fills:
        return None
    cost = sum((EXACT.multiply(fill.price, fill.quantity) for fill in fills), ZERO)
    return divide(cost, sum((fill.quantity for fill in fills), ZERO))


def _stops_only(state: ProtectionState) -> ProtectionState:
    return replace(state, take_profit=None, targets=(), exit_at=None)


def _with_high_water(state: ProtectionState, high_water: int) -> ProtectionState:
    return state if high_water == state.high_water else replace(state, high_water=high_water)
