"""`r3edge strategy`: what is exported is imported again, by one user alone or by the one that is named."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.model.users import User
from domain.strategies.templates import TEMPLATES
from domain.trading.strategies import StrategyRequest, StrategyService
from infra.cli.arguments import BadArgument
from infra.cli.main import app
from infra.cli.strategy_store import ImportRequest, exported_strategy, exported_template, store_strategy
from infra.clock import SystemClock, TimeOrderedIds
from infra.postgres.database import PostgresDatabase
from infra.settings import Settings
from infra.settings_loading import load_settings
from infra.strategy_files.strategy_file import StrategyFile
from resolvers.ids import encode_id
from tests.support.users import stored_user

CROSS, TURTLE = (
    StrategyFile(template.definition, template.name, "a text") for template in (TEMPLATES[0], TEMPLATES[8])
)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> Settings:
    for name, value in {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)
    return load_settings()


@pytest.fixture
async def user(database: PostgresDatabase) -> User:
    return await stored_user(database)


async def test_what_is_imported_is_exported_as_it_was(settings: Settings, user: User) -> None:
    done = await store_strategy(settings, None, ImportRequest(CROSS, " cross "))
    strategy_id = done.removeprefix("cross: stored as ")
    expected = StrategyFile(CROSS.definition, "cross", "a text")
    assert await exported_strategy(settings, None, "cross") == expected
    assert await exported_strategy(settings, user.email.upper(), strategy_id) == expected


async def test_a_changed_file_becomes_a_version_if_that_is_asked_for(settings: Settings, user: User) -> None:
    await store_strategy(settings, None, ImportRequest(CROSS, "cross"))
    again = await store_strategy(settings, None, ImportRequest(StrategyFile(CROSS.definition), "cross"))
    assert again == "cross: version 1 is the same already"
    with pytest.raises(BadArgument, match="--update"):
        await store_strategy(settings, None, ImportRequest(TURTLE, "cross"))
    done = await store_strategy(settings, None, ImportRequest(TURTLE, "cross", is_update=True))
    assert done == "cross: stored as version 2"
    assert (await exported_strategy(settings, None, "cross")).definition == TURTLE.definition
    assert (await exported_strategy(settings, None, "cross", 1)).definition == CROSS.definition
    described = ImportRequest(StrategyFile(TURTLE.definition, description="better"), "cross", is_update=True)
    assert await store_strategy(settings, None, described) == "cross: the description was changed"
    assert (await exported_strategy(settings, None, "cross")).description == "better"
    with pytest.raises(BadArgument, match="no version 3; the newest is 2"):
        await exported_strategy(settings, None, "cross", 3)


async def test_nothing_is_taken_from_another_user(settings: Settings, user: User, database: PostgresDatabase) -> None:
    done = await store_strategy(settings, None, ImportRequest(CROSS, "cross"))
    other = await stored_user(database)
    for name in ("cross", done.removeprefix("cross: stored as ")):
        with pytest.raises(BadArgument, match="has no strategy"):
            await exported_strategy(settings, other.email, name)
    with pytest.raises(BadArgument, match="write --user"):
        await exported_strategy(settings, None, "cross")
    with pytest.raises(BadArgument, match="nobody is registered as eve@"):
        await exported_strategy(settings, "eve@example.com", "cross")


async def test_strategies_of_one_name_are_distinguished_by_their_ids(
    settings: Settings, user: User, database: PostgresDatabase
) -> None:
    service = StrategyService(database, SystemClock(), TimeOrderedIds())
    request = StrategyRequest("cross", None, CROSS.definition)
    first, second = [await service.create(user.id, request, None) for _ in range(2)]
    with pytest.raises(BadArgument, match=encode_id("Strategy", second.id)):
        await exported_strategy(settings, None, "cross")
    with pytest.raises(BadArgument, match="2 strategies"):
        await store_strategy(settings, None, ImportRequest(TURTLE, "cross", is_update=True))
    await service.archive(user.id, first.id)
    assert (await exported_strategy(settings, None, "cross")).definition == CROSS.definition
    assert (await exported_strategy(settings, None, encode_id("Strategy", first.id))).name == "cross"


async def test_a_bad_name_or_email_is_answered_in_a_line(settings: Settings, user: User) -> None:
    for name in ("", "x" * 101, "a\nb"):
        with pytest.raises(BadArgument, match="printable characters"):
            await store_strategy(settings, None, ImportRequest(CROSS, name))
    with pytest.raises(BadArgument, match="is not an email"):
        await store_strategy(settings, "ada", ImportRequest(CROSS, "cross"))
    with pytest.raises(BadArgument, match="did you mean turtle"):
        exported_template("trutle")


def test_the_command_line_prints_a_template_and_refuses_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.cli.strategies.log_warnings_alone", lambda _: None)  # which is for the whole process
    printed = CliRunner().invoke(app, ["strategy", "export", "turtle", "--template"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["enterLong"] == TURTLE.definition.enter_long
    (tmp_path / "bad.yaml").write_text("sizing: {quoteAmount: x}\nenterLnog: close > 1\n")
    refused = CliRunner().invoke(app, ["strategy", "import", str(tmp_path / "bad.yaml")])
    assert refused.exit_code == 2
    assert "enterLnog: there is no such field; did you mean enterLong?" in refused.stderr
    assert "sizing.quoteAmount: 'x'" in refused.stderr


@pytest.mark.usefixtures("settings", "user")
@pytest.mark.parametrize("in_file", [False, True])
def test_an_empty_name_is_refused_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_file: bool
) -> None:
    monkeypatch.setattr("infra.cli.strategies.log_warnings_alone", lambda _: None)
    name = {"name": ""} if in_file else {}
    (tmp_path / "rules.json").write_text(
        json.dumps({"sizing": {"quoteAmount": "100"}, "enterLong": "close > 1", **name})
    )
    given = [] if in_file else ["--name", ""]
    refused = CliRunner().invoke(app, ["strategy", "import", str(tmp_path / "rules.json"), *given])
    assert (refused.exit_code, "name must have 1 to 100 printable characters" in refused.stderr) == (2, True)
