"""Orders, reports of them by a venue, and markets, for tests that need no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.model.markets import Depth, Market, MarketSymbol, PriceLevel
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderRole, OrderStatus, OrderType
from domain.ports.execution_client import FillReport, OrderReport

NOW = datetime(2026, 11, 5, 12, 30, tzinfo=UTC)
BTC = MarketSymbol("sandbox", "BTC/USDT")
D = Decimal


def an_order(**changes: object) -> Order:
    """Return a limit order to buy 1 at 100."""
    order = Order(
        id=UUID(int=1),
        user_id=UUID(int=2),
        account_id=UUID(int=3),
        market=BTC,
        client_order_id="r3-1",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        role=OrderRole.MANUAL,
        quantity=D(1),
        price=D(100),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(order, **changes)  # type: ignore[arg-type]


def order_report(order: Order, status: OrderStatus, filled: Decimal | int = 0, *fills: FillReport) -> OrderReport:
    """Return a venue's report of the order."""
    return OrderReport(
        market=order.market,
        client_order_id=order.client_order_id,
        venue_order_id="v-1",
        status=status,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        filled_quantity=D(filled),
        price=order.price,
        stop_price=order.stop_price,
        at=NOW,
        fills=fills,
    )


def fill_report(trade_id: str, quantity: Decimal | str, price: Decimal | str = "100", **changes: object) -> FillReport:
    """Return a venue's report of a fill of `an_order`."""
    fill = FillReport(
        market=BTC,
        venue_order_id="v-1",
        client_order_id="r3-1",
        venue_trade_id=trade_id,
        at=NOW + timedelta(seconds=1),
        side=OrderSide.BUY,
        price=D(price),
        quantity=D(quantity),
        fee=D(0),
        fee_currency="BTC",
        maker=False,
    )
    return replace(fill, **changes)  # type: ignore[arg-type]


def a_fill(side: OrderSide, quantity: object, price: object, fee: object = 0, currency: str = "USDT") -> Fill:
    """Return a fill on its own."""
    return Fill(
        id=UUID(int=9),
        order_id=UUID(int=1),
        user_id=UUID(int=2),
        account_id=UUID(int=3),
        market=BTC,
        side=side,
        venue_trade_id="t",
        at=NOW,
        price=D(str(price)),
        quantity=D(str(quantity)),
        fee=D(str(fee)),
        fee_currency=currency,
        maker=None,
    )


def a_market(**changes: object) -> Market:
    """Return BTC/USDT with filters like Binance's."""
    market = Market(
        symbol=BTC,
        base="BTC",
        quote="USDT",
        active=True,
        price_increment=D("0.01"),
        quantity_increment=D("0.00001"),
        minimum_quantity=D("0.00001"),
        maximum_quantity=D(9000),
        minimum_notional=D(5),
        maker_fee=D("0.001"),
        taker_fee=D("0.001"),
    )
    return replace(market, **changes)  # type: ignore[arg-type]


def a_book(*, bid: object = "99.99", ask: object = "100.01", step: object = "1", quantity: object = "1") -> Depth:
    """Return a book of three levels a side, `step` apart, each with `quantity`."""
    size = D(str(quantity))
    bids = tuple(PriceLevel(D(str(bid)) - number * D(str(step)), size) for number in range(3))
    asks = tuple(PriceLevel(D(str(ask)) + number * D(str(step)), size) for number in range(3))
    return Depth(BTC, "epoch", 1, bids, asks, NOW, NOW)
