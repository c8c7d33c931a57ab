"""Makes the order that an entry signal of a trading session causes."""

from decimal import Decimal

from domain.model.orders import Order, OrderType
from domain.model.trading import Signal
from domain.portfolio.equity import equity
from domain.rules.session_plan import entry_order, entry_price
from domain.rules.sizing import SizingContext, SizingError, distance, quantity
from domain.trading.session_context import SessionContext, SessionTransaction

ONE = Decimal(1)


async def entry(desk: SessionContext, acting: SessionTransaction, signal: Signal, atr: Decimal | None) -> Order:
    """Return the order to buy, not stored yet; raises `SizingError`. `atr` is ATR(14) at the signal's candle."""
    plan, market, feed = desk.plan, desk.plan.market, desk.ports.feed
    account_id, depth = plan.session.account_id, feed.latest_depth(market.symbol)
    price = entry_price(plan.definition.order, depth, signal.price, market)
    if price <= 0:
        raise SizingError(f"the limit price would be {price:f}")
    balances = (await acting.transaction.accounts.balances([account_id])).get(account_id, [])
    stop = plan.definition.stop_loss
    context = SizingContext(
        market=market,
        price=price,
        free_quote=next((balance.free for balance in balances if balance.currency == market.quote), Decimal(0)),
        equity=equity(plan.currency, balances, desk.convert).total,
        quote_rate=desk.convert(ONE, market.quote, plan.currency),
        atr=atr,
        stop_distance=distance(stop, price, atr) if stop else None,
        asks=depth.asks if depth and plan.definition.order.type is OrderType.MARKET else (),
    )
    return entry_order(plan, desk.ports.ids.next_id(), signal, quantity(plan.sizing, context), price, acting.now)
