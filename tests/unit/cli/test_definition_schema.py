"""The JSON Schema of a strategy's file is checked in as the code makes it, and holds what is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.strategies.templates import TEMPLATES
from infra.cli.definition_schema import definition_schema
from infra.strategy_files.documents import read_document
from infra.strategy_files.errors import BadStrategyFile
from infra.strategy_files.formats import DocumentFormat
from infra.strategy_files.strategy_file import StrategyFile, parse_strategy, to_strategy, write_strategy

ROOT = Path(__file__).parents[3]
CHECKED_IN: dict[str, Any] = json.loads((ROOT / "docs" / "strategy.schema.json").read_text())
VALIDATOR = Draft202012Validator(CHECKED_IN)
SIZING = {"quoteAmount": "100"}


def test_the_schema_is_that_of_the_code() -> None:
    """After a change run `uv run r3edge strategy schema > docs/strategy.schema.json`."""
    assert definition_schema((ROOT / "schema" / "schema.graphql").read_text()) == CHECKED_IN
    Draft202012Validator.check_schema(CHECKED_IN)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_what_is_exported_holds_by_the_schema(template: Any) -> None:
    strategy = StrategyFile(template.definition, template.title, template.description)
    assert list(VALIDATOR.iter_errors(json.loads(write_strategy(strategy, DocumentFormat.JSON)))) == []


GOOD = {
    "$schema": "strategy.schema.json",
    "name": "one",
    "description": "",
    "parameters": [{"name": "a", "default": 1, "min": "0.5", "max": 1e3, "step": "-.5"}],
    "sizing": SIZING,
    "order": {"type": "LIMIT", "timeInForce": "IOC", "postOnly": True, "giveUpAfterSeconds": 3},
    "adds": [{"below": {"percent": 1}, "onEntrySignal": False, "count": 2, "rule": "close > 1", "sizeFactor": 1}],
    "protectAt": "BEST",
}
BAD: list[dict[str, Any]] = [
    {},
    {"sizing": 3},
    {"sizing": {"quoteAmount": "x"}},
    {"sizing": {"quoteAmount": ""}},
    {"sizing": {"quoteAmount": True}},
    {"sizing": SIZING, "name": 3},
    {"sizing": SIZING, "enterLnog": "close > 1"},
    {"sizing": SIZING, "adds": {}},
    {"sizing": SIZING, "adds": [3]},
    {"sizing": SIZING, "let": [{"name": "a"}]},
    {"sizing": SIZING, "order": {"type": "LIMMIT"}},
    {"sizing": SIZING, "order": {"postOnly": "yes"}},
    {"sizing": SIZING, "maxHoldingBars": 1.5},
    {"sizing": SIZING, "enterLong": ["close > 1"]},
    {"sizing": SIZING, "protectAt": "engine"},
    {"sizing": {"quoteAmount": "1", "equityPercent": "1"}},
    {"sizing": {}},
    {"sizing": SIZING, "stopLoss": {}},
]


def test_what_holds_by_the_schema_is_read() -> None:
    assert list(VALIDATOR.iter_errors(GOOD)) == []
    to_strategy(read_document(json.dumps(GOOD).encode(), DocumentFormat.JSON))


@pytest.mark.parametrize("content", BAD, ids=json.dumps)
def test_what_breaks_the_schema_is_refused_when_it_is_read(content: dict[str, Any]) -> None:
    if content.get("name") != 3:  # which is read as the name "3"
        with pytest.raises(BadStrategyFile):
            parse_strategy(json.dumps(content).encode(), DocumentFormat.JSON, "the file")
    assert list(VALIDATOR.iter_errors(content))
    assert list(VALIDATOR.iter_errors({**GOOD, **content})) or "sizing" not in content
