"""The page of templates has what the engine computes on the recorded candles, and the worked example its hash."""

import importlib.util
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from infra.strategy_files.strategy_file import read_strategy_file
from tests.support.recorded_data import COINBASE, FOLDER, skip_without

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "templates.md").read_text()
STRATEGIES = (ROOT / "docs" / "strategies.md").read_text()
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))

_spec = importlib.util.spec_from_file_location("template_backtests", ROOT / ".ci" / "template_backtests.py")
assert _spec is not None
assert _spec.loader is not None
program = sys.modules["template_backtests"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)


def texts(picture: str) -> list[str]:
    """Return all that is written in a picture: its figures, its axes, and each fill."""
    return [
        element.text or "" for element in ET.fromstring(picture).iter() if element.tag.endswith(("}text", "}title"))
    ]


def test_the_results_are_those_of_the_engine() -> None:
    """After a change run `uv run python .ci/template_backtests.py FOLDER`."""
    skip_without(*(COINBASE / file for file in program.DAILY.files))
    table = program.results(program.runs(program.DAILY, program.DAILY.read(FOLDER)))
    assert f"<!-- generated: daily -->\n{table}\n<!-- end -->" in PAGE


@pytest.mark.parametrize("name", sorted(program.INTRADAY))
def test_the_results_of_what_is_made_for_short_candles_are_those_of_the_engine(name: str) -> None:
    skip_without(*(COINBASE / file for file in program.MINUTES.files))
    (template,) = [template for template in program.TEMPLATES if template.name == name]
    assert program.row(program.run_template(template, program.MINUTES, program.MINUTES.read(FOLDER))) in PAGE


def test_the_sources_are_those_of_the_templates() -> None:
    assert f"<!-- generated: sources -->\n{program.sources()}\n<!-- end -->" in PAGE


def test_the_pictures_and_the_worked_example_are_of_these_results() -> None:
    skip_without(COINBASE / "btcusd_daily.zip")
    bars = program.DAILY.read(FOLDER)
    drawn = {name: texts(picture) for name, picture in program.pictures(bars)}
    assert {picture.name: texts(picture.read_text()) for picture in PICTURES} == drawn
    (template,) = [template for template in program.TEMPLATES if template.name == "commodity_channel"]
    result = program.run_template(template, program.DAILY, bars).result
    assert f"hash {result.hash}\n" in STRATEGIES
    assert f"│ Sharpe               │ {result.metrics.sharpe:.2f} " in STRATEGIES


def test_the_readme_shows_the_definition_of_its_picture(tmp_path: Path) -> None:
    skip_without(COINBASE / "btcusd_daily.zip")
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "shown.yaml").write_text(shown)
    definition = read_strategy_file(tmp_path / "shown.yaml").definition
    bars = program.DAILY.read(FOLDER)
    (turtle,) = [template for template in program.TEMPLATES if template.name == "turtle"]
    shown_run = program.run("shown", definition, bars, bars.index_of(program.DAILY.start))
    assert shown_run.result.hash == program.run_template(turtle, program.DAILY, bars).result.hash


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_and_readable_in_light_and_dark(picture: Path) -> None:
    text = picture.read_text()
    ET.fromstring(text)  # it is our own
    assert len(text) <= 150_000
    assert "prefers-color-scheme:dark" in text
