"""Acts on a signal, whether of a candle or a user: an entry becomes an order, an exit the intent to be flat."""

from dataclasses import dataclass, replace
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.protection import ProtectionRules
from domain.model.trading import Signal
from domain.rules.entry import (
    StopOutOfReach,
    check_stops,
    entry_order,
    entry_price,
    protection_rules,
    stop_distance,
)
from domain.rules.ladder import Ladder, add_share, entry_share
from domain.rules.sizing import Share, SizingContext, SizingError, check_sellable, size_entry
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_intents import end_intent, intend_flat
from domain.trading.session_protection import entry_protection
from domain.trading.session_transactions import TradingSessionTransaction

DEPTH_TIMEOUT_SECONDS = 3.0
"""How long an entry waits for a fresh order book of its market, if there is none when it is signalled."""

NO_PLACE = "as many positions are open as maxOpenPositions allows"

_ONE = Decimal(1)


class SignalActor:
    """Records a signal and has its order or intent stored, in the transaction of the caller."""

    def __init__(self, context: TradingSessionContext) -> None:
        self._context = context

    def __repr__(self) -> str:
        return f"SignalActor({self._context!r})"

    async def wait_for_depth(self) -> None:
        """Wait for a fresh book: sized by a price of the past, an entry may cost more than it was sized for."""
        feed, market = self._context.feed, self._context.symbol
        if feed.latest_depth(market) is None:
            await feed.depth(market, DEPTH_TIMEOUT_SECONDS)

    async def exit(self, transaction: TradingSessionTransaction, signal: Signal) -> None:
        """Leave the intent to be flat, which also closes what an entry order that is being cancelled still brings."""
        self._record(transaction, signal, None)
        if signal.missed:
            return
        await transaction.cancel_entries()
        state, intent_id = transaction.state, self._context.ids.next_id()
        await intend_flat(
            transaction.unit_of_work,
            intent_id,
            state.session,
            state.symbol,
            state.position,
            OrderRole.EXIT,
            signal.reason,
            transaction.now,
            signal.id,
        )

    async def enter(self, transaction: TradingSessionTransaction, signal: Signal, atr: Decimal | None) -> Order | None:
        """Place the entry's order, unless the signal is missed; `atr` is ATR(14) of now, in quote per base."""
        if signal.missed:
            self._record(transaction, signal, None)
            return None
        if transaction.state.intent is not None:
            # Its position is closed, and what the keeper has left to do must not concern the next one.
            await end_intent(transaction.unit_of_work, transaction.state.intent, transaction.now)
        rules = protection_rules(self._context.plan.definition, transaction.state.session.timeframe, atr)
        return await self._place_entry(transaction, signal, atr, rules, entry_share(self._context.plan.definition.adds))

    async def add(
        self, transaction: TradingSessionTransaction, signal: Signal, ladder: Ladder, atr: Decimal | None
    ) -> Order | None:
        """Place the order of a further entry, which is protected by the rules that the position has already."""
        unit_of_work, position = transaction.unit_of_work, transaction.state.position
        assert position is not None
        assert signal.add_number is not None
        known = await unit_of_work.protection.list_of_positions([position.id])
        rules = next((row.rules for row in reversed(known) if row.ended_at is None), None)
        if rules is None:
            rules = protection_rules(self._context.plan.definition, transaction.state.session.timeframe, atr)
        return await self._place_entry(transaction, signal, atr, rules, add_share(ladder, signal.add_number))

    def wake(self, signal: Signal, order: Order | None) -> None:
        """Have what the committed signal has left carried out now."""
        if not signal.action.enters:
            self._context.wake_keeper()
            self._context.executor.wake(None)
        elif order is not None:
            self._context.executor.wake(order.id)

    async def _place_entry(
        self,
        transaction: TradingSessionTransaction,
        signal: Signal,
        atr: Decimal | None,
        rules: ProtectionRules | None,
        share: Share,
    ) -> Order | None:
        """Store an entry signal, and its order with the protection of what it brings unless that can't be sized."""
        order: Order | None = None
        try:
            terms = _Terms(atr, _known(rules), share)
            order = await _build_entry(self._context, transaction, signal, terms)
            transaction.batch.enter(order, entry_protection(self._context, order, terms.rules))
        except SizingError as error:
            if isinstance(error, StopOutOfReach):
                await self._alert(transaction, error)
            signal = replace(signal, reason=f"{signal.reason} — no order: {error}")
        self._record(transaction, signal, order)
        return order

    async def _alert(self, transaction: TradingSessionTransaction, error: StopOutOfReach) -> None:
        """Alert the user once that the strategy can't enter: its signals alone would say so, one after the other."""
        session, unit_of_work, now = transaction.state.session, transaction.unit_of_work, transaction.now
        key = f"stop:{session.id}:{transaction.state.symbol}"
        if await unit_of_work.accounts.record_alerts(session.account_id, [key], now):
            message = f"A trading session makes no entries on {transaction.state.symbol}: {error}. Lessen the distance."
            unit_of_work.events.append([NewEvent(session.user_id, now, UserEventKind.ALERT, None, message)])

    def _record(self, transaction: TradingSessionTransaction, signal: Signal, order: Order | None) -> None:
        """Have a signal stored with the order it causes; their references to each other are checked at the commit."""
        transaction.batch.signal(replace(signal, order_id=order.id if order else None))


def as_missed(signal: Signal, why: str | None) -> Signal:
    """Return the signal as missed for that reason; None leaves it as it is."""
    return signal if why is None else replace(signal, missed=True, reason=f"{signal.reason} — missed: {why}")


@dataclass(frozen=True, slots=True)
class _Terms:
    """How an entry is sized and protected: ATR(14) in quote per base, and its share of the ladder."""

    atr: Decimal | None
    rules: ProtectionRules
    share: Share


def _known(rules: ProtectionRules | None) -> ProtectionRules:
    if rules is None:
        raise SizingError("ATR(14), by which its exits are measured, isn't known yet")
    return rules


async def _build_entry(
    context: TradingSessionContext, transaction: TradingSessionTransaction, signal: Signal, terms: _Terms
) -> Order:
    """Return the order to buy that an entry signal causes, not stored yet; raises `SizingError`."""
    plan, market, feed = context.plan, context.market, context.feed
    if market is None:
        raise SizingError(f"{context.symbol} isn't listed at its venue")
    depth = feed.latest_depth(market.symbol)
    price = entry_price(plan.definition.order, depth, signal.price, market)
    if price <= 0:
        raise SizingError(f"the limit price would be {price:f}")
    check_stops(terms.rules, price)
    balances = await transaction.batch.balances()
    free = next((balance.free or ZERO for balance in balances if balance.currency == market.quote), ZERO)
    sizing_context = SizingContext(
        market=market,
        price=price,
        free_quote=EXACT.subtract(free, transaction.state.held.get(market.quote, ZERO)),
        equity=context.equity(balances).total,
        quote_rate=context.convert(_ONE, market.quote, plan.currency),
        atr=terms.atr,
        stop_distance=stop_distance(terms.rules, price),
        asks=depth.asks if depth and plan.definition.order.type is OrderType.MARKET else (),
    )
    size = size_entry(plan.sizing, sizing_context, terms.share)
    if signal.add_number is None:
        check_sellable(size, sizing_context, base_fee=market.taker_fee or ZERO)
    return entry_order(plan, context.ids.next_id(), market.symbol, signal, size, price, transaction.now)
