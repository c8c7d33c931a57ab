"""The rule language described from its own tables: the grammar, every function, and the templates, as Markdown."""

from collections.abc import Iterable, Iterator

from domain.indicators.candle_arrays import SERIES
from domain.indicators.catalogue import IndicatorDefinition, catalogue
from domain.indicators.warmup import ADDITIVE, MULTIPLICATIVE
from domain.model.markets import Timeframe
from domain.strategies.builtins import ALIASES, BUILTINS, Argument, Builtin
from domain.strategies.operators import COMPARISONS
from domain.strategies.parse_context import CLOCK, POSITION, POSITION_FIELDS
from domain.strategies.parser import SIGNS
from domain.strategies.templates import TEMPLATES

_CUMULATIVE = ADDITIVE | MULTIPLICATIVE


def grammar() -> str:
    """Return the grammar in the notation of Python's own: `|` or, `[…]` optional, `{…}` any number of times."""
    return "\n".join(
        [
            "rule        = condition",
            'condition   = condition "or" condition | condition "and" condition | "not" condition',
            '            | condition "if" condition "else" condition | "(" condition ")"',
            "            | number comparison number { comparison number } | call | name_of_part",
            f"comparison  = {_choices(COMPARISONS)}",
            'number      = number sign number | ("+" | "-") number | "(" number ")"',
            '            | number "if" condition "else" number',
            "            | literal | series | clock | position | parameter | name_of_part | call | elsewhere",
            f"sign        = {_choices(SIGNS)}",
            f"series      = {_choices(SERIES)}",
            f"clock       = {_choices(CLOCK)}",
            f'position    = "{POSITION}" "." ( {_choices(POSITION_FIELDS)} )',
            'call        = function "(" [ argument { "," argument } ] ")" [ "." output ]',
            'argument    = [ name "=" ] ( number | condition | moving_average )',
            'elsewhere   = candles "." ( series | call )',
            'candles     = timeframe | market | timeframe "." market | market "." timeframe',
            f'timeframe   = "tf" "(" quote ( {_choices(timeframe.venue_name for timeframe in Timeframe)} ) quote ")"',
            'market      = "market" "(" quote BASE "/" QUOTE quote ")"',
        ]
    )


def own_functions() -> str:
    """Return a table of the language's own functions."""
    rows = [f"| `{_call(name, builtin)}` | {builtin.meaning} |" for name, builtin in BUILTINS.items()]
    return "\n".join(["| function | value |", "| --- | --- |", *rows])


def library_functions() -> str:
    """Return a table of TA-Lib's functions by group, each with its series, parameters and outputs."""
    aliases = {name: alias for alias, name in ALIASES.items()}
    groups = sorted({definition.group for definition in catalogue()})
    return "\n\n".join("\n".join(_group(group, aliases)) for group in groups)


def templates() -> str:
    """Return a table of the templates, each with its source."""
    rows = [f"| `{each.name}` | {each.title}. {each.description} | {each.source} |" for each in TEMPLATES]
    return "\n".join(["| template | how it trades | source |", "| --- | --- | --- |", *rows])


def _group(group: str, aliases: dict[str, str]) -> Iterator[str]:
    yield from (f"**{group}**", "", "| function | meaning | outputs |", "| --- | --- | --- |")
    for definition in catalogue():
        if definition.group != group or definition.name in BUILTINS:
            continue
        alias = f", also `{aliases[definition.name]}`" if definition.name in aliases else ""
        only = "; its change alone" if definition.name in _CUMULATIVE else ""
        outputs = (
            ", ".join(f"`.{output}`" for output in definition.short_outputs) if len(definition.outputs) > 1 else ""
        )
        yield f"| `{_library_call(definition)}`{alias} | {definition.title}{only} | {outputs} |"


def _library_call(definition: IndicatorDefinition) -> str:
    parameters = [f"{parameter.name}={parameter.default}" for parameter in definition.parameters]
    return f"{definition.name}({', '.join([*definition.inputs, *parameters])})"


def _call(name: str, builtin: Builtin) -> str:
    arguments = [_argument(argument) for argument in builtin.arguments]
    outputs = f" .{' .'.join(builtin.outputs)}" if len(builtin.outputs) > 1 else ""
    return f"{name}({', '.join([*arguments, '…'] if builtin.repeated else arguments)}){outputs}"


def _argument(argument: Argument) -> str:
    return argument.name if argument.default is None else f"{argument.name}={argument.default}"


def _choices(names: Iterable[str]) -> str:
    return " | ".join(f'"{name}"' for name in names)
