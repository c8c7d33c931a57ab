"""The entry order of a signal: priced, sized and checked by what live trading prices, sizes and checks with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.backtest.ledger import Ledger
from domain.backtest.plan import BacktestPlan
from domain.core.clock import from_milliseconds
from domain.core.money import MAX_AMOUNT, ZERO
from domain.indicators.candle_arrays import Floats
from domain.model.markets import Depth, FeedState, PriceLevel
from domain.model.orders import Order, OrderRole, OrderType, RiskCode
from domain.model.protection import ProtectionRules
from domain.model.trading import Balance
from domain.model.trading_state import TradingState
from domain.risk.checks import check_order
from domain.risk.context import LimitScope, RiskContext
from domain.rules.direction import Direction
from domain.rules.entered_states import EnteredStates
from domain.rules.entry import check_stops, entry_price, protection_rules, stop_distance
from domain.rules.entry_sizes import EntrySizes
from domain.rules.grid import grid_of
from domain.rules.sizing import WHOLE, Share, SizingContext, SizingError, check_sellable, entry_lots
from domain.strategies.average_range import to_distance

_NO_ONE = UUID(int=0)
_HALF_PERCENT = Decimal(50)
LIMIT_CODES = frozenset(
    {
        RiskCode.PRICE_COLLAR,
        RiskCode.MAX_ORDER_NOTIONAL,
        RiskCode.MAX_POSITION_NOTIONAL,
        RiskCode.MAX_OPEN_ORDERS,
        RiskCode.ORDER_RATE,
        RiskCode.MAX_DAILY_LOSS,
        RiskCode.MAX_DRAWDOWN,
        RiskCode.COOL_DOWN,
    }
)
"""The risk checks that users' limits decide."""


class LimitSource(Protocol):
    """Knows what the limits of a backtest count; implemented by `domain.backtest.limit_watch`."""

    def scope(self, ledger: Ledger, signal_bar: int, at: int, equity: int) -> LimitScope:
        """Return the limits with what they count at a time, for an entry that is decided after `signal_bar`."""
        ...

    def note_sent(self, at: int) -> None:
        """Count an entry order that is sent at a time."""
        ...


_SIDE = Direction.LONG.entry_side


@dataclass(frozen=True, slots=True)
class ExitTerms:
    """What is to close a position, and its states by the price of the entry.

    `is_near` is whether all its stops, if there are any, are surely no further than half of the entry price.
    """

    rules: ProtectionRules
    states: EnteredStates
    is_near: bool


class Entry(NamedTuple):
    """An entry order: its quantity in units of base, its limit in ticks (None: MARKET), and what closes it again.

    `cost` is what it may take of the cash, in units of quote, with its fee if that is taken in quote too. `order` is
    what risk limits were asked about; None without any.
    """

    quantity: int
    limit: int | None
    terms: ExitTerms
    cost: int
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class LimitedEntries:
    """How many entries a risk limit has denied, and when and why the last one."""

    count: int
    last_at: datetime
    last_message: str


@dataclass
class EntryCounts:
    """The entry signals that led to no order, why the last one didn't, and the orders that the venue rejected.

    `limited` are those of the denied ones that a risk limit has denied; an entry may break several.
    """

    denied: int = 0
    not_sized: int = 0
    missed: int = 0
    rejected: int = 0
    last_reason: str | None = None
    limited: dict[RiskCode, LimitedEntries] = field(default_factory=dict)


class EntryBuilder:
    """Builds the orders of entry signals. The book has one level a side, at the candle's price, as deep as needed.

    `atr` is ATR(14) at each bar; None if the definition doesn't need it. `worth_elsewhere` returns what the coins of
    all other ledgers are worth at a time in milliseconds, in units of quote. Without `limits` there are none.
    """

    def __init__(
        self,
        plan: BacktestPlan,
        ledger: Ledger,
        atr: Floats | None,
        worth_elsewhere: Callable[[Ledger, int], int],
        limits: LimitSource | None = None,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._atr = atr
        self._worth_elsewhere = worth_elsewhere
        self._limits = limits
        self._market = ledger.market
        self._style = plan.definition.order
        self._is_market = self._style.type is OrderType.MARKET
        self._grid = grid_of(self._market, self._style.type)
        self._sizing = plan.definition.sizing
        self._sizes = EntrySizes(self._sizing, self._market, ledger.units.quote_places)
        self._is_plain = self._is_market and self._sizes.is_supported and limits is None
        self._fee = (self._market.taker_fee or ZERO).as_integer_ratio()
        self._least_value = ledger.units.quote_at_least(self._grid.least_notional)
        self._market_grid = grid_of(self._market, OrderType.MARKET)
        self._least_market_value = ledger.units.quote_at_least(self._market_grid.least_notional)
        self._terms = None if atr is not None else self._exit_terms(None)
        self.counts = EntryCounts()

    def atr_at(self, bar: int) -> Decimal | None:
        """Return ATR(14) at a bar, in quote per base; None if it isn't needed or known."""
        return None if self._atr is None else to_distance(float(self._atr[bar]))

    def build(
        self, signal_bar: int, ticks: int, at: int, share: Share = WHOLE, terms: ExitTerms | None = None
    ) -> Entry | None:
        """Return the entry that a signal at the close of a bar leads to, at `at` where the price is `ticks`.

        None if there is none, which is counted. `terms` are those of the position that a further entry goes into.
        """
        atr = self.atr_at(signal_bar)
        terms = terms or self._terms or self._exit_terms(atr)
        if terms is None:
            self._note_unsized("ATR(14), by which its exits are measured, isn't known yet")
            return None
        ask = self._plan.costs.slipped(ticks, _SIDE)
        if self._is_plain and terms.is_near:
            entry = self._plain_entry(ask, ticks, at, share, terms)
            if entry is not None:
                return entry
        try:
            limit = None if self._is_market else self._limit(ticks, ask)
            price = ask if limit is None else limit
            if not terms.is_near:
                check_stops(terms.rules, self._grid.price(price))
            context = self._sizing_context(price, ticks, at, atr, terms)
            lots = entry_lots(self._sizing, context, self._grid, share)
            value = self._ledger.units.value(price, lots * self._ledger.units.lot)
            if not self._is_plainly_sellable(lots, value, terms):
                context = replace(context, stop_distance=stop_distance(terms.rules, context.price))
                check_sellable(self._grid.quantity(lots), context, base_fee=ZERO)
        except SizingError as error:
            self._note_unsized(str(error))
            return None
        order = None
        if self._limits is not None or not self._passes_plainly(lots, value):
            order = self._order(lots, limit, at)
            if self._is_denied(order, self._risk_context(signal_bar, ticks, ask, at)):
                return None
        cost = value if self._ledger.units.fees_in_base else value + self._most_fee(value)
        if cost > self._ledger.budget.free:
            self._deny([f"the order with its fee costs more than the free {self._market.quote}"])
            return None
        return self._sent(Entry(lots * self._ledger.units.lot, limit, terms, cost, order), at)

    def _plain_entry(self, ask: int, ticks: int, at: int, share: Share, terms: ExitTerms) -> Entry | None:
        """Return a MARKET entry that surely passes all that `build` asks of one; None if that isn't sure."""
        units, free = self._ledger.units, self._ledger.budget.free
        equity = self._equity(ticks, at) if self._sizes.needs_means else 0
        lots = self._sizes.lots(ask, share, equity, free)
        value = units.value(ask, lots * units.lot)
        if not self._is_plainly_sellable(lots, value, terms) or not self._passes_plainly(lots, value):
            return None
        return Entry(lots * units.lot, None, terms, value if units.fees_in_base else value + self._most_fee(value))

    def note_no_place(self) -> None:
        """Count a signal that came while as many positions were open as may be."""
        self.counts.missed += 1
        self.counts.last_reason = "as many positions are open as maxOpenPositions allows"

    def _exit_terms(self, atr: Decimal | None) -> ExitTerms | None:
        rules = protection_rules(self._plan.definition, self._plan.timeframe, atr)
        if rules is None:
            return None
        stops = [level for level in (rules.stop_loss, rules.trailing_stop) if level is not None]
        near = [level for level in stops if level.percent is not None and level.percent <= _HALF_PERCENT]
        return ExitTerms(rules, EnteredStates(rules, self._market, Direction.LONG), is_near=len(near) == len(stops))

    def _limit(self, ticks: int, ask: int) -> int:
        price = entry_price(self._style, self._depth(ticks, ask, 0), self._grid.price(ticks), self._market)
        if price <= 0:
            raise SizingError(f"the limit price would be {price:f}")
        return self._grid.ticks_down(price)

    def _sizing_context(
        self, price_ticks: int, ticks: int, at: int, atr: Decimal | None, terms: ExitTerms
    ) -> SizingContext:
        price, sizing = self._grid.price(price_ticks), self._sizing
        is_fixed = sizing.quote_amount is not None  # then neither the equity nor the cash count
        return SizingContext(
            market=self._market,
            price=price,
            free_quote=ZERO if is_fixed else self._ledger.units.quote(self._ledger.budget.free),
            equity=ZERO if is_fixed else self._ledger.units.quote(self._equity(ticks, at)),
            atr=atr,
            stop_distance=None if sizing.risk_percent is None else stop_distance(terms.rules, price),
            asks=(PriceLevel(price, MAX_AMOUNT),) if self._is_market else (),
        )

    def _equity(self, ticks: int, at: int) -> int:
        """Return the equity in units of quote."""
        ledger = self._ledger
        return ledger.budget.cash + ledger.units.value(ticks, ledger.base) + self._worth_elsewhere(ledger, at)

    def _is_plainly_sellable(self, lots: int, value: int, terms: ExitTerms) -> bool:
        """Return whether `check_sellable` surely passes an entry of that value: at half of it it could be sold."""
        least = self._market_grid.least_lots
        return terms.is_near and lots >= least and value >= 2 * self._least_market_value

    def _passes_plainly(self, lots: int, value: int) -> bool:
        """Return whether an order surely passes the checks: it is on the grid and within its limits, and can be paid.

        Nothing else of `check_order` can deny an entry here. What isn't sure it decides.
        """
        most = self._grid.most_lots
        if lots < self._grid.least_lots or (most is not None and lots > most):
            return False
        if value < self._least_value:
            return False
        fee = self._most_fee(value) if self._is_market else 0
        return value + fee <= self._ledger.budget.free

    def _most_fee(self, value: int) -> int:
        """Return the fee of a fill, rounded up; a taker's is never below a maker's."""
        return -(-value * self._fee[0] // self._fee[1])

    def _order(self, lots: int, limit: int | None, at: int) -> Order:
        now = from_milliseconds(at)
        return Order(
            id=_NO_ONE,
            user_id=_NO_ONE,
            account_id=_NO_ONE,
            market=self._market.symbol,
            client_order_id="",
            side=_SIDE,
            type=self._style.type,
            role=OrderRole.ENTRY,
            quantity=self._grid.quantity(lots),
            created_at=now,
            updated_at=now,
            price=None if limit is None else self._grid.price(limit),
            post_only=self._style.post_only,
        )

    def _depth(self, ticks: int, ask: int, at: int) -> Depth:
        bids, asks = (PriceLevel(self._grid.price(price), MAX_AMOUNT) for price in (ticks, ask))
        return Depth(self._market.symbol, "", 0, (bids,), (asks,), None, from_milliseconds(at))

    def _risk_context(self, signal_bar: int, ticks: int, ask: int, at: int) -> RiskContext:
        market, cash, now = self._market, self._ledger.units.quote(self._ledger.budget.free), from_milliseconds(at)
        depth, scopes = self._depth(ticks, ask, at), tuple[LimitScope, ...]()
        if self._limits is not None:
            scopes = (self._limits.scope(self._ledger, signal_bar, at, self._equity(ticks, at)),)
            # Slippage stands for a book that has next to nothing at the candle's price: a collar is measured from that.
            depth = replace(depth, asks=(PriceLevel(self._grid.price(ticks), ZERO), *depth.asks))
        return RiskContext(
            now=now,
            state=TradingState.ACTIVE,
            reconciled=True,
            market=market,
            depth=depth,
            feed=FeedState.LIVE,
            base=market.base,
            quote=market.quote,
            balances={market.quote: Balance(market.quote, cash, cash, now)},
            currency=market.quote,
            scopes=scopes,
        )

    def _note_unsized(self, reason: str) -> None:
        self.counts.not_sized += 1
        self.counts.last_reason = reason

    def _sent(self, entry: Entry, at: int) -> Entry:
        if self._limits is not None:
            self._limits.note_sent(at)
        return entry

    def _is_denied(self, order: Order, context: RiskContext) -> bool:
        """Return whether the risk checks deny an order, which is counted, also by the limits that it breaks."""
        denials = check_order(order, context)
        if not denials:
            return False
        self._deny([denial.message for denial in denials])
        for denial in denials:
            if denial.code in LIMIT_CODES:
                known = self.counts.limited.get(denial.code)
                count = 1 if known is None else known.count + 1
                self.counts.limited[denial.code] = LimitedEntries(count, context.now, denial.message)
        return True

    def _deny(self, messages: Iterable[str]) -> None:
        self.counts.denied += 1
        self.counts.last_reason = " ".join(messages)
