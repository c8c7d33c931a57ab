"""The templates are found by a stranger, and their definitions can be stored as they are returned."""

from typing import Any

from tests.support.api import Api

DISTANCE = "{ percent atrMultiple absolute }"
TEMPLATES = f"""{{ strategyTemplates {{ name title description source differences definition {{
  parameters {{ name default min max step }} let {{ name expression }} enterLong exitLong enterShort exitShort
  stopLoss {DISTANCE} takeProfit {DISTANCE} trailingStop {DISTANCE} maxHoldingBars warmUpTolerance
  sizing {{ quoteAmount equityPercent riskPercent volatilityPercent }} order {{ type }}
  adds {{ below {DISTANCE} above {DISTANCE} rule onEntrySignal sizeFactor count }}
  targets {{ distance {DISTANCE} sharePercent }} }} }} }}"""
CREATE = """mutation($input: StrategyCreateInput!) { strategyCreate(input: $input) {
  strategy { name version { definition { enterLong } } } errors { code message path } } }"""
VALIDATE = """query($definition: StrategyDefinitionInput!) { strategyValidate(definition: $definition) {
  valid lookback warmUps { function candles } errors { message path start end suggestion } } }"""


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


async def test_every_template_can_be_stored_as_it_is_returned(api: Api) -> None:
    templates = (await api.run(TEMPLATES))["strategyTemplates"]
    assert len(templates) >= 15
    for template in templates:
        assert template["differences"].endswith(".")
        definition = without_nulls(template["definition"])
        checked = (await api.run(VALIDATE, definition=definition))["strategyValidate"]
        assert (checked["valid"], checked["errors"]) == (True, [])
        created = (await api.run(CREATE, input={"name": template["title"], "definition": definition}))["strategyCreate"]
        assert created["errors"] == []
        assert created["strategy"]["version"]["definition"]["enterLong"] == definition["enterLong"]


async def test_an_error_in_a_named_part_is_found_at_its_place(api: Api) -> None:
    definition = {
        "let": [
            {"name": "average", "expression": "emaa(close, 20)"},
            {"name": "above", "expression": "close > average"},
        ],
        "enterLong": "above and rising(average)",
        "sizing": {"quoteAmount": "10"},
    }
    checked = (await api.run(VALIDATE, definition=definition))["strategyValidate"]
    (error,) = checked["errors"]
    assert (error["path"], error["start"], error["end"], error["suggestion"]) == (
        ["let", "0", "expression"],
        0,
        4,
        "ema",
    )


async def test_a_looser_tolerance_shortens_the_warm_up(api: Api) -> None:
    definition = {"enterLong": "close > ema(close, 200)", "sizing": {"quoteAmount": "10"}}
    exact = (await api.run(VALIDATE, definition=definition))["strategyValidate"]
    loose = (await api.run(VALIDATE, definition={**definition, "warmUpTolerance": "0.01"}))["strategyValidate"]
    assert exact["warmUps"] == [{"function": "ema(200)", "candles": exact["lookback"]}]
    assert loose["lookback"] < exact["lookback"] / 2
    wrong = (await api.run(VALIDATE, definition={**definition, "warmUpTolerance": "0.1"}))["strategyValidate"]
    assert [error["path"] for error in wrong["errors"]] == [["warmUpTolerance"]]
