from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.money import divide, is_multiple, parse_decimal, plain, round_down, round_nearest, round_up, rounded

amounts = st.decimals(-(10**20), 10**20, places=18)
steps = st.sampled_from(["1E-18", "0.00001", "0.01", "0.5", "1", "25"]).map(Decimal)


@given(amounts)
def test_what_is_written_plainly_reads_the_same(amount: Decimal) -> None:
    text = plain(amount)
    assert parse_decimal(text) == amount
    assert "E" not in text
    assert text != "-0"
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "abc", "1_000", " 1", "1\n", "\u0661", "0x10", "1,5", "1e400", "1e-400", "NaN", "sNaN", "-Infinity",
        "1e999999999999999999999999", "9" * 39, "0." + "1" * 39, "1" * 10_000, "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not|must be|has more)"):
        parse_decimal(text)


@pytest.mark.parametrize("text", ["0", "-0", "+1", ".5", "5.", "1e3", "9" * 38, "0." + "1" * 38, "1E-38"])
def test_every_way_to_write_an_amount_is_taken(text: str) -> None:
    assert parse_decimal(text) == Decimal(text)


@given(amounts, steps)
def test_rounding_lands_on_the_grid_and_never_farther_than_a_step(amount: Decimal, step: Decimal) -> None:
    down, near, up = round_down(amount, step), round_nearest(amount, step), round_up(amount, step)

    assert all(is_multiple(rounded, step) for rounded in (down, near, up))
    assert down <= amount <= up
    assert down <= near <= up
    assert up - down in {0, step}
    assert (down == amount) == is_multiple(amount, step)


@given(st.decimals(-(10**20), 10**20, allow_nan=False, places=28))
def test_a_rounded_amount_is_right_to_eight_decimals_or_twelve_digits_and_keeps_its_sign(amount: Decimal) -> None:
    shown = rounded(amount)

    assert abs(Fraction(shown) - Fraction(amount)) <= min(Fraction(1, 2 * 10**8), abs(Fraction(amount)) / (2 * 10**11))
    assert (shown > 0, shown < 0) == (amount > 0, amount < 0)
    assert rounded(shown) == shown
    assert len(plain(shown).lstrip("-0.")) <= 1 + max(12, len(str(int(abs(amount)))) + 8)


@given(st.decimals(-(10**20), 10**20, places=8))
def test_an_amount_of_eight_decimals_is_shown_as_it_is(amount: Decimal) -> None:
    assert rounded(amount) == amount


@pytest.mark.parametrize(
    ("computed", "shown"),
    [
        ("61579.159259008148321643", "61579.15925901"),
        ("-42.84923552235000000001801197", "-42.8492355224"),
        ("23.6659472999999999999874", "23.6659473"),
        ("0.000000000000000000000000001234567890123", "0.00000000000000000000000000123456789012"),
        ("9.9999999999999999", "10"),
        ("0E-30", "0"),
        ("1E+3", "1000"),
    ],
)
def test_what_divisions_leave_is_shown_with_the_digits_that_mean_something(computed: str, shown: str) -> None:
    assert plain(rounded(Decimal(computed))) == shown


def test_a_grid_of_zero_holds_everything() -> None:
    assert round_down(Decimal("1.23"), Decimal(0)) == Decimal("1.23")
    assert is_multiple(Decimal("1.23"), Decimal(0))


@given(amounts, st.decimals("0.000001", 10**12, places=6))
def test_a_quotient_is_right_to_the_eighteenth_place(numerator: Decimal, denominator: Decimal) -> None:
    error = Fraction(divide(numerator, denominator)) - Fraction(numerator) / Fraction(denominator)
    assert abs(error) <= Fraction(1, 2 * 10**18)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_milliseconds_are_exact_and_rounded_down(naive: datetime) -> None:
    at = naive.replace(tzinfo=UTC)
    back = from_milliseconds(to_milliseconds(at))
    assert timedelta(0) <= at - back < timedelta(milliseconds=1)
    assert to_milliseconds(back) == to_milliseconds(at)
