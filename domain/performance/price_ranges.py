"""The highest and the lowest price within many spans, out of candles that are read once."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from domain.model.price_ranges import Floats, PriceRanges
from domain.model.reports import Extremes, Span


def extremes_within(ranges: PriceRanges, spans: Mapping[int, Span]) -> dict[int, Extremes]:
    """Return, by the index of each span, the extremes of the candles that lie wholly inside of it, if there are any.

    By a sparse table: the extremes of 1, 2, 4, 8 … candles from each on, so that two of them cover any span (Bender and
    Farach-Colton, The LCA Problem Revisited, 2000).
    """
    if not len(ranges.opened) or not spans:
        return {}
    indices = np.array(list(spans))
    first = np.searchsorted(ranges.opened, [span.start.timestamp() for span in spans.values()], side="left")
    until = np.searchsorted(ranges.closed, [span.end.timestamp() for span in spans.values()], side="right")
    has_any = until > first
    indices, first, until = indices[has_any], first[has_any], until[has_any]
    highs, lows = _best(ranges.high, first, until, np.maximum), _best(ranges.low, first, until, np.minimum)
    return {
        int(index): Extremes(Decimal(repr(float(high))), Decimal(repr(float(low))))
        for index, high, low in zip(indices, highs, lows, strict=True)
    }


def _best(values: Floats, first: npt.NDArray[np.intp], until: npt.NDArray[np.intp], choose: np.ufunc) -> Floats:
    levels = [values]
    while 2 * (size := 2 ** (len(levels) - 1)) <= len(values):
        levels.append(choose(levels[-1][:-size], levels[-1][size:]))
    found = np.empty(len(first))
    exponents = np.floor(np.log2(until - first)).astype(np.intp)
    for exponent in np.unique(exponents):
        chosen = exponents == exponent
        level = levels[exponent]
        found[chosen] = choose(level[first[chosen]], level[until[chosen] - 2**exponent])
    return found
