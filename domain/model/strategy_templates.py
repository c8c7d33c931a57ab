"""A strategy of the catalogue, to start from."""

from dataclasses import dataclass

from domain.model.definitions import StrategyDefinition


@dataclass(frozen=True, slots=True)
class StrategyTemplate:
    """A well-known strategy as a definition; `source` is the book or article that it comes from."""

    name: str
    title: str
    description: str
    source: str
    definition: StrategyDefinition
