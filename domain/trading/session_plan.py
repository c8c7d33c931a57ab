"""What a running trading session works by, and the orders it makes; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.markets.types import Depth, Market
from domain.money import EXACT, divide, round_down, round_up
from domain.orders.client_ids import client_order_id
from domain.orders.side import OrderSide
from domain.orders.types import Order, OrderRole, OrderType, TimeInForce
from domain.strategies.compiled import CompiledStrategy
from domain.strategies.definition import OrderStyle, Sizing, StrategyDefinition
from domain.trading.money_manager import distance
from domain.trading.types import Position, Signal, TradingSession

_BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A session with all that doesn't change while it runs."""

    session: TradingSession
    definition: StrategyDefinition
    compiled: CompiledStrategy
    market: Market

    @property
    def sizing(self) -> Sizing:
        """The session's own sizing, or the strategy's."""
        return self.session.sizing or self.definition.sizing

    @property
    def candles_needed(self) -> int:
        """How many closed candles a decision looks at."""
        return self.compiled.warm_up + 1


def entry_price(style: OrderStyle, depth: Depth | None, close: Decimal, market: Market) -> Decimal:
    """Return the limit price of an entry to buy, or what a market order will about pay.

    The best ask for a market order; the best bid less the offset for a limit order, on the market's grid; the
    candle's close where there is no book.
    """
    if style.type is OrderType.MARKET:
        return depth.asks[0].price if depth and depth.asks else close
    best = depth.bids[0].price if depth and depth.bids else close
    offset = divide(EXACT.multiply(best, style.offset_bps or Decimal(0)), _BASIS_POINTS)
    return round_down(best - offset, market.price_increment)


def entry_order(
    plan: SessionPlan, order_id: UUID, signal: Signal, quantity: Decimal, price: Decimal, now: datetime
) -> Order:
    """Return the order to buy that a signal causes; the same signal makes the same client order id."""
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
    plan: SessionPlan,
    order_id: UUID,
    position: Position,
    role: OrderRole,
    ordinal: int,
    now: datetime,
    signal_id: UUID | None = None,
) -> Order | None:
    """Return the market order that closes the position, None where less than a lot is left.

    `ordinal` counts the orders that tried to close this position before.
    """
    quantity = round_down(position.quantity, plan.market.quantity_increment)
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
    )


def protection(plan: SessionPlan, entry: Decimal, atr: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    """Return the prices of stop-loss and take-profit of a long position entered at `entry`, on the market's grid.

    Each is rounded towards the entry, so that rounding never adds to the risk nor asks for more than was meant.
    """
    stop, profit = plan.definition.stop_loss, plan.definition.take_profit
    stop_distance = distance(stop, entry, atr) if stop else None
    profit_distance = distance(profit, entry, atr) if profit else None
    step = plan.market.price_increment
    return (
        round_up(entry - stop_distance, step) if stop_distance is not None else None,
        round_down(entry + profit_distance, step) if profit_distance is not None else None,
    )


def triggered(position: Position, price: Decimal) -> OrderRole | None:
    """Return which protection of a long position a price reaches; the stop-loss where it reaches both."""
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
