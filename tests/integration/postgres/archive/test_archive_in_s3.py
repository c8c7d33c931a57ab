"""An archive in S3 whose server goes away at each step: nothing is lost or doubled, and nothing is dropped unsaved."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from domain.core.errors import Unavailable
from infra.archive_storage.s3 import S3Patience, S3Storage
from infra.postgres.archive.archiver import Step
from infra.postgres.archive.restoring import restore_month, verify_files
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.archive import APRIL, JANUARY, answers, archiver, reader, store_history
from tests.support.s3_server import BUCKET, CUT_UPLOAD, BreakingS3, S3Server, breaking_s3, running_s3, storage_at

AT_ONCE = S3Patience(repeats=0)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
async def proxy(s3_server: S3Server) -> AsyncIterator[BreakingS3]:
    async with breaking_s3(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def storage(proxy: BreakingS3) -> S3Storage:
    return storage_at(proxy.port, f"s3://{BUCKET}/engine", AT_ONCE)


async def _rows(pool: Pool) -> int:
    found: int = await pool.fetchval("SELECT count(*) FROM candles")
    return found


@pytest.mark.parametrize("step", list(Step))
async def test_a_server_that_goes_away_at_a_step_loses_and_doubles_nothing(
    step: Step, database: PostgresDatabase, pool: Pool, storage: S3Storage, proxy: BreakingS3
) -> None:
    await store_history(database)
    rows, expected = await _rows(pool), await answers(reader(pool, storage))
    if step is Step.CLEANED:
        proxy.fault = lambda request: CUT_UPLOAD if "2024-03" in request.path else None
        with pytest.raises(Unavailable, match="can't be written"):
            await archiver(pool, storage, grace=timedelta(hours=1)).run(APRIL)
        proxy.never()
    for time in (1, 2):
        on_step = _cut_at(step, 1 if step is Step.CLEANED else time, proxy)
        with suppress(Unavailable):
            await archiver(pool, storage, on_step=on_step).run(APRIL)
        in_database = await _rows(pool)
        if in_database < rows:
            with pytest.raises(Unavailable, match="can't be read"):
                await answers(reader(pool, storage))
        proxy.never()
        assert await answers(reader(pool, storage)) == expected
    await archiver(pool, storage).run(APRIL)
    await archiver(pool, storage).run(APRIL)
    assert await _rows(pool) == 0
    assert await answers(reader(pool, storage)) == expected
    assert [check.error async for check in verify_files(pool, storage)] == [None] * 6


async def test_months_come_back_from_s3(database: PostgresDatabase, pool: Pool, storage: S3Storage) -> None:
    await store_history(database)
    expected = await answers(reader(pool, storage))
    await archiver(pool, storage).run(APRIL)
    assert await restore_month(pool, storage, JANUARY) > 0
    assert await answers(reader(pool, storage)) == expected


def _cut_at(step: Step, time: int, proxy: BreakingS3) -> Callable[[Step], None]:
    """Return what cuts all connections to S3 from a step's `time`-th occurrence on."""
    seen = []

    def note(now: Step) -> None:
        if now is step:
            seen.append(now)
            if len(seen) == time:
                proxy.always(CUT_UPLOAD)

    return note
