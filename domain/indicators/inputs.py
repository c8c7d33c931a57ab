"""The input series of an indicator: prices and volume, or another indicator."""

from collections.abc import Sequence

from domain.core.errors import ErrorCode, InputError
from domain.core.text import closest_match
from domain.indicators.candle_arrays import PRICES
from domain.indicators.catalogue import IndicatorDefinition, indicator, indicator_names

DOMINANT_CYCLE = "ht_dcperiod"
"""The default of a series of periods, which candles don't have: the length of the market's dominant cycle.

MAVP is used with it in J. F. Ehlers' "Rocket Science for Traders" (2001), which HT_DCPERIOD comes from.
"""


def input_names(definition: IndicatorDefinition, given: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the input series in order, in lower case; without `given` ones, the catalogue's.

    Each is one of `PRICES` or an indicator with one output; raises InputError (INVALID) for anything else.
    """
    if not given:
        return tuple(name if name in PRICES else DOMINANT_CYCLE for name in definition.inputs)
    if len(given) != len(definition.inputs):
        takes = f"{len(definition.inputs)} series ({', '.join(definition.inputs)})"
        raise InputError(ErrorCode.INVALID, f"{definition.name} takes {takes}, not {len(given)}.", ["inputs"])
    return tuple(_validated(name) for name in given)


def _validated(given: str) -> str:
    name = given.lower()
    if name in PRICES:
        return name
    definition = indicator(name)
    if definition is None:
        near = closest_match(name[:50], [*PRICES, *indicator_names()])
        hint = f"; did you mean {near}?" if near else "."
        raise InputError(ErrorCode.INVALID, f"There is no series {given[:50]!r}{hint} {_ALLOWED}", ["inputs"])
    if len(definition.outputs) > 1:
        raise InputError(ErrorCode.INVALID, f"{name} has {len(definition.outputs)} outputs. {_ALLOWED}", ["inputs"])
    return name


_ALLOWED = f"A series is {', '.join(PRICES)}, or an indicator with one output, computed with its defaults."
