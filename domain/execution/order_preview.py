"""What would become of an order if it were placed now: the verdict of each risk check, and what it would cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.core.errors import InputError
from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderType, RiskCode, RiskDenial
from domain.risk.context import RiskContext
from domain.rules.grid import grid_of

CHECKED = tuple(code for code in RiskCode if code is not RiskCode.INTERNAL)
"""The codes of all checks: INTERNAL is none, but a fault of the engine."""


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """What one risk check says; `passed` is None if it can't be told on this node. The rest is as in `RiskDenial`."""

    code: RiskCode
    passed: bool | None
    message: str | None = None
    limit: Decimal | None = None
    actual: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderEstimate:
    """What an order would cost by the book as it is now: prices in quote per base, `worth` and `fee` in quote.

    The quantity and the prices are rounded down to what the market takes. `average_price` and `worst_price` are those
    of an order that trades at the market's price; None for others, and if the book shows less than the quantity.
    `required` is what the balance has to cover, and `available` what it has for that, both in `currency`.
    """

    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    average_price: Decimal | None
    worst_price: Decimal | None
    worth: Decimal | None
    fee: Decimal | None
    fee_percent: Decimal | None
    required: Decimal | None
    available: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """The answer to an order that isn't placed.

    Either it is invalid (`errors`), or it would have these `denials`, or it would be sent. `checks` has the verdict of
    every check, also of those that the denials don't name since an earlier one has denied the order.
    """

    errors: tuple[InputError, ...] = ()
    denials: tuple[RiskDenial, ...] = ()
    checks: tuple[CheckVerdict, ...] = ()
    estimate: OrderEstimate | None = None

    @property
    def accepted(self) -> bool:
        """Whether the order would be sent to its venue."""
        return not (self.errors or self.denials)


def verdicts(denials: Sequence[RiskDenial], *, knows_account: bool) -> tuple[CheckVerdict, ...]:
    """Return the verdict of every check; one that failed twice, such as for two prices, has two.

    Whether the account agrees with its venue is only told by a node that `knows_account`.
    """
    found: list[CheckVerdict] = []
    for code in CHECKED:
        failed = [
            CheckVerdict(code, passed=False, message=denial.message, limit=denial.limit, actual=denial.actual)
            for denial in denials
            if denial.code is code
        ]
        is_unknown = code is RiskCode.NOT_RECONCILED and not knows_account
        found += failed or [CheckVerdict(code, passed=None if is_unknown else True)]
    return tuple(found)


def estimate(order: Order, risk: RiskContext, market: Market) -> OrderEstimate:
    """Return what the order would cost by the context of its risk checks."""
    grid = grid_of(market, order.type)
    at_market = order.type.trades_at_market
    worst = risk.worst_price(order) if at_market and risk.is_covered(order) else None
    average = None if worst is None else _average_price(order, risk)
    price = average if order.type is OrderType.MARKET else risk.reference_price(order)
    worth = None if price is None else EXACT.multiply(order.quantity, price)
    rate = market.maker_fee if _rests(order, risk) else market.taker_fee
    currency = risk.quote if order.side is OrderSide.BUY else risk.base
    return OrderEstimate(
        quantity=grid.quantity(grid.lots_down(order.quantity)),
        price=None if order.price is None else grid.price(grid.ticks_down(order.price)),
        stop_price=None if order.stop_price is None else grid.price(grid.ticks_down(order.stop_price)),
        average_price=average,
        worst_price=worst,
        worth=worth,
        fee=None if worth is None or rate is None else EXACT.multiply(worth, rate),
        fee_percent=None if rate is None else EXACT.multiply(rate, Decimal(100)),
        required=risk.needed(order),
        available=max(EXACT.subtract(risk.free(currency), risk.held_by_others(order)), ZERO),
        currency=currency,
    )


def _average_price(order: Order, risk: RiskContext) -> Decimal:
    """Return the mean price at which the book, which covers the order, would fill it."""
    left, cost = order.quantity, ZERO
    for level in risk.levels(order.side):
        taken = min(left, level.quantity)
        cost, left = EXACT.add(cost, EXACT.multiply(taken, level.price)), EXACT.subtract(left, taken)
        if left <= 0:
            break
    return divide(cost, order.quantity)


def _rests(order: Order, risk: RiskContext) -> bool:
    """Return whether the order would wait in the book, so that another one meets it."""
    if order.type is not OrderType.LIMIT or order.price is None:
        return False
    best = risk.best_price(order.side)
    return order.post_only or best is None or (best - order.price) * order.side.sign > 0
