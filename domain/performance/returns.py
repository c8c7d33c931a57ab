"""Time-weighted returns of an equity curve, which deposits and withdrawals don't change.

The period is cut at every deposit and withdrawal and the returns of the parts are multiplied (time-weighted rate of
return: Global Investment Performance Standards 2020, provision 2.A.21; B. J. Feibel, Investment Performance
Measurement, 2003). A point of the curve is valued just after what was paid in at its moment, so that the part before it
ends with its equity less that payment.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise

from domain.model.reports import EquityPoint

NEGLIGIBLE = 1e-12
"""Smaller deviations and falls are rounding errors."""

_DAY = timedelta(days=1)


def growth_index(curve: Sequence[EquityPoint]) -> list[float]:
    """Return what 1 invested at the start had become at each point; it doesn't change while nothing is invested.

    Between two payments the index follows the equity exactly, so that equal equities have equal indices.
    """
    if not curve:
        return []
    index, base, invested, paid_in = [1.0], 1.0, curve[0].equity, curve[0].net_deposits
    divisor = float(invested)
    for point in curve[1:]:
        if divisor > 0 and point.net_deposits == paid_in:
            index.append(base * max(float(point.equity) / divisor, 0.0))
            continue
        payment = point.net_deposits - paid_in
        index.append(base * _growth(invested, point.equity - payment))
        if payment or invested <= 0:
            base, invested, paid_in = index[-1], point.equity, point.net_deposits
            divisor = float(invested)
    return index


def drawdowns(index: Sequence[float]) -> list[float]:
    """Return how far each value is below the highest so far, in percent of that."""
    highest = list(accumulate(index, max))
    falls = [(high - value) / high if high > 0 else 0.0 for value, high in zip(index, highest, strict=True)]
    return [fall * 100 if fall > NEGLIGIBLE else 0.0 for fall in falls]


@dataclass(frozen=True, slots=True)
class DailyReturn:
    """The return of a UTC day as a fraction; the first day begins with the curve, and the last ends with it."""

    start: datetime
    end: datetime
    value: float

    @property
    def date(self) -> date:
        """The day."""
        return self.start.astimezone(UTC).date()


def daily_returns(curve: Sequence[EquityPoint], index: Sequence[float]) -> list[float]:
    """Return the return of every UTC day of the curve, as fractions; see `dated_returns`."""
    return [day.value for day in dated_returns(curve, index)]


def dated_returns(curve: Sequence[EquityPoint], index: Sequence[float]) -> list[DailyReturn]:
    """Return the return of every UTC day of the curve.

    The first day begins with the curve and the last ends with it, so that they may be shorter. A day without a point
    has the equity of the point before. Days on which nothing was invested are left out. `index` is the curve's
    `growth_index`.
    """
    if not curve:
        return []
    times = [point.at for point in curve]
    ends = _day_ends(curve[0].at, curve[-1].at)
    closes = [bisect_right(times, moment) - 1 for moment in ends]
    returns = []
    for (start, end), (opening, closing) in zip(pairwise([curve[0].at, *ends]), pairwise([0, *closes]), strict=True):
        invested = any(point.equity > 0 for point in curve[opening : closing + 1])
        if invested and index[opening] > 0:
            returns.append(DailyReturn(start, end, index[closing] / index[opening] - 1))
    return returns


def invested_since(curve: Sequence[EquityPoint]) -> datetime | None:
    """Return the time of the first point with any equity; None if there is none."""
    return next((point.at for point in curve if point.equity > 0), None)


def _growth(invested: Decimal, value: Decimal) -> float:
    return max(float(value / invested), 0.0) if invested > 0 else 1.0


def _day_ends(start: datetime, end: datetime) -> list[datetime]:
    """Return the midnights (UTC) between the two times, and the end."""
    midnight = datetime.combine(start.astimezone(UTC).date() + _DAY, time(), UTC)
    midnights = []
    while midnight < end:
        midnights.append(midnight)
        midnight += _DAY
    return [*midnights, end]
