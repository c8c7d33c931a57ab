"""The input of the risk checks: the account, the market, and the orders and positions that exist already."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.markets import Depth, FeedState, Market, PriceLevel
from domain.model.order_side import OrderSide
from domain.model.orders import Order
from domain.model.trading import Balance, Position, RiskLimits
from domain.model.trading_state import TradingState
from domain.portfolio.reservations import free_balance, is_included, spent_currency

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class LossRecord:
    """The recent losses, for the limits that depend on them; None if unknown, and `unknown` says why.

    `daily_loss` in the account's currency since the reset hour (positive is a loss), `drawdown_percent` from the
    highest equity, `losing_streak` in round trips, the last of which ended at `last_loss_at`.
    """

    daily_loss: Decimal | None = None
    drawdown_percent: Decimal | None = None
    losing_streak: int = 0
    last_loss_at: datetime | None = None
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class LimitScope:
    """One set of limits, of the account or of the order's trading session, with what these limits count.

    `positions` are the open ones in the order's market, `active` the orders that may still fill (without the new
    one), `sent_last_minute` the number of orders submitted in the last minute.
    """

    name: str
    limits: RiskLimits
    positions: tuple[Position, ...] = ()
    active: tuple[Order, ...] = ()
    sent_last_minute: int = 0
    losses: LossRecord = LossRecord()


@dataclass(frozen=True, slots=True)
class RiskContext:
    """The whole input of the risk checks of one order.

    `state` is the strictest of engine, user, account and trading session. `position` is the open one that the order
    would change. `active` are the account's other orders that may still fill, `settling` those that have filled and
    ended so lately that the balances may not show it. `quote_rate` is the price of one unit of the market's quote in
    the account's `currency`, None if unknown. `held` is what positions of trading sessions hold, by currency. `refusal`
    says why the venue rejects all requests of the account; None while it answers. `age_seconds` is how long ago the
    order was placed.
    """

    now: datetime
    state: TradingState
    reconciled: bool
    market: Market | None
    depth: Depth | None
    feed: FeedState | None
    base: str
    quote: str
    balances: Mapping[str, Balance] = field(default_factory=dict)
    position: Position | None = None
    active: tuple[Order, ...] = ()
    settling: tuple[Order, ...] = ()
    quote_rate: Decimal | None = _ONE
    currency: str | None = None
    scopes: tuple[LimitScope, ...] = ()
    held: Mapping[str, Decimal] = field(default_factory=dict)
    refusal: str | None = None
    age_seconds: float = 0.0

    @property
    def has_fresh_book(self) -> bool:
        """Whether both sides of a book are known that can be trusted."""
        return self.feed is FeedState.LIVE and self.depth is not None and bool(self.depth.bids and self.depth.asks)

    def levels(self, side: OrderSide) -> tuple[PriceLevel, ...]:
        """Return the levels that an order of `side` would take, best first."""
        if self.depth is None:
            return ()
        return self.depth.asks if side is OrderSide.BUY else self.depth.bids

    def best_price(self, side: OrderSide) -> Decimal | None:
        """Return the best price that an order of `side` could take."""
        levels = self.levels(side)
        return levels[0].price if levels else None

    def visible_quantity(self, side: OrderSide) -> Decimal:
        """Return how much the levels that are known would give to an order of `side`, in base."""
        return sum((level.quantity for level in self.levels(side)), ZERO)

    def is_covered(self, order: Order) -> bool:
        """Return whether the levels that are known give as much as a market order asks for."""
        left = order.quantity
        for level in self.levels(order.side):
            left = EXACT.subtract(left, level.quantity)
            if left <= 0:
                return True
        return False

    def worst_price(self, order: Order) -> Decimal | None:
        """Return the price of the last level that the order would reach as a market order.

        An order beyond the known levels trades at that of the last one or at a worse one.
        """
        left = order.quantity
        price = None
        for level in self.levels(order.side):
            price, left = level.price, EXACT.subtract(left, level.quantity)
            if left <= 0:
                break
        return price

    def reference_price(self, order: Order) -> Decimal | None:
        """Return the price that the order is valued at: its limit, its stop price, or the best one in the book."""
        return order.price or order.stop_price or self.best_price(order.side)

    def needed(self, order: Order) -> Decimal | None:
        """Return the amount that the order needs: quote for a BUY, base for a SELL; None if no price is known."""
        return self._worth(order, order.outstanding_quantity)

    def locked(self, order: Order) -> Decimal | None:
        """Return the amount that the venue keeps for the order, or did until it ended, in the currency of `needed`."""
        return self._worth(order, EXACT.subtract(order.quantity, order.executed_quantity))

    def _worth(self, order: Order, quantity: Decimal) -> Decimal | None:
        if order.side is OrderSide.SELL:
            return quantity
        if order.type.trades_at_market:
            price, rate = (
                self.worst_price(order),
                EXACT.add(_ONE, (self.market.taker_fee if self.market else None) or ZERO),
            )
        else:
            price, rate = order.price or order.stop_price, _ONE
        if price is None:
            return None
        return EXACT.multiply(EXACT.multiply(quantity, price), rate)

    def free(self, currency: str) -> Decimal:
        """Return the free balance of a currency, less what other orders take that the balance doesn't show yet."""
        return free_balance(self.balances.get(currency), currency, (*self.active, *self.settling), self.needed)

    def held_by_others(self, order: Order) -> Decimal:
        """Return what an order of a trading session may not spend, since it is what positions are to sell.

        A hand may: the coins are its user's, and so is the decision.
        """
        is_of_session = order.trading_session_id is not None
        return self.held.get(self.quote, ZERO) if is_of_session and order.side is OrderSide.BUY else ZERO

    def closable(self, side: OrderSide) -> Decimal:
        """Return how much of the position an order of `side` can close, less what active orders already close.

        Held orders close nothing until they are triggered, and are checked again then.
        """
        if self.position is None or self.position.quantity * side.sign >= 0:
            return ZERO
        working = (
            order.outstanding_quantity
            for order in self.active
            if order.side is side
            and not order.is_held
            and order.market == self.position.market
            and order.trading_session_id == self.position.trading_session_id
        )
        return max(EXACT.subtract(abs(self.position.quantity), sum(working, ZERO)), ZERO)

    def sells_position(self, order: Order) -> bool:
        """Return whether the order can only sell what fills have bought for the position and nothing else sells yet."""
        return order.reduce_only and order.side is OrderSide.SELL and order.quantity <= self.closable(order.side)


def without_replaced(context: RiskContext, replaced: Order) -> RiskContext:
    """Return the context of an order that takes the place of another: what that one holds is free for the new one.

    What a balance doesn't show yet as locked for the other needs no release: it is only not reserved any more.
    """
    currency = spent_currency(replaced)
    freed, balance = context.locked(replaced), context.balances.get(currency)
    balances = dict(context.balances)
    if balance is not None and balance.free is not None and freed is not None and is_included(replaced, balance):
        balances[currency] = replace(balance, free=min(EXACT.add(balance.free, freed), balance.total))
    return replace(
        context,
        balances=balances,
        active=_without(context.active, replaced),
        scopes=tuple(replace(scope, active=_without(scope.active, replaced)) for scope in context.scopes),
    )


def _without(orders: tuple[Order, ...], order: Order) -> tuple[Order, ...]:
    return tuple(other for other in orders if other.id != order.id)
