import pytest

from infra.venues.rate_limit.ban import VenueBan
from tests.support.clocks import ManualClock


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Thu, 08 Aug 2024 00:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 08 Aug 2024 00:10:30 GMT", "date": "Thu, 08 Aug 2024 00:10:00 GMT"}, 30),
        ({"retry-after": "Wed, 07 Aug 2024 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, 10),
        ({"retry-after": "-5"}, 10),
        ({}, 10),
    ],
)
def test_the_venue_names_the_time_in_seconds_or_by_a_date(headers: dict[str, str], seconds: float) -> None:
    silence = VenueBan(ManualClock())
    silence.asked(429, headers)
    assert silence.seconds == seconds


def test_a_ban_that_is_told_in_words_lasts_as_long_as_they_say() -> None:
    silence = VenueBan(ManualClock())
    silence.asked(418, {}, '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1723075320000."}')
    assert silence.seconds == 120


def test_without_a_time_each_refusal_in_a_row_doubles_it_up_to_a_bound() -> None:
    clock = ManualClock()
    silence, told = VenueBan(clock), list[float]()
    for _ in range(7):
        silence.asked(429, {})
        told.append(silence.seconds)
        clock.move(silence.seconds)
    assert told == [10, 20, 40, 80, 160, 320, 320]
    silence.answered()
    silence.asked(429, {})
    assert silence.seconds == 10


def test_answers_to_calls_that_were_under_way_together_are_one_refusal() -> None:
    silence = VenueBan(ManualClock())
    for _ in range(5):
        silence.asked(429, {})
        silence.answered()
    assert silence.seconds == 10
    assert silence.asked_for == 5


def test_a_ban_lasts_two_minutes_at_least() -> None:
    silence = VenueBan(ManualClock())
    silence.asked(418, {})
    assert silence.seconds == 120
