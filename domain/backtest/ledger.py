"""The books of a backtest: one budget of cash, and each market's coins, fills and positions; all in whole units."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from domain.backtest.units import Units
from domain.core.money import rounded_quotient
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderType
from domain.rules.costs import TradingCosts
from domain.rules.grid import Grid, grid_of


class FillRow(NamedTuple):
    """A fill in bar `bar`, at `at` (milliseconds since 1970): prices in ticks, `quantity` and `fee_base` in base units.

    `value` and `fee_quote` are in units of quote; the slippage of the fill is measured from the price `arrival`. The
    fills of all markets are numbered in the order of time. `cash` and `base` are the changes of the cash, in units of
    quote, and of the coins, in units of base.
    """

    bar: int
    at: int
    side: OrderSide
    role: OrderRole
    price: int
    quantity: int
    value: int
    fee_base: int
    fee_quote: int
    arrival: int
    number: int
    cash: int
    base: int


@dataclass(slots=True)
class BookedPosition:
    """A position as it grows and grows smaller; quantities in units of base, money in units of quote, prices in ticks.

    `average` is the mean price of what is held, as `domain.portfolio.positions` computes it, in units of 18 decimals;
    `profit`, which is after fees, is in units of that times those of base. `bar` is that of the first fill, which was
    made within it if it was `in_bar`, and `last_bar` that of the last one. `lowest` and `highest` are prices of fills.
    """

    bar: int
    opened_at: int
    in_bar: bool
    average: int
    quantity: int
    bought: int
    cost: int
    fees: int
    profit: int
    lowest: int
    highest: int
    last_bar: int
    sold: int = 0
    proceeds: int = 0
    exit_role: OrderRole | None = None
    closed_at: int | None = None


@dataclass(slots=True)
class Budget:
    """The cash that all markets share, in units of quote; `reserved` is what resting orders are to spend of it.

    `fills` is how many there were in all markets.
    """

    cash: int
    reserved: int = 0
    fills: int = 0

    @property
    def free(self) -> int:
        """What another order may spend."""
        return self.cash - self.reserved


@dataclass(slots=True)
class Ledger:
    """Books the fills of one market. `base` is what the account holds of it, what no position counts included.

    `parts_unsold` counts the parts of positions that were to be sold, and were too little for an order.
    """

    market: Market
    costs: TradingCosts
    units: Units
    budget: Budget
    base: int = 0
    fills: list[FillRow] = field(default_factory=list)
    closed: list[BookedPosition] = field(default_factory=list)
    open: BookedPosition | None = None
    parts_unsold: int = 0
    _grid: Grid = field(init=False)
    _least_value: int = field(init=False)

    def __post_init__(self) -> None:
        self._grid = grid_of(self.market, OrderType.MARKET)
        self._least_value = self.units.quote_at_least(self._grid.least_notional)

    def price(self, ticks: int) -> Decimal:
        """Return a price as a decimal, in quote per base."""
        return self._grid.price(ticks)

    def rejects_buy(self, ticks: int, quantity: int) -> bool:
        """Return whether a MARKET order to buy costs more than there is, or is worth less than the least order."""
        if self._is_too_small(quantity, ticks):
            return True
        value = self.units.value(ticks, quantity)
        _, fee = self.units.fees(value, quantity, OrderSide.BUY, maker=False)
        return value + fee > self.budget.free

    def buy(self, bar: int, at: int, ticks: int, arrival: int, quantity: int, *, maker: bool, in_bar: bool) -> None:
        """Book the fill of an entry, which opens the position or makes it greater."""
        fill = self._book(bar, at, OrderSide.BUY, OrderRole.ENTRY, ticks, arrival, quantity, maker=maker)
        price = ticks * self.units.price_tick
        net = quantity - fill.fee_base
        fees = fill.fee_quote + self.units.value(ticks, fill.fee_base)
        loss = fees * self.units.profit
        position = self.open
        if position is None:
            self.open = BookedPosition(
                bar, at, in_bar, price, net, quantity, fill.value, fees, -loss, ticks, ticks, last_bar=bar
            )
            return
        held = position.quantity + net
        position.average = rounded_quotient(position.average * position.quantity + price * net, held)
        position.quantity = held
        position.bought += quantity
        position.cost += fill.value
        position.fees += fees
        position.profit -= loss
        position.lowest, position.highest = min(position.lowest, ticks), max(position.highest, ticks)
        position.last_bar = bar

    def sell(self, bar: int, at: int, ticks: int, arrival: int, role: OrderRole, part: int | None = None) -> bool:
        """Book the sale of the position, or of the part of it; return whether it is closed.

        What is above the greatest order is sold by several of them. What is below the lot, or worth less than the least
        order, stays with the account as dust.
        """
        position, lot = self.open, self.units.lot
        assert position is not None
        left = position.quantity if part is None else min(part, position.quantity)
        if part is None:
            position.last_bar = bar
        elif self._is_too_small(left, ticks):
            self.parts_unsold += 1
            return False
        while not self._is_too_small(quantity := self._grid.largest_lots(left // lot) * lot, ticks):
            self._sell_at_once(position, bar, at, ticks, arrival, role, quantity)
            left -= quantity
        if part is not None and not self._is_too_small(position.quantity, ticks):
            return False
        position.closed_at = at
        self.closed.append(position)
        self.open = None
        return True

    def _sell_at_once(
        self, position: BookedPosition, bar: int, at: int, ticks: int, arrival: int, role: OrderRole, quantity: int
    ) -> None:
        """Book the sale of a quantity of the position by one order."""
        fill = self._book(bar, at, OrderSide.SELL, role, ticks, arrival, quantity, maker=False)
        gain = (ticks * self.units.price_tick - position.average) * quantity
        position.profit += gain - fill.fee_quote * self.units.profit
        position.fees += fill.fee_quote
        position.quantity -= quantity
        position.sold += quantity
        position.proceeds += fill.value
        position.exit_role = role
        position.last_bar = bar
        if ticks < position.lowest:
            position.lowest = ticks
        elif ticks > position.highest:
            position.highest = ticks

    def _is_too_small(self, quantity: int, ticks: int) -> bool:
        """Return whether the whole lots of a quantity are less than a MARKET order may have."""
        lots = quantity // self.units.lot
        if lots < self._grid.least_lots:
            return True
        return self._least_value > 0 and self.units.value(ticks, lots * self.units.lot) < self._least_value

    def _book(
        self,
        bar: int,
        at: int,
        side: OrderSide,
        role: OrderRole,
        ticks: int,
        arrival: int,
        quantity: int,
        *,
        maker: bool,
    ) -> FillRow:
        units = self.units
        value = ticks * quantity * units.tick
        fee_base, fee_quote = units.fees(value, quantity, side, maker=maker)
        budget = self.budget
        budget.fills += 1
        if side is OrderSide.BUY:
            cash, base = -value - fee_quote, quantity - fee_base
        else:
            cash, base = value - fee_quote, -quantity
        budget.cash += cash
        self.base += base
        fill = FillRow(
            bar, at, side, role, ticks, quantity, value, fee_base, fee_quote, arrival, budget.fills, cash, base
        )
        self.fills.append(fill)
        return fill
