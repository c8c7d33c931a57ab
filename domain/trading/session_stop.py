"""Stops a trading session: ends its entries, has its position closed if asked, and says what it waits for meanwhile."""

from dataclasses import replace
from functools import partial

from domain.core.money import ZERO, plain
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType
from domain.model.trading import TradingSessionStatus
from domain.rules.refused_cancels import awaited_end
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_intents import intend_flat
from domain.trading.session_state import TradingSessionEnded, TradingSessionState
from domain.trading.session_transactions import TradingSessionTransaction

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


async def step_stop(context: TradingSessionContext, state: TradingSessionState) -> None:
    """Do the next step of stopping a trading session that is STOPPING; raises `TradingSessionEnded` after the last."""
    waits_for = _waits_for(state)
    if _to_close(state):
        await context.transact(partial(_intend_close, context))
        context.wake_keeper()
    elif waits_for is not None:
        if waits_for != state.session.status_reason:
            await context.transact(_save_reason)
    else:
        await context.transact(_save_stopped)
        raise TradingSessionEnded


def _to_close(state: TradingSessionState) -> list[TradingSessionState]:
    """Return the markets whose position is to be closed, and isn't yet."""
    if state.session.status is not TradingSessionStatus.STOPPING or not state.session.close_on_stop:
        return []
    markets = (state.of(market) for market in state.session.markets)
    return [one for one in markets if one.intent is None and (one.position is not None or one.entries)]


async def _intend_close(context: TradingSessionContext, transaction: TradingSessionTransaction) -> None:
    session, unit_of_work = transaction.state.session, transaction.unit_of_work
    for one in _to_close(transaction.state):
        reason = "The trading session was stopped and its position is to be closed."
        intent_id, role = context.ids.next_id(), OrderRole.CLOSE
        await intend_flat(unit_of_work, intent_id, session, one.symbol, one.position, role, reason, transaction.now)


async def _save_reason(transaction: TradingSessionTransaction) -> None:
    session, reason = transaction.state.session, _waits_for(transaction.state)
    if session.status is TradingSessionStatus.STOPPING and reason is not None:
        transaction.save_session(replace(session, status_reason=reason))


async def _save_stopped(transaction: TradingSessionTransaction) -> None:
    session = transaction.state.session
    if session.status is TradingSessionStatus.STOPPING and _waits_for(transaction.state) is None:
        latest = await transaction.unit_of_work.positions.latest_by_session([session.id])
        missing = latest[0].missing if latest and latest[0].closed_at is not None else ZERO
        base = latest[0].market.symbol.partition("/")[0] if latest else ""
        reason = f"{plain(abs(missing))} {base} of its position were no longer in the account." if missing else None
        stopped = replace(
            session, status=TradingSessionStatus.STOPPED, stopped_at=transaction.now, status_reason=reason
        )
        transaction.save_session(stopped)


def _waits_for(state: TradingSessionState) -> str | None:
    """Return the sentence that says what must happen before the trading session has stopped; None if nothing."""
    for order in state.all_orders:
        if order.awaits_fills:
            return f"It waits for trades of its order {order.client_order_id} that the venue has counted and not told."
        if not _protects_what_stays(order, state.of(order.market)):
            return awaited_end([order])
    if not state.session.close_on_stop or not (state.all_positions or state.all_intents):
        return None
    reasons = (reason for intent in state.all_intents for reason in (intent.waits_for, intent.last_refusal))
    refusal = next((reason for reason in reasons if reason is not None), None)
    return f"It waits until its position is closed.{'' if refusal is None else f' {refusal}'}"


def _protects_what_stays(order: Order, state: TradingSessionState) -> bool:
    """Return whether an order rests at the venue to protect a position that the user keeps."""
    is_kept = state.position is not None and not state.session.close_on_stop
    return is_kept and order.role.is_exit and order.type is not OrderType.MARKET and order.status in _RESTING
