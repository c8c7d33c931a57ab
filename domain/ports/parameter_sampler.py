"""The port of what proposes parameters: it learns from the trials that have ended where better ones may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TriedPoint:
    """A point of a search space that was tried, or is being tried: then `has_ended` is False.

    `score` is to be as large as possible; None if the point has none, which is worse than all others.
    """

    point: tuple[int, ...]
    score: float | None
    has_ended: bool


class ParameterSampler(Protocol):
    """Proposes points of a search space. The same arguments always lead to the same point."""

    def propose(self, counts: Sequence[int], tried: Sequence[TriedPoint], seed: int) -> tuple[int, ...]:
        """Return the index of the value of each parameter, of which there are `counts`."""
        ...
