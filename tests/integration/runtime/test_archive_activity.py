"""What a node tells of its archive: runs that succeed and fail, what is there, and which months each table keeps."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError

from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Candle, Timeframe
from infra.archive_storage.activity import ArchiveActivity
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.metrics.archive import ArchiveMetrics
from infra.postgres.archive.archiver import Archiver
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.runtime.archive import archive_hourly, archive_once, archive_storage, boundaries, open_archives
from infra.settings import Settings
from tests.support.archive import JANUARY, history, store_history
from tests.support.postgres import patient_database
from tests.support.s3_server import BUCKET, running_s3
from tests.support.trading import BTC
from tests.support.waiting import eventually


@pytest.fixture
def settings(database_dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=SecretStr(database_dsn), archive=str(tmp_path / "archive"), data_dir=tmp_path)


@pytest.fixture
def activity() -> ArchiveActivity:
    return ArchiveActivity()


def _archiver(settings: Settings, pool: Pool, activity: ArchiveActivity) -> Archiver:
    storage = archive_storage(settings, activity)
    assert storage is not None
    return Archiver(pool, storage, grace=timedelta(0))


async def test_a_run_is_reported_with_what_is_archived_then(
    settings: Settings, database: PostgresDatabase, pool: Pool, activity: ArchiveActivity
) -> None:
    await store_history(database)
    await archive_once(_archiver(settings, pool, activity), SystemClock(), settings, activity)
    registry = CollectorRegistry()
    ArchiveMetrics(registry, activity)
    rows = 2 * len(history())
    assert registry.get_sample_value("r3edge_archived_files", {"table": "candles"}) == 6
    assert registry.get_sample_value("r3edge_archived_rows", {"table": "candles"}) == rows
    size = registry.get_sample_value("r3edge_archived_bytes", {"table": "candles"})
    written = {"operation": "write"}
    assert registry.get_sample_value("r3edge_archive_bytes_total", written) == size
    assert registry.get_sample_value("r3edge_archive_operation_seconds_count", written) == 6
    assert registry.get_sample_value("r3edge_archive_failures_total", written) == 0
    assert registry.get_sample_value("r3edge_archive_last_success_timestamp_seconds") is not None
    assert registry.get_sample_value("r3edge_archive_last_failure_timestamp_seconds") is None


async def test_a_run_that_can_not_write_is_reported_as_failed(
    settings: Settings, database: PostgresDatabase, pool: Pool, activity: ArchiveActivity, tmp_path: Path
) -> None:
    await store_history(database)
    await asyncio.to_thread((tmp_path / "archive").write_text, "no folder")
    running = asyncio.create_task(
        archive_hourly(_archiver(settings, pool, activity), SystemClock(), settings, activity)
    )
    try:
        await eventually(lambda: activity.last_failure, "a run has failed")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert activity.last_success is not None  # since the start nothing was archived
    assert activity.failures["write"] == 1
    with pytest.raises(Unavailable):
        await archive_once(_archiver(settings, pool, activity), SystemClock(), settings, activity)


async def test_what_a_node_has_read_of_s3_is_read_again_without_it(
    settings: Settings, database: PostgresDatabase, pool: Pool, activity: ArchiveActivity, tmp_path: Path
) -> None:
    await store_history(database)
    given: dict[str, object] = {
        "archive": f"s3://{BUCKET}",
        "archive_s3_access_key": SecretStr("AKIATEST"),
        "archive_s3_secret_key": SecretStr("secret"),
    }
    with running_s3() as server:
        given["archive_s3_endpoint"] = f"http://127.0.0.1:{server.port}"
        in_s3 = settings.model_copy(update=given)
        await archive_once(_archiver(in_s3, pool, activity), SystemClock(), in_s3, activity)
        page = await _first_page(pool, in_s3)
    assert page[0].open_time == JANUARY
    assert len(page) == 10
    assert await _first_page(pool, in_s3) == page
    with pytest.raises(Unavailable, match="nothing listens there"):
        await _first_page(pool, in_s3.model_copy(update={"archive_cache_mb": 0}))


async def _first_page(pool: Pool, settings: Settings) -> list[Candle]:
    """Return what a node that has just started answers."""
    archives = await open_archives(settings, pool)
    reading_database = patient_database(pool, EmbeddedBus(), SystemClock(), archives=archives)
    async with reading_database.read_only() as reading:
        return [*await reading.market_data.candles(BTC, Timeframe.H1, TimeKeysetPage(10))]


def test_each_table_keeps_its_own_months(settings: Settings) -> None:
    now = datetime(2026, 3, 15, tzinfo=UTC)
    assert boundaries(settings, now)["candles"] == datetime(2025, 3, 1, tzinfo=UTC)
    longer = Settings(retention_months=3, retention_months_by_table="candles:24")  # type: ignore[arg-type]
    assert boundaries(longer, now)["candles"] == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("given", ["candles", "candles:0", "candles:x", "candles:1201", "orders:3", ":3"])
def test_months_of_tables_are_checked(given: str) -> None:
    with pytest.raises(ValidationError, match="retention_months_by_table"):
        Settings(retention_months_by_table=given)  # type: ignore[arg-type]
