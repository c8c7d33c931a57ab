"""What has to happen to a database that was restored to an earlier moment, before any node starts on it."""

from datetime import datetime

from domain.core.clock import Clock
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading_state import HaltLevel
from domain.ports.restores import RestoreMark
from domain.ports.unit_of_work import Database
from domain.trading.halts import ENGINE, HaltRequest, HaltService


async def mark_restored(database: Database, clock: Clock, halts: HaltService, restored_to: datetime) -> RestoreMark:
    """Halt the engine, and mark the database as one that doesn't know what happened after that moment.

    Each account then first finds, at its venue, the orders that it has made since. What a user did since isn't known to
    anybody, so each user is told. May be called again: a cursor or a lease from before is refused all the same.
    """
    when = f"{restored_to:%Y-%m-%d %H:%M:%S} UTC"
    async with database.read_only() as reading:
        halted = await reading.halts.get_many([(HaltLevel.ENGINE, ENGINE.id)])
    if not halted:
        request = HaltRequest(cancel_orders=False, reason=f"The database was restored to {when}.")
        await halts.set_halt_by_machine(ENGINE, request)
    message = (
        f"The engine's database was restored to {when}. What you changed after that is lost, orders that were placed "
        "after that are found again at the venue, and everybody has to sign in again."
    )
    now = clock.now()
    async with database.transaction() as transaction:
        mark = await transaction.restores.mark(restored_to, now)
        alerts = [NewEvent(user_id, now, UserEventKind.ALERT, None, message) for user_id in mark.users]
        transaction.events.append(alerts)
    return mark
