"""What has to be mended in a process of tests whose clock libfaketime has moved (`tests/at.py`)."""

import select
import time

import pytest

from tests.at import is_moved

needs_database_timeouts = pytest.mark.skipif(
    is_moved(),
    reason="the database's time-outs don't come: libfaketime tells the real time to signals of one that waits",
)


def _sleep(seconds: float) -> None:
    """Wait by another call of the system.

    Since Python 3.11 `time.sleep` waits for a moment of the monotonic clock, from which libfaketime 0.9.10 takes off
    what it has added to the other one: that moment lies in the past, and the call is refused (EINVAL).
    """
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select((), (), (), seconds)


if is_moved():
    time.sleep = _sleep
