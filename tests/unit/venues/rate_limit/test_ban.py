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
    ban = VenueBan(ManualClock())
    ban.on_rejected(429, headers)
    assert ban.seconds == seconds


def test_a_ban_that_is_announced_in_words_lasts_as_long_as_they_say() -> None:
    ban = VenueBan(ManualClock())
    ban.on_rejected(418, {}, '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1723075320000."}')
    assert ban.seconds == 120


def test_without_a_time_each_refusal_in_a_row_doubles_it_up_to_a_bound() -> None:
    clock = ManualClock()
    ban, seconds = VenueBan(clock), list[float]()
    for _ in range(7):
        ban.on_rejected(429, {})
        seconds.append(ban.seconds)
        clock.move(ban.seconds)
    assert seconds == [10, 20, 40, 80, 160, 320, 320]
    ban.on_success()
    ban.on_rejected(429, {})
    assert ban.seconds == 10


def test_answers_to_calls_that_were_under_way_together_are_one_refusal() -> None:
    ban = VenueBan(ManualClock())
    for _ in range(5):
        ban.on_rejected(429, {})
        ban.on_success()
    assert ban.seconds == 10
    assert ban.count == 5


def test_a_ban_lasts_two_minutes_at_least() -> None:
    ban = VenueBan(ManualClock())
    ban.on_rejected(418, {})
    assert ban.seconds == 120
