"""The matching engine: orders of users and external liquidity match in price-time priority, and balances follow.

Nothing here waits or sends. Executions are passed to `on_execution`, and everything is durable once the store commits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from infra.sandbox.fixed_point import SCALE, notional
from infra.sandbox.matching.book import Match
from infra.sandbox.matching.filters import required_lock
from infra.sandbox.matching.ledger import FEES_UID, LIQUIDITY_UID, Ledger, fee_of
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.open_lists import OpenLists
from infra.sandbox.orders import NO_LIST, Fill, Order, PlacedOrder, PreventedMatch, SelfTrade, Side, Status
from infra.sandbox.state.store import Store
from infra.sandbox.trades import PublicTrade

ENDS_MAKER = frozenset({SelfTrade.EXPIRE_MAKER, SelfTrade.EXPIRE_BOTH})
ENDS_TAKER = frozenset({SelfTrade.EXPIRE_TAKER, SelfTrade.EXPIRE_BOTH})


@dataclass(frozen=True, slots=True)
class Execution:
    """One step of an order as its owner sees it: Binance's execution type, and what belongs to it.

    That is a trade's fill, why an order was rejected, a prevented match, or the client id before an amendment.
    """

    order: Order
    kind: str
    fill: Fill | None = None
    reason: str = "NONE"
    prevented: PreventedMatch | None = None
    old_client_id: str = ""


@dataclass
class Matcher:
    """Executes orders against books, keeping ledger, store and candles in step."""

    ledger: Ledger
    store: Store
    lists: OpenLists
    now_ms: Callable[[], int]
    on_execution: Callable[[Execution], None]
    with_stops: dict[str, SimulatedMarket] = field(default_factory=dict)
    """The markets with waiting orders."""

    def execute(self, market: SimulatedMarket, order: Order) -> PlacedOrder:
        """Match a user's new or triggered order, then rest or expire what is left; return what happened to it.

        All of it happens at one time, as in Binance's engine: the answer's `transactTime` is the `T` of each report.
        """
        at_ms = self.now_ms()
        fills: list[Fill] = []
        prevented: list[PreventedMatch] = []
        is_unfillable = order.time_in_force == "FOK" and not self._can_fill(market, order)
        while not is_unfillable and order.is_open and (match := self._next(market, order)):
            if match.maker and is_self_trade(order, match.maker):
                prevented.append(self._prevent_self_trade(market, order, match.maker, match.price, at_ms))
            else:
                fills.append(self._trade(market, order, match, at_ms))
        market.flush_aggregate()
        if order.is_open:
            self._rest_or_expire(market, order, at_ms)
        return PlacedOrder(order.copy(), fills, prevented)

    def take_liquidity(self, market: SimulatedMarket, side: Side, quantity: int, limit: int) -> None:
        """Let an anonymous taker trade up to `quantity` of base within `limit`."""
        at_ms = self.now_ms()
        while quantity > 0 and (match := market.book.next_match(side, limit, quantity)):
            quantity -= match.quantity
            market.book.apply_match(side, match)
            trade = self._publish(market, side, match, at_ms)
            if match.maker:
                self._fill(market, match.maker, trade, maker=True)
                self._book_liquidity(market, side, trade)
        market.flush_aggregate()

    def fill_resting(self, market: SimulatedMarket, order: Order, quantity: int) -> None:
        """Fill a resting order at its own price, because an external trade or book has passed it."""
        market.book.fill_resting(order, quantity)
        trade = self._publish(market, order.side.other, Match(order.price, quantity, order), self.now_ms())
        self._fill(market, order, trade, maker=True)
        self._book_liquidity(market, order.side.other, trade)
        market.flush_aggregate()

    def close(
        self,
        market: SimulatedMarket,
        order: Order,
        status: Status,
        kind: str,
        *,
        reason: str = "NONE",
        prevented: PreventedMatch | None = None,
        at_ms: int | None = None,
    ) -> None:
        """End an open order in `status`, release what it locked, and publish it as `kind`; its list follows it.

        It ends at `at_ms` if it is part of a step of the engine that has a time, else now.
        """
        if order.waiting:
            market.stops.remove(order)
        elif not order.is_pending:
            market.book.remove(order)
        self.relock(market, order, 0)
        order.status, order.updated_ms = status, self.now_ms() if at_ms is None else at_ms
        self.store.save_order(order)
        self.on_execution(Execution(order, kind, reason=reason, prevented=prevented))
        if order.list_id != NO_LIST:
            self._end_others(market, order)

    def wait(self, market: SimulatedMarket, order: Order) -> None:
        """Let an order wait for its trigger."""
        market.stops.add(order, market.last_price)
        self.with_stops[order.symbol] = market

    def trigger_stops(self, market: SimulatedMarket) -> None:
        """Trigger waiting stops that a trade has reached, oldest first, until there are none."""
        while order := market.stops.next_due(market.last_price, self.now_ms):
            market.stops.remove(order)
            if order.list_id != NO_LIST:
                self._end_rivals(market, order)
            self.start_working(market, order)
            self.execute(market, order)
        for order in market.stops.drain_moved():
            self.store.save_order(order)

    def start_working(self, market: SimulatedMarket, order: Order) -> None:
        """Publish that an order is about to enter the book, its trigger or its working order having come."""
        order.working_ms = order.updated_ms = self.now_ms()
        self.reserve_funds(market, order)
        self.store.save_order(order)
        self.on_execution(Execution(order, "NEW"))

    def relock(self, market: SimulatedMarket, order: Order, amount: int) -> None:
        """Lock `amount` for an order instead of what it has locked."""
        asset = market.spec.quote if order.side is Side.BUY else market.spec.base
        if amount != order.locked:
            self.ledger.lock(order.uid, asset, amount - order.locked)
            order.locked = amount

    def reserve_funds(self, market: SimulatedMarket, order: Order) -> None:
        """Lock the cost of an order without a limit price by the present book, as far as the account has it."""
        if order.has_price:
            return
        asset, needed = self.cost_at_market(market, order)
        free = self.ledger.balance(order.uid, asset).free
        self.relock(market, order, min(needed, free + order.locked))

    def cost_at_market(self, market: SimulatedMarket, order: Order) -> tuple[str, int]:
        """Return the asset and the amount that a market order would pay by the present book."""
        spec, left, cost = market.spec, order.remaining, 0
        if order.side is Side.BUY and order.quote_quantity:
            return spec.quote, order.quote_quantity
        if order.side is Side.SELL and not order.quote_quantity:
            return spec.base, left
        quote_left = order.quote_quantity
        for price, level in market.book.side(order.side.other):
            if order.quote_quantity:
                taken = min(level.depth, quote_left * SCALE // price)
                quote_left -= notional(price, taken)
                cost += taken
                if taken < level.depth:
                    break
            else:
                taken = min(level.depth, left)
                left, cost = left - taken, cost + notional(price, taken)
                if left == 0:
                    break
        return (spec.quote if order.side is Side.BUY else spec.base), cost

    def _next(self, market: SimulatedMarket, order: Order) -> Match | None:
        """Return the next match that `order` can pay for, clipped to it."""
        limit = order.price if order.has_price else None
        needed = order.remaining if not order.quote_quantity else SCALE**2
        match = market.book.next_match(order.side, limit, needed)
        if match is None:
            return None
        quantity = match.quantity
        if order.quote_quantity:
            left = (order.quote_quantity - order.quote_executed) * SCALE // match.price
            quantity = min(quantity, left)
        quantity = min(quantity, _affordable(order, match.price, quantity))
        if quantity < match.quantity:
            quantity -= quantity % market.spec.step
        return Match(match.price, quantity, match.maker) if quantity > 0 else None

    def _can_fill(self, market: SimulatedMarket, order: Order) -> bool:
        limit = order.price if order.has_price else None
        return market.book.available(order.side, limit, order.remaining, order.uid) >= order.remaining

    def _prevent_self_trade(
        self, market: SimulatedMarket, taker: Order, maker: Order, price: int, at_ms: int
    ) -> PreventedMatch:
        """Expire what would trade with its own account, by the taker's mode, and return a record of it."""
        mode = taker.self_trade
        ended = [order for order, modes in ((maker, ENDS_MAKER), (taker, ENDS_TAKER)) if mode in modes]
        quantities = {order.id: max(0, order.remaining) for order in ended}
        number = self.store.history.last_prevented_match(taker.symbol) + 1
        match = PreventedMatch(number, taker.uid, taker.symbol, taker.id, maker.id, mode, price,
                               quantities.get(taker.id, 0), quantities.get(maker.id, 0), at_ms)  # fmt: skip
        self.store.history.add_prevented_match(match)
        for order in ended:
            order.prevented, order.prevented_match = max(0, order.remaining), number
            self.close(market, order, Status.EXPIRED_IN_MATCH, "TRADE_PREVENTION", prevented=match, at_ms=at_ms)
        return match

    def _trade(self, market: SimulatedMarket, order: Order, match: Match, at_ms: int) -> Fill:
        market.book.apply_match(order.side, match)
        trade = self._publish(market, order.side, match, at_ms)
        fill = self._fill(market, order, trade, maker=False)
        if match.maker:
            self._fill(market, match.maker, trade, maker=True)
        else:
            self._book_liquidity(market, order.side.other, trade)
        return fill

    def _publish(self, market: SimulatedMarket, taker: Side, match: Match, at_ms: int) -> PublicTrade:
        return market.fill(match.price, match.quantity, at_ms, buyer_is_maker=taker is Side.SELL)

    def _fill(self, market: SimulatedMarket, order: Order, trade: PublicTrade, *, maker: bool) -> Fill:
        """Book one side of a trade: what the order pays, what it receives less the fee, and its new state."""
        spec, quote = market.spec, notional(trade.price, trade.quantity)
        if order.list_id != NO_LIST:
            self._end_rivals(market, order)
        buys = order.side is Side.BUY
        given, got = ((spec.quote, quote), (spec.base, trade.quantity))
        if not buys:
            given, got = got, given
        fee = fee_of(got[1], spec.maker_fee if maker else spec.taker_fee)
        self.ledger.spend_locked(order.uid, *given)
        self.ledger.credit(order.uid, got[0], got[1] - fee)
        self.ledger.credit(FEES_UID, got[0], fee)
        order.locked -= given[1]
        order.executed += trade.quantity
        order.quote_executed += quote
        order.updated_ms = trade.time_ms
        order.status = Status.FILLED if self._is_filled(market, order) else Status.PARTIALLY_FILLED
        self._release_excess(market, order)
        fill = Fill(trade.id, order.id, order.uid, order.symbol, order.side, trade.price, trade.quantity, quote, fee,
                    got[0], maker, trade.time_ms, order.list_id)  # fmt: skip
        self.store.add_fill(fill)
        self.store.save_order(order)
        self.on_execution(Execution(order, "TRADE", fill))
        if order.list_id != NO_LIST and not order.is_open:
            self.lists.settle(order)
        return fill

    def _book_liquidity(self, market: SimulatedMarket, liquidity: Side, trade: PublicTrade) -> None:
        """Book the external side of a trade with a user; it pays no fee."""
        quote = notional(trade.price, trade.quantity)
        sign = 1 if liquidity is Side.BUY else -1
        self.ledger.credit(LIQUIDITY_UID, market.spec.base, sign * trade.quantity)
        self.ledger.credit(LIQUIDITY_UID, market.spec.quote, -sign * quote)

    def _rest_or_expire(self, market: SimulatedMarket, order: Order, at_ms: int) -> None:
        """Rest what is left of a GTC order; expire everything else."""
        if order.has_price and order.time_in_force == "GTC":
            market.book.add(order)
        else:
            self.close(market, order, Status.EXPIRED, "EXPIRED", at_ms=at_ms)

    def _is_filled(self, market: SimulatedMarket, order: Order) -> bool:
        """Return whether nothing is left to trade; an order by quote is filled when no further step can be paid."""
        if not order.quote_quantity:
            return order.remaining == 0
        order.quantity = order.executed
        more = market.book.next_match(order.side, None, SCALE**2)
        return more is not None and self._next(market, order) is None

    def _release_excess(self, market: SimulatedMarket, order: Order) -> None:
        if not order.is_open:
            self.relock(market, order, 0)
        elif order.has_price:
            self.relock(market, order, required_lock(market, order)[1])

    def _end_rivals(self, market: SimulatedMarket, order: Order) -> None:
        """Expire the other order of the pair of which `order` trades or triggers, and lock what it needs itself."""
        for rival in self.lists.rivals(order):
            self.close(market, rival, Status.EXPIRED, "EXPIRED")
            if order.has_price:
                self.relock(market, order, required_lock(market, order)[1])

    def _end_others(self, market: SimulatedMarket, order: Order) -> None:
        """End the orders of a list that end with `order`: as it did if a user cancelled it, else they expire."""
        is_cancelled = order.status is Status.CANCELED
        for other in self.lists.ended_with(order):
            if other.is_open:
                other.cancel_id = order.cancel_id
                self.close(market, other, order.status if is_cancelled else Status.EXPIRED,
                           "CANCELED" if is_cancelled else "EXPIRED")  # fmt: skip
        self.lists.settle(order)


def _affordable(order: Order, price: int, quantity: int) -> int:
    """Return how much of `quantity` the order's locked funds pay for at `price`."""
    if order.side is Side.SELL:
        return order.locked
    return quantity if notional(price, quantity) <= order.locked else order.locked * SCALE // price


def is_self_trade(taker: Order, maker: Order) -> bool:
    """Return whether the taker's mode forbids it to trade with this maker."""
    return maker.uid == taker.uid and taker.self_trade is not SelfTrade.NONE
