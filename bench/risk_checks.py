"""How many orders a second pass all risk checks: those of an account with every limit, 20 open orders and 100 levels.

One order costs far more in the database and at the venue; the checks must never be what an account waits for.
"""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from uuid import UUID

from bench.figures import Figure, report
from domain.model.markets import Depth, FeedState, Market, MarketSymbol, PriceLevel
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType
from domain.model.trading import Balance, Position, RiskLimits
from domain.model.trading_state import TradingState
from domain.risk.checks import check_order
from domain.risk.context import LimitScope, LossRecord, RiskContext

CHECKS, RUNS = 2_000, 9
TARGET_A_SECOND = 5_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BTC = MarketSymbol("sandbox", "BTC/USDT")
D = Decimal


def measure(checks: int, runs: int) -> None:
    context = _context()
    rows = []
    for kind, order in (("LIMIT", _order()), ("MARKET", _order(type=OrderType.MARKET, price=None, quantity=D(2)))):
        assert check_order(order, context) == ()
        rates = []
        for _ in range(runs):
            started = time.process_time()
            for _ in range(checks):
                check_order(order, context)
            rates.append(checks / (time.process_time() - started))
        rows.append([kind, runs, round(median(rates))])
    slowest = min(row[2] for row in rows)
    figure = Figure(
        "orders a second that pass all risk checks, the slower kind",
        f"{slowest:,}",
        f"≥ {TARGET_A_SECOND:,}",
        holds=slowest >= TARGET_A_SECOND,
    )
    report("risk_checks", ("order", "runs", "a second of processor time"), rows, [figure])


def _context() -> RiskContext:
    """Return a context with all limits, for the account and for a trading session."""
    limits = RiskLimits(
        max_order_notional=D(10**7), max_position_notional=D(10**7), max_open_orders=100, max_orders_per_minute=1000,
        max_daily_loss=D(1000), max_drawdown_percent=D(50), price_collar_percent=D(5), cool_down_losses=5,
        cool_down_minutes=10,
    )  # fmt: skip
    losses = LossRecord(D(10), D(1), losing_streak=1, last_loss_at=NOW - timedelta(minutes=5))
    resting = _order(status=OrderStatus.OPEN, accepted_at=NOW, quantity=D("0.01"))
    active = tuple(replace(resting, id=UUID(int=100 + number)) for number in range(20))
    position = Position(UUID(int=4), UUID(int=2), UUID(int=3), BTC, None, NOW, D(1), average_price=D(60_000))
    scopes = tuple(
        LimitScope(name, limits, (position,), active, 10, losses) for name in ("the account", "the trading session")
    )
    bids = tuple(PriceLevel(60_000 - D(n) / 100, D("0.1")) for n in range(100))
    asks = tuple(PriceLevel(60_001 + D(n) / 100, D("0.1")) for n in range(100))
    money = D(10**7)
    return RiskContext(
        now=NOW,
        state=TradingState.ACTIVE,
        reconciled=True,
        market=Market(
            BTC, "BTC", "USDT", active=True, price_increment=D("0.01"), quantity_increment=D("0.00001"),
            minimum_quantity=D("0.00001"), maximum_quantity=D(9000), minimum_notional=D(5), maker_fee=D("0.001"),
            taker_fee=D("0.001"), maximum_market_quantity=D(100),
        ),
        depth=Depth(BTC, "epoch", 1, bids, asks, NOW, NOW),
        feed=FeedState.LIVE,
        base="BTC",
        quote="USDT",
        balances={"USDT": Balance("USDT", money, money, NOW), "BTC": Balance("BTC", D(10), D(10), NOW)},
        position=position,
        active=active,
        scopes=scopes,
    )  # fmt: skip


def _order(**changes: object) -> Order:
    order = Order(
        UUID(int=1), UUID(int=2), UUID(int=3), BTC, "r3-1", OrderSide.BUY, OrderType.LIMIT, OrderRole.MANUAL, D("0.5"),
        NOW, NOW, price=D(60_000),
    )  # fmt: skip
    return replace(order, **changes)  # type: ignore[arg-type]


if __name__ == "__main__":
    measure(*(int(argument) for argument in sys.argv[1:3]) if len(sys.argv) > 2 else (CHECKS, RUNS))
