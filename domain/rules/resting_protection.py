"""What of a protection is to rest at the venue, and what is to be done about the orders that rest there for it.

A protection rests as a stop order, a take-profit order, or both as a group of which one ends the other. Both trade at
the market once they are triggered, as the engine's own exits do. Prices are on the market's grid, quantities in base.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from domain.core.errors import ErrorCode, InputError
from domain.core.money import EXACT, ZERO
from domain.model.markets import Market
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType, RejectCode
from domain.model.protection import ProtectAt
from domain.model.venue_abilities import VenueAbilities
from domain.rules.grid import grid_of
from domain.rules.protection import ExitCause, ProtectionState

TRAIL_STEPS = 20
"""A stop that rests follows by steps of at least this part of the trailing distance, and of two ticks."""

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_OWN_CANCELS = frozenset(
    {CancelCode.PROTECTION, CancelCode.EXIT, CancelCode.AMENDED, CancelCode.TOO_OLD, CancelCode.NOT_SENT}
)
_STOP_CAUSES = frozenset({ExitCause.STOP_LOSS, ExitCause.TRAILING_STOP})


class RestingStep(StrEnum):
    """What is to be done about the orders of a protection at the venue.

    REPLACE amends the one order that rests. CANCEL ends what rests; what is to rest instead is placed afterwards. QUERY
    asks for an order of a group whose other order has ended.
    """

    KEEP = "KEEP"
    PLACE = "PLACE"
    REPLACE = "REPLACE"
    CANCEL = "CANCEL"
    QUERY = "QUERY"


@dataclass(frozen=True, slots=True)
class RestingPauses:
    """How soon after the last order one that rests is replaced: because more is to be protected, or to follow a price.

    One that protects more than there is any more is replaced at once.
    """

    change: timedelta
    trail: timedelta


class RestingEnd(StrEnum):
    """Why nothing rests any more although something did.

    NOTHING: nothing has ended, or the engine itself ended it, or it has filled. PASSED: the venue refused it because
    the market has passed its price. REFUSED: for another reason. DISMISSED: it was cancelled by hand, at the venue or
    with `orderCancel`.
    """

    NOTHING = "NOTHING"
    PASSED = "PASSED"
    REFUSED = "REFUSED"
    DISMISSED = "DISMISSED"


@dataclass(frozen=True, slots=True)
class RestingPlan:
    """What is to rest: `quantity` of a stop (`role` says which one) or of a take-profit, or of both."""

    quantity: Decimal = ZERO
    stop_price: Decimal | None = None
    profit_price: Decimal | None = None
    role: OrderRole = OrderRole.STOP_LOSS
    step: Decimal = ZERO
    """By how much the stop must have moved to be replaced; zero if any move counts."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to rest."""
        return self.quantity == ZERO or (self.stop_price is None and self.profit_price is None)

    @property
    def is_pair(self) -> bool:
        """Whether both a stop and a take-profit are to rest."""
        return self.stop_price is not None and self.profit_price is not None


def missing_ability(abilities: VenueAbilities | None, *, stop: bool, profit: bool) -> str | None:
    """Return which orders a venue lacks to keep a stop, a take-profit, or both as a group; None if it lacks none."""
    types = () if abilities is None else abilities.order_types
    if stop and OrderType.STOP not in types:
        return "stop orders"
    if profit and OrderType.TAKE_PROFIT not in types:
        return "take-profit orders"
    if stop and profit and not (abilities is not None and abilities.order_lists):
        return "orders of which one ends the other"
    return None


def venue_errors(
    place: ProtectAt,
    venue: str,
    abilities: VenueAbilities | None,
    path: tuple[str, ...],
    *,
    stop: bool,
    profit: bool,
) -> Iterator[InputError]:
    """Yield the error of a protection that is to rest at a venue, and can't."""
    if place is not ProtectAt.VENUE:
        return
    if not (stop or profit):
        message = "Nothing can rest at the venue: give a stop-loss, a trailing stop or a take-profit, or use ENGINE."
        yield InputError(ErrorCode.INVALID, message, path)
    missing = missing_ability(abilities, stop=stop, profit=profit)
    if missing is not None:
        message = f"The engine can't place {missing} at {venue}; use BEST or ENGINE."
        yield InputError(ErrorCode.UNSUPPORTED, message, path)


def plan_resting(
    state: ProtectionState,
    quantity: Decimal,
    market: Market,
    abilities: VenueAbilities | None,
) -> RestingPlan:
    """Return what is to rest of a long position's protection; where the venue can't keep both, the stop alone."""
    if abilities is None:
        return RestingPlan()
    stop, role = _stop(state, market)
    # In whole ticks as they are now, as the stop is: the row's price may be of a finer tick.
    profit = None if state.take_profit is None else EXACT.multiply(market.price_increment, state.take_profit)
    stop = stop if OrderType.STOP in abilities.order_types else None
    profit = profit if OrderType.TAKE_PROFIT in abilities.order_types else None
    if stop is not None and profit is not None and not abilities.order_lists:
        profit = None
    lowest = stop or profit
    if lowest is None:
        return RestingPlan()
    size = grid_of(market, OrderType.STOP).largest_order(quantity)
    size = grid_of(market, OrderType.MARKET).largest_order(size)
    if grid_of(market, OrderType.STOP).is_too_small(size, lowest):
        return RestingPlan()
    return RestingPlan(size, stop, profit, role, _step(state, market) if role is OrderRole.TRAILING_STOP else ZERO)


def resting_step(
    plan: RestingPlan, active: Sequence[Order], latest: Sequence[Order], age: timedelta, pauses: RestingPauses
) -> RestingStep:
    """Return the next step; `active` are the orders under way for it, `age` is the time since the last was made.

    `latest` are the newest orders of the protection, those that have ended included.
    """
    if not active:
        return RestingStep.KEEP if plan.is_empty else RestingStep.PLACE
    if any(order.status not in _RESTING or order.cancel_requested_at is not None for order in active):
        return RestingStep.KEEP
    if _has_lost_one(active, latest):
        return RestingStep.QUERY
    if any(order.triggered_at is not None or order.executed_quantity for order in active):
        return RestingStep.KEEP
    if plan.is_empty:
        return RestingStep.CANCEL
    return _change(plan, active, age, pauses)


def resting_end(latest: Sequence[Order]) -> RestingEnd:
    """Return why the newest orders of a protection have ended, if they have."""
    newest = _newest(latest)
    if not newest or any(not order.status.is_final or order.executed_quantity for order in newest):
        return RestingEnd.NOTHING
    if any(order.reject_code is RejectCode.STOP_PRICE for order in newest):
        return RestingEnd.PASSED
    if any(order.status is not OrderStatus.CANCELED for order in newest):
        return RestingEnd.REFUSED
    return RestingEnd.NOTHING if any(order.cancel_code in _OWN_CANCELS for order in newest) else RestingEnd.DISMISSED


def passed_cause(plan: RestingPlan, prices: Sequence[Decimal]) -> ExitCause:
    """Return which of the planned prices the market has passed, as the venue says of one of them.

    `prices` are those that the market had when the venue said so, as far as they are known. If they show neither of
    two planned prices passed, or both, it isn't known which one was.
    """
    stop = ExitCause.TRAILING_STOP if plan.role is OrderRole.TRAILING_STOP else ExitCause.STOP_LOSS
    if plan.profit_price is None or plan.stop_price is None:
        return stop if plan.profit_price is None else ExitCause.TAKE_PROFIT
    passed = {stop for price in prices if price <= plan.stop_price}
    passed |= {ExitCause.TAKE_PROFIT for price in prices if price >= plan.profit_price}
    return passed.pop() if len(passed) == 1 else ExitCause.PASSED


def acts_by_itself(order: Order, cause: ExitCause, price: Decimal | None) -> bool:
    """Return whether an order that rests does what the engine would do for `cause`, which the market has reached.

    `price` is that of the engine's stop now: one that rests may be behind it.
    """
    if order.status not in _RESTING or order.cancel_requested_at is not None:
        return False
    if cause is ExitCause.TAKE_PROFIT:
        return order.type is OrderType.TAKE_PROFIT
    is_stop = order.type is OrderType.STOP and cause in _STOP_CAUSES
    return is_stop and order.stop_price is not None and (price is None or order.stop_price >= price)


def _stop(state: ProtectionState, market: Market) -> tuple[Decimal | None, OrderRole]:
    """Return the price of the nearer of both stops, and the role of its order."""
    ticks, role = state.stop_loss, OrderRole.STOP_LOSS
    if state.trailing_stop is not None and (ticks is None or state.trailing_stop > ticks):
        ticks, role = state.trailing_stop, OrderRole.TRAILING_STOP
    return (None, role) if ticks is None or ticks <= 0 else (EXACT.multiply(market.price_increment, ticks), role)


def _step(state: ProtectionState, market: Market) -> Decimal:
    assert state.trailing_stop is not None
    ticks = max((state.high_water - state.trailing_stop) // TRAIL_STEPS, 2)
    return EXACT.multiply(market.price_increment, ticks)


def _has_lost_one(active: Sequence[Order], latest: Sequence[Order]) -> bool:
    groups = {order.group_id for order in active if order.group_id is not None}
    return any(order.group_id in groups and order.status.is_final for order in latest)


def _newest(latest: Sequence[Order]) -> list[Order]:
    """Return the newest order, with the other one of its group."""
    if not latest:
        return []
    newest, group_id = latest[-1], latest[-1].group_id
    return [order for order in latest if order is newest or (group_id is not None and order.group_id == group_id)]


def _change(plan: RestingPlan, active: Sequence[Order], age: timedelta, pauses: RestingPauses) -> RestingStep:
    stop = next((order for order in active if order.type is OrderType.STOP), None)
    profit = next((order for order in active if order.type is OrderType.TAKE_PROFIT), None)
    change = RestingStep.CANCEL if len(active) > 1 or plan.is_pair else RestingStep.REPLACE
    if (stop is None) != (plan.stop_price is None) or (profit is None) != (plan.profit_price is None):
        return RestingStep.CANCEL
    if any(order.quantity > plan.quantity for order in active):
        return change
    is_other = any(order.quantity != plan.quantity for order in active) or (
        profit is not None and profit.stop_price != plan.profit_price
    )
    if is_other:
        return change if age >= pauses.change else RestingStep.KEEP
    if stop is None or stop.stop_price is None or plan.stop_price is None or stop.stop_price == plan.stop_price:
        return RestingStep.KEEP
    pause = pauses.trail if plan.step else pauses.change
    has_moved = abs(plan.stop_price - stop.stop_price) >= plan.step
    return change if has_moved and age >= pause else RestingStep.KEEP
