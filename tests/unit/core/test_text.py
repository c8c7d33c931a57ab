"""What is suggested for a name that nothing has: what was meant, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.text import closest_match
from domain.indicators.catalogue import indicator_names

NAMES = [*indicator_names(), "crosses_above", "crosses_below", "highest", "lowest", "shift", "close", "volume"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("smaa", "sma"), ("SMA", "sma"), ("rzi", "rsi"), ("emma", "ema"), ("clsoe", "close"),
        ("highst", "highest"), ("heighst", "highest"), ("lowset", "lowest"), ("supertrand", "supertrend"),
        ("crossabove", "crosses_above"), ("cross_above", "crosses_above"), ("bband", "bbands"), ("volumne", "volume"),
        ("stocrsi", "stochrsi"),
    ],
)  # fmt: skip
def test_a_slip_of_the_fingers_is_put_right(written: str, meant: str) -> None:
    assert closest_match(written, [*NAMES, "supertrend"]) == meant


@pytest.mark.parametrize(
    "written", ["ichimoku", "foo", "barssince", "market", "valuewhen", "vwap_session", "x", "hello", "security", "hour"]
)
def test_nothing_is_suggested_for_what_is_something_else(written: str) -> None:
    assert closest_match(written, NAMES) is None


@given(st.sampled_from(NAMES), st.data())
def test_one_letter_too_many_in_a_longer_name_is_always_near(name: str, data: st.DataObject) -> None:
    if len(name) <= 3:
        return
    place = data.draw(st.integers(0, len(name)))
    letter = data.draw(st.sampled_from("abcxyz_"))
    assert closest_match(name[:place] + letter + name[place:], [name]) == name
