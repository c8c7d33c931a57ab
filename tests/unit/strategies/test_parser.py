"""Rules are parsed, and their errors have a place, a meaning and a suggestion."""

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.indicators.catalogue import IndicatorDefinition, catalogue
from domain.indicators.warmup import ADDITIVE, ANCHORED, MULTIPLICATIVE
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.parse_context import Scope
from domain.strategies.parser import MAX_WARM_UP, Rule, parse_rule

PARAMETERS = {"n": 3.0, "half": 0.5, "big": 1e15}


def read(text: str) -> Rule:
    return parse_rule(text, Scope(PARAMETERS))


def errors_of(text: str) -> list[tuple[str, int, int, str | None]]:
    with pytest.raises(RuleErrors) as caught:
        read(text)
    return [(error.message, error.start, error.end, error.suggestion) for error in caught.value.errors]


def test_a_misspelt_function_is_answered_with_its_place_and_the_right_name() -> None:
    ((message, start, end, suggestion),) = errors_of("close > smaa(close, 3)")
    assert (start, end, suggestion) == (8, 12, "sma")
    assert "smaa" in message


@pytest.mark.parametrize(
    ("text", "warm_up"),
    [
        ("close > 0", 0),
        ("close > 0 and sma(close, n) > 0", 2),
        ("1 < 2", 0),
        ("not close > open", 0),
        ("low < close < high", 0),
        ("close == open or close != open or close >= open or close <= open", 0),
        ("-close + +open - 2 * high / low % 3 ** 2 > 0", 0),
        ("sma(close, n * 2) > sma(20) - sma()", 29),
        ("sma(timeperiod=10) > sma(close, timeperiod=n)", 9),
        ("shift(close, 5) > close and change(close) > 0 and change(close, 3) > 0", 5),
        ("shift(close, bars=2) > 0", 2),
        ("shift(sma(close, 10), 5) > 0", 14),
        ("highest(high, 20) > lowest(low, 10)", 19),
        ("highest(high, 1) == high", 0),
        ("crosses_above(close, 100) or crosses_below(sma(close, 3), sma(close, 5))", 5),
        ("minimum(close, open, 3) < maximum(2, 3) and abs(change(close)) > abs(-1)", 1),
        ("bbands(close, 20, 2, 2).upper < close", 19),
        ("bbands(close, 20, 2, 2, wma).upperband < close", 19),
        ("bbands(matype=0).middle < close", 19),
        ("ma(close, 10, matype=sma) > 0", 9),
        ("stoch(14, 3, sma, 3, 0).k > stoch(14).d", 17),
        ("aroon(14).up > aroon(14).aroondown", 14),
        ("change(obv(), 5) > 0 and mom(ad(), 3) > 0 and change(obv(close, volume)) > 0", 5),
        ("roc(nvi(), 10) > 0 and change(cumsum(volume), 2) > 0", 10),
        ("vwma(close, 20) > vwma(20) and vwma(close, volume, 20) > 0", 19),
        ("add(close, 1) > sqrt(close) and sub(high, low) > 0", 0),
        ("atr(high, low, close, 14) > 0 and cci(14) > 100", 326),
        ("cdlhammer() > 0", 11),
        ("rsi(sma(close, 10), 14) > 50", 326 + 9),
        ("mavp(close, 5 + change(close) * 0, 2, 30) > 0", 30),
        ("  close\n > 0 \t", 0),
        ("hl2 > hlc3 and ohlc4 > 0", 0),
        ("rising(close, 3) or falling(sma(close, 4))", 4),
        ("bars_since(close > open) > 3", 500),
        ("bars_since(sma(close, 3) > open, bars=20) > 3", 22),
        ("value_when(close > open, high, 10) < close", 10),
        ("log(close) > 1", 0),
        ("(high if close > open else low) > sma(close, 5)", 4),
        ("close > 1 if hour > 12 else close > 2", 0),
        ("weekday < 5 and minute == 0 and 8 <= hour < 20", 0),
        ("keltner(20).upper > kc(20).upper", 251),
        ("trend() > 0 and trend().strength > 30", 385),
        ("trend().volatility == 1", 425),
        ("close > vwap()", 1439),
        ("close > ichimoku().span_a and ichimoku(span=60).base > 0", 50),
        ("tf('4h').close > close", 0),
        ("sma(tf('4h').close, 20) > shift(close, 2)", 2),
        ("sma(close - tf('4h').close, 20) > 0", 19),
        ("market('BTC/USDT').tf('1d').ema(close, 200) > 0", 0),
        ("tf('1d').market('BTC/USDT').macd(close).hist > tf('4h').trend().strength", 0),
        ("position.bars > 10 or position.profit_percent < -2 or close < position.entry_price", 0),
        ("close > .5 and close > 1. and close > 1e-3", 0),
        ("(((close))) > (0)", 0),
    ],
)
def test_a_rule_is_parsed_and_knows_its_warm_up(text: str, warm_up: int) -> None:
    assert read(text).warm_up == warm_up


@pytest.mark.parametrize(
    ("text", "start", "end", "suggestion", "message"),
    [
        ("", 0, 0, None, "empty"),
        ("   ", 0, 3, None, "empty"),
        ("close", 0, 5, None, "is a number, a condition was expected"),
        ("close and open > 1", 0, 5, None, "a condition was expected"),
        ("(close > 1) > 1", 1, 10, None, "is a condition, a number was expected"),
        ("-(close > 1) > 1", 2, 11, None, "a number was expected"),
        ("sma(close > 1, 3) > 1", 4, 13, None, "a number was expected"),
        ("close > opne", 8, 12, "open", "Nothing is called 'opne'"),
        ("close > qqqqqq", 8, 14, None, "no parameter and no series"),
        ("close > qqqqqq(1)", 8, 14, None, "`indicators` lists"),
        ("  close > smaa(3)", 10, 14, "sma", "smaa"),
        ("close >\n smaa(3)", 9, 13, "sma", "smaa"),
        ("close > rsi", 8, 11, None, "rsi is a function"),
        ("close(1) > 2", 0, 5, None, "close is a series"),
        ("n(1) > 2", 0, 1, None, "n is a parameter"),
        ("macd(close) > 0", 0, 11, None, "macd, signal, hist"),
        ("macd(close).hst > 0", 12, 15, "hist", "no output 'hst'"),
        ("sma(close).real > 0", 0, 15, None, "one value"),
        ("abs(close).x > 0", 0, 12, None, "one value"),
        ("close.high > 0", 0, 10, None, "several outputs"),
        ("sma(close, 2.5) > 0", 11, 14, None, "whole number, not 2.5"),
        ("sma(close, half) > 0", 11, 15, None, "whole number, not 0.5"),
        ("sma(close, 0) > 0", 11, 12, None, "between 1 and 100000, not 0"),
        ("rsi(close, 1) > 0", 11, 12, None, "between 2 and 100000, not 1"),
        ("rsi(close, -14) > 0", 11, 14, None, "not -14"),
        ("sma(close, big) > 0", 11, 14, None, "between 1 and 100000"),
        ("sma(close, close) > 0", 0, 17, None, "2 were given"),
        ("sma(close, 3, 4) > 0", 14, 15, None, "one too many"),
        ("sma(3, close) > 0", 7, 12, None, "one too many"),
        ("bbands(close, 20, close).upper > 0", 18, 23, None, "changes from bar to bar"),
        ("sma(close, 3, timeperiod=4) > 0", 14, 26, None, "given twice"),
        ("sma(close, tineperiod=4) > 0", 11, 21, "timeperiod", "no parameter 'tineperiod'"),
        ("ma(close, 3, 14) > 0", 13, 15, None, "one of sma, ema"),
        ("sma(close, ema) > 0", 11, 14, None, "a whole number, not ema"),
        ("percentile(close, 10, 101) > 0", 22, 25, None, "between 0 and 100"),
        ("max(close, open) > 0", 0, 16, None, "maximum(a, b)"),
        ("atr(high, 14) > 0", 0, 13, None, "3 series"),
        ("beta(5) > 0", 0, 7, None, "2 series"),
        ("sqrt() > 0", 0, 6, None, "1 series"),
        ("bop(close) > 0", 0, 10, None, "4 series"),
        ("sma(*close) > 0", 4, 10, None, "* before a value"),
        ("sma(**close) > 0", 4, 6, None, "no parameter '**'"),
        ("obv() > 0", 0, 5, None, "only its change"),
        ("sma(obv(), 5) > 0", 4, 9, None, "only its change"),
        ("change(nvi(), 5) > 0", 7, 12, None, "only its change"),
        ("change(close, obv()) > 0", 14, 19, None, "from bar to bar"),
        ("shift(close, -1) > 0", 13, 15, None, "can't look ahead"),
        ("shift(close, 1.5) > 0", 13, 16, None, "whole number between 0"),
        ("shift(close, close) > 0", 13, 18, None, "from bar to bar"),
        ("change(close, 0) > 0", 14, 15, None, "between 1 and"),
        ("shift() > 0", 0, 7, None, "shift(x, bars)"),
        ("shift(close, 1, 2) > 0", 0, 18, None, "3 values were given"),
        ("shift(close, n=1) > 0", 13, 14, None, "n= has no meaning"),
        ("crosses_above(close)", 0, 20, None, "crosses_above(a, b)"),
        ("crosses_above(close, 3) > 1", 0, 23, None, "a number was expected"),
        ("abs(close, 1) > 0", 0, 13, None, "abs(x)"),
        ("maximum(close) > 0", 0, 14, None, "maximum(a, b)"),
        ("sma(close, 9999) > 0", 0, 20, None, "more than 5,000 candles"),
        ("sar(0, 0) > 0", 0, 13, None, "without end"),
        ("5 / 0 > close", 0, 5, None, "no finite value"),
        ("(-8) ** 0.5 > close", 0, 11, None, "no finite value"),
        ("10 ** 400 > close", 0, 9, None, "no finite value"),
        ("1e999 > close", 0, 5, None, "too large"),
        ("9" * 400 + " > close", 0, 400, None, "too large"),
        ("1_000 > close", 0, 5, None, "not a number"),
        ("0x10 > close", 0, 4, None, "not a number"),
        ("3j > close", 0, 2, None, "not a number"),
        ("007 > close", 0, 0, None, "can't be read"),
        ("close = 3", 6, 7, "==", "=="),
        ("close := 3", 6, 8, None, ":="),
        ("close > 1 && open > 1", 10, 12, "and", "write and"),
        ("close > 1 AND open > 1", 10, 13, "and", "lower case"),
        ("!close > 1", 0, 1, "not", "write not"),
        ("close <> 1", 6, 8, "!=", "write !="),
        ("close ≥ 1", 6, 7, ">=", "write >="),
        ("\uff43lose > 1", 0, 5, "close", "ASCII"),
        ("cl\u043ese > 1", 0, 5, "close", "ASCII"),
        ("close > 1 🚀", 10, 11, None, "ASCII"),
        ("close\x00 > 1", 5, 6, None, "ASCII"),
        ("close > 1 # yes", 10, 11, None, "#"),
        ("close > 1; open > 1", 9, 10, None, ";"),
        ("close > (1", 8, 9, None, "never closed"),
        ("close > 1)", 9, 10, None, "closes nothing"),
        ("sma(close, 3] > 1", 12, 13, None, "closes nothing"),
        ("close >", 7, 7, None, "ends where"),
        ("close open > 1", 6, 10, None, "can't be read"),
        ("mavp(close, open, 30, 2) > 1", 0, 24, None, "together"),
        ("close > tf('4h')", 8, 16, None, "write tf('4h').close"),
        ("close > tf('4h').clsoe", 8, 22, "tf('4h').close", "no series 'clsoe'"),
        ("close > tf('4h').ema", 8, 20, None, "ema is a function"),
        ("close > tf('4H').close", 11, 15, '"4h"', "no timeframe '4H'"),
        ("close > tf('9x').close", 11, 15, None, "there are 1m, 3m"),
        ("close > tf(4).close", 8, 13, None, "one text in quotes"),
        ("close > tf('1h').tf('4h').close", 8, 25, None, "given twice"),
        ("tf('4h').sma(tf('1h').close, 3) > 1", 13, 21, None, "can't stand inside of"),
        ("tf('4h').smaa(close, 3) > 1", 9, 13, "sma", "no function 'smaa'"),
        ("tf('4h').macd(close).hst > 1", 21, 24, "hist", "no output 'hst'"),
        ("tf('4h').hour > 1", 0, 13, "hour", "write hour alone"),
        ("sma(tf('4h').sma(hour, 3), 2) > 1", 17, 21, None, "can't be used inside of"),
        ("market('btc/usdt').close > 1", 7, 17, '"BTC/USDT"', "BASE/QUOTE"),
        ("market('sandbox:BTC/USDT').close > 1", 7, 25, None, "BASE/QUOTE"),
        ("market(\"BTC/USDT\").market('ETH/USDT').close > 1", 0, 37, None, "given twice"),
        ("market() > 1", 0, 8, None, "one text in quotes"),
        ("trend().directoin > 1", 8, 17, "direction", "no output"),
        ("trend(close) > 1", 0, 12, None, "trend()"),
        ("ichimoku() > 1", 0, 10, None, "conversion, base, span_a, span_b"),
        ("ichimoku(0).base > 1", 9, 10, None, "between 1 and 5,000"),
        ("position > 1", 0, 8, None, "position.bars"),
        ("position.bras > 1", 0, 13, "position.bars", "no 'bras'"),
        ("shift(position.bars, 1) > 1", 6, 19, None, "only the present is known"),
        ("sma(position.profit_percent, 3) > 1", 4, 27, None, "only the present is known"),
        ("crosses_above(position.profit_percent, 3)", 14, 37, None, "only the present is known"),
        ("tf('4h').sma(position.bars, 3) > 1", 13, 26, None, "isn't part of other candles"),
        ("hour() > 1", 0, 4, None, "without brackets"),
        ("bars_since(close) > 1", 11, 16, None, "a condition was expected"),
        ("value_when(close > 1) > 1", 0, 21, None, "value_when(condition, x, bars)"),
        ("rising(close > 1)", 7, 16, None, "a number was expected"),
        ("rising(close, 0)", 14, 15, None, "between 1 and 5,000"),
        ("(close if open else 1) > 1", 10, 14, None, "a condition was expected"),
        ("(close if open > 1 else open > 2) > 1", 1, 32, None, "both are conditions"),
        ("log(close, 2) > 1", 0, 13, None, "log(x)"),
        ("~close > 1", 0, 1, "not", "write not"),
        ("lambda: 1", 0, 9, None, "lambda isn't part"),
        ("close[1] > 1", 0, 8, None, "[…]"),
        ("[close] > 1", 0, 7, None, "a list"),
        ("close, open", 0, 11, None, "a comma"),
        ("{close} > 1", 0, 7, None, "a set"),
        ("[x for x in y] > 1", 0, 14, None, "a comprehension"),
        ("f'{close}' > 1", 0, 10, None, "an f-string"),
        ("'close' > 1", 0, 7, None, "'close' isn't part"),
        ("True", 0, 4, None, "True isn't part"),
        ("None > 1", 0, 4, None, "None isn't part"),
        ("close is open", 0, 13, None, "compared by"),
        ("close in open", 0, 13, None, "compared by"),
        ("close // 2 > 1", 0, 10, None, "join numbers"),
        ("__import__('os').system('ls') > 1", 0, 23, None, "function's name"),
        ("sma.__class__ > 1", 0, 13, None, "several outputs"),
        ("sma(close, 3)(4) > 1", 0, 13, None, "function's name"),
    ],
)
def test_an_error_has_its_place_and_what_would_be_right(
    text: str, start: int, end: int, suggestion: str | None, message: str
) -> None:
    found = errors_of(text)[0]
    assert message in found[0]
    if end:
        assert found[1:] == (start, end, suggestion)


def test_all_errors_of_a_rule_are_raised_in_order() -> None:
    found = errors_of("close > smaa(close, 3) and opne > 3 or rsi(close, 1) > sma(close, 0)")
    assert [(start, suggestion) for _, start, _, suggestion in found] == [
        (8, "sma"),
        (27, "open"),
        (50, None),
        (66, None),
    ]


def test_bytes_and_characters_are_not_confused() -> None:
    ((_, start, end, _),) = errors_of("close > 1 and 'é' > smaa(3)")
    assert (start, end) == (15, 16)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "close" + ")" * 10_000 + " > 1",
        "(" * 900 + "close" + ")" * 900 + " > 1",
        "- " * 990 + "close > 1",
        "not " * 490 + "close > 1",
        "2 **" * 490 + "2 > 1",
        "close + " * 240 + "close > 1",
        "close" + ".a" * 900 + " > 1",
        "abs" + "(1)" * 600 + " > 1",
        "1 if 1 else " * 160 + "1",
        "lambda:" * 280 + "1",
        "abs(" * 49 + "- " * 300 + "close" + ")" * 49 + " > 1",
        "[" * 1_000,
        "close" * 100_000,
    ],
)
def test_a_rule_of_absurd_depth_or_length_is_answered_cleanly(text: str) -> None:
    assert errors_of(text)


def test_a_rule_of_many_parts_is_answered_cleanly() -> None:
    assert "at most 500" in errors_of(" or ".join(["close>1"] * 140))[0][0]


def test_a_deep_caller_can_still_read_the_deepest_rule() -> None:
    text = "abs(" * 19 + "- " * 30 + "close" + ")" * 19 + " > 1"

    def deeper(levels: int) -> Rule:
        return read(text) if levels == 0 else deeper(levels - 1)

    assert deeper(sys.getrecursionlimit() // 3).warm_up == 0


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param(known, id=known.name)
        for known in catalogue()
        if known.name not in ADDITIVE | MULTIPLICATIVE | ANCHORED
    ],
)
def test_every_function_of_the_library_can_be_named_in_a_rule(definition: IndicatorDefinition) -> None:
    series = ", ".join(["close", "5 + change(open) * 0"][: len(definition.inputs)]) if definition.needs_inputs else ""
    for output in definition.short_outputs:
        suffix = f".{output}" if len(definition.outputs) > 1 else ""
        assert read(f"{definition.name}({series}){suffix} > 0").warm_up <= MAX_WARM_UP


WORDS = st.sampled_from(
    [
        *"()[]{}.,+-*/%<>=!&|~^:;'\"#\\@ \n\t",
        *["close", "open", "n", "sma", "macd", "macd(close).hist", "rsi(14)", "and", "or", "not", "**", "==", "<="],
        *["1", "0.5", "1e308", "obv()", "change(", "crosses_above(", "shift(", "lambda", "if", "else", "for", "in"],
        *[
            "is",
            "True",
            "None",
            "tf(",
            "close, 3)",
            "timeperiod=",
            "f'",
            "é",
            "\uff52",
            "\x00",
            "\ud800",
            "1if",
            "0x",
            "1__0",
        ],
    ]
)


@given(
    st.one_of(
        st.text(max_size=60), st.lists(WORDS, max_size=25).map("".join), st.lists(WORDS, max_size=25).map(" ".join)
    )
)
@example("f'{'")
@example("'\\")
@example("0_")
@example("1if 1else 1")
@example("yield")
@example("await close")
@example("sma(x for x in close)")
@example("sma(close, n=(yield))")
@example("\f close > 1")
@example("close > 1\\")
@example("(close\r\n> 1)")
@example("macd(close).hist()")
@example("print(close)")
@example("print close")
@example("minimum()")
def test_any_text_is_a_rule_or_has_an_error_within_it(text: str) -> None:
    rule, errors = outcome(text)
    assert (rule is None) == bool(errors)
    assert rule is None or (rule.node.is_condition and 0 <= rule.warm_up <= MAX_WARM_UP)
    for error in errors:
        assert error.message
        assert 0 <= error.start <= error.end <= len(text)


def outcome(text: str) -> tuple[Rule | None, tuple[RuleError, ...]]:
    try:
        return read(text), ()
    except RuleErrors as found:
        return None, found.errors
