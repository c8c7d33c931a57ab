"""Traded volume by price: bins, the point of control and the value area.

The terms and the rule of the value area are those of the CBOT's Market Profile (J. Peter Steidlmayer; Chicago Board of
Trade, "A Six-Part Study Guide to Market Profile", part II): the point of control is the price with the most volume, and
the value area grows from it by the two neighbouring prices above or below, whichever have more volume together, until
it holds 70 % of the volume.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import reduce

from domain.core.money import EXACT, ZERO, is_multiple, round_down
from domain.model.volume import Bins, BinVolume, PriceRange, PriceVolume

VALUE_AREA = Decimal("0.7")
"""The share of the volume that the value area holds at least."""

COMPLETE = Decimal("0.99")
"""Stored trades with this share of the candles' volume count as all there are: some seconds may always be missing."""

SIGNIFICANT_DIGITS = 5
"""How finely volume by price is summed up as trades are stored: the first digits of the price."""

_FINEST = Decimal("1E-8")
"""The step of prices of a market that tells none."""

_LEAST_STEPS_A_BIN = 4
"""Fewer sums than this a bin would make the bins much wider than they were asked to be."""


class VolumeSource(StrEnum):
    """What a profile was made of."""

    TRADES = "TRADES"
    CANDLES = "CANDLES"


@dataclass(frozen=True, slots=True)
class VolumeLevel:
    """What was traded from `price_low` up to, but not at, `price_high` (quote per base); volumes in base."""

    price_low: Decimal
    price_high: Decimal
    buy_volume: Decimal
    sell_volume: Decimal

    @property
    def volume(self) -> Decimal:
        """All that was traded there."""
        return self.buy_volume + self.sell_volume


@dataclass(frozen=True, slots=True)
class VolumeProfile:
    """Volume by price from `start` up to, but not at, `end`; levels from the lowest price up, without a gap.

    The point of control is the middle of the level with the most volume, on the market's price increment, or as finely
    as that level's edges where prices of the past were finer. The value
    area reaches from the lower edge of its lowest level to the upper edge of its highest. None where nothing was
    traded. `missing_minutes` of the period have closed without a stored candle: what was traded then may be missing.
    """

    start: datetime
    end: datetime
    source: VolumeSource
    levels: tuple[VolumeLevel, ...] = ()
    point_of_control: Decimal | None = None
    value_area_low: Decimal | None = None
    value_area_high: Decimal | None = None
    missing_minutes: int = 0

    @property
    def volume(self) -> Decimal:
        """All that was traded, in base."""
        return sum((level.volume for level in self.levels), ZERO)


def bin_width(price: Decimal) -> Decimal:
    """Return the step of the sums that are kept of trades at up to `price`.

    >>> bin_width(Decimal("61234.56")), bin_width(Decimal("0.0123"))
    (Decimal('1'), Decimal('0.000001'))
    """
    return Decimal(1).scaleb(price.adjusted() - SIGNIFICANT_DIGITS + 1)


def make_bins(prices: PriceRange, wanted: int, increment: Decimal) -> Bins:
    """Return the narrowest bins, at most `wanted`, that hold the prices; edges and width are multiples of `increment`.

    There are fewer where the prices are less than that many increments apart. Prices of a time when the market had a
    finer increment than now get edges as fine as their own digits.

    >>> make_bins(PriceRange(Decimal("0.001"), Decimal("0.005"), Decimal(1)), 50, Decimal("0.01"))
    Bins(low=Decimal('0.001'), width=Decimal('0.001'), count=5)
    """
    return _bins_of_steps(prices, wanted, _price_step(increment, prices.low, prices.high))


def rebin(prices: PriceRange, wanted: int, increment: Decimal) -> Bins | None:
    """Return bins that the kept sums fill without a rest; None where they are too coarse for so many bins.

    `prices` may be told to the step of the sums.
    """
    price_step = _price_step(increment, prices.low, prices.high)
    step = max(bin_width(prices.high), price_step)
    if step > price_step and prices.high - prices.low < wanted * _LEAST_STEPS_A_BIN * step:
        return None
    return _bins_of_steps(prices, wanted, step)


def coarse_bins(prices: PriceRange, wanted: int) -> Bins:
    """Return the narrowest bins that the kept sums fill without a rest, however few."""
    return _bins_of_steps(prices, wanted, bin_width(prices.high))


def _bins_of_steps(prices: PriceRange, wanted: int, step: Decimal) -> Bins:
    low = round_down(prices.low, step)
    steps = int(EXACT.divide(round_down(prices.high, step) - low, step)) + 1
    steps_a_bin = -(-steps // wanted)
    return Bins(low, steps_a_bin * step, -(-steps // steps_a_bin))


def _price_step(increment: Decimal, *prices: Decimal) -> Decimal:
    """Return the increment, or the finest digit of the prices where they aren't multiples of it."""
    step = increment or _FINEST
    if all(is_multiple(price, step) for price in prices):
        return step
    digits = min(price.normalize(EXACT).as_tuple().exponent for price in prices)
    return min(step, Decimal(1).scaleb(int(digits)))


def price_range(traded: Sequence[PriceVolume]) -> PriceRange | None:
    """Return the range of what was traded; None where nothing was."""
    if not traded:
        return None
    prices = [each.price for each in traded]
    return PriceRange(min(prices), max(prices), _exact_sum(EXACT.add(each.bought, each.sold) for each in traded))


def bin_trades(traded: Iterable[PriceVolume], bins: Bins) -> list[BinVolume]:
    """Return the volumes of the bins that hold any."""
    parts: dict[int, list[PriceVolume]] = {}
    for each in traded:
        parts.setdefault(int((each.price - bins.low) // bins.width), []).append(each)
    return [
        BinVolume(number, _exact_sum(one.bought for one in part), _exact_sum(one.sold for one in part))
        for number, part in parts.items()
    ]


def pick_source(trades: PriceRange | None, candles: PriceRange | None) -> VolumeSource:
    """Return what to make the profile of: trades, unless the candles tell that many of them are gone."""
    if candles is None or (trades is not None and trades.volume >= COMPLETE * candles.volume):
        return VolumeSource.TRADES
    return VolumeSource.CANDLES


def to_levels(bins: Bins, volumes: Iterable[BinVolume]) -> tuple[VolumeLevel, ...]:
    """Return a level for every bin, lowest first; those that `volumes` doesn't name are empty."""
    by_number = {volume.number: volume for volume in volumes}
    nothing = BinVolume(0, ZERO, ZERO)
    found = [by_number.get(number, nothing) for number in range(bins.count)]
    return tuple(
        VolumeLevel(bins.edge(number), bins.edge(number + 1), one.bought, one.sold) for number, one in enumerate(found)
    )


def build_profile(
    start: datetime, end: datetime, source: VolumeSource, levels: Sequence[VolumeLevel], increment: Decimal
) -> VolumeProfile:
    """Return the profile with its point of control and value area."""
    volumes = [level.volume for level in levels]
    if not any(volumes):
        return VolumeProfile(start, end, source)
    control = point_of_control(volumes)
    lowest, highest = value_area(volumes, control)
    low, high = levels[control].price_low, levels[control].price_high
    middle = round_down((low + high) / 2, _price_step(increment, low, high))
    return VolumeProfile(
        start,
        end,
        source,
        tuple(levels),
        point_of_control=max(middle, low),
        value_area_low=levels[lowest].price_low,
        value_area_high=levels[highest].price_high,
    )


def point_of_control(volumes: Sequence[Decimal]) -> int:
    """Return which of the volumes is the greatest; of several the one nearest to the middle, then the lower."""
    middle = (len(volumes) - 1) / 2
    return max(range(len(volumes)), key=lambda number: (volumes[number], -abs(number - middle), -number))


def value_area(volumes: Sequence[Decimal], control: int) -> tuple[int, int]:
    """Return the lowest and the highest place of the value area, both included.

    Beginning at the point of control, the two places above and the two below are compared, and the pair with more
    volume is taken in, the upper one where they are equal, until 70 % of all volume is held.
    """
    wanted = VALUE_AREA * sum(volumes, ZERO)
    lowest = highest = control
    held = volumes[control]
    while held < wanted:
        above, below = volumes[highest + 1 : highest + 3], volumes[max(lowest - 2, 0) : lowest]
        more_above = sum(above, ZERO) >= sum(below, ZERO) if above and below else bool(above)
        held += sum(above if more_above else below, ZERO)
        highest, lowest = (highest + len(above), lowest) if more_above else (highest, lowest - len(below))
    return lowest, highest


def _exact_sum(volumes: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, volumes, ZERO)
