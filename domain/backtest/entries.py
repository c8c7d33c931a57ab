"""The entry order of a signal: priced, sized and checked by what live trading prices, sizes and checks with."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.backtest.ledger import Ledger
from domain.backtest.plan import BacktestPlan
from domain.core.money import EXACT, MAX_AMOUNT, ZERO
from domain.indicators.candle_arrays import Floats
from domain.model.markets import Depth, FeedState, PriceLevel
from domain.model.orders import Order, OrderRole, OrderType, RiskDenial
from domain.model.protection import ProtectionRules
from domain.model.trading import Balance
from domain.model.trading_state import TradingState
from domain.risk.checks import check_order
from domain.risk.context import RiskContext
from domain.rules.direction import Direction
from domain.rules.entry import entry_price, protection_rules, stop_distance
from domain.rules.grid import grid_of
from domain.rules.sizing import SizingContext, SizingError, check_sellable, size_entry
from domain.strategies.average_range import to_distance

_NO_ONE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry order: its quantity in base, its limit in ticks (None: a MARKET order), and what is to close it."""

    quantity: Decimal
    limit: int | None
    rules: ProtectionRules


@dataclass
class EntryCounts:
    """The entry signals that led to no order, and why the last one didn't."""

    denied: int = 0
    not_sized: int = 0
    last_reason: str | None = None


class EntryBuilder:
    """Builds the orders of entry signals. The book has one level a side, at the candle's price, as deep as needed.

    `atr` is ATR(14) at each bar; None if the definition doesn't need it.
    """

    def __init__(self, plan: BacktestPlan, ledger: Ledger, atr: Floats | None) -> None:
        self._plan = plan
        self._ledger = ledger
        self._atr = atr
        self._market = ledger.market
        self._grid = grid_of(self._market, plan.definition.order.type)
        self._rules = None if atr is not None else protection_rules(plan.definition, plan.timeframe, None)
        self.counts = EntryCounts()

    def build(self, signal_bar: int, ticks: int, at: datetime) -> Entry | None:
        """Return the entry of the signal at the close of a bar, where the price is `ticks`; None if there is none."""
        atr = None if self._atr is None else to_distance(float(self._atr[signal_bar]))
        rules = self._rules or protection_rules(self._plan.definition, self._plan.timeframe, atr)
        if rules is None:
            self._note_unsized("ATR(14), by which its exits are measured, isn't known yet")
            return None
        try:
            order, depth = self._order(ticks, at, atr, rules)
        except SizingError as error:
            self._note_unsized(str(error))
            return None
        denials = check_order(order, self._risk_context(depth, at))
        if denials:
            self._deny(denials)
            return None
        return Entry(order.quantity, None if order.price is None else self._grid.ticks_down(order.price), rules)

    def _order(self, ticks: int, at: datetime, atr: Decimal | None, rules: ProtectionRules) -> tuple[Order, Depth]:
        definition, market = self._plan.definition, self._market
        depth = self._depth(ticks, at)
        is_market = definition.order.type is OrderType.MARKET
        price = entry_price(definition.order, depth, depth.bids[0].price, market)
        if price <= 0:
            raise SizingError(f"the limit price would be {price:f}")
        context = SizingContext(
            market=market,
            price=price,
            free_quote=self._ledger.cash,
            equity=EXACT.add(self._ledger.cash, EXACT.multiply(self._ledger.base, depth.bids[0].price)),
            atr=atr,
            stop_distance=stop_distance(rules, price),
            asks=depth.asks if is_market else (),
        )
        quantity = size_entry(definition.sizing, context)
        check_sellable(quantity, context, base_fee=ZERO)
        order = Order(
            id=_NO_ONE,
            user_id=_NO_ONE,
            account_id=_NO_ONE,
            market=market.symbol,
            client_order_id="",
            side=Direction.LONG.entry_side,
            type=definition.order.type,
            role=OrderRole.ENTRY,
            quantity=quantity,
            created_at=at,
            updated_at=at,
            price=None if is_market else price,
            post_only=definition.order.post_only,
        )
        return order, depth

    def _depth(self, ticks: int, at: datetime) -> Depth:
        ask = self._plan.costs.slipped(ticks, Direction.LONG.entry_side)
        bids, asks = (PriceLevel(self._grid.price(price), MAX_AMOUNT) for price in (ticks, ask))
        return Depth(self._market.symbol, "", 0, (bids,), (asks,), None, at)

    def _risk_context(self, depth: Depth, at: datetime) -> RiskContext:
        market, cash = self._market, self._ledger.cash
        return RiskContext(
            now=at,
            state=TradingState.ACTIVE,
            reconciled=True,
            market=market,
            depth=depth,
            feed=FeedState.LIVE,
            base=market.base,
            quote=market.quote,
            balances={market.quote: Balance(market.quote, cash, cash, at)},
        )

    def _note_unsized(self, reason: str) -> None:
        self.counts.not_sized += 1
        self.counts.last_reason = reason

    def _deny(self, denials: tuple[RiskDenial, ...]) -> None:
        self.counts.denied += 1
        self.counts.last_reason = " ".join(denial.message for denial in denials)
