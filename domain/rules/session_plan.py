"""The plan of a running trading session, and the entry and exit orders that follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, divide, round_down, round_up
from domain.model.client_order_ids import client_order_id
from domain.model.definitions import OrderStyle, Sizing, StrategyDefinition
from domain.model.markets import Depth, Market
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderType, TimeInForce
from domain.model.trading import Position, Signal, TradingSession
from domain.rules.sizing import exit_distance
from domain.strategies.compiled import CompiledStrategy, compile_definition

_BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class TradingSessionPlan:
    """A trading session with everything that doesn't change while it runs.

    The definition has the session's own sizing if there is one; `currency` is the account's.
    """

    session: TradingSession
    definition: StrategyDefinition
    compiled: CompiledStrategy
    market: Market
    currency: str

    @property
    def sizing(self) -> Sizing:
        """How entries are sized."""
        return self.definition.sizing

    @property
    def candles_needed(self) -> int:
        """How many closed candles a decision needs."""
        return self.compiled.warm_up + 1


def session_plan(
    session: TradingSession, definition: StrategyDefinition, market: Market, currency: str
) -> TradingSessionPlan:
    """Return the plan of a trading session of a strategy version; raises `InputErrors` if the rules can't be parsed."""
    effective = replace(definition, sizing=session.sizing) if session.sizing else definition
    values: Mapping[str, Decimal] = {parameter.name: parameter.value for parameter in session.parameters}
    return TradingSessionPlan(session, effective, compile_definition(effective, values), market, currency)


def entry_price(style: OrderStyle, depth: Depth | None, close: Decimal, market: Market) -> Decimal:
    """Return the limit price of an entry to buy, or the approximate price of a market order, in quote per base.

    This is the best ask for a market order, and for a limit order the best bid less the offset, rounded down to the
    market's price increment. Without a book the candle's close takes the place of the best price.
    """
    if style.type is OrderType.MARKET:
        return depth.asks[0].price if depth and depth.asks else close
    best = depth.bids[0].price if depth and depth.bids else close
    offset = divide(EXACT.multiply(best, style.offset_bps or Decimal(0)), _BASIS_POINTS)
    return round_down(best - offset, market.price_increment)


def entry_order(
    plan: TradingSessionPlan, order_id: UUID, signal: Signal, quantity: Decimal, price: Decimal, now: datetime
) -> Order:
    """Return the buy order of a signal; the same signal gives the same client order id."""
    style = plan.definition.order
    limit = style.type is OrderType.LIMIT
    expires_at = now + timedelta(seconds=style.give_up_after_seconds) if style.give_up_after_seconds else None
    return Order(
        id=order_id,
        user_id=signal.user_id,
        account_id=plan.session.account_id,
        market=plan.session.market,
        client_order_id=client_order_id(plan.session.account_id, "signal", _signal_cause(signal), OrderRole.ENTRY, 0),
        side=OrderSide.BUY,
        type=style.type,
        role=OrderRole.ENTRY,
        quantity=quantity,
        created_at=now,
        updated_at=now,
        price=price if limit else None,
        time_in_force=_entry_time_in_force(style, expires_at) if limit else None,
        expires_at=expires_at if limit else None,
        post_only=style.post_only and limit,
        trading_session_id=plan.session.id,
        signal_id=signal.id,
    )


def exit_order(
    plan: TradingSessionPlan,
    order_id: UUID,
    position: Position,
    role: OrderRole,
    ordinal: int,
    now: datetime,
    signal_id: UUID | None = None,
    entry_id: UUID | None = None,
) -> Order | None:
    """Return the market order that closes the position; None if less than one quantity increment is left.

    `ordinal` is the number of orders that tried to close this position before. A quantity above the market's maximum
    is left to the next order.
    """
    most = plan.market.maximum_order_quantity(at_market=True)
    target = position.quantity if most is None else min(position.quantity, most)
    quantity = round_down(target, plan.market.quantity_increment)
    if quantity <= 0:
        return None
    cause = client_order_id(position.account_id, "position", str(position.id), role, ordinal)
    return Order(
        id=order_id,
        user_id=position.user_id,
        account_id=position.account_id,
        market=position.market,
        client_order_id=cause,
        side=OrderSide.SELL,
        type=OrderType.MARKET,
        role=role,
        quantity=quantity,
        created_at=now,
        updated_at=now,
        reduce_only=True,
        trading_session_id=plan.session.id,
        signal_id=signal_id,
        parent_id=entry_id,
    )


def protection(plan: TradingSessionPlan, entry: Decimal, atr: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    """Return the stop-loss and take-profit prices of a long position entered at `entry`, both None if undefined.

    Each is a multiple of the price increment, rounded towards the entry, so that rounding never increases the risk or
    the target, but never up to the entry itself. A stop-loss at 0 or below could never be reached, and is None.
    """
    stop, profit = plan.definition.stop_loss, plan.definition.take_profit
    stop_distance = exit_distance(stop, entry, atr) if stop else None
    profit_distance = exit_distance(profit, entry, atr) if profit else None
    step = plan.market.price_increment
    return (
        _stop_price(entry, stop_distance, step) if stop_distance is not None else None,
        _profit_price(entry, profit_distance, step) if profit_distance is not None else None,
    )


def _stop_price(entry: Decimal, distance_: Decimal, step: Decimal) -> Decimal | None:
    price = round_up(entry - distance_, step)
    if price >= entry:
        price = round_down(entry - distance_, step)
    if price >= entry:
        price -= step
    return price if price > 0 else None


def _profit_price(entry: Decimal, distance_: Decimal, step: Decimal) -> Decimal:
    price = round_down(entry + distance_, step)
    if price <= entry:
        price = round_up(entry + distance_, step)
    return price if price > entry else price + step


def exit_triggered_by(position: Position, price: Decimal) -> OrderRole | None:
    """Return the role of the exit that a price triggers for a long position; the stop-loss if it triggers both."""
    if position.stop_loss_price is not None and price <= position.stop_loss_price:
        return OrderRole.STOP_LOSS
    if position.take_profit_price is not None and price >= position.take_profit_price:
        return OrderRole.TAKE_PROFIT
    return None


def _entry_time_in_force(style: OrderStyle, expires_at: datetime | None) -> TimeInForce:
    return TimeInForce.GTD if expires_at is not None else style.time_in_force or TimeInForce.GTC


def _signal_cause(signal: Signal) -> str:
    at = signal.candle_at.isoformat() if signal.candle_at else str(signal.id)
    return f"{signal.trading_session_id}:{at}:{signal.action.value}"
