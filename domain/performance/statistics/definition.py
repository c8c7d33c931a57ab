"""The decorator by which a function becomes a figure of the catalogue."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

from domain.model.statistics import Figure, FigureGroup, FigureUnit
from domain.performance.statistics.sample import Sample

Compute = Callable[[Sample], float | Decimal | None]


@dataclass(frozen=True, slots=True)
class FigureDefinition:
    """A figure without a value; the docstring of `compute` is its definition for users too."""

    name: str
    label: str
    group: FigureGroup
    unit: FigureUnit
    compute: Compute

    def of(self, sample: Sample) -> Figure:
        """Return the figure with its value; what isn't a finite number is None."""
        value = self.compute(sample)
        if value is not None and not isinstance(value, Decimal):
            value = float(value) if isfinite(value) else None
            if value is not None and self.unit is FigureUnit.PERCENT:
                value *= 100
        definition = " ".join((inspect.getdoc(self.compute) or "").split())
        return Figure(self.name, self.label, self.group, self.unit, definition, value)


class FigureCatalogue:
    """The figures of a group, in the order in which they are defined."""

    def __init__(self, group: FigureGroup) -> None:
        self.group = group
        self.definitions: list[FigureDefinition] = []

    def figure(self, name: str, label: str, unit: FigureUnit = FigureUnit.RATIO) -> Callable[[Compute], Compute]:
        """Add the decorated function; one of PERCENT returns a fraction."""

        def add(compute: Compute) -> Compute:
            self.definitions.append(FigureDefinition(name, label, self.group, unit, compute))
            return compute

        return add
