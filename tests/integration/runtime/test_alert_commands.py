"""`r3edge alert`: alert rules from the command line, with the same checks as by the API."""

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.core.errors import InputErrors
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRuleStatus
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from domain.model.markets import Timeframe
from infra.cli.alert_actions import AlertCommands, RuleOptions, condition_words
from infra.cli.alert_conditions import ConditionOptions, condition_request
from infra.cli.arguments import BadArgument
from infra.cli.main import app
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings import Settings
from infra.settings_loading import load_settings
from resolvers.ids import encode_id
from tests.support.orders import BTC, D, a_market
from tests.support.trading import World, stored_world

PRICE = ConditionOptions(price_above="65000", market=str(BTC), hysteresis="0.5")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> Settings:
    for name, value in {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)
    return load_settings()


@pytest.fixture
async def world(database: PostgresDatabase, pool: Pool) -> World:
    async with pool.acquire() as driver:
        world = await stored_world(Connection(driver))
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market()])
    return world


@pytest.fixture
def commands(settings: Settings, world: World) -> AlertCommands:
    return AlertCommands(settings, None)


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_rule_is_made_changed_listed_and_deleted(
    commands: AlertCommands, world: World, database: PostgresDatabase
) -> None:
    made = await commands.create("dear", RuleOptions(PRICE, each_time=True, cooldown_seconds=3_600))
    assert (made.user_id, made.direction, made.level, made.repeat) == (
        world.user.id, AlertDirection.ABOVE, D("65000"), AlertRepeat.EACH_TIME,
    )  # fmt: skip
    cheap = ConditionOptions(price_below="50000", market=str(BTC))
    changed = await commands.update("dear", RuleOptions(cheap), new_name="cheap", enabled=False)
    assert (changed.name, changed.direction, changed.hysteresis_percent, changed.repeat, changed.status) == (
        "cheap", AlertDirection.BELOW, None, AlertRepeat.EACH_TIME, AlertRuleStatus.DISABLED,
    )  # fmt: skip
    (line,) = lines(await commands.list_all())
    assert (line["id"], line["name"], line["condition"], line["cooldown_seconds"], line["status"]) == (
        encode_id("AlertRule", made.id), "cheap", "PRICE sandbox:BTC/USDT BELOW 50000", "3600", "DISABLED",
    )  # fmt: skip
    assert (await commands.delete(line["id"])).name == "cheap"
    assert lines(await commands.list_all()) == []
    async with database.read_only() as reading:
        assert await reading.alert_rules.get(world.user.id, made.id) is None


async def test_what_is_not_given_stays_as_it_is(commands: AlertCommands) -> None:
    made = await commands.create("dear", RuleOptions(PRICE, each_time=True, cooldown_seconds=60))
    changed = await commands.update("dear", RuleOptions(ConditionOptions()), new_name="very dear")
    assert (changed.name, changed.level, changed.hysteresis_percent, changed.repeat, changed.cooldown_seconds) == (
        "very dear", made.level, made.hysteresis_percent, made.repeat, made.cooldown_seconds,
    )  # fmt: skip


async def test_a_rule_finds_an_account_by_its_name_and_a_session_by_its_id(
    commands: AlertCommands, world: World
) -> None:
    losing = await commands.create("losing", RuleOptions(ConditionOptions(drawdown="10"), account="paper"))
    assert (losing.condition, losing.account_id) == (AlertCondition.DRAWDOWN, world.account.id)
    session = encode_id("TradingSession", world.session.id)
    failed = await commands.create("failed", RuleOptions(ConditionOptions(session_failed=True), session=session))
    assert failed.trading_session_id == world.session.id


@pytest.mark.parametrize(
    ("options", "condition", "words"),
    [
        (
            ConditionOptions(rule="close > 1", market=str(BTC), timeframe="1h"),
            AlertCondition.INDICATOR, "INDICATOR sandbox:BTC/USDT H1 close > 1",
        ),
        (ConditionOptions(feed_silent=30, market=str(BTC)), AlertCondition.FEED, "FEED sandbox:BTC/USDT after 30 s"),
        (ConditionOptions(order_in_doubt=True), AlertCondition.ORDER_IN_DOUBT, "ORDER_IN_DOUBT"),
        (
            ConditionOptions(events=[UserEventKind.FILL, UserEventKind.HALT]),
            AlertCondition.EVENT, "EVENT FILL HALT",
        ),
    ],
)  # fmt: skip
async def test_each_condition_can_be_given(
    commands: AlertCommands, options: ConditionOptions, condition: AlertCondition, words: str
) -> None:
    made = await commands.create("one", RuleOptions(options))
    assert (made.condition, condition_words(made)) == (condition, words)
    assert made.timeframe in {None, Timeframe.H1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ConditionOptions(market=str(BTC)), "exactly one of --price-above"),
        (ConditionOptions(price_above="1", price_below="2", market=str(BTC)), "exactly one of"),
        (ConditionOptions(price_above="1"), "--price-above needs --market"),
        (ConditionOptions(rule="close > 1"), "--rule needs --market and --timeframe"),
        (ConditionOptions(equity_below="5"), "--equity-below needs --account"),
        (ConditionOptions(order_in_doubt=True, market=str(BTC)), "--order-in-doubt has no use for --market"),
        (ConditionOptions(feed_silent=0, market=str(BTC), hysteresis="1"), "--feed-silent has no use for --hysteresis"),
        (ConditionOptions(price_above="dear", market=str(BTC)), "--price-above is 'dear', which"),
        (ConditionOptions(price_above="1", market="BTC"), "--market: "),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: ConditionOptions, message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        condition_request(options)


async def test_what_is_unknown_is_said(commands: AlertCommands, world: World) -> None:
    with pytest.raises(BadArgument, match="there is no alert rule 'dear'"):
        await commands.delete("dear")
    with pytest.raises(BadArgument, match="there is no channel 'nowhere'"):
        await commands.create("dear", RuleOptions(PRICE, channels=["nowhere"]))
    with pytest.raises(BadArgument, match=r"there is no account 'papr'.*paper"):
        await commands.create("dear", RuleOptions(ConditionOptions(drawdown="1"), account="papr"))
    with pytest.raises(BadArgument, match="say what the rule looks at"):
        await commands.create("dear", RuleOptions(ConditionOptions()))
    with pytest.raises(InputErrors, match="There is no market sandbox:NO/USDT"):
        await commands.create("dear", RuleOptions(ConditionOptions(price_above="1", market="sandbox:NO/USDT")))
    for _ in range(2):
        made = await commands.create("twin", RuleOptions(PRICE))
    with pytest.raises(BadArgument, match="2 alert rules 'twin'; give the id"):
        await commands.delete("twin")
    assert (await commands.delete(encode_id("AlertRule", made.id))).id == made.id


def test_the_command_line_says_what_it_has_done(settings: Settings, world: World) -> None:
    runner = CliRunner()
    made = runner.invoke(
        app, ["alert", "create", "dear", "--market", str(BTC), "--price-above", "65000", "--each-time"]
    )
    assert (made.exit_code, made.stdout) == (0, "dear: PRICE sandbox:BTC/USDT ABOVE 65000\n")
    changed = runner.invoke(app, ["alert", "update", "dear", "--disable"])
    assert changed.stdout == "dear: PRICE sandbox:BTC/USDT ABOVE 65000, DISABLED\n"
    assert "DISABLED" in runner.invoke(app, ["alert", "list"]).stdout
    assert runner.invoke(app, ["alert", "delete", "dear"]).stdout == "dear is deleted\n"
    assert runner.invoke(app, ["alert", "delete", "dear"]).exit_code == 2
