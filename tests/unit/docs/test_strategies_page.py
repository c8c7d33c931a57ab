"""The page on strategies describes the language as it is: its tables, its errors, its warm-ups."""

import re
from pathlib import Path

import pytest

from domain.strategies.errors import RuleErrors
from domain.strategies.parse_context import RESERVED_NAMES, Scope
from domain.strategies.parser import LANGUAGE_VERSION, MAX_NODES, parse_rule
from domain.strategies.reference import grammar, library_functions, own_functions, templates

PAGE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text()
ERRORS = re.findall(r"^\| (`+)(.+?)\1 \| (\d+)–(\d+), (`+)(.+?)\5(?:, suggestion `(.+?)`)? \|$", PAGE, re.MULTILINE)  # noqa: RUF001


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("grammar", f"```text\n{grammar()}\n```"),
        ("own functions", own_functions()),
        ("library functions", library_functions()),
        ("templates", templates()),
    ],
)
def test_the_generated_parts_are_those_of_the_code(name: str, text: str) -> None:
    """After a change run `uv run python .ci/strategy_reference.py`."""
    assert f"<!-- generated: {name} -->\n{text}\n<!-- end -->" in PAGE


def test_every_word_of_the_language_is_on_the_page() -> None:
    assert [name for name in RESERVED_NAMES if not re.search(rf"\b{name}\b", PAGE)] == []
    assert f"now {LANGUAGE_VERSION}." in " ".join(PAGE.split())
    assert f"{MAX_NODES} parts" in PAGE


@pytest.mark.parametrize(("rule", "start", "end", "message", "suggestion"), [(e[1], *e[2:4], *e[5:]) for e in ERRORS])
def test_the_errors_are_answered_as_shown(rule: str, start: str, end: str, message: str, suggestion: str) -> None:
    with pytest.raises(RuleErrors) as caught:
        parse_rule(rule, Scope())
    (error,) = caught.value.errors
    assert (error.start, error.end, error.message, error.suggestion or "") == (
        int(start),
        int(end),
        message,
        suggestion,
    )


def test_the_table_of_errors_is_read() -> None:
    assert len(ERRORS) == len(re.findall(r"^\| `.* \| \d+–\d+, ", PAGE, re.MULTILINE)) > 10  # noqa: RUF001


@pytest.mark.parametrize(
    ("function", "tolerance", "text"),
    [
        ("rsi(close, 14)", 1e-9, "`rsi(close, 14)` needs {}"),
        ("ma(close, 20, ema)", 1e-9, "`ma(close, 20, ema)` {}"),
        ("kama(close, 10)", 1e-9, "`kama(close, 10)` {}"),
        ("rsi(close, 14)", 1e-2, "`rsi(close, 14)` needs {} candles and"),
        ("ma(close, 200, ema)", 1e-2, "`ma(close, 200, ema)` {} instead of"),
        ("ma(close, 200, ema)", 1e-9, "instead of {}:"),
    ],
)
def test_the_warm_ups_are_right(function: str, tolerance: float, text: str) -> None:
    bars = parse_rule(f"{function} > 0", Scope(tolerance=tolerance)).warm_up
    assert text.format(f"{bars:,}") in " ".join(PAGE.split())
