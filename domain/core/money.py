"""Exact decimal arithmetic for prices, quantities and amounts."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, Overflow

MAX_DIGITS = 38
SHOWN_PLACES, SHOWN_DIGITS = 8, 12
ZERO = Decimal(0)

MAX_PLACES = 18
"""How many decimals a price, a quantity or a quotient has at most."""
MAX_AMOUNT = Decimal(10) ** 18
"""Prices and quantities are below this; so a product of two has no more digits than `EXACT` holds."""
_STORED_STEP = Decimal(1).scaleb(-MAX_PLACES)
_WRITTEN = re.compile(r"[-+0-9.A-Za-z]+", re.ASCII)
"""What is passed to Decimal, which by itself also accepts underscores, surrounding spaces and digits of any script."""

_MOST_OF_QUOTIENT = 2 * MAX_DIGITS - MAX_PLACES - 1
"""From this power of ten on, a quotient with 18 places has more digits than `EXACT` holds."""

EXACT = Context(prec=2 * MAX_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
"""The context of every division and multiplication of money: twice the digits that one number may have."""


def plain(value: Decimal) -> str:
    """Return `value` without exponent and without trailing zeros, as the API and the venues write it.

    >>> plain(Decimal("1E+3")), plain(Decimal("0.1000")), plain(Decimal("-0"))
    ('1000', '0.1', '0')
    """
    text = str(value)  # several times as quick as a format
    if "E" in text:
        text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def rounded(value: Decimal) -> Decimal:
    """Return a computed amount as it is shown: with 8 decimals, or more if those have less than 12 significant digits.

    >>> rounded(Decimal("61579.159259008148321643")), rounded(Decimal("0.00001234567890123456"))
    (Decimal('61579.15925901'), Decimal('0.0000123456789012'))
    """
    if not value:
        return value
    places = max(SHOWN_PLACES, SHOWN_DIGITS - 1 - value.adjusted())
    if int(value.as_tuple().exponent) >= -places or not _has_room(value, places):
        return value
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN, context=EXACT)


def parse_decimal(text: str) -> Decimal:
    """Return the finite decimal number in `text`; raise ValueError with what is wrong with it.

    At most 38 significant digits, and no more than 38 places on either side of the point.
    """
    if len(text) > 2 * MAX_DIGITS + 3:
        raise ValueError(f"has more than {MAX_DIGITS} digits")
    try:
        value = Decimal(text if _WRITTEN.fullmatch(text) else "")
    except InvalidOperation:
        raise ValueError("is not a decimal number such as 0.01") from None
    if not value.is_finite():
        raise ValueError("must be a finite number")
    exponent = int(value.as_tuple().exponent)
    if len(value.as_tuple().digits) > MAX_DIGITS or exponent < -MAX_DIGITS or value.adjusted() >= MAX_DIGITS:
        raise ValueError(f"has more than {MAX_DIGITS} digits")
    return value


def size_error(value: Decimal) -> str | None:
    """Return what is wrong with a price or quantity that no venue could take, as the end of a sentence."""
    if abs(value) >= MAX_AMOUNT:
        return f"must be below {plain(MAX_AMOUNT)}"
    if value != value.quantize(_STORED_STEP, rounding=ROUND_HALF_EVEN, context=EXACT):
        return f"has more than {MAX_PLACES} decimals"
    return None


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Return the greatest multiple of `step` that is not above `value`."""
    return _to_step(value, step, ROUND_FLOOR)


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the least multiple of `step` that is not below `value`."""
    return _to_step(value, step, ROUND_CEILING)


def round_nearest(value: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `value`, halves to even."""
    return _to_step(value, step, ROUND_HALF_EVEN)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Return whether `value` lies on the grid of `step`; every value lies on a grid of zero."""
    return step == 0 or value == _to_step(value, step, ROUND_HALF_EVEN)


def divide(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Return the quotient in the `EXACT` context, cut to 18 places so that it can be stored and sent.

    A quotient so great that its digits end before is returned as it is: no two numbers make this raise but a zero.
    """
    quotient = EXACT.divide(numerator, denominator)
    if quotient.adjusted() >= _MOST_OF_QUOTIENT:
        return quotient
    return quotient.quantize(_STORED_STEP, rounding=ROUND_HALF_EVEN, context=EXACT).normalize(EXACT)


def rounded_quotient(numerator: int, denominator: int) -> int:
    """Return the quotient of a number and a positive one as the nearest whole number, halves to even."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + int(twice > denominator or (twice == denominator and quotient % 2 == 1))


def _has_room(value: Decimal, places: int) -> bool:
    """Return whether `EXACT` has enough digits for `value` with so many decimals; otherwise quantizing raises."""
    return value.adjusted() + 1 + places < EXACT.prec


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step == 0:
        return value
    count = EXACT.divide(value, step).to_integral_value(rounding=rounding)
    return EXACT.multiply(count, step)
