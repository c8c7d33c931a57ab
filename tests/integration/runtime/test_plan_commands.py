"""`r3edge plan`: what the operator of the machine does about plans, without the API."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.core.errors import InputError
from domain.model.plans import Entitlement, PlanChangeStatus
from infra.cli.arguments import BadArgument
from infra.cli.plans import archive_plan, change_plan, plan_lines, read_plans, read_user_plan, store_plan
from infra.embedded.bus import EmbeddedBus
from infra.postgres.pool import Pool
from infra.settings import Settings
from infra.settings_loading import load_settings
from tests.support.clocks import ManualClock
from tests.support.postgres import patient_database
from tests.support.users import stored_user


@pytest.fixture
def settings(tmp_path: Path, database_dsn: str) -> Settings:
    return load_settings(data_dir=tmp_path, database_url=database_dsn)


async def test_a_plan_is_made_given_listed_and_archived(pool: Pool, settings: Settings) -> None:
    await stored_user(patient_database(pool, EmbeddedBus(), ManualClock()), email="ada@example.com")
    plan = await store_plan(settings, "pro", ["maxMarkets=7", "backtest_candles_per_day=1000"], is_new=True)
    assert (plan.max_markets, plan.backtest_candles_per_day, plan.max_api_keys) == (7, 1_000, 100)
    await store_plan(settings, "pro", ["backtestCandlesPerDay=none"], is_new=False, make_default=True)
    await change_plan(settings, " ADA@example.com", "standard", None, "as before")
    in_a_month = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    scheduled = await change_plan(settings, "ada@example.com", "default", in_a_month, None)
    assert scheduled.status is PlanChangeStatus.SCHEDULED
    found = await read_user_plan(settings, "ada@example.com")
    assert found.user.plan.name == "standard"
    assert {usage.entitlement for usage in found.usage} == set(Entitlement) - {Entitlement.REQUESTS_PER_MINUTE}
    assert [(change.plan_name, change.status.value) for change in found.changes] == [
        (None, "SCHEDULED"), ("standard", "IN_FORCE"),
    ]  # fmt: skip
    plans, users = await read_plans(settings)
    assert {one.name: (one.is_default, users.get(one.name, 0)) for one in plans} == {
        "pro": (True, 0), "standard": (False, 1),
    }  # fmt: skip
    await archive_plan(settings, "standard")
    lines = plan_lines(next(one for one in (await read_plans(settings))[0] if one.name == "standard"), 1)
    assert lines[0].startswith("standard, archived 20")
    assert lines[0].endswith(", 1 user")
    assert "  maxTradingSessions                     20" in lines


async def test_what_can_not_be_is_said_in_one_line(pool: Pool, settings: Settings) -> None:
    with pytest.raises(BadArgument, match=r"nobody is registered as nobody@example\.com"):
        await change_plan(settings, "nobody@example.com", "standard", None, None)
    with pytest.raises(BadArgument, match=r"there is no limit 'maxMarket'.*maxMarkets"):
        await store_plan(settings, "standard", ["maxMarket=1"], is_new=False)
    for text in ("maxMarkets", "maxMarkets=", "maxMarkets=-1", "maxMarkets=1.5", "maxMarkets=²"):
        with pytest.raises(BadArgument, match="whole number"):
            await store_plan(settings, "standard", [text], is_new=False)
    with pytest.raises(InputError, match="is the default one"):
        await archive_plan(settings, "standard")
