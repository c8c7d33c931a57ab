"""What the schema calls "not supported yet" is refused with UNSUPPORTED, in the same words wherever it is asked for."""

import json

import pytest

from tests.support.api import SCHEMA, Api

VALIDATE = """query($definition: StrategyDefinitionInput!) { strategyValidate(definition: $definition) {
  valid errors { code message path start } } }"""
CREATE = """mutation($input: StrategyCreateInput!) { strategyCreate(input: $input) {
  strategy { version { id } } errors { code message } } }"""
START = """mutation($input: TradingSessionStartInput!) { tradingSessionStart(input: $input) {
  tradingSession { id } errors { code message path } } }"""
GENERATE = (
    """mutation($id: ID!) { reportGenerate(input: {scope: {strategy: $id}}) { report { id } errors { code path } } }"""
)

SIMPLE = {"enterLong": "close > 1", "exitLong": "close < 1", "sizing": {"quoteAmount": "10"}}
PARTS = {"enterShort": "close < 1", "exitShort": "close > 1"}


@pytest.mark.parametrize("part", sorted(PARTS))
async def test_validating_a_definition_has_the_same_errors_as_starting_it(api: Api, part: str) -> None:
    definition = {**SIMPLE, part: PARTS[part]}
    payload = (await api.run(VALIDATE, definition=definition))["strategyValidate"]
    assert payload["valid"] is False
    (error,) = payload["errors"]
    assert (error["code"], error["path"], error["start"]) == ("UNSUPPORTED", [part], None)
    created = (await api.run(CREATE, input={"name": "later", "definition": definition}))["strategyCreate"]
    version = created["strategy"]["version"]["id"]
    place = {"account": api.account, "market": "sandbox:BTC/USDT", "timeframe": "M1", "strategyVersion": version}
    started = (await api.run(START, input=place))["tradingSessionStart"]
    assert started["tradingSession"] is None
    assert [(found["code"], found["message"]) for found in started["errors"]] == [("UNSUPPORTED", error["message"])]


async def test_a_definition_without_them_is_valid(api: Api) -> None:
    assert (await api.run(VALIDATE, definition=SIMPLE))["strategyValidate"] == {"valid": True, "errors": []}


def test_the_schema_describes_each_as_not_supported() -> None:
    printed = json.dumps(SCHEMA.introspect())
    assert printed.count("Not supported yet") >= len(PARTS) * 2
