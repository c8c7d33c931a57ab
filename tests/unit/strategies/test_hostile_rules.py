"""No text runs code, reads what the language doesn't list, loops, or takes memory and time out of proportion."""

import builtins
import sys
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.definitions import NamedPart, Sizing, StrategyDefinition
from domain.model.markets import Timeframe
from domain.strategies import parser
from domain.strategies.compiled import compile_definition
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.parse_context import Scope
from domain.strategies.parser import parse_rule
from domain.strategies.validation import validate
from tests.support.call_count import effort
from tests.support.candles import random_candles, timed
from tests.support.rule_grammar import conditions

SIZING = Sizing(quote_amount=Decimal(500))
ESCAPES = [
    "().__class__.__bases__[0].__subclasses__()",
    "[].__class__.__base__.__subclasses__()[104].load_module('os')",
    "(lambda: 0).__globals__['__builtins__']['eval']('1')",
    "__builtins__.__import__('os').popen('id').read()",
    "getattr(getattr(__builtins__, 'eval'), '__call__')('1')",
    "eval('1')",
    "exec('import os')",
    "compile('1', '', 'eval')",
    "open('/etc/passwd').read() > 1",
    "open.__class__ > 1",
    "close.__class__.__mro__ > 1",
    "close.real > 1",
    "sma.__globals__ > 1",
    "sma(close, 3).__array_interface__ > 1",
    "sma(close, 3).dump('/tmp/x') > 1",
    "macd(close).__class__ > 1",
    "tf('4h').__class__ > 1",
    "tf('4h').__init__(close) > 1",
    "tf('4h').close.__class__ > 1",
    "tf('4h').tofile('/tmp/x') > 1",
    "market('BTC/USDT').__dict__ > 1",
    "market('../../etc/passwd').close > 1",
    "market('BTC/USDT; DROP TABLE orders').close > 1",
    "tf('4h' + '').close > 1",
    "tf(f'{close}').close > 1",
    "position.__class__ > 1",
    "position.bars.__class__ > 1",
    "trend().__class__ > 1",
    "globals() > 1",
    "vars() > 1",
    "dir(close) > 1",
    "breakpoint() > 1",
    "input() > 1",
    "print(close) > 1",
    "help() > 1",
    "format(close, '999999999') > 1",
    "'%1000000000d' % close > 1",
    "'a' * 1000000000 > 1",
    "[close] * 1000000000 > 1",
    "(x := close) > 1",
    "[x for x in (1, 2)] > 1",
    "{x: x for x in (1, 2)} > 1",
    "any(x for x in (1, 2))",
    "(yield close) > 1",
    "(await close) > 1",
    "close[0] > 1",
    "close[::-1] > 1",
    "close @ close > 1",
    "close if close > 1 else __import__('os') > 1",
    "sma(close, timeperiod=__import__('os')) > 1",
    "sma(close, *[3]) > 1",
    "sma(close, **{'timeperiod': 3}) > 1",
    "shift(close, bars=lambda: 3) > 1",
    "9 ** 9 ** 9 ** 9 > close",
    "(2 ** 1023) ** 2 > close",
    "1e308 * 10 > close",
    "0x7fffffff > close",
    "b'close' > 1",
    "None.__class__ > 1",
    "... > 1",
    "self.x > 1",
    "np.load > 1",
    "os.system > 1",
    "talib.SMA(close) > 1",
    "sma(close,\\\n3) > 1",
    "close > 1\n__import__('os')",
    "close > 1 #\n",
    "cl\u0000ose > 1",
    "\u202eclose > 1",
    "ｃｌｏｓｅ > 1",  # noqa: RUF001
]
HUGE = [
    "shift(close, 999999999999) > 0",
    "shift(close, -1) > 0",
    "shift(close, 1e300) > 0",
    "highest(close, 2147483648) > 0",
    "bars_since(close > 1, 100000000) > 0",
    "value_when(close > 1, close, 100000000) > 0",
    "rising(close, 99999999)",
    "sma(close, 2147483647) > 0",
    "ema(close, 99999) > 0",
    "bbands(close, 5000000000).upper > 0",
    "ichimoku(9, 26, 52, 99999).span_a > 0",
    "kama(close, 100000) > 0",
    "sar(1e-12, 1e-12) > 0",
]


def refused(text: str) -> bool:
    errors: tuple[RuleError, ...] = ()
    try:
        parse_rule(text, Scope())
    except RuleErrors as found:
        errors = found.errors
    assert all(0 <= error.start <= error.end <= len(text) and error.message for error in errors)
    return bool(errors)


@pytest.mark.parametrize("text", [*ESCAPES, *HUGE])
def test_an_escape_or_a_huge_number_is_refused_without_running_anything(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("eval", "exec", "open", "input", "breakpoint"):
            patch.setattr(builtins, name, _forbidden)
        assert refused(text)


def _forbidden(*_arguments: object, **_named: object) -> None:
    raise AssertionError("a rule was executed")


@pytest.mark.parametrize("name", sorted(dir(builtins)))
def test_no_name_of_python_means_anything(name: str) -> None:
    if name in {"abs", "max", "min", "open", "sum"}:  # which are the language's or TA-Lib's own
        return
    assert refused(f"{name} > 1")
    assert refused(f"{name}(close) > 1")
    assert refused(f"close > close.{name}")


@given(conditions(), st.data())
def test_a_rule_with_a_few_wrong_characters_is_a_rule_or_an_error(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 4))
    changed = text[:place] + data.draw(st.text(max_size=3)) + text[place + length :]
    refused(changed)


def nested(count: int) -> StrategyDefinition:
    """Return a definition whose parts each use the one before many times: its tree would have 20 ** count leaves."""
    let = [NamedPart("p0", "close + open")]
    let += [NamedPart(f"p{index}", " + ".join([f"p{index - 1}"] * 20)) for index in range(1, count)]
    return StrategyDefinition(SIZING, let=tuple(let), enter_long=f"p{count - 1} > 0")


def test_parts_of_parts_cost_no_more_than_their_texts() -> None:
    assert validate(nested(32)).errors == ()
    assert effort(lambda: validate(nested(32))) < 6 * effort(lambda: validate(nested(8)))
    strategy = compile_definition(nested(32))
    candles = random_candles(100, 1)
    assert strategy.evaluate(candles).enter_long.all()
    assert strategy.latest(candles).enter_long
    assert strategy.explain(candles, "enter_long")


def test_the_deepest_parts_of_parts_stay_within_pythons_stack() -> None:
    deep = "abs(" * 18 + "{} + 1" + ")" * 18
    let = [NamedPart("p0", deep.format("close"))]
    let += [NamedPart(f"p{index}", deep.format(f"p{index - 1}")) for index in range(1, 32)]
    definition = StrategyDefinition(SIZING, let=tuple(let), enter_long="p31 > position.entry_price or p31 > 0")
    strategy = compile_definition(definition)

    def deeper(levels: int) -> bool:
        return strategy.latest(random_candles(10, 1)).enter_long if levels == 0 else deeper(levels - 1)

    assert not deeper(sys.getrecursionlimit() // 3)  # without a position the rule has no value
    assert strategy.bar_rules(random_candles(10, 1))


def test_too_many_or_too_long_parts_are_refused() -> None:
    many = replace(nested(2), let=tuple(NamedPart(f"p{index}", "close") for index in range(33)))
    assert [error.path for error in validate(many).errors] == [("let",)]
    long = replace(nested(2), let=tuple(NamedPart(f"p{index}", f"close + {'1 + ' * 400}1") for index in range(6)))
    assert [error.path for error in validate(long).errors] == [("let",)]


def test_other_series_are_bounded_in_number_and_in_length() -> None:
    names = " and ".join(f'market("A{index}/USDT").close > 1' for index in range(5))
    assert "at most 4" in validate(StrategyDefinition(SIZING, enter_long=names)).errors[0].message
    far = 'ema(tf("1d").close, 4000) > close'
    assert "at most 5,000" in validate(StrategyDefinition(SIZING, enter_long=far)).errors[0].message


def test_a_long_history_is_evaluated_in_blocks_of_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = 'crosses_above(ema(close, 5), tf("4h").sma(close, 3)) or bars_since(close > open, 20) > 4 or vwap() > close'
    candles = timed(random_candles(3_000, 4, volatility=0.01), Timeframe.H1)
    strategy = compile_definition(StrategyDefinition(SIZING, enter_long=rule), timeframe=Timeframe.H1)
    whole = strategy.evaluate(candles).enter_long
    monkeypatch.setattr("domain.strategies.compiled.SHORTEST_BLOCK", 100)
    monkeypatch.setattr("domain.strategies.compiled.MAX_VALUES", 1_000)
    lengths: list[int] = []
    evaluation = strategy._evaluation
    monkeypatch.setattr(
        type(strategy),
        "_evaluation",
        lambda _self, part, position=None: lengths.append(len(part)) or evaluation(part, position),
    )
    assert strategy.evaluate(candles).enter_long.tolist() == whole.tolist()
    assert max(lengths) <= 100 + strategy.warm_up
    assert whole.any()


def test_the_limits_are_those_of_the_page() -> None:
    assert (parser.MAX_NODES, parser.MAX_DEPTH, parser.MAX_WARM_UP) == (500, 60, 5_000)
