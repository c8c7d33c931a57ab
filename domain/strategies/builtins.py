"""The rule language's own functions, besides TA-Lib's: their arguments, their meaning, and the nodes that they make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from domain.indicators.catalogue import indicator
from domain.model.markets import Timeframe
from domain.strategies.candle_nodes import DAY_SECONDS, DayAverage, TrendPart, TrendValue
from domain.strategies.expressions import Absolute, Arithmetic, IndicatorCall, Node, Number, Output, Price
from domain.strategies.history_nodes import BarsSince, Change, Cross, Run, Shift, ValueWhen

MAX_BARS = 5_000
"""The largest count of bars that a function takes."""
DEFAULT_MEMORY = 500
"""How many bars `bars_since` and `value_when` look back by default."""

Build = Callable[[Sequence[Node], Sequence[int], Timeframe | None], Node]
"""Makes a function's node from its series and conditions, its counts of bars, and the candles' timeframe if known."""


class ArgumentKind(Enum):
    """What an argument takes."""

    NUMBER = "a number or a series"
    CONDITION = "a condition"
    BARS = "a whole number or a parameter"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument by its place and name; one with a default may be left out. `least` is the smallest count of bars."""

    name: str
    kind: ArgumentKind = ArgumentKind.NUMBER
    default: int | None = None
    least: int = 1


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function: what it takes, what it is, and what makes the node of each of its outputs.

    The first of several outputs is the one that is meant without a dot, if `has_default_output`. The last argument may
    be `repeated`. A function that `looks_back` needs its arguments' earlier values; one that `follows_series` is
    computed on the candles that all of its series come from.
    """

    arguments: tuple[Argument, ...]
    meaning: str
    outputs: Mapping[str, Build]
    has_default_output: bool = True
    repeated: bool = False
    looks_back: bool = False
    is_condition: bool = False
    follows_series: bool = True

    def usage(self, name: str) -> str:
        """Return how a call is written, such as `shift(x, bars)`."""
        names = [argument.name for argument in self.arguments]
        return f"{name}({', '.join([*names, '…'] if self.repeated and len(names) > MIN_REPEATED else names)})"


MIN_REPEATED = 2
_X, _A, _B = Argument("x"), Argument("a"), Argument("b")
_CONDITION = Argument("condition", ArgumentKind.CONDITION)
_BARS = Argument("bars", ArgumentKind.BARS)
_ONE_BAR = Argument("bars", ArgumentKind.BARS, default=1)
_MEMORY = Argument("bars", ArgumentKind.BARS, default=DEFAULT_MEMORY)


def _one(build: Build) -> Mapping[str, Build]:
    return {"value": build}


def _absolute(nodes: Sequence[Node], _bars: Sequence[int], _timeframe: Timeframe | None) -> Node:
    (node,) = nodes
    return Number(abs(node.value)) if isinstance(node, Number) else Absolute(node)


def _extreme(sign: str) -> Build:
    def build(nodes: Sequence[Node], _bars: Sequence[int], _timeframe: Timeframe | None) -> Node:
        result = nodes[0]
        for node in nodes[1:]:
            result = Arithmetic(sign, result, node)
        return result

    return build


def _library(function: str, *inputs: Node, values: Sequence[float] = ()) -> Node:
    definition = indicator(function)
    assert definition is not None
    return Output(IndicatorCall(definition, inputs, tuple(values)), 0)


def _rolling(function: str) -> Build:
    def build(nodes: Sequence[Node], bars: Sequence[int], _timeframe: Timeframe | None) -> Node:
        # TA-Lib's rolling extremes start at two bars; of one bar it is the value itself.
        return nodes[0] if bars[0] == 1 else _library(function, nodes[0], values=[float(bars[0])])

    return build


def _day_average(_nodes: Sequence[Node], _bars: Sequence[int], timeframe: Timeframe | None) -> Node:
    return DayAverage(max(DAY_SECONDS // (timeframe or Timeframe.M1).seconds, 1))


def _trend(part: TrendPart) -> Build:
    return lambda _nodes, _bars, _timeframe: TrendValue(part)


def _middle(bars: int) -> Node:
    """Return the middle between the highest high and the lowest low of so many bars."""
    if bars == 1:
        return Price("hl2")
    return _library("midprice", Price("high"), Price("low"), values=[float(bars)])


def _ahead(node: Node, displacement: int) -> Node:
    # Drawn so many candles ahead, this candle being the first of them; here it is read where it is drawn.
    return Shift(node, displacement - 1)


def _ichimoku() -> Mapping[str, Build]:
    return {
        "conversion": lambda _nodes, bars, _timeframe: _middle(bars[0]),
        "base": lambda _nodes, bars, _timeframe: _middle(bars[1]),
        "span_a": lambda _nodes, bars, _timeframe: _ahead(
            Arithmetic("/", Arithmetic("+", _middle(bars[0]), _middle(bars[1])), Number(2.0)), bars[3]
        ),
        "span_b": lambda _nodes, bars, _timeframe: _ahead(_middle(bars[2]), bars[3]),
    }


def _bars_argument(name: str, default: int) -> Argument:
    return Argument(name, ArgumentKind.BARS, default)


BUILTINS: Mapping[str, Builtin] = {
    "abs": Builtin((_X,), "`x` without its sign", _one(_absolute)),
    "minimum": Builtin(
        (_A, _B), "the least of several numbers on the same candle", _one(_extreme("minimum")), repeated=True
    ),
    "maximum": Builtin(
        (_A, _B), "the greatest of several numbers on the same candle", _one(_extreme("maximum")), repeated=True
    ),
    "log": Builtin(
        (_X,),
        "the natural logarithm of `x`; without a value at 0 and below",
        _one(lambda nodes, _bars, _timeframe: _library("ln", nodes[0])),
    ),
    "shift": Builtin(
        (_X, Argument("bars", ArgumentKind.BARS, default=1, least=0)),
        "what `x` was so many candles ago",
        _one(lambda nodes, bars, _timeframe: Shift(nodes[0], bars[0])),
        looks_back=True,
    ),
    "change": Builtin(
        (_X, _ONE_BAR),
        "`x` less what it was so many candles ago",
        _one(lambda nodes, bars, _timeframe: Change(nodes[0], bars[0])),
        looks_back=True,
    ),
    "highest": Builtin(
        (_X, _BARS), "the greatest of the newest so many candles", _one(_rolling("max")), looks_back=True
    ),
    "lowest": Builtin((_X, _BARS), "the least of the newest so many candles", _one(_rolling("min")), looks_back=True),
    "crosses_above": Builtin(
        (_A, _B),
        "true on the candle where `a` is above `b` and was not on the one before",
        _one(lambda nodes, _bars, _timeframe: Cross(1, nodes[0], nodes[1])),
        looks_back=True,
        is_condition=True,
        follows_series=False,
    ),
    "crosses_below": Builtin(
        (_A, _B),
        "true on the candle where `a` is below `b` and was not on the one before",
        _one(lambda nodes, _bars, _timeframe: Cross(-1, nodes[0], nodes[1])),
        looks_back=True,
        is_condition=True,
        follows_series=False,
    ),
    "rising": Builtin(
        (_X, _ONE_BAR),
        "true if `x` rose on each of the newest so many candles",
        _one(lambda nodes, bars, _timeframe: Run(nodes[0], bars[0], 1)),
        is_condition=True,
        looks_back=True,
    ),
    "falling": Builtin(
        (_X, _ONE_BAR),
        "true if `x` fell on each of the newest so many candles",
        _one(lambda nodes, bars, _timeframe: Run(nodes[0], bars[0], -1)),
        is_condition=True,
        looks_back=True,
    ),
    "bars_since": Builtin(
        (_CONDITION, _MEMORY),
        "how many candles ago the condition held last, 0 on the candle itself; it counts up to `bars` and stays there",
        _one(lambda nodes, bars, _timeframe: BarsSince(nodes[0], bars[0])),
        looks_back=True,
        follows_series=False,
    ),
    "value_when": Builtin(
        (_CONDITION, _X, _MEMORY),
        "what `x` was when the condition held last; without a value if that is more than `bars` candles ago",
        _one(lambda nodes, bars, _timeframe: ValueWhen(nodes[0], nodes[1], bars[0])),
        looks_back=True,
        follows_series=False,
    ),
    "vwap": Builtin(
        (),
        "the average price since the day began in UTC, weighted by volume: the sum of `hlc3 * volume` over that of "
        "`volume`",
        _one(_day_average),
    ),
    "trend": Builtin(
        (),
        "the market's trend, as `market.trend` has it: `direction` is 1 up, 0 sideways, -1 down; `strength` the ADX "
        "from 0 to 100; `volatility` 1 high, 0 normal, -1 low. `trend()` alone is the direction",
        {part.value: _trend(part) for part in TrendPart},
    ),
    "ichimoku": Builtin(
        (
            _bars_argument("conversion", 9),
            _bars_argument("base", 26),
            _bars_argument("span", 52),
            _bars_argument("displacement", 26),
        ),
        "Ichimoku's lines (G. Hosoda): the middle of highest high and lowest low over `conversion` and `base` candles, "
        "and both edges of the cloud as they are drawn at this candle. For the lagging line write `shift(close, 25)`",
        _ichimoku(),
        has_default_output=False,
    ),
}
"""The language's own functions by name."""

ALIASES = {"keltner": "kc"}
"""Further names of TA-Lib's functions, which people know them by."""
