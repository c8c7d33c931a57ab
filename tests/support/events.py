"""One of everything that an event can carry, with every field set to something that could get lost."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

from domain.model.definitions import Sizing
from domain.model.events import NewEvent, Subject, UserEventKind
from domain.model.jobs import Job, JobStatus
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import (
    Fill,
    Order,
    OrderEvent,
    OrderEventKind,
    OrderRole,
    OrderStatus,
    OrderType,
    RiskCode,
    RiskDenial,
    TimeInForce,
)
from domain.model.reports import Report, ReportScope
from domain.model.trading import (
    Account,
    AccountKind,
    ParameterValue,
    Position,
    RiskLimits,
    Signal,
    SignalAction,
    TradingSession,
    TradingSessionStatus,
)
from domain.model.users import Activity
from tests.support.users import ids

AT = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
MARKET = MarketSymbol("sandbox", "BTC/USDT")
TINY = Decimal("0.000000000000000001")


def an_order(user_id: UUID) -> Order:
    return Order(
        id=ids.next_id(),
        user_id=user_id,
        account_id=ids.next_id(),
        market=MARKET,
        client_order_id="c-1",
        side=OrderSide.SELL,
        type=OrderType.LIMIT,
        role=OrderRole.ENTRY,
        quantity=Decimal("12345678901234567890.123456789012345678"),
        created_at=AT,
        updated_at=AT + timedelta(microseconds=1),
        status=OrderStatus.DENIED,
        revision=3,
        price=Decimal("1E+3"),
        stop_price=TINY,
        time_in_force=TimeInForce.GTC,
        expires_at=AT.astimezone(timezone(timedelta(hours=2))),
        post_only=True,
        denials=(RiskDenial(RiskCode.PRICE_COLLAR, "zu hoch: 価格", Decimal("1.50"), None),),
        filled_quantity=Decimal("0.10"),
    )


def a_fill(order: Order) -> Fill:
    return Fill(
        id=ids.next_id(),
        order_id=order.id,
        user_id=order.user_id,
        account_id=order.account_id,
        market=order.market,
        side=order.side,
        venue_trade_id="77",
        at=AT,
        price=Decimal("64000.10"),
        quantity=TINY,
        fee=Decimal("-0.1"),
        fee_currency="BNB",
        maker=None,
    )


def every_subject(user_id: UUID) -> list[Subject]:
    order, account_id, session_id = an_order(user_id), ids.next_id(), ids.next_id()
    limits = RiskLimits(max_order_notional=Decimal("100.50"), max_open_orders=3)
    return [
        OrderEvent(OrderEventKind.FILL, order, a_fill(order), "a reason"),
        OrderEvent(OrderEventKind.DENIED, order),
        Position(ids.next_id(), user_id, account_id, MARKET, None, AT, quantity=-TINY, average_price=Decimal(5)),
        Signal(ids.next_id(), user_id, session_id, AT, SignalAction.EXIT_LONG, TINY, "rsi > 70", AT, missed=True),
        TradingSession(
            session_id,
            user_id,
            ids.next_id(),
            account_id,
            MARKET,
            Timeframe.M15,
            (ParameterValue("fast", Decimal("12.0")), ParameterValue("slow", Decimal(26))),
            AT,
            TradingSessionStatus.RUNNING,
            sizing=Sizing(risk_percent=Decimal("0.5")),
            risk=limits,
        ),
        Account(account_id, user_id, "paper", AccountKind.PAPER, "sandbox", "USDT", AT, risk=limits),
        Job(ids.next_id(), user_id, "report", AT, JobStatus.RUNNING, 0.25),
        Report(ids.next_id(), user_id, ReportScope.ACCOUNT, account_id, AT, AT + timedelta(days=1), AT, ids.next_id()),
        Activity(ids.next_id(), user_id, AT, "userLogin", "User", str(user_id), "from \u0394"),
    ]


def alert(user_id: UUID, message: str, at: datetime | None = None) -> NewEvent:
    return NewEvent(user_id, at or datetime.now(UTC), UserEventKind.ALERT, None, message)
