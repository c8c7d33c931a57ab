"""Fill ledgers for reports, and the plain facts about them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.prices import Mark
from domain.performance.fills_ledger import ReportData
from tests.support.orders import BTC, NOW, D, a_fill, a_market

ETH = MarketSymbol("sandbox", "ETH/USDT")
ETH_BTC = MarketSymbol("sandbox", "ETH/BTC")
MARKETS = {
    BTC: a_market(),
    ETH: a_market(symbol=ETH, base="ETH"),
    ETH_BTC: a_market(symbol=ETH_BTC, base="ETH", quote="BTC", minimum_notional=D("0.00001")),
}
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def hours(count: float) -> datetime:
    """Return a moment that many hours after the start of the period."""
    return NOW + timedelta(hours=count)


def ledger(*rows: tuple[object, ...]) -> list[Fill]:
    """Return fills of rows (hour, side, quantity, price, fee, fee currency, market), each of an order of its own."""
    fills = []
    for number, (hour, side, quantity, price, *rest) in enumerate(rows, start=1):
        fee, currency, market = [*rest, *(0, "USDT", BTC)[len(rest) :]]
        fill = a_fill(side, quantity, price, fee, currency)  # type: ignore[arg-type]
        numbered = replace(fill, id=UUID(int=number), order_id=UUID(int=1_000_000 + number), venue_trade_id=str(number))
        fills.append(replace(numbered, at=hours(float(str(hour))), market=market))
    return fills


def marks(*rows: tuple[float, object], market: MarketSymbol = BTC) -> list[Mark]:
    """Return marks of rows (hour, price)."""
    return [Mark(hours(hour), market, D(str(price))) for hour, price in rows]


def report_data(fills: Sequence[Fill], **changes: object) -> ReportData:
    """Return what a report of an account with 1,000 USDT at the start is computed from."""
    data = ReportData(
        venue="sandbox",
        currency="USDT",
        start=NOW,
        end=max([NOW, *(fill.at for fill in fills), *(mark.at for mark in changes.get("marks", []))]),  # type: ignore[attr-defined]
        holdings={"USDT": Decimal(1000)},
        earlier=[],
        fills=fills,
        marks=[],
        markets=MARKETS,
        traded=frozenset(fill.market for fill in fills),
        exit_reasons={},
        order_counts={},
    )
    return replace(data, **changes)  # type: ignore[arg-type]
