"""What a rule names with a dot: other candles by `tf(…)` and `market(…)`, the position, and a function's outputs."""

import ast
import re
from dataclasses import replace

from domain.core.text import closest_match
from domain.indicators.candle_arrays import SERIES, SeriesKey
from domain.model.markets import Timeframe
from domain.strategies.builtins import BUILTINS
from domain.strategies.call_parser import parse_call, parse_output
from domain.strategies.candle_nodes import Elsewhere
from domain.strategies.expressions import Node, PositionValue, Price
from domain.strategies.parse_context import (
    CLOCK,
    MAX_SHOWN,
    POSITION,
    POSITION_FIELDS,
    SOURCES,
    ParseContext,
    find_indicator,
)

MAX_SYMBOL = 40
_SYMBOL = re.compile(r"[A-Z0-9.\-]{1,20}/[A-Z0-9.\-]{1,20}", re.ASCII)
_TIMEFRAMES = {timeframe.venue_name: timeframe for timeframe in Timeframe}


def parse_named_call(context: ParseContext, tree: ast.Call) -> Node:
    """Return the node of a call, as in `sma(close, 20)` or `tf("4h").sma(close, 20)`; raises `RuleErrors`."""
    function = tree.func
    if isinstance(function, ast.Name):
        if function.id in SOURCES and function.id not in context.scope.parameters:
            _source(context, tree)
            raise context.error_at(
                f"{context.excerpt(tree)} has several series; write {context.excerpt(tree)}.close.", tree
            )
        return parse_call(context, tree, function.id, function)
    if isinstance(function, ast.Attribute) and _is_source(function.value):
        if function.attr in SOURCES:
            _source(context, tree)
            raise context.error_at(
                f"{context.excerpt(tree)} has several series; write {context.excerpt(tree)}.close.", tree
            )
        key = _source(context, function.value)
        return Elsewhere(key, parse_call(context.at(key), tree, function.attr, function))
    raise context.error_at("Only a function's name can be called, as in sma(close, 20).", function)


def parse_attribute(context: ParseContext, tree: ast.Attribute) -> Node:
    """Return what a dot names: a series of other candles, a part of the position, or an output of a function."""
    value = tree.value
    if isinstance(value, ast.Name) and value.id == POSITION and POSITION not in context.scope.names_of_user:
        return _position(context, tree)
    if not isinstance(value, ast.Call):
        message = "A dot stands only after a function with several outputs, as in macd(close).hist."
        raise context.error_at(message, tree)
    if _is_source(value):
        return _series(context, tree)
    function = value.func
    if isinstance(function, ast.Attribute) and _is_source(function.value):
        key = _source(context, function.value)
        return Elsewhere(key, parse_output(context.at(key), tree, value, function.attr, function))
    if isinstance(function, ast.Name):
        return parse_output(context, tree, value, function.id, function)
    raise context.error_at("Only a function's name can be called, as in sma(close, 20).", function)


def _position(context: ParseContext, tree: ast.Attribute) -> Node:
    if context.source is not None:
        raise context.error_at("The position isn't part of other candles; name it outside of the function.", tree)
    if tree.attr in POSITION_FIELDS:
        return PositionValue(tree.attr)
    names = ", ".join(f"{POSITION}.{name}" for name in POSITION_FIELDS)
    suggestion = closest_match(tree.attr[:MAX_SHOWN], POSITION_FIELDS)
    message = f"A position has no {tree.attr[:MAX_SHOWN]!r}; write one of {names}."
    raise context.error_at(message, tree, suggestion and f"{POSITION}.{suggestion}")


def _series(context: ParseContext, tree: ast.Attribute) -> Node:
    assert isinstance(tree.value, ast.Call)
    key, name = _source(context, tree.value), tree.attr
    if name in SERIES:
        return Elsewhere(key, Price(name))
    shown = context.excerpt(tree)
    if name in BUILTINS or find_indicator(name) is not None:
        raise context.error_at(
            f"{name[:MAX_SHOWN]} is a function; write what it is of, as in {shown}(close, 14).", tree
        )
    if name in CLOCK:
        raise context.error_at(f"{name} is that of the strategy's own candle; write {name} alone.", tree, name)
    near = closest_match(name[:MAX_SHOWN], SERIES)
    message = f"{context.excerpt(tree.value)} has no series {name[:MAX_SHOWN]!r}; it has {', '.join(SERIES)}."
    raise context.error_at(message, tree, near and f"{context.source_text(tree.value)}.{near}")


def _is_source(tree: ast.expr) -> bool:
    """Return whether it is written like `tf(…)`, `market(…)`, or one of them after the other."""
    if not isinstance(tree, ast.Call):
        return False
    if isinstance(tree.func, ast.Name):
        return tree.func.id in SOURCES
    return isinstance(tree.func, ast.Attribute) and tree.func.attr in SOURCES and _is_source(tree.func.value)


def _source(context: ParseContext, tree: ast.expr) -> SeriesKey:
    assert isinstance(tree, ast.Call)
    before, name = SeriesKey(), ""
    if isinstance(tree.func, ast.Attribute):
        before, name = _source(context, tree.func.value), tree.func.attr
    elif isinstance(tree.func, ast.Name):
        name = tree.func.id
    if context.source is not None:
        raise context.error_at(f"{name}(…) can't stand inside of {context.source}; write it outside.", tree)
    text = _text(context, tree, name)
    if name == "tf":
        if before.timeframe is not None:
            raise context.error_at("tf(…) is given twice; one timeframe is enough.", tree)
        return replace(before, timeframe=_timeframe(context, tree.args[0], text))
    if before.market is not None:
        raise context.error_at("market(…) is given twice; one market is enough.", tree)
    return replace(before, market=_market(context, tree.args[0], text))


def _text(context: ParseContext, tree: ast.Call, name: str) -> str:
    example = 'tf("4h").close' if name == "tf" else 'market("BTC/USDT").close'
    argument = tree.args[0] if len(tree.args) == 1 and not tree.keywords else None
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        raise context.error_at(f"{name} takes one text in quotes, as in {example}.", tree)
    return argument.value


def _timeframe(context: ParseContext, tree: ast.expr, text: str) -> Timeframe:
    timeframe = _TIMEFRAMES.get(text)
    if timeframe is None:
        near = closest_match(text[:MAX_SHOWN], _TIMEFRAMES) if text else None
        message = f"There is no timeframe {text[:MAX_SHOWN]!r}; there are {', '.join(_TIMEFRAMES)}."
        raise context.error_at(message, tree, near and f'"{near}"')
    return timeframe


def _market(context: ParseContext, tree: ast.expr, text: str) -> str:
    if not _SYMBOL.fullmatch(text):
        upper = text.upper()
        suggestion = f'"{upper}"' if len(text) <= MAX_SYMBOL and _SYMBOL.fullmatch(upper) else None
        message = f'{text[:MAX_SHOWN]!r} is not a market of the venue; write BASE/QUOTE, as in market("BTC/USDT").'
        raise context.error_at(message, tree, suggestion)
    return text
