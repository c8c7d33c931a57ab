"""Evaluates rules over candles: the same computation over a whole series and over the newest window."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from domain.indicators.candle_arrays import CandleArrays, Floats, SeriesKey
from domain.indicators.resampling import Indexes, resample
from domain.strategies.expressions import Node, PositionFacts

Booleans = npt.NDArray[np.bool_]
"""A one-dimensional series of true and false, one a bar, oldest first."""


class RuleName(StrEnum):
    """Which of a definition's rules; the value is the name of its field."""

    ENTER_LONG = "enter_long"
    EXIT_LONG = "exit_long"
    ENTER_SHORT = "enter_short"
    EXIT_SHORT = "exit_short"

    @property
    def path(self) -> str:
        """The name of the rule's field in the schema, such as `enterLong`."""
        verb, side = self.value.split("_")
        return verb + side.capitalize()


@dataclass(frozen=True, slots=True, eq=False)
class SignalArrays:
    """Each rule's value at each bar; false if the rule is absent or has no value there."""

    enter_long: Booleans
    exit_long: Booleans
    enter_short: Booleans
    exit_short: Booleans


@dataclass(frozen=True, slots=True)
class LatestSignals:
    """Each rule's value on the newest closed candle."""

    enter_long: bool
    exit_long: bool
    enter_short: bool
    exit_short: bool

    @property
    def any(self) -> bool:
        """Whether any rule is true."""
        return self.enter_long or self.exit_long or self.enter_short or self.exit_short


class MissingCandlesError(Exception):
    """A rule names candles that weren't given and can't be made of those that were."""

    def __init__(self, key: SeriesKey) -> None:
        self.key = key
        super().__init__(f"The candles of {key} are missing.")


class Evaluation:
    """Evaluates nodes over one series of candles, each node once, however many rules share it.

    `position` is that of the newest bar; `sources` has how many candles of other series come before the first that is
    needed.
    """

    def __init__(
        self,
        candles: CandleArrays,
        position: PositionFacts | None = None,
        sources: Mapping[SeriesKey, int] | None = None,
    ) -> None:
        self.candles = candles
        self.position = position
        self._sources = sources or {}
        self._known: dict[Node, tuple[Floats, ...]] = {}
        self._elsewhere: dict[SeriesKey, tuple[Evaluation, Indexes]] = {}

    def outputs(self, node: Node) -> tuple[Floats, ...]:
        """Return the outputs of `node` over the candles."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = node.outputs(self)
        return known

    def aligned(self, key: SeriesKey, node: Node) -> Floats:
        """Return at each bar the value of `node` at the last candle of `key` that had closed; NaN if it is missing."""
        known = self._elsewhere.get(key)
        if known is None:
            known = self._elsewhere[key] = self._evaluation_of(key)
        evaluation, places = known
        values = evaluation.outputs(node)[0]
        return np.where(places >= 0, values[places], np.nan) if len(values) else np.full(len(places), np.nan)

    def evaluate_rule(self, condition: Node) -> Booleans:
        """Return at which bars the condition is true; without a value it is false."""
        holds: Booleans = self.outputs(condition)[0] == 1.0
        return holds

    def latest(self, node: Node) -> float:
        """Return the value of a number at the newest bar, NaN if there is none."""
        values = self.outputs(node)[0]
        return float(values[-1]) if len(values) else float("nan")

    def _evaluation_of(self, key: SeriesKey) -> "tuple[Evaluation, Indexes]":
        candles, closed_at = other_candles(self.candles, key), self.candles.closed_at
        last_closed = np.searchsorted(candles.closed_at, closed_at, side="right")
        if len(last_closed):
            first = max(int(last_closed[0]) - 1 - self._sources.get(key, len(candles)), 0)
            candles, last_closed = candles.between(first, int(last_closed[-1])), last_closed - first
        assert candles.timeframe is not None, "other candles have a timeframe"
        places = last_closed - 1
        is_missing = places < 0
        if len(candles):
            # A candle that should have closed since is missing, and an older one in its place would be a wrong value.
            is_missing |= candles.closed_at[places] + candles.timeframe.seconds <= closed_at
        return Evaluation(candles), np.where(is_missing, -1, places)


def other_candles(candles: CandleArrays, key: SeriesKey) -> CandleArrays:
    """Return the candles of `key`: those given with `candles`, or made of them; raises `MissingCandlesError`."""
    given = candles.others.get(key)
    if given is not None:
        return given
    market = candles if key.market is None else candles.others.get(SeriesKey(key.market))
    if market is None or market.timeframe is None:
        raise MissingCandlesError(key)
    if key.timeframe is None or key.timeframe is market.timeframe:
        return market
    if not market.timeframe.divides(key.timeframe):
        raise MissingCandlesError(key)
    return resample(market, key.timeframe)
