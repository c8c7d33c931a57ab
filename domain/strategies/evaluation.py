"""Evaluates rules over candles: the same computation over a whole series and over the newest window."""

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


class Evaluation:
    """Evaluates nodes over one series of candles, each node once, however many rules share it."""

    def __init__(self, candles: CandleArrays) -> None:
        self.candles = candles
        self._known: dict[Node, tuple[Floats, ...]] = {}

    def outputs(self, node: Node) -> tuple[Floats, ...]:
        """Return the outputs of `node` over the candles."""
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = node.outputs(self)
        return known

    def evaluate_rule(self, condition: Node) -> Booleans:
        """Return at which bars the condition is true; without a value it is false."""
        holds: Booleans = self.outputs(condition)[0] == 1.0
        return holds

    def latest(self, node: Node) -> float:
        """Return the value of a number at the newest bar, NaN if there is none."""
        values = self.outputs(node)[0]
        return float(values[-1]) if len(values) else float("nan")
