"""Cumulative indicators, such as OBV: their level depends on where the history starts, their change doesn't."""

import ast

from domain.indicators.warmup import ADDITIVE, MULTIPLICATIVE
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.parse_context import ParseContext

_CHANGE_FUNCTIONS = {
    **dict.fromkeys(ADDITIVE, frozenset({"change", "mom"})),
    **dict.fromkeys(MULTIPLICATIVE, frozenset({"roc", "rocp", "rocr", "rocr100"})),
}


def reject_cumulative_levels(context: ParseContext, tree: ast.expr) -> None:
    """Raise `RuleErrors` for each cumulative indicator whose level, not its change, is used."""
    found = []
    allowed: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node)
        if node.args and name in _CHANGE_FUNCTIONS.get(_name(node.args[0]), ()):
            allowed.add(id(node.args[0]))
        if name in _CHANGE_FUNCTIONS and id(node) not in allowed:
            found.append(RuleError(_message(name), *context.span(node)))
    if found:
        raise RuleErrors(found)


def _name(tree: ast.expr) -> str:
    """Return the name of the function that is called, also on other candles; empty if it is no call."""
    if not isinstance(tree, ast.Call):
        return ""
    match tree.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _message(name: str) -> str:
    reason = f"{name} depends on where the history begins"
    example = f"roc({name}(), 10)" if name in MULTIPLICATIVE else f"change({name}(), 10)"
    return f"{reason}: only its change can be used, as in {example}."
