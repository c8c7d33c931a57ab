"""The intents of trading sessions to be flat: rows that the account's position keeper carries out."""

from datetime import datetime
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole
from domain.model.protection import PositionIntent
from domain.model.trading import Position, TradingSession
from domain.ports.unit_of_work import UnitOfWork


async def intend_flat(
    unit_of_work: UnitOfWork,
    intent_id: UUID,
    session: TradingSession,
    market: MarketSymbol,
    position: Position | None,
    role: OrderRole,
    reason: str,
    at: datetime,
    signal_id: UUID | None = None,
) -> bool:
    """Store that the trading session's position on a market is to be closed; False if it is to be already.

    Without a position it means what the entry orders of now still bring.
    """
    return await unit_of_work.protection.add_intent(
        PositionIntent(
            id=intent_id,
            user_id=session.user_id,
            account_id=session.account_id,
            market=market,
            role=role,
            reason=reason,
            since=at,
            trading_session_id=session.id,
            position_id=None if position is None else position.id,
            signal_id=signal_id,
        )
    )


async def withdraw_close(unit_of_work: UnitOfWork, session: TradingSession, at: datetime) -> None:
    """End the intents to close the positions that a user's stop has left; an order that was sent stays sent."""
    for known in await unit_of_work.protection.list_open_intents(session.account_id):
        if known.trading_session_id == session.id and known.role is OrderRole.CLOSE:
            await end_intent(unit_of_work, known, at)


async def end_intent(unit_of_work: UnitOfWork, known: PositionIntent, at: datetime) -> None:
    """End an intent, unless it has ended meanwhile."""
    intent = await unit_of_work.protection.get_intent_for_update(known.id)
    if intent is not None and intent.ended_at is None:
        await unit_of_work.protection.save_intent(intent.changed(ended_at=at))
