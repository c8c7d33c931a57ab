"""What becomes of an entry that a user submits as a signal."""

from datetime import timedelta

from domain.model.trading import TradingSessionStatus
from domain.rules.entry import MAX_ENTRY_DELAY


def why_missed(status: TradingSessionStatus, age: timedelta, *, has_place: bool, has_exit_after: bool) -> str | None:
    """Return why a submitted entry can't be acted on; None if it can, once the trading session is ready.

    `status` is the trading session's; `has_place` is whether nothing is open or under way in it, or a further entry is
    due, and `has_exit_after` whether an exit was submitted after it.
    """
    if status not in {TradingSessionStatus.STARTING, TradingSessionStatus.RUNNING}:
        return f"the trading session is {status.value}"
    if age > MAX_ENTRY_DELAY:
        seconds = MAX_ENTRY_DELAY.total_seconds()
        return f"the trading session could not act on it within {seconds:.0f} s"
    if has_exit_after:
        return "an exit followed it"
    return None if has_place else "the trading session has a position or an order already"
