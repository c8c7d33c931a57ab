import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from graphql import GraphQLError, parse_value
from hypothesis import given
from hypothesis import strategies as st

from domain.model.markets import MarketSymbol
from schema import build_schema
from schema.common.scalars import (
    SCALARS,
    Sequence,
    parse_decimal,
    parse_sequence,
    parse_symbol,
    parse_time,
    serialize_decimal,
    serialize_sequence,
    serialize_time,
)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19))
def test_a_decimal_comes_back_as_it_went_out(value: Decimal) -> None:
    assert parse_decimal(serialize_decimal(value)) == value


@given(st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1))
def test_a_whole_number_is_read_exactly(value: int) -> None:
    assert parse_decimal(value) == value


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("inf"),
        True,
        None,
        [],
        {},
        "",
        "abc",
        "NaN",
        "Infinity",
        "1_000",
        "\u0661",
        " 1",
        "1\n",
        "1e400",
        "1" * 39,
        10**38,
        10**5000,
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "number",
)
def test_what_is_no_decimal_is_refused_in_words(value: object) -> None:
    with pytest.raises(GraphQLError, match=r"^Decimal: .* can't be used: .*\.$") as refused:
        parse_decimal(value)
    assert len(refused.value.message) < 200


def test_decimals_are_plain() -> None:
    assert [serialize_decimal(value) for value in (Decimal("1E+3"), Decimal("0.10"), Decimal("-0"), 5)] == [
        "1000", "0.1", "0", "5",
    ]  # fmt: skip
    with pytest.raises(TypeError):
        serialize_decimal(1.5)


@pytest.mark.parametrize(
    ("literal", "expected"),
    [("15", Decimal(15)), ('"1.5"', Decimal("1.5")), (str(10**37), Decimal(10**37)), ("1.5", None), ("1e3", None),
     ("true", None), ("[1]", None), ("9" * 5000, None)],
)  # fmt: skip
def test_literals_are_read_from_their_text(literal: str, expected: Decimal | None) -> None:
    read = SCALARS[Decimal].parse_literal
    assert read is not None
    if expected is None:
        with pytest.raises(GraphQLError):
            read(parse_value(literal))
    else:
        assert read(parse_value(literal)) == expected


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)), st.integers(-720, 720))  # noqa: DTZ001
def test_a_time_comes_back_as_it_went_out(at: datetime, minutes: int) -> None:
    aware = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = serialize_time(aware)
    assert text.endswith("Z")
    assert parse_time(text) == aware
    assert parse_time(aware.isoformat()) == aware


@pytest.mark.parametrize(
    "value",
    ["2026-01-31", "2026-01-31T12:00:00", "2026-13-31T12:00:00Z", "0001-01-01T00:00:00+23:00", "now", 5, None,
     "2026-01-31T12:00:00Z" + "0" * 100],
)  # fmt: skip
def test_a_time_without_an_offset_or_off_the_calendar_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match=r"^DateTime: "):
        parse_time(value)


def test_a_naive_time_never_leaves() -> None:
    with pytest.raises(TypeError):
        serialize_time(datetime(2026, 1, 1))  # noqa: DTZ001


def test_sequences_are_strings_of_up_to_64_bits() -> None:
    assert serialize_sequence(2**63 - 1) == "9223372036854775807"
    assert parse_sequence("9223372036854775807") == parse_sequence(2**63 - 1) == Sequence(2**63 - 1)
    for value in ("9223372036854775808", "-1", "1.0", 1.0, True, None, "", "٣", 10**5000):
        with pytest.raises(GraphQLError):
            parse_sequence(value)


def test_a_market_symbol_is_checked() -> None:
    assert parse_symbol("sandbox:BTC/USDT") == MarketSymbol("sandbox", "BTC/USDT")
    for value in ("BTC/USDT", "sandbox:BTC", "", ":/", 5, "x" * 200):
        with pytest.raises(GraphQLError, match=r"sandbox:BTC/USDT"):
            parse_symbol(value)


def test_times_are_utc() -> None:
    assert serialize_time(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-01T00:00:00Z"
    assert parse_time("2026-01-01T02:00:00+02:00").tzinfo is UTC


@pytest.mark.parametrize(
    "literal",
    [
        'market(symbol: "x") { id }',
        "engine { id } b: market(symbol: 5) { id }",
        "markets(symbols: [true]) { nodes { id } }",
    ],
)
async def test_an_error_of_a_literal_has_its_place_in_the_document(literal: str) -> None:
    result = await build_schema().execute(f"{{ {literal} }}")
    assert result.errors
    assert [len(error.locations or ()) for error in result.errors] == [1] * len(result.errors)


async def test_what_is_written_matches_the_documented_patterns() -> None:
    patterns = {
        kind.name: re.compile(found[1])
        for kind in build_schema().graphql_schema.type_map.values()
        if (found := re.search(r"matches `(.*)`", kind.description or ""))
    }
    assert set(patterns) == {"Decimal", "Sequence", "MarketSymbol"}
    for value in ("0", "0.1", "-12.5", "64000", "1E+3", "1E-18", "-0", "100.100"):
        assert patterns["Decimal"].search(serialize_decimal(Decimal(value)))
    for text in ("1.", "01", "1.10", "1e3", "+1", ""):
        assert not patterns["Decimal"].search(text)
    for number in (0, 7, 2**63 - 1):
        assert patterns["Sequence"].search(serialize_sequence(number))
    for symbol in ("sandbox:BTC/USDT", "kraken:BTC/USDT:USDT", "sandbox-binance:1000SATS/USDT"):
        assert patterns["MarketSymbol"].search(str(MarketSymbol.parse(symbol)))
