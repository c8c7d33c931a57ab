"""Nodes that look back: earlier values, changes, crossings, runs, and the time since a condition held."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.indicators.candle_arrays import Floats
from domain.strategies.expressions import Condition, EvaluationContext, Node, Unary
from domain.strategies.operators import arithmetic, compare


@dataclass(frozen=True, slots=True)
class LookBack(Unary):
    """A node of one child that looks `bars` back."""

    bars: int

    @property
    def own_warm_up(self) -> int:
        """The bars that it looks back."""
        return self.bars


@dataclass(frozen=True, slots=True)
class Shift(LookBack):
    """The number that was there `bars` ago."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the earlier value at each bar, NaN at the first ones."""
        return shifted(evaluation.outputs(self.operand)[0], self.bars)


@dataclass(frozen=True, slots=True)
class Change(LookBack):
    """The difference to the number `bars` ago; a node of its own, or its operand would occur twice in the tree."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the difference at each bar, NaN at the first ones."""
        now = evaluation.outputs(self.operand)[0]
        return arithmetic("-", now, shifted(now, self.bars))


@dataclass(frozen=True, slots=True)
class Cross(Condition):
    """Whether the left number is on the other side of the right one since this bar; `direction` 1 is above."""

    direction: int
    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Both numbers."""
        return (self.left, self.right)

    @property
    def own_warm_up(self) -> int:
        """The bar before."""
        return 1

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether it crossed at each bar: beyond now, and not beyond on the bar before."""
        now = self.direction * compare(evaluation.outputs(self.left)[0], evaluation.outputs(self.right)[0])
        before = shifted(now, 1)
        return np.where(np.isnan(now + before), np.nan, (now > 0) & (before <= 0))


@dataclass(frozen=True, slots=True)
class Run(LookBack, Condition):
    """Whether the number moved the same way on each of the newest `bars`; `direction` 1 is up."""

    direction: int

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether it did at each bar; without a value if one of the moves has none."""
        now = evaluation.outputs(self.operand)[0]
        moves = self.direction * compare(now, shifted(now, 1))
        is_run = _bars_since(~(moves > 0)) >= self.bars
        return np.where(_bars_since(np.isnan(moves)) < self.bars, np.nan, is_run)


@dataclass(frozen=True, slots=True)
class BarsSince(LookBack):
    """How many bars ago the condition held last, counted up to `bars`."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the count at each bar; a bar without a value doesn't count as one where the condition held."""
        held = evaluation.outputs(self.operand)[0] == 1.0
        return np.minimum(_bars_since(held), self.bars).astype(np.float64)


@dataclass(frozen=True, slots=True)
class ValueWhen(Node):
    """What a number was when the condition held last, within the newest `bars` and this one."""

    condition: Node
    operand: Node
    bars: int

    @property
    def children(self) -> tuple[Node, ...]:
        """The condition and the number."""
        return (self.condition, self.operand)

    @property
    def own_warm_up(self) -> int:
        """The bars that it looks back."""
        return self.bars

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the number at each bar, NaN if the condition hasn't held for longer."""
        since = _bars_since(evaluation.outputs(self.condition)[0] == 1.0)
        values = evaluation.outputs(self.operand)[0]
        places = np.maximum(np.arange(len(values)) - since, 0)
        return np.where(since <= self.bars, values[places], np.nan)


def shifted(values: Floats, bars: int) -> Floats:
    """Return the series moved `bars` later, NaN at its beginning."""
    result = np.full(len(values), np.nan)
    if bars < len(values):
        result[bars:] = values[: len(values) - bars]
    return result


def _bars_since(held: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return how many bars ago it held last; where it never did, more than any count of bars that a rule may have."""
    bars = np.arange(len(held))
    return bars - np.maximum.accumulate(np.where(held, bars, _NEVER))


_NEVER = -1_000_000_000
