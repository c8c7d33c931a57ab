"""A strategy of the catalogue, to start from, and the plug-ins that add some of them."""

from dataclasses import dataclass

from domain.model.definitions import StrategyDefinition


@dataclass(frozen=True, slots=True)
class StrategyTemplate:
    """A well-known strategy as a definition; `source` is the book or article that it comes from.

    `differences` says what it does otherwise than its source; None if there is nothing to say. `package` is the
    installed Python package that it comes in, None for those of the engine.
    """

    name: str
    title: str
    description: str
    source: str
    definition: StrategyDefinition
    package: str | None = None
    differences: str | None = None


@dataclass(frozen=True, slots=True)
class StrategyPlugin:
    """What a plug-in gave: the names of its templates, and for each that can't be used the reason."""

    name: str
    package: str
    version: str
    templates: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateCatalogue:
    """All templates of a node, those of the engine first, and the plug-ins that were found."""

    templates: tuple[StrategyTemplate, ...]
    plugins: tuple[StrategyPlugin, ...] = ()
