"""The catalogue of indicators: every function of TA-Lib, by its lower-case name, from its own metadata."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cache

from domain.indicators.library import abstract, talib


class ParameterKind(Enum):
    """What values a parameter takes: whole numbers, any number, or the number of a moving average's type."""

    INTEGER = "a whole number"
    REAL = "a number"
    MOVING_AVERAGE = "the type of a moving average"


@dataclass(frozen=True, slots=True)
class IndicatorParameter:
    """A parameter with the range that TA-Lib accepts, both ends included."""

    name: str
    default: Decimal
    kind: ParameterKind
    minimum: Decimal
    maximum: Decimal


@dataclass(frozen=True, slots=True)
class IndicatorDefinition:
    """One function of TA-Lib.

    `inputs` are its series by default; the first `free_inputs` of them may be replaced one by one, the rest only
    together. With `needs_inputs` the defaults mean nothing, so a rule must name the series.
    """

    name: str
    title: str
    group: str
    inputs: tuple[str, ...]
    parameters: tuple[IndicatorParameter, ...]
    outputs: tuple[str, ...]
    free_inputs: int
    needs_inputs: bool

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def output_aliases(self) -> dict[str, int]:
        """The index of each output by each of its names: TA-Lib's (`macdhist`) and the short one (`hist`)."""
        aliases = {output: index for index, output in enumerate(self.outputs)}
        for index, output in enumerate(self.outputs):
            aliases.setdefault(_short_name(self.name, output), index)
        return aliases

    @property
    def short_outputs(self) -> tuple[str, ...]:
        """The short name of each output, in order."""
        return tuple(_short_name(self.name, output) for output in self.outputs)


MOVING_AVERAGES = (
    "sma", "ema", "wma", "dema", "tema", "trima", "kama", "mama", "t3", "hma", "none", "default", "zlema", "rma",
)  # fmt: skip
"""The types of moving averages; the index of each is its number in TA-Lib's enumeration."""

_LARGEST = Decimal("3e37")
_AT_LEAST_TWO = frozenset(
    {
        "max", "maxindex", "min", "minindex", "minmax", "minmaxindex", "sum", "adx", "adxr", "aroon",
        "aroonosc", "cci", "cmo", "cmou", "dpo", "dx", "er", "fosc", "imi", "mfi", "rsi", "smi", "stochrsi",
        "vhf", "willr", "accbands", "bbands", "donchian", "kc", "midpoint", "midprice", "supertrend", "avgdev",
        "linearreg", "linearreg_angle", "linearreg_intercept", "linearreg_slope", "percentile", "percentrank",
        "stddev", "tsf", "cvi", "cmf",
    }
)  # fmt: skip
"""The functions whose `timeperiod` is at least 2, not 1; from TA-Lib 0.8.1's parameter ranges, as the rest below."""
_PERIODS_FROM_TWO = frozenset({"fastperiod", "slowperiod", "firstperiod", "secondperiod", "stddevperiod"})
_REAL_RANGES = {
    "fastlimit": (Decimal("0.01"), Decimal("0.99")),
    "slowlimit": (Decimal("0.01"), Decimal("0.99")),
    "vfactor": (Decimal(0), Decimal(1)),
    "percentile": (Decimal(0), Decimal(100)),
    "nbdev": (-_LARGEST, _LARGEST),
    "nbdevup": (-_LARGEST, _LARGEST),
    "nbdevdn": (-_LARGEST, _LARGEST),
    "startvalue": (-_LARGEST, _LARGEST),
}
_PREFIXES = ("slow", "fast", "aroon", "ha", "swing")
_SUFFIXES = ("band", "power", "vi", "idx")


@cache
def catalogue() -> tuple[IndicatorDefinition, ...]:
    """Return every indicator, sorted by name; built at the first call."""
    return tuple(sorted((_definition(name) for name in talib.get_functions()), key=lambda definition: definition.name))


@cache
def _by_name() -> dict[str, IndicatorDefinition]:
    return {definition.name: definition for definition in catalogue()}


def indicator(name: str) -> IndicatorDefinition | None:
    """Return the indicator called `name` (in lower case); None if TA-Lib has none."""
    return _by_name().get(name)


def indicator_names() -> Iterable[str]:
    """Return the names of all indicators."""
    return _by_name().keys()


def _definition(name: str) -> IndicatorDefinition:
    info = abstract.Function(name).info  # type: ignore[attr-defined]  # missing in TA-Lib's stubs
    inputs: dict[str, str | Sequence[str]] = info["input_names"]
    singles = [key for key in inputs if not key.startswith("prices")]
    pair_or_unnamed = len(singles) > 1 or (not info["parameters"] and info["group"].startswith("Math"))
    return IndicatorDefinition(
        name=name.lower(),
        title=info["display_name"],
        group=info["group"],
        inputs=tuple(series for value in inputs.values() for series in ([value] if isinstance(value, str) else value)),
        parameters=tuple(_parameter(name.lower(), key, value) for key, value in info["parameters"].items()),
        outputs=tuple(info["output_names"]),
        free_inputs=len(singles),
        needs_inputs=pair_or_unnamed,
    )


def _parameter(function: str, name: str, default: float) -> IndicatorParameter:
    kind = _kind(name, default)
    minimum, maximum = _range(function, name, kind)
    return IndicatorParameter(name, Decimal(str(default)), kind, minimum, maximum)


def _kind(name: str, default: float) -> ParameterKind:
    if name.endswith("matype"):
        return ParameterKind.MOVING_AVERAGE
    return ParameterKind.INTEGER if isinstance(default, int) else ParameterKind.REAL


def _range(function: str, name: str, kind: ParameterKind) -> tuple[Decimal, Decimal]:
    if kind is ParameterKind.MOVING_AVERAGE:
        return Decimal(0), Decimal(len(MOVING_AVERAGES) - 1)
    if kind is ParameterKind.REAL:
        return _REAL_RANGES.get(name, (Decimal(0), _LARGEST))
    from_two = (
        name in _PERIODS_FROM_TWO
        or (name == "timeperiod" and function in _AT_LEAST_TWO)
        or (name == "signalperiod" and function in {"ac", "smi"})
    )
    return Decimal(2 if from_two else 1), Decimal(100_000)


def _short_name(function: str, output: str) -> str:
    family = function.removesuffix("ext").removesuffix("fix")
    short = output.removeprefix(family) or output
    for prefix in _PREFIXES:
        short = short.removeprefix(prefix) or short
    for suffix in _SUFFIXES:
        short = short.removesuffix(suffix) or short
    return short
