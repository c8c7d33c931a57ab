"""Money inside the sandbox: integers of 1e-8, the precision to which Binance keeps its accounts.

Integers are exact, compare in nanoseconds, and add up to the last digit, which conservation of balances relies on.
"""

PLACES = 8
SCALE = 100_000_000
MAX_DIGITS = 20


def parse_units(text: str) -> int:
    """Return the count of 1e-8 that a plain decimal such as "0.00100000" writes; raise ValueError otherwise.

    No sign, no exponent, at most 8 places and 20 digits before the point, as Binance's parameter patterns ask.
    """
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not digits.isascii() or not digits.isdigit() or not whole or len(whole) > MAX_DIGITS or len(fraction) > PLACES:
        raise ValueError(f"{text!r} is not a decimal with at most {PLACES} places")
    return int(whole) * SCALE + int(fraction.ljust(PLACES, "0"))


def format_units(units: int) -> str:
    """Return `units` as Binance writes amounts: always eight places.

    >>> format_units(150_000_000), format_units(-1)
    ('1.50000000', '-0.00000001')
    """
    sign = "-" if units < 0 else ""
    whole, rest = divmod(abs(units), SCALE)
    return f"{sign}{whole}.{rest:08d}"


def notional(price: int, quantity: int) -> int:
    """Return price times quantity in quote units, rounded down to 1e-8."""
    return price * quantity // SCALE


def to_units(value: float, step: int) -> int:
    """Return the multiple of `step` nearest to `value`, a float of whole coins, for synthetic figures."""
    return round(value * SCALE / step) * step
