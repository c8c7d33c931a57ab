"""When an exit that closed nothing is tried again."""

from datetime import datetime, timedelta

from domain.model.protection import PositionIntent

LONGEST_RETRY_SECONDS = 30.0
PATIENT_RETRY_SECONDS = 60.0
PATIENT_AFTER = 10
"""After how many failures in a row an exit is tried at the slower pace."""


def retry_delay(failures: int) -> timedelta:
    """Return how long an exit waits after so many failures in a row: 1 s, 2 s, 4 s … 30 s, and a minute after ten."""
    if failures > PATIENT_AFTER:
        return timedelta(seconds=PATIENT_RETRY_SECONDS)
    return timedelta(seconds=min(2.0 ** (failures - 1), LONGEST_RETRY_SECONDS))


def is_late(intent: PositionIntent, now: datetime) -> bool:
    """Return whether the pause after the last failure is over.

    One that is longer than it was made is from before the clock was set back, or from a node whose clock is ahead.
    """
    if intent.next_try_at is None:
        return True
    return not timedelta(0) < intent.next_try_at - now <= retry_delay(intent.failures)
