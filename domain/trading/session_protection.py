"""Protects what a trading session's entry orders bring."""

from domain.model.orders import Order
from domain.model.protection import PositionProtection, ProtectionRules
from domain.rules.entry import protection_rules
from domain.rules.protected_position import new_protection
from domain.strategies.compiled import average_true_range
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_transactions import TradingSessionTransaction


def entry_protection(context: TradingSessionContext, order: Order, rules: ProtectionRules) -> PositionProtection:
    """Return the protection of an entry order, to be stored in the transaction that stores the order.

    One with empty rules protects from nothing, and says which order the position was entered by.
    """
    return new_protection(order, rules, context.ids.next_id(), context.plan.definition.protect_at)


async def ensure_protection(
    context: TradingSessionContext, transaction: TradingSessionTransaction, history: CandleBuffer
) -> bool:
    """Protect the trading session's position and entry orders that an older version of the engine left without.

    Return whether there was anything to protect.
    """
    unit_of_work, state, session = transaction.unit_of_work, transaction.state, transaction.state.session
    if state.position is None and not state.entries:
        return False
    known = await transaction.batch.protections()
    owner = (session.id, state.symbol)
    own = [protection for protection in known if (protection.trading_session_id, protection.market) == owner]
    opened_at = transaction.now if state.position is None else state.position.opened_at
    arrays = history.arrays(opened_at - session.timeframe.duration)
    definition = context.plan.definition
    atr = average_true_range(arrays) if definition.needs_atr else None
    rules = protection_rules(definition, session.timeframe, atr)
    if rules is None:
        return False
    protected = {protection.entry_order_id for protection in own}
    unprotected = [order for order in state.entries if order.id not in protected]
    await unit_of_work.protection.add_many([entry_protection(context, order, rules) for order in unprotected])
    if state.position is None or own:
        return bool(unprotected)
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
    return True
