"""How long a stream waits from failure to failure, and what is logged."""

import logging

import pytest

from domain.market_data.stream_retry import STABLE_AFTER_SECONDS, StreamRetry
from tests.support.clocks import ManualClock


def test_a_stream_that_works_and_fails_at_once_waits_longer_each_time_up_to_ten_seconds() -> None:
    clock = ManualClock()
    attempts = StreamRetry("the book", clock)
    waits = []
    for _ in range(10):
        attempts.succeeded()
        clock.move(1)
        waits.append(attempts.failed("it broke"))
    longest = [min(10.0, 0.2 * 2**number) for number in range(10)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))


def test_a_stream_that_has_held_for_a_while_begins_with_the_shortest_wait_again() -> None:
    clock = ManualClock()
    attempts = StreamRetry("the book", clock)
    for _ in range(6):
        attempts.failed("it broke")
    attempts.succeeded()
    clock.move(STABLE_AFTER_SECONDS)
    attempts.succeeded()
    assert attempts.failed("it broke") <= 0.2


def test_a_venue_that_asks_for_time_gets_it() -> None:
    assert StreamRetry("the book", ManualClock()).failed("too many requests", 30.0) == 30.0


def test_waits_are_not_in_step_with_those_of_others() -> None:
    waits = {StreamRetry("the book", ManualClock()).failed("it broke") for _ in range(20)}
    assert len(waits) > 10


def test_an_outage_is_logged_once_then_once_a_minute_with_how_often_it_happened(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    attempts = StreamRetry("the book of sandbox:BTC/USDT", clock)
    for _ in range(480):
        attempts.succeeded()
        attempts.failed("update 5 was followed by 9")
        clock.move(0.25)
    broke = [message for message in caplog.messages if "broke" in message]
    assert broke == [
        "the book of sandbox:BTC/USDT broke: update 5 was followed by 9",
        "the book of sandbox:BTC/USDT broke: update 5 was followed by 9 (239 more times in the last minute)",
    ]


def test_a_stream_that_fails_before_it_has_ever_worked_was_away_since_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    clock.move(1_000)
    attempts = StreamRetry("the book", clock)
    for _ in range(2):
        attempts.failed("the venue can't be reached")
        clock.move(3)
    attempts.succeeded()
    assert caplog.messages[-1] == "the book is back after 6.0 s"


def test_that_a_stream_is_back_is_logged_with_how_long_it_was_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = ManualClock()
    attempts = StreamRetry("the book", clock)
    attempts.succeeded()
    assert not caplog.messages
    clock.move(100)
    attempts.failed("it broke")
    clock.move(3)
    attempts.failed("it is still broken")
    clock.move(4)
    attempts.succeeded()
    assert caplog.messages[-1] == "the book is back after 7.0 s"
