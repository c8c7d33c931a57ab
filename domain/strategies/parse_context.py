"""The state of parsing one rule, and the errors that point at a place in it."""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from domain.core.text import closest_match
from domain.indicators.candle_arrays import SERIES, SeriesKey
from domain.indicators.catalogue import IndicatorDefinition, indicator, indicator_names
from domain.indicators.warmup import EXACT
from domain.model.markets import Timeframe
from domain.strategies.builtins import ALIASES, BUILTINS
from domain.strategies.candle_nodes import ClockPart, Elsewhere
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import Named, Node, Number, PositionFacts, PositionValue

CLOCK = tuple(part.value for part in ClockPart)
"""The names of the parts of a candle's time."""
SOURCES = ("tf", "market")
"""The functions that name other candles."""
POSITION = "position"
POSITION_FIELDS = tuple(field.name for field in fields(PositionFacts))
WORDS = ("and", "or", "not", "if", "else")
FUNCTION_NAMES = (*BUILTINS, *ALIASES, *SOURCES)
"""The names of the language's own functions, besides TA-Lib's."""
RESERVED_NAMES = frozenset({*SERIES, *CLOCK, *FUNCTION_NAMES, POSITION})
"""Every name of the language that isn't TA-Lib's."""
MAX_SHOWN = 60
"""The longest excerpt of a rule in a message, in characters."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A number that a condition compares: its text in the rule, and its node."""

    text: str
    node: Node


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule may name besides the language, and what its indicators depend on.

    `parts` are the definition's named parts before the rule, `later_parts` the names of those after it. Without a
    `timeframe`, the shortest is assumed.
    """

    parameters: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, Node] = field(default_factory=dict)
    later_parts: frozenset[str] = frozenset()
    timeframe: Timeframe | None = None
    tolerance: float = EXACT

    @property
    def names_of_user(self) -> frozenset[str]:
        """The names that the definition gives; they come before the language's own."""
        return frozenset({*self.parameters, *self.parts})

    @property
    def names(self) -> list[str]:
        """Every word that a rule may contain."""
        return [*self.parameters, *self.parts, *RESERVED_NAMES, *WORDS, *indicator_names()]


@dataclass(slots=True)
class ParseContext:
    """The state of parsing one rule; `offset` is the index in `text` of column 0 of Python's tree.

    `parse` makes the node of any part; `source` is set inside of `tf(…)` and `market(…)`, where names mean those
    candles.
    """

    text: str
    offset: int
    scope: Scope
    parse: "Callable[[ParseContext, ast.expr], Node]"
    operands: list[Operand] = field(default_factory=list)
    source: SeriesKey | None = None

    @property
    def timeframe(self) -> Timeframe | None:
        """The timeframe of the candles that names mean here."""
        return (self.source and self.source.timeframe) or self.scope.timeframe

    def at(self, source: SeriesKey) -> "ParseContext":
        """Return the context for what stands inside of `source`."""
        return replace(self, source=source)

    def span(self, tree: ast.AST) -> tuple[int, int]:
        """Return the start and end of `tree` in the rule, in characters."""
        start = getattr(tree, "col_offset", 0) + self.offset
        end = (getattr(tree, "end_col_offset", None) or 0) + self.offset
        length = len(self.text)
        return min(start, length), min(max(start, end), length)

    def source_text(self, tree: ast.AST) -> str:
        """Return the text of `tree`, in one line."""
        start, end = self.span(tree)
        return " ".join(self.text[start:end].split())

    def excerpt(self, tree: ast.AST) -> str:
        """Return the text of `tree`, cut to a length for messages."""
        text = self.source_text(tree)
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"

    def error_at(self, message: str, tree: ast.AST, suggestion: str | None = None) -> RuleErrors:
        """Return an error at `tree`, for the caller to raise."""
        return RuleErrors([RuleError(message, *self.span(tree), suggestion)])

    def record_operand(self, tree: ast.AST, node: Node) -> None:
        """Record that a condition compares the number `node`, whose value a signal's reason is to show."""
        operand = Operand(self.source_text(tree), node if self.source is None else Elsewhere(self.source, node))
        if not isinstance(node, Number) and operand not in self.operands:
            self.operands.append(operand)


ParseNode = Callable[[ParseContext, ast.expr], Node]
"""Parses a part of a rule: returns its node, or raises `RuleErrors`."""


def parse_condition(context: ParseContext, tree: ast.expr) -> Node:
    """Return the node of a condition; raises `RuleErrors`, also if it is a number."""
    node = context.parse(context, tree)
    if not node.is_condition:
        shown = context.excerpt(tree)
        raise context.error_at(f"{shown} is a number, a condition was expected; compare it, as in {shown} > 0.", tree)
    return node


def parse_number(context: ParseContext, tree: ast.expr) -> Node:
    """Return the node of a number or a series; raises `RuleErrors`, also if it is a condition."""
    node = context.parse(context, tree)
    if node.is_condition:
        raise context.error_at(f"{context.excerpt(tree)} is a condition, a number was expected.", tree)
    return node


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


def follow_series(nodes: Iterable[Node], build: Callable[[list[Node]], Node]) -> Node:
    """Return what `build` makes of the nodes; on the candles that all series among them come from, if these agree."""
    series = list(nodes)
    keys = {node.key for node in series if isinstance(node, Elsewhere)}
    if len(keys) != 1 or not all(isinstance(node, Elsewhere | Number) for node in series):
        return build(series)
    (key,) = keys
    return Elsewhere(key, build([node.node if isinstance(node, Elsewhere) else node for node in series]))


def reject_position(context: ParseContext, name: str, trees: Iterable[ast.expr], nodes: Iterable[Node]) -> None:
    """Raise `RuleErrors` for a function of the past that is given the position, whose past isn't known."""
    for tree, node in zip(trees, nodes, strict=True):
        if uses_position(node):
            message = (
                f"{name} looks back, and of the position only the present is known: compare {context.excerpt(tree)}."
            )
            raise context.error_at(message, tree)


def uses_position(node: Node) -> bool:
    """Return whether the position is part of the node."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, PositionValue) or (isinstance(part, Named) and part.uses_position):
            return True
        if not isinstance(part, Named):
            waiting.extend(part.children)
    return False


def find_indicator(name: str) -> IndicatorDefinition | None:
    """Return TA-Lib's function by a name or alias that a rule calls it by, unless the language has its own."""
    return None if name in BUILTINS else indicator(ALIASES.get(name, name))


def closest_value(context: ParseContext, name: str) -> str | None:
    """Return the parameter, part, series or function with the most similar name."""
    scope = context.scope
    known = [*scope.parameters, *scope.parts, *SERIES, *CLOCK, POSITION, *FUNCTION_NAMES, *indicator_names()]
    return closest_match(name[:MAX_SHOWN], known)


def closest_function(name: str) -> str | None:
    """Return the function with the most similar name."""
    return closest_match(name[:MAX_SHOWN], [*FUNCTION_NAMES, *indicator_names()])
