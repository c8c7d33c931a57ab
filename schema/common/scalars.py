"""The scalars: decimals, times, long counts and market symbols, each written as a string.

Annotate fields and arguments with `decimal.Decimal`, `datetime.datetime`, `schema.common.scalars.Sequence` and
`domain.model.markets.MarketSymbol`. `SCALARS` maps them to the scalars.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NewType

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode, print_ast
from strawberry.types.scalar import ScalarDefinition

from domain.core import money
from domain.model.markets import MarketSymbol

Sequence = NewType("Sequence", int)
"""A count that may need 64 bits."""

_SHOWN_CHARACTERS = 60

_MAX_SEQUENCE = 2**63 - 1

_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII)


def serialize_decimal(value: object) -> str:
    """Return a decimal in plain notation. A whole number can be an int."""
    if isinstance(value, Decimal):
        return money.plain(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a decimal can't be made of {type(value).__name__}")


def parse_decimal(value: object) -> Decimal:
    """Return the decimal of a string or a whole number; raise GraphQLError for any other value, such as a float."""
    if isinstance(value, float):
        raise _scalar_error("Decimal", value, 'floats lose digits: write it as a string, such as "0.01"')
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _scalar_error("Decimal", value, 'write it as a string, such as "0.01"')
    try:
        return money.parse_decimal(_digits(value))
    except ValueError as error:
        raise _scalar_error("Decimal", value, str(error)) from None


def serialize_time(value: object) -> str:
    """Return an aware datetime in UTC with a Z, with as many decimals of the second as it needs."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"a time must be an aware datetime, not {value!r}")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_time(value: object) -> datetime:
    """Return the UTC datetime of an ISO 8601 text with an offset; raise GraphQLError for any other value."""
    if not isinstance(value, str) or not _ISO_TIME.fullmatch(value):
        raise _scalar_error("DateTime", value, "write it as ISO 8601 with an offset, such as 2026-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _scalar_error("DateTime", value, "there is no such time") from None


def serialize_sequence(value: object) -> str:
    """Return a whole number as a string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a sequence can't be made of {type(value).__name__}")


def parse_sequence(value: object) -> Sequence:
    """Return the count in a string or a whole number; raise GraphQLError for any other value."""
    text = str(value) if isinstance(value, int) and abs(value) <= _MAX_SEQUENCE else value
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) > _MAX_SEQUENCE:
        raise _scalar_error("Sequence", value, f"write a whole number from 0 to {_MAX_SEQUENCE} as a string")
    return Sequence(int(text))


def parse_symbol(value: object) -> MarketSymbol:
    """Return the market symbol in a string; raise GraphQLError for any other value."""
    if not isinstance(value, str):
        raise _scalar_error("MarketSymbol", value, "write it as venue:BASE/QUOTE, such as sandbox:BTC/USDT")
    try:
        return MarketSymbol.parse(value)
    except ValueError as error:
        raise GraphQLError(f"MarketSymbol: {error}.") from None


def _digits(value: str | int) -> str:
    try:
        return str(value)
    except ValueError:
        raise ValueError("has more than 38 digits") from None


def _scalar_error(scalar: str, value: object, reason: str) -> GraphQLError:
    try:
        shown = repr(value)
    except ValueError:  # Python refuses to print whole numbers of more than 4,300 digits
        shown = "the number"
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[:_SHOWN_CHARACTERS] + "…"
    return GraphQLError(f"{scalar}: {shown} can't be used: {reason}.")


def _parse_text(
    node: StringValueNode | IntValueNode | FloatValueNode, parse_value: Callable[[object], object]
) -> object:
    """Parse the text of a literal; an error has the place of the literal in the document."""
    try:
        return parse_value(node.value)
    except GraphQLError as error:
        raise GraphQLError(error.message, node) from None


def _literal(parse_value: Callable[[object], object]) -> Callable[..., object]:
    """Return a parser of literals: numbers are parsed from their text, so that no digit passes through a float."""

    def parse(node: ValueNode, _variables: object = None) -> object:
        if isinstance(node, StringValueNode | IntValueNode):
            return _parse_text(node, parse_value)
        raise GraphQLError(f"{print_ast(node)[:_SHOWN_CHARACTERS]} must be written as a string.", node)

    return parse


def _string_literal(parse_value: Callable[[object], object]) -> Callable[..., object]:
    def parse(node: ValueNode, _variables: object = None) -> object:
        if isinstance(node, StringValueNode):
            return _parse_text(node, parse_value)
        raise GraphQLError(f"{print_ast(node)[:_SHOWN_CHARACTERS]} must be written as a string.", node)

    return parse


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description=(
            "An exact decimal number, written as a string in plain notation, without an exponent and without trailing "
            'zeros, such as "0.1" or "64000". An input can be a string or a whole number, with at most 38 digits. '
            "Floats are errors, because they lose digits. An output matches `^-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?$`."
        ),
        serialize=serialize_decimal,
        parse_value=parse_decimal,
        parse_literal=_literal(parse_decimal),
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "A time in UTC, written as ISO 8601 with Z and up to six decimals of the second, such as "
            "2026-01-31T12:00:00Z. An input can have any offset from UTC, but it must have one."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_time,
        parse_value=parse_time,
        parse_literal=_string_literal(parse_time),
    ),
    Sequence: strawberry.scalar(
        name="Sequence",
        description=(
            "A whole number from 0 to 9223372036854775807, written as a string, because GraphQL's Int has only 32 "
            "bits. It matches `^(0|[1-9][0-9]{0,18})$`."
        ),
        serialize=serialize_sequence,
        parse_value=parse_sequence,
        parse_literal=_literal(parse_sequence),
    ),
    MarketSymbol: strawberry.scalar(
        name="MarketSymbol",
        description=(
            "The symbol of a market: the venue's name, a colon, and ccxt's unified symbol, such as sandbox:BTC/USDT. "
            "It has at most 80 characters and matches `^[^:]+:[^/]+/.+$`."
        ),
        serialize=str,
        parse_value=parse_symbol,
        parse_literal=_string_literal(parse_symbol),
    ),
}
"""For `StrawberryConfig(scalar_map=SCALARS)`."""
