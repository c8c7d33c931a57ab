"""Rules over candles: the same computation over a whole series and over the newest window."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.strategies.expressions import Node

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
    """What each rule says at each bar; false where the rule is absent or has no value."""

    enter_long: Booleans
    exit_long: Booleans
    enter_short: Booleans
    exit_short: Booleans


@dataclass(frozen=True, slots=True)
class LatestSignals:
    """What each rule says on the newest closed candle."""

    enter_long: bool
    exit_long: bool
    enter_short: bool
    exit_short: bool

    @property
    def any(self) -> bool:
        """Whether any rule says anything."""
        return self.enter_long or self.exit_long or self.enter_short or self.exit_short


class Evaluation:
    """Nodes computed over one run of candles, each once, however many rules share it."""

    def __init__(self, candles: CandleArrays) -> None:
        self.candles = candles
        self._known: dict[Node, tuple[Floats, ...]] = {}

    def of(self, node: Node) -> tuple[Floats, ...]:
        """Return the outputs of `node` over the candles."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = node.outputs(self)
        return known

    def says(self, condition: Node) -> Booleans:
        """Return where the condition holds; where it has no value it doesn't."""
        holds: Booleans = self.of(condition)[0] == 1.0
        return holds

    def latest(self, node: Node) -> float:
        """Return the value of a number at the newest bar, NaN where there is none."""
        values = self.of(node)[0]
        return float(values[-1]) if len(values) else float("nan")
