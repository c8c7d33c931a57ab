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
"""Stored trades with this share of the candles' volume count as complete: some seconds may always be missing."""

SIGNIFICANT_DIGITS = 5
"""The number of digits of the price by which the volume of stored trades is summed."""

_FINEST = Decimal("1E-8")
"""The price step of a market that reports none."""

_MIN_STEPS_PER_BIN = 4
"""With fewer sums per bin, the bins would be much wider than requested."""


class VolumeSource(StrEnum):
    """What a profile was computed from."""

    TRADES = "TRADES"
    CANDLES = "CANDLES"


@dataclass(frozen=True, slots=True)
class VolumeLevel:
    """The volume traded from `price_low` to below `price_high` (quote per base); volumes in base."""

    price_low: Decimal
    price_high: Decimal
    buy_volume: Decimal
    sell_volume: Decimal

    @property
    def volume(self) -> Decimal:
        """The whole volume of the level."""
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
        """The whole volume of the profile, in base."""
        return sum((level.volume for level in self.levels), ZERO)


def bin_width(price: Decimal) -> Decimal:
    """Return the price step of the stored sums, for prices up to `price`.

    >>> bin_width(Decimal("61234.56")), bin_width(Decimal("0.0123"))
    (Decimal('1'), Decimal('0.000001'))
    """
    return Decimal(1).scaleb(price.adjusted() - SIGNIFICANT_DIGITS + 1)


def make_bins(prices: PriceRange, max_bins: int, increment: Decimal) -> Bins:
    """Return the narrowest bins, at most `max_bins`, that cover the prices; edges are multiples of `increment`.

    There are fewer if the prices are less than that many increments apart. Prices from a time when the market had a
    finer increment than now get edges as fine as their own digits.

    >>> make_bins(PriceRange(Decimal("0.001"), Decimal("0.005"), Decimal(1)), 50, Decimal("0.01"))
    Bins(low=Decimal('0.001'), width=Decimal('0.001'), count=5)
    """
    return _bins_of_steps(prices, max_bins, _price_step(increment, prices.low, prices.high))


def rebin(prices: PriceRange, max_bins: int, increment: Decimal) -> Bins | None:
    """Return bins whose edges are those of the stored sums; None if the sums are too coarse for so many bins.

    `prices` may be rounded down to the step of the sums.
    """
    price_step = _price_step(increment, prices.low, prices.high)
    step = max(bin_width(prices.high), price_step)
    if step > price_step and prices.high - prices.low < max_bins * _MIN_STEPS_PER_BIN * step:
        return None
    return _bins_of_steps(prices, max_bins, step)


def coarse_bins(prices: PriceRange, max_bins: int) -> Bins:
    """Return the narrowest bins whose edges are those of the stored sums, however few."""
    return _bins_of_steps(prices, max_bins, bin_width(prices.high))


def _bins_of_steps(prices: PriceRange, max_bins: int, step: Decimal) -> Bins:
    low = round_down(prices.low, step)
    steps = int(EXACT.divide(round_down(prices.high, step) - low, step)) + 1
    steps_per_bin = -(-steps // max_bins)
    return Bins(low, steps_per_bin * step, -(-steps // steps_per_bin))


def _price_step(increment: Decimal, *prices: Decimal) -> Decimal:
    """Return the increment, or the finest digit of the prices if they aren't multiples of it."""
    step = increment or _FINEST
    if all(is_multiple(price, step) for price in prices):
        return step
    digits = min(price.normalize(EXACT).as_tuple().exponent for price in prices)
    return min(step, Decimal(1).scaleb(int(digits)))


def price_range(traded: Sequence[PriceVolume]) -> PriceRange | None:
    """Return the range of the prices, with the whole volume; None if nothing was traded."""
    if not traded:
        return None
    prices = [volume.price for volume in traded]
    return PriceRange(min(prices), max(prices), _exact_sum(EXACT.add(volume.bought, volume.sold) for volume in traded))


def bin_trades(traded: Iterable[PriceVolume], bins: Bins) -> list[BinVolume]:
    """Return the volumes of the bins that have any."""
    parts: dict[int, list[PriceVolume]] = {}
    for volume in traded:
        parts.setdefault(int((volume.price - bins.low) // bins.width), []).append(volume)
    return [
        BinVolume(number, _exact_sum(volume.bought for volume in part), _exact_sum(volume.sold for volume in part))
        for number, part in parts.items()
    ]


def pick_source(trades: PriceRange | None, candles: PriceRange | None) -> VolumeSource:
    """Return what to compute the profile from: trades, unless by the candles' volume many of them are missing."""
    if candles is None or (trades is not None and trades.volume >= COMPLETE * candles.volume):
        return VolumeSource.TRADES
    return VolumeSource.CANDLES


def to_levels(bins: Bins, volumes: Iterable[BinVolume]) -> tuple[VolumeLevel, ...]:
    """Return a level for every bin, lowest first; those that `volumes` lacks are empty."""
    by_number = {volume.number: volume for volume in volumes}
    nothing = BinVolume(0, ZERO, ZERO)
    found = [by_number.get(number, nothing) for number in range(bins.count)]
    return tuple(
        VolumeLevel(bins.edge(number), bins.edge(number + 1), volume.bought, volume.sold)
        for number, volume in enumerate(found)
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
    """Return the index of the greatest volume; of several, the one nearest to the middle, then the lower one."""
    middle = (len(volumes) - 1) / 2
    return max(range(len(volumes)), key=lambda number: (volumes[number], -abs(number - middle), -number))


def value_area(volumes: Sequence[Decimal], control: int) -> tuple[int, int]:
    """Return the lowest and the highest index of the value area, both included.

    Starting at the point of control, the two levels above and the two below are compared, and the pair with more volume
    is included, the upper one if they are equal, until 70 % of all volume is included.
    """
    required = VALUE_AREA * sum(volumes, ZERO)
    lowest = highest = control
    included = volumes[control]
    while included < required:
        above, below = volumes[highest + 1 : highest + 3], volumes[max(lowest - 2, 0) : lowest]
        more_above = sum(above, ZERO) >= sum(below, ZERO) if above and below else bool(above)
        included += sum(above if more_above else below, ZERO)
        highest, lowest = (highest + len(above), lowest) if more_above else (highest, lowest - len(below))
    return lowest, highest


def _exact_sum(volumes: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, volumes, ZERO)
