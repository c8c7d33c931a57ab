"""The operators of the rule language over series of numbers, with the tolerance that they compare by."""

from collections.abc import Callable, Mapping

import numpy as np

from domain.indicators.candle_arrays import Floats

TOLERANCE = 1e-9
"""Numbers whose difference is at most this fraction of the greater compare as equal.

A window and a long history agree to 1e-9 and no better, so without it the two could differ when two series touch.
"""
NOISE = 1e-12


def arithmetic(sign: str, left: Floats, right: Floats) -> Floats:
    """Return the numbers joined by `sign`, NaN if the result isn't a finite number."""
    with np.errstate(all="ignore"):
        result = ARITHMETIC[sign](left, right)
    return np.where(np.isfinite(result), result, np.nan)


def compare(left: Floats, right: Floats) -> Floats:
    """Return 1.0 if left is greater, -1.0 if it is less, 0.0 if they are equal within the tolerance."""
    order = left - right
    close = np.abs(order) <= TOLERANCE * np.maximum(np.abs(left), np.abs(right))
    return np.where(close, 0.0, np.sign(order))


def _difference(left: Floats, right: Floats) -> Floats:
    # What rounding leaves of two equal numbers is noise with a sign; zero is what was meant.
    noise = np.abs(left - right) <= NOISE * np.maximum(np.abs(left), np.abs(right))
    return np.where(noise, 0.0, left - right)


ARITHMETIC: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": lambda left, right: _difference(left, -right),
    "-": _difference,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "**": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
COMPARISONS: Mapping[str, Callable[[Floats], Floats]] = {
    ">": lambda order: (order > 0).astype(np.float64),
    ">=": lambda order: (order >= 0).astype(np.float64),
    "<": lambda order: (order < 0).astype(np.float64),
    "<=": lambda order: (order <= 0).astype(np.float64),
    "==": lambda order: (order == 0).astype(np.float64),
    "!=": lambda order: (order != 0).astype(np.float64),
}
