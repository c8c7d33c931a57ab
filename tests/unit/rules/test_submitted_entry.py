"""What becomes of an entry that a user submits."""

from datetime import timedelta

import pytest

from domain.model.trading import TradingSessionStatus as Status
from domain.rules.submitted_entry import why_missed

NEW = timedelta(seconds=1)


@pytest.mark.parametrize("status", [Status.STARTING, Status.RUNNING])
def test_an_entry_is_acted_on_up_to_ten_seconds_after_it_was_submitted(status: Status) -> None:
    assert why_missed(status, timedelta(seconds=10), has_place=True, has_exit_after=False) is None
    late = why_missed(status, timedelta(seconds=10.001), has_place=True, has_exit_after=False)
    assert late == "the trading session could not act on it within 10 s"


@pytest.mark.parametrize("status", [Status.PAUSED, Status.STOPPING, Status.STOPPED, Status.FAILED])
def test_an_entry_is_missed_by_a_session_that_makes_none(status: Status) -> None:
    assert why_missed(status, NEW, has_place=True, has_exit_after=False) == f"the trading session is {status.value}"


def test_an_entry_is_missed_where_something_is_open_or_an_exit_followed() -> None:
    open_ = why_missed(Status.RUNNING, NEW, has_place=False, has_exit_after=False)
    assert open_ == "the trading session has a position or an order already"
    assert why_missed(Status.RUNNING, NEW, has_place=True, has_exit_after=True) == "an exit followed it"
