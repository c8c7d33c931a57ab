"""The state of parsing one rule, and the errors that point at a place in it."""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from domain.core.text import closest_match
from domain.indicators.candle_arrays import PRICES
from domain.indicators.catalogue import indicator_names
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import Node, Number

BUILTINS = ("abs", "change", "crosses_above", "crosses_below", "highest", "lowest", "maximum", "minimum", "shift")
"""The language's own functions, besides TA-Lib's."""
RESERVED_NAMES = ("position", "tf", "trend")
"""Names that are reserved for later versions of the language."""
MAX_SHOWN = 60
"""The longest excerpt of a rule in a message, in characters."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A number that a condition compares: its text in the rule, and its node."""

    text: str
    node: Node


@dataclass(slots=True)
class ParseContext:
    """The state of parsing one rule; `offset` is the index in `text` of column 0 of Python's tree."""

    text: str
    offset: int
    parameters: Mapping[str, float]
    operands: list[Operand] = field(default_factory=list)

    def span(self, tree: ast.AST) -> tuple[int, int]:
        """Return the start and end of `tree` in the rule, in characters."""
        start = getattr(tree, "col_offset", 0) + self.offset
        end = (getattr(tree, "end_col_offset", None) or 0) + self.offset
        length = len(self.text)
        return min(start, length), min(max(start, end), length)

    def source(self, tree: ast.AST) -> str:
        """Return the text of `tree`, in one line."""
        start, end = self.span(tree)
        return " ".join(self.text[start:end].split())

    def excerpt(self, tree: ast.AST) -> str:
        """Return the text of `tree`, cut to a length for messages."""
        source = self.source(tree)
        return source if len(source) <= MAX_SHOWN else f"{source[:MAX_SHOWN]}…"

    def error_at(self, message: str, tree: ast.AST, suggestion: str | None = None) -> RuleErrors:
        """Return an error at `tree`, for the caller to raise."""
        return RuleErrors([RuleError(message, *self.span(tree), suggestion)])

    def record_operand(self, tree: ast.AST, node: Node) -> None:
        """Record that a condition compares the number `node`, whose value a signal's reason is to show."""
        operand = Operand(self.source(tree), node)
        if not isinstance(node, Number) and operand not in self.operands:
            self.operands.append(operand)


ParseNode = Callable[[ParseContext, ast.expr], Node]
"""Parses a part of a rule: returns its node, or raises `RuleErrors`."""


def parse_all(context: ParseContext, trees: Iterable[ast.expr], parse: ParseNode) -> list[Node]:
    """Return the node of each tree; raises the `RuleErrors` of all of them together."""
    nodes: list[Node] = []
    errors: list[RuleError] = []
    for tree in trees:
        try:
            nodes.append(parse(context, tree))
        except RuleErrors as found:
            errors.extend(found.errors)
    if errors:
        raise RuleErrors(errors)
    return nodes


def closest_value(context: ParseContext, name: str) -> str | None:
    """Return the parameter, series or function with the most similar name."""
    return closest_match(name[:MAX_SHOWN], [*context.parameters, *PRICES, *BUILTINS, *indicator_names()])


def closest_function(name: str) -> str | None:
    """Return the function with the most similar name."""
    return closest_match(name[:MAX_SHOWN], [*BUILTINS, *indicator_names()])


def all_names(parameters: Iterable[str]) -> list[str]:
    """Return every word that a rule with these parameters may contain."""
    return [*parameters, *PRICES, *BUILTINS, *RESERVED_NAMES, "and", "or", "not", *indicator_names()]
