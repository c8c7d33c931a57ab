"""Parses all rules and named parts of a definition, with the parameters at given values."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.indicators.candle_arrays import SeriesKey
from domain.indicators.warmup import EXACT
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Timeframe
from domain.strategies.candle_nodes import Elsewhere
from domain.strategies.errors import DefinitionError, RuleErrors
from domain.strategies.evaluation import RuleName
from domain.strategies.expressions import Node, walk
from domain.strategies.parse_context import Scope
from domain.strategies.parser import MAX_WARM_UP, Rule, parse_part, parse_rule

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
MAX_SOURCES = 4
"""How many series of other candles the rules of a definition may name."""


@dataclass(frozen=True, slots=True)
class ParsedRules:
    """The rules and named parts that could be parsed, the errors of the others, and the candles that they name.

    `adds` are the rules of further entries, by their index. `sources` has, for each series of other candles, how many
    come before the first right value of what is made of it.
    """

    rules: Mapping[RuleName, Rule]
    adds: Mapping[int, Rule]
    parts: tuple[Node, ...]
    sources: Mapping[SeriesKey, int]
    errors: tuple[DefinitionError, ...]


def parse_rules(
    definition: StrategyDefinition, values: Mapping[str, Decimal], timeframe: Timeframe | None = None
) -> ParsedRules:
    """Return the definition's rules with parameters at `values`, for candles of `timeframe` if it is known."""
    scope = Scope(
        parameters={name: float(value) for name, value in values.items()},
        later_parts=frozenset(part.name for part in definition.let),
        timeframe=timeframe,
        tolerance=EXACT if definition.warm_up_tolerance is None else float(definition.warm_up_tolerance),
    )
    errors: list[DefinitionError] = []
    scope, invalid = _parse_parts(definition, scope, errors)
    texts: dict[tuple[str, ...], str | None] = {(name.path,): getattr(definition, name.value) for name in RuleName}
    texts |= {("adds", str(index), "rule"): add.rule for index, add in enumerate(definition.adds)}
    rules: dict[tuple[str, ...], Rule] = {}
    for path, text in texts.items():
        if text is None or mentions(text, invalid):
            continue
        try:
            rules[path] = parse_rule(text, scope)
        except RuleErrors as found:
            errors += _definition_errors(found, *path)
    parts = tuple(scope.parts.values())
    sources = _sources((*parts, *(rule.node for rule in rules.values())))
    errors += _source_errors(sources, timeframe)
    named = {name: rules[name.path,] for name in RuleName if (name.path,) in rules}
    adds = {int(path[1]): rule for path, rule in rules.items() if path[0] == "adds"}
    return ParsedRules(named, adds, parts, sources, tuple(errors))


def _parse_parts(
    definition: StrategyDefinition, scope: Scope, errors: list[DefinitionError]
) -> tuple[Scope, frozenset[str]]:
    """Return the scope with the named parts, and the names of those with errors.

    What uses an invalid part isn't parsed, so that each error is reported once.
    """
    invalid: frozenset[str] = frozenset()
    for index, part in enumerate(definition.let):
        scope = replace(scope, later_parts=scope.later_parts - {part.name})
        if mentions(part.expression, invalid):
            invalid |= {part.name}
            continue
        try:
            node = parse_part(part.name, part.expression, scope)
        except RuleErrors as found:
            errors += _definition_errors(found, "let", str(index), "expression")
            invalid |= {part.name}
        else:
            scope = replace(scope, parts={**scope.parts, part.name: node})
    return scope, invalid


def mentions(text: str, names: Collection[str]) -> bool:
    """Return whether one of the names is a word of the text."""
    return bool(names) and not set(names).isdisjoint(_WORD.findall(text))


def _definition_errors(found: RuleErrors, *path: str) -> list[DefinitionError]:
    return [DefinitionError(error.message, path, error.start, error.end, error.suggestion) for error in found.errors]


def _sources(nodes: tuple[Node, ...]) -> dict[SeriesKey, int]:
    sources: dict[SeriesKey, int] = {}
    for node in walk(nodes):
        if isinstance(node, Elsewhere):
            sources[node.key] = max(sources.get(node.key, 0), node.node.warm_up)
    return sources


def _source_errors(sources: Mapping[SeriesKey, int], timeframe: Timeframe | None) -> Iterator[DefinitionError]:
    if len(sources) > MAX_SOURCES:
        names = ", ".join(map(str, sources))
        yield DefinitionError(
            f"The rules name {len(sources)} other series ({names}); at most {MAX_SOURCES} may be.", ()
        )
    for key, bars in sources.items():
        if bars > MAX_WARM_UP:
            needs = f"{bars:,} of its candles before its first right value"
            message = f"What is made of {key} needs {needs}; at most {MAX_WARM_UP:,} are allowed."
            yield DefinitionError(message, ())
        if timeframe is not None and key.timeframe is not None and key.timeframe.seconds < timeframe.seconds:
            message = (
                f"{key} is shorter than the candles that the rules are evaluated on, which are {timeframe.venue_name}."
            )
            yield DefinitionError(message, ())
