"""What is wrong in a file is answered with its place and what would be right, all of it at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.model.definitions import ExitDistance, OrderStyle, StrategyParameter
from domain.model.orders import OrderType, TimeInForce
from infra.strategy_files.errors import MAX_ERRORS, BadStrategyFile
from infra.strategy_files.formats import DocumentFormat
from infra.strategy_files.strategy_file import StrategyFile, parse_strategy, read_strategy_file

SIZING = '"sizing": {"quoteAmount": "1"}'
YAML_SIZING = "sizing: {quoteAmount: 1}\n"


def read(content: str | bytes, document_format: DocumentFormat = DocumentFormat.JSON) -> StrategyFile:
    data = content.encode() if isinstance(content, str) else content
    return parse_strategy(data, document_format, "the file")


def test_a_file_has_the_names_of_the_api_and_numbers_as_texts_or_as_they_are() -> None:
    definition = read("""{
        "$schema": "strategy.schema.json",
        "parameters": [{"name": "fast", "default": "12", "min": "4", "max": 40}],
        "let": [{"name": "upward", "expression": "close > ema(close, fast)"}],
        "enterLong": "upward", "exitLong": null, "order": {
            "type": "LIMIT", "offsetBps": "2", "timeInForce": "GTD", "giveUpAfterSeconds": 60, "postOnly": true},
        "takeProfit": {"atrMultiple": 1.10000000000000000001}, "maxHoldingBars": 9,
        "sizing": {"quoteAmount": "100"}}""").definition
    assert definition.parameters == (StrategyParameter("fast", Decimal(12), Decimal(4), Decimal(40)),)
    assert definition.take_profit == ExitDistance(atr_multiple=Decimal("1.10000000000000000001"))
    style = OrderStyle(OrderType.LIMIT, Decimal(2), TimeInForce.GTD, post_only=True, give_up_after_seconds=60)
    assert definition.order == style


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no valid JSON: .*line 1, column 2"),
        ("[]", "a mapping with some of sizing, .* is expected, not a list"),
        ("null", "a mapping .* is expected, not null"),
        ("{}", "sizing: it is missing"),
        ('{"sizing": {"quoteAmount": "x"}}', "sizing.quoteAmount: 'x' is not a decimal number"),
        ('{"sizing": {"quoteAmount": NaN}}', "sizing.quoteAmount: 'NaN' must be a finite number"),
        ('{"sizing": {"quoteAmount": 1e999}}', "sizing.quoteAmount: '1e999' has more than 38 digits"),
        ('{"sizing": {"quoteAmount": %s}}' % ("9" * 10_000), "has more than 38 digits"),
        ('{"sizing": {"quoteAmount": true}}', "sizing.quoteAmount: a number is expected, not true"),
        ('{"sizing": [1]}', "sizing: a mapping with some of quoteAmount, .*, not a list"),
        (f'{{{SIZING}, "enterLnog": "close > 1"}}', "enterLnog: there is no such field; did you mean enterLong"),
        (f'{{{SIZING}, "let": [{{"name": "a", "value": "b"}}]}}', r"let\.0\.value: there is no such field; there are"),
        (f'{{{SIZING}, "adds": {{}}}}', "adds: a list is expected, not a mapping"),
        (f'{{{SIZING}, "adds": [null]}}', r"adds\.0: a mapping .* not null"),
        (f'{{{SIZING}, "order": {{"type": "LIMMIT"}}}}', r"order\.type: one of .* not 'LIMMIT'; did you mean LIMIT"),
        (f'{{{SIZING}, "order": {{"postOnly": "yes"}}}}', r"order\.postOnly: true or false is expected"),
        (f'{{{SIZING}, "maxHoldingBars": 1.5}}', "maxHoldingBars: a whole number is expected, not '1.5'"),
        (f'{{{SIZING}, "enterLong": ["close > 1"]}}', "enterLong: a text is expected, not a list"),
        (f'{{{SIZING}, "name": {{}}}}', "name: a text is expected"),
        (f"{{{SIZING}, {SIZING}}}", "it has 'sizing' twice in one place"),
        (f'{{{SIZING}, "enterLong": "emma(close, 3) > 1"}}', "enterLong: .*did you mean ema"),
        ('{"sizing": {"quoteAmount": "1", "equityPercent": "1"}}', "give exactly one"),
        ("[" * 100_000, "nested too deeply"),
        (" " * 200_001, "larger than 200,000 bytes"),
        (b"\xff\xfa\x80", "no text in UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_file_in_json_is_answered_with_what_is_wrong(content: str, reason: str) -> None:
    with pytest.raises(BadStrategyFile, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "a mapping .* is expected, not null"),
        ("sizing: {quoteAmount: 1", r"no valid YAML: .* \(line 1, column "),
        ("sizing:\n\tquoteAmount: 1", r"no valid YAML: .* \(line 2, column 1\)"),
        ("sizing: {quoteAmount: 0x1F}", "sizing.quoteAmount: '0x1F' is not a decimal number"),
        ("sizing: {quoteAmount: .inf}", "sizing.quoteAmount: '.inf' is not a decimal number"),
        (f"{YAML_SIZING}sizing: {{}}", "it has 'sizing' twice in one place"),
        (f"{YAML_SIZING}? [a]\n: b", "a name is expected in line 2"),
        (f"{YAML_SIZING}---\n{YAML_SIZING}", "no valid YAML: but found another document"),
        ("a: &a [x, x]\nb: [*a, *a]", "aliases .* can't be used here"),
        ("<<: {quoteAmount: 1}", "<<: there is no such field"),
        ("sizing: !!python/object/apply:os.system [exit]", "sizing: a mapping .* not a list"),
        ("a: \x07", r"no valid YAML: the character U\+0007 can't be in it"),
        ("[" * 50_000, "nested too deeply"),
    ],
)
def test_a_bad_file_in_yaml_is_answered_with_what_is_wrong(content: str, reason: str) -> None:
    with pytest.raises(BadStrategyFile, match=reason):
        read(content, DocumentFormat.YAML)


def test_texts_of_yaml_are_never_taken_for_something_else() -> None:
    found = read(
        f"name: 2026-11-30\ndescription: no\n{YAML_SIZING}order:\nenterLong: ~\nexitLong: 'close > 1'\n",
        DocumentFormat.YAML,
    )
    assert (found.name, found.description) == ("2026-11-30", "no")
    assert (found.definition.enter_long, found.definition.exit_long) == (None, "close > 1")


def test_all_errors_are_named_at_once_up_to_a_screen_of_them() -> None:
    with pytest.raises(BadStrategyFile) as caught:
        read('{"sizing": {"riskPercent": "x", "b": 1}, "name": 3, "adds": [{"count": "1.5"}], "description": []}')
    assert {".".join(error.path) for error in caught.value.errors} == {
        "sizing.riskPercent", "sizing.b", "adds.0.count", "description"
    }  # fmt: skip
    with pytest.raises(BadStrategyFile) as many:
        read(f'{{{SIZING}, "let": [{", ".join(["1"] * 500)}]}}')
    assert str(many.value).count("\n") == MAX_ERRORS + 1
    assert "and 480 more" in str(many.value)


def test_a_file_that_is_not_there_is_answered_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(BadStrategyFile, match=r"none.json: it can't be read: No such file"):
        read_strategy_file(tmp_path / "none.json")
    with pytest.raises(BadStrategyFile, match=r"it can't be read: Is a directory"):
        read_strategy_file(tmp_path)


def test_names_of_a_file_are_shown_short_and_without_what_a_terminal_would_obey() -> None:
    content = '{"\\u001b[2J\\ud800": 1, "' + "x" * 100_000 + '": 1, "unknown": 1, "sizing": {"equityPercent": 50}}'
    with pytest.raises(BadStrategyFile) as raised:
        parse_strategy(content.encode(), DocumentFormat.JSON, "a.json")
    shown = [str(error).split(": there is")[0] for error in raised.value.errors]
    assert shown == ["'\\x1b[2J\\ud800'", f"'{'x' * 40}…'", "unknown"]


def test_of_what_has_no_end_no_more_is_read_than_a_file_may_have() -> None:
    with pytest.raises(BadStrategyFile, match="larger than 200,000 bytes"):
        read_strategy_file(Path("/dev/zero"))
