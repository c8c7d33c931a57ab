"""The books of a backtest: cash, coins, fills and round trips, in exact decimals."""

from dataclasses import dataclass, field
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderType
from domain.portfolio.positions import is_dust
from domain.rules.costs import TradingCosts
from domain.rules.grid import Grid, grid_of


@dataclass(frozen=True, slots=True)
class SimulatedFill:
    """A fill in bar `bar`, at `at` (milliseconds since 1970), with the price that its slippage is measured from.

    `value` is the price times the quantity, in quote.
    """

    bar: int
    at: int
    side: OrderSide
    role: OrderRole
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee_base: Decimal
    fee_quote: Decimal
    arrival_price: Decimal


@dataclass(slots=True)
class OpenPosition:
    """A position as it grows smaller: what was bought, what is left of it, and its lowest and highest price in ticks.

    `profit` is what was realised until now, after `fees` (both in quote). `entry_bar` is the bar of the entry.
    """

    entry: SimulatedFill
    quantity: Decimal
    profit: Decimal
    fees: Decimal
    low: int
    high: int
    sold: Decimal = ZERO
    proceeds: Decimal = ZERO
    exit_role: OrderRole | None = None


@dataclass(slots=True)
class Ledger:
    """Books fills. `cash` and `base` are what the account holds, what no position counts any more included."""

    market: Market
    costs: TradingCosts
    cash: Decimal
    base: Decimal = ZERO
    fills: list[SimulatedFill] = field(default_factory=list)
    balances: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)
    """The bar of each fill, and the cash and base after it."""
    closed: list[tuple[OpenPosition, int]] = field(default_factory=list)
    """Positions that are closed, and when, in milliseconds since 1970."""
    _grid: Grid = field(init=False)

    def __post_init__(self) -> None:
        self._grid = grid_of(self.market, OrderType.MARKET)

    def lacks_cash(self, ticks: int, quantity: Decimal) -> bool:
        """Return whether a MARKET order to buy costs more than there is."""
        value = EXACT.multiply(self._grid.price(ticks), quantity)
        _, fee = self.costs.fee(value, quantity, OrderSide.BUY, maker=False)
        return EXACT.add(value, fee) > self.cash

    def open(self, bar: int, at: int, ticks: int, arrival: int, quantity: Decimal, *, maker: bool) -> OpenPosition:
        """Book the fill of an entry, and return the position that it opens."""
        fill = self._book(bar, at, OrderSide.BUY, OrderRole.ENTRY, ticks, arrival, quantity, maker=maker)
        fees = EXACT.add(fill.fee_quote, EXACT.multiply(fill.fee_base, fill.price))
        left = EXACT.subtract(quantity, fill.fee_base)
        return OpenPosition(fill, left, EXACT.minus(fees), fees, low=ticks, high=ticks)

    def close(
        self,
        position: OpenPosition,
        bar: int,
        at: int,
        ticks: int,
        arrival: int,
        role: OrderRole,
        target: Decimal | None = None,
    ) -> bool:
        """Book the sale of a position, or of the part `target` of it; return whether the position is closed.

        What is below the lot, or worth less than the least order, stays with the account as dust.
        """
        amount = position.quantity if target is None else min(target, position.quantity)
        quantity = self._grid.quantity(max(self._grid.lots_down(amount), 0))
        price = self._grid.price(ticks)
        if not self._grid.is_too_small(quantity, price):
            fill = self._book(bar, at, OrderSide.SELL, role, ticks, arrival, quantity, maker=False)
            gain = EXACT.multiply(EXACT.subtract(price, position.entry.price), quantity)
            position.profit = EXACT.add(position.profit, EXACT.subtract(gain, fill.fee_quote))
            position.fees = EXACT.add(position.fees, fill.fee_quote)
            position.quantity = EXACT.subtract(position.quantity, quantity)
            position.sold = EXACT.add(position.sold, quantity)
            position.proceeds = EXACT.add(position.proceeds, fill.value)
            position.exit_role = role
            position.low, position.high = min(position.low, ticks), max(position.high, ticks)
        elif target is not None:
            return False
        is_closed = target is None or is_dust(position.quantity, self.market, price)
        if is_closed:
            self.closed.append((position, at))
        return is_closed

    def _book(
        self,
        bar: int,
        at: int,
        side: OrderSide,
        role: OrderRole,
        ticks: int,
        arrival: int,
        quantity: Decimal,
        *,
        maker: bool,
    ) -> SimulatedFill:
        price = self._grid.price(ticks)
        value = EXACT.multiply(price, quantity)
        fee_base, fee_quote = self.costs.fee(value, quantity, side, maker=maker)
        arrival_price = price if arrival == ticks else self._grid.price(arrival)
        if side is OrderSide.BUY:
            self.cash = EXACT.subtract(self.cash, EXACT.add(value, fee_quote))
            self.base = EXACT.add(self.base, EXACT.subtract(quantity, fee_base))
        else:
            self.cash = EXACT.add(self.cash, EXACT.subtract(value, fee_quote))
            self.base = EXACT.subtract(self.base, quantity)
        fill = SimulatedFill(bar, at, side, role, price, quantity, value, fee_base, fee_quote, arrival_price)
        self.fills.append(fill)
        self.balances.append((bar, self.cash, self.base))
        return fill
