"""What positions of trading sessions hold of a currency, which no other trading session may spend."""

from decimal import Decimal
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Position
from domain.portfolio.reservations import held_by_sessions
from tests.support.orders import BTC, NOW, an_order

D = Decimal
ONE, OTHER, USER = UUID(int=11), UUID(int=12), UUID(int=2)
ETH = MarketSymbol(BTC.venue, "ETH/USDT")


def position(quantity: str, session: UUID | None = ONE, market: MarketSymbol = BTC) -> Position:
    return Position(UUID(int=5), USER, UUID(int=3), market, session, NOW, D(quantity), average_price=D(100))


def sale(quantity: str, session: UUID | None = ONE, **changes: object) -> Order:
    changes = {"side": OrderSide.SELL, "status": OrderStatus.OPEN, "trading_session_id": session, **changes}
    return an_order(quantity=D(quantity), **changes)


def test_the_positions_of_all_sessions_add_up_by_their_base() -> None:
    positions = [position("1"), position("0.5", OTHER), position("3", OTHER, ETH)]
    assert held_by_sessions(positions, []) == {"BTC": D("1.5"), "ETH": D(3)}


def test_what_is_bought_by_hand_is_its_users_to_spend() -> None:
    assert held_by_sessions([position("1", None)], []) == {}


def test_what_the_venue_keeps_for_an_exit_is_not_counted_twice() -> None:
    orders = [sale("0.4"), sale("0.2", OTHER), sale("0.1", None), an_order(trading_session_id=ONE)]
    assert held_by_sessions([position("1")], orders) == {"BTC": D("0.6")}
    assert held_by_sessions([position("1")], [sale("2")]) == {"BTC": D(0)}


def test_an_order_that_the_engine_holds_keeps_nothing_at_the_venue() -> None:
    held = sale("1", type=OrderType.TRAILING_STOP, price=None)
    assert held.is_held
    assert held_by_sessions([position("1")], [held]) == {"BTC": D(1)}
