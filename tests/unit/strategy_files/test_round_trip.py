"""What is written into a file is read from it again, digit for digit."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import MAX_DIGITS
from domain.model.definitions import (
    EntryAdd,
    ExitDistance,
    ExitTarget,
    NamedPart,
    OrderStyle,
    Sizing,
    StrategyDefinition,
    StrategyParameter,
)
from domain.model.orders import OrderType, TimeInForce
from domain.model.protection import ProtectAt
from domain.model.strategy_templates import StrategyTemplate
from domain.strategies.templates import TEMPLATES
from infra.strategy_files.documents import read_document
from infra.strategy_files.formats import DocumentFormat
from infra.strategy_files.strategy_file import (
    StrategyFile,
    parse_strategy,
    read_strategy_file,
    to_strategy,
    write_strategy,
)

NUMBER = st.decimals(
    allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20), max_value=10**20
) | st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1).map(Decimal)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30) | st.sampled_from(
    [
        "null",
        "~",
        "",
        "true",
        "12",
        "1e3",
        "0x1F",
        "12:30",
        "2026-11-30",
        "no",
        "a: b",
        "- x",
        "# x",
        "*a",
        "&a",
        "!x",
        "'",
        '"',
    ]
)
DISTANCE = st.builds(ExitDistance, st.none() | NUMBER, st.none() | NUMBER, st.none() | NUMBER)
COUNT = st.integers(-(10**9), 10**9)
DEFINITION = st.builds(
    StrategyDefinition,
    sizing=st.builds(Sizing, st.none() | NUMBER, st.none() | NUMBER, st.none() | NUMBER, st.none() | NUMBER),
    parameters=st.lists(
        st.builds(StrategyParameter, TEXT, NUMBER, st.none() | NUMBER, st.none() | NUMBER, st.none() | NUMBER),
        max_size=3,
    ).map(tuple),
    enter_long=st.none() | TEXT,
    exit_short=st.none() | TEXT,
    stop_loss=st.none() | DISTANCE,
    max_holding_bars=st.none() | COUNT,
    order=st.builds(
        OrderStyle,
        st.sampled_from(OrderType),
        st.none() | NUMBER,
        st.none() | st.sampled_from(TimeInForce),
        st.booleans(),
        st.none() | COUNT,
    ),
    adds=st.lists(
        st.builds(EntryAdd, st.none() | DISTANCE, st.none() | DISTANCE, st.none() | TEXT, st.booleans(), NUMBER, COUNT),
        max_size=3,
    ).map(tuple),
    targets=st.lists(st.builds(ExitTarget, DISTANCE, NUMBER), max_size=3).map(tuple),
    let=st.lists(st.builds(NamedPart, TEXT, TEXT), max_size=3).map(tuple),
    warm_up_tolerance=st.none() | NUMBER,
    protect_at=st.sampled_from(ProtectAt),
)
FORMAT = pytest.mark.parametrize("document_format", DocumentFormat)


@FORMAT
@given(definition=DEFINITION, name=st.none() | TEXT, description=st.none() | TEXT | st.just("two\nlines\n"))
def test_any_definition_is_read_as_it_was_written(
    document_format: DocumentFormat, definition: StrategyDefinition, name: str | None, description: str | None
) -> None:
    strategy = StrategyFile(definition, name, description)
    text = write_strategy(strategy, document_format)
    assert to_strategy(read_document(text.encode(), document_format)) == strategy


@FORMAT
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_a_template_is_valid_in_a_file(template: StrategyTemplate, document_format: DocumentFormat) -> None:
    strategy = StrategyFile(template.definition, template.title)
    data = write_strategy(strategy, document_format).encode()
    assert parse_strategy(data, document_format, "a template") == strategy


def test_a_file_is_yaml_by_its_name_and_may_come_from_an_editor_of_windows(tmp_path: Path) -> None:
    expected = StrategyFile(TEMPLATES[0].definition, "Überkreuz")
    for name, document_format in (
        ("one.json", DocumentFormat.JSON),
        ("one.yaml", DocumentFormat.YAML),
        ("ONE.YML", DocumentFormat.YAML),
    ):
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            text = write_strategy(expected, document_format).replace("\n", "\r\n")
            (tmp_path / name).write_bytes(text.encode(encoding))
            assert read_strategy_file(tmp_path / name) == expected


def test_the_example_of_the_documents_is_a_strategy() -> None:
    page = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    strategy = parse_strategy(example.encode(), DocumentFormat.YAML, "the example")
    assert strategy.name == "EMA cross"
    assert len(strategy.definition.parameters) == 2
