"""What the parser knows while it reads one rule, and how it tells where a mistake is."""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from domain.core.text import closest_match
from domain.indicators.candle_arrays import PRICES
from domain.indicators.catalogue import indicator_names
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import Node, Number

HELPERS = ("abs", "change", "crosses_above", "crosses_below", "highest", "lowest", "maximum", "minimum", "shift")
"""The functions that the language has beside TA-Lib's."""
LATER = ("position", "tf", "trend")
"""Names that the language keeps for what it will have."""
SHOWN = 60
"""How much of a rule a message repeats, in characters."""


@dataclass(frozen=True, slots=True)
class Part:
    """A number that a condition looks at, as it is written and as it is computed."""

    text: str
    node: Node


@dataclass(slots=True)
class Reading:
    """One rule being read; `offset` is the place of Python's column 0 in `text`."""

    text: str
    offset: int
    parameters: Mapping[str, float]
    parts: list[Part] = field(default_factory=list)

    def span(self, tree: ast.AST) -> tuple[int, int]:
        """Return where `tree` stands in the rule, in characters."""
        start = getattr(tree, "col_offset", 0) + self.offset
        end = (getattr(tree, "end_col_offset", None) or 0) + self.offset
        length = len(self.text)
        return min(start, length), min(max(start, end), length)

    def source(self, tree: ast.AST) -> str:
        """Return what is written at `tree`, in one line."""
        start, end = self.span(tree)
        return " ".join(self.text[start:end].split())

    def shown(self, tree: ast.AST) -> str:
        """Return what is written at `tree`, short enough for a message."""
        source = self.source(tree)
        return source if len(source) <= SHOWN else f"{source[:SHOWN]}…"

    def wrong(self, message: str, tree: ast.AST, suggestion: str | None = None) -> RuleErrors:
        """Return a mistake at `tree`, to be raised."""
        return RuleErrors([RuleError(message, *self.span(tree), suggestion)])

    def look_at(self, tree: ast.AST, node: Node) -> None:
        """Note that a condition looks at the number `node`, to be told in a signal's reason."""
        part = Part(self.source(tree), node)
        if not isinstance(node, Number) and part not in self.parts:
            self.parts.append(part)


Read = Callable[[Reading, ast.expr], Node]
"""Reads one part of a rule: returns its node, or raises RuleErrors."""


def read_all(reading: Reading, trees: Iterable[ast.expr], read: Read) -> list[Node]:
    """Return the node of each tree; raise the RuleErrors of all of them together."""
    nodes: list[Node] = []
    errors: list[RuleError] = []
    for tree in trees:
        try:
            nodes.append(read(reading, tree))
        except RuleErrors as found:
            errors.extend(found.errors)
    if errors:
        raise RuleErrors(errors)
    return nodes


def nearest_value(reading: Reading, name: str) -> str | None:
    """Return the parameter, series or function that was most likely meant."""
    return closest_match(name[:SHOWN], [*reading.parameters, *PRICES, *HELPERS, *indicator_names()])


def nearest_function(name: str) -> str | None:
    """Return the function that was most likely meant."""
    return closest_match(name[:SHOWN], [*HELPERS, *indicator_names()])


def all_names(parameters: Iterable[str]) -> list[str]:
    """Return every word that a rule with these parameters may hold."""
    return [*parameters, *PRICES, *HELPERS, *LATER, "and", "or", "not", *indicator_names()]
