"""Protects what a trading session's entry orders bring."""

from domain.model.orders import Order
from domain.model.protection import PositionProtection, ProtectionRules
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.entry import protection_rules
from domain.rules.protected_position import new_protection
from domain.strategies.compiled import average_true_range
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext


async def protect_entry(
    context: TradingSessionContext, unit_of_work: UnitOfWork, order: Order, rules: ProtectionRules
) -> None:
    """Store the protection of an entry order, in the transaction that stores the order.

    One with empty rules protects from nothing, and says which order the position was entered by.
    """
    protect_at = context.plan.definition.protect_at
    await unit_of_work.protection.add(new_protection(order, rules, context.ids.next_id(), protect_at))


async def ensure_protection(context: TradingSessionContext, history: CandleBuffer) -> None:
    """Protect the trading session's position and entry orders that an older version of the engine left without."""
    async with context.transaction() as transaction:
        unit_of_work, state, session = transaction.unit_of_work, transaction.state, transaction.state.session
        known = await unit_of_work.protection.list_open(session.account_id)
        owner = (session.id, state.symbol)
        own = [protection for protection in known if (protection.trading_session_id, protection.market) == owner]
        opened_at = transaction.now if state.position is None else state.position.opened_at
        arrays = history.arrays(opened_at - session.timeframe.duration)
        definition = context.plan.definition
        atr = average_true_range(arrays) if definition.needs_atr else None
        rules = protection_rules(definition, session.timeframe, atr)
        if rules is None:
            return
        protected = {protection.entry_order_id for protection in own}
        for order in state.entries:
            if order.id not in protected:
                await protect_entry(context, unit_of_work, order, rules)
        if state.position is not None and not own:
            await unit_of_work.protection.add(
                PositionProtection(
                    id=context.ids.next_id(),
                    user_id=session.user_id,
                    account_id=session.account_id,
                    market=state.symbol,
                    rules=rules,
                    created_at=transaction.now,
                    trading_session_id=session.id,
                    position_id=state.position.id,
                    protect_at=definition.protect_at,
                )
            )
    context.wake_keeper()
