"""The entry order of a trading session's signal: its price, its style, and the protection of what it brings."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, divide, plain
from domain.model.client_order_ids import client_order_id
from domain.model.definitions import ExitDistance, OrderStyle, StrategyDefinition
from domain.model.markets import Depth, Market, MarketSymbol, Timeframe
from domain.model.orders import Order, OrderRole, OrderType, TimeInForce
from domain.model.protection import ExitLevel, PartialTarget, ProtectionRules
from domain.model.trading import Signal, TradingSession
from domain.rules.direction import Direction
from domain.rules.grid import grid_of
from domain.rules.protected_position import level_distance
from domain.rules.session_plan import TradingSessionPlan
from domain.rules.sizing import SizingError

MAX_ENTRY_DELAY = timedelta(seconds=10)
"""How long after its signal, which for a candle's is its close, an entry may still be made."""

_BASIS_POINTS = Decimal(10_000)
_HUNDRED = Decimal(100)


class StopOutOfReach(SizingError):
    """The entry would have less protection than its strategy asks for."""


def entry_price(style: OrderStyle, depth: Depth | None, close: Decimal, market: Market) -> Decimal:
    """Return the limit price of an entry to buy, or the approximate price of a market order, in quote per base.

    This is the best ask for a market order, and for a limit order the best bid less the offset, rounded down to the
    market's price increment. Without a book the candle's close takes the place of the best price.
    """
    if style.type is OrderType.MARKET:
        return depth.asks[0].price if depth and depth.asks else close
    best = depth.bids[0].price if depth and depth.bids else close
    offset = divide(EXACT.multiply(best, style.offset_bps or Decimal(0)), _BASIS_POINTS)
    grid = grid_of(market, style.type)
    return grid.price(grid.ticks_down(best - offset))


def entry_order(
    plan: TradingSessionPlan,
    order_id: UUID,
    market: MarketSymbol,
    signal: Signal,
    quantity: Decimal,
    price: Decimal,
    now: datetime,
) -> Order:
    """Return the buy order of a signal.

    The same signal, or the same further entry into a position, gives the same client order id.
    """
    style = plan.definition.order
    limit = style.type is OrderType.LIMIT
    expires_at = now + timedelta(seconds=style.give_up_after_seconds) if style.give_up_after_seconds else None
    return Order(
        id=order_id,
        user_id=signal.user_id,
        account_id=plan.session.account_id,
        market=market,
        client_order_id=_client_order_id(plan.session, signal, market),
        side=Direction.LONG.entry_side,
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


def protection_rules(
    definition: StrategyDefinition, timeframe: Timeframe, atr: Decimal | None
) -> ProtectionRules | None:
    """Return what is to close the position of an entry; None if it is measured in an ATR that isn't known.

    `atr` is ATR(14) at the signal's candle, in quote per base.
    """
    if atr is None and any(distance.atr_multiple is not None for distance in definition.exit_distances):
        return None
    exits = (definition.stop_loss, definition.take_profit, definition.trailing_stop)
    stop_loss, take_profit, trailing_stop = (None if exit_ is None else _exit_level(exit_, atr) for exit_ in exits)
    bars = definition.max_holding_bars
    return ProtectionRules(
        stop_loss,
        take_profit,
        trailing_stop,
        tuple(
            PartialTarget(_exit_level(target.distance, atr), divide(target.share_percent, _HUNDRED))
            for target in definition.targets
        ),
        maximum_bars=bars,
        timeframe=None if bars is None else timeframe,
    )


def stop_distance(rules: ProtectionRules, price: Decimal) -> Decimal | None:
    """Return how far below an entry at `price` the nearer stop is, in quote per base; None if there is none."""
    stops = (rules.stop_loss, rules.trailing_stop)
    return min((level_distance(level, price) for level in stops if level is not None), default=None)


def check_stops(rules: ProtectionRules, price: Decimal) -> None:
    """Raise `StopOutOfReach` if a stop of an entry at `price` would be at zero or below it, where no trade ever is."""
    for name, level in (("stopLoss", rules.stop_loss), ("trailingStop", rules.trailing_stop)):
        distance = None if level is None or level.price is not None else level_distance(level, price)
        if distance is not None and distance >= price:
            raise StopOutOfReach(
                f"the distance of its {name}, {plain(distance)}, is not below the price of {plain(price)}: "
                "the stop would never be reached, and the position would be without it"
            )


def _exit_level(distance: ExitDistance, atr: Decimal | None) -> ExitLevel:
    if distance.atr_multiple is not None:
        assert atr is not None
        return ExitLevel(absolute=EXACT.multiply(distance.atr_multiple, atr))
    return ExitLevel(percent=distance.percent, absolute=distance.absolute)


def _entry_time_in_force(style: OrderStyle, expires_at: datetime | None) -> TimeInForce:
    return TimeInForce.GTD if expires_at is not None else style.time_in_force or TimeInForce.GTC


def _client_order_id(session: TradingSession, signal: Signal, market: MarketSymbol) -> str:
    if signal.add_number is not None:
        cause = str(signal.position_id)
        return client_order_id(session.account_id, "position", cause, OrderRole.ENTRY, signal.add_number)
    at = signal.candle_at.isoformat() if signal.candle_at else str(signal.id)
    cause = f"{session.id}:{at}:{signal.action.value}"
    # The first market isn't named, as it wasn't when sessions had no other: an upgrade makes no order twice.
    named = cause if market == session.market else f"{cause}:{market}"
    return client_order_id(session.account_id, "signal", named, OrderRole.ENTRY, 0)
