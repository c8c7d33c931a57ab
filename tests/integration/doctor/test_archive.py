"""What the doctor finds of an archive in a folder and in S3."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from infra.archive_storage.folder import FolderStorage
from infra.doctor.archive import check_archive, check_archived_files
from infra.doctor.findings import Finding, Status
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings import Settings
from tests.support.archive import APRIL, archiver, store_history
from tests.support.ports import free_port
from tests.support.s3_server import ANSWER_NOTHING, BUCKET, breaking_s3, running_s3

PATIENCE_SECONDS = 30.0


def _in_s3(port: int, bucket: str = BUCKET) -> Settings:
    return Settings(
        archive=f"s3://{bucket}/engine",
        archive_s3_endpoint=f"http://127.0.0.1:{port}",
        archive_s3_access_key=SecretStr("AKIATEST"),
        archive_s3_secret_key=SecretStr("geheim"),
    )


async def _place(settings: Settings, limit_seconds: float = PATIENCE_SECONDS) -> Finding:
    (found,) = await check_archive(settings, limit_seconds)
    return found


async def _files(pool: Pool, settings: Settings) -> Finding:
    async with pool.acquire() as driver:
        (found,) = await check_archived_files(Connection(driver), settings)
    return found


async def test_without_an_archive_nothing_is_checked(pool: Pool) -> None:
    assert (await _place(Settings())).status is Status.SKIPPED
    assert (await _files(pool, Settings())).status is Status.SKIPPED


async def test_a_folder_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    assert (await _place(Settings(archive=str(tmp_path)))).status is Status.OK
    absent = await _place(Settings(archive=str(tmp_path / "absent")))
    assert absent.status is Status.ERROR
    assert "is no folder" in absent.message
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


async def test_a_bucket_is_written_to_and_nothing_stays() -> None:
    with running_s3() as server:
        assert (await _place(_in_s3(server.port))).status is Status.OK
        absent = await _place(_in_s3(server.port, "absent"))
        async with breaking_s3(server.port) as proxy:
            assert (await _place(_in_s3(proxy.port))).status is Status.OK
            assert [request.method for request in proxy.requests] == ["PUT", "GET", "GET", "POST"]
            proxy.always((403, "AccessDenied"))
            denied = await _place(_in_s3(proxy.port))
            proxy.always(ANSWER_NOTHING)
            silent = await _place(_in_s3(proxy.port), 0.2)
    down = await _place(_in_s3(free_port()))
    assert {each.status for each in (absent, denied, silent, down)} == {Status.ERROR}
    assert "there is no such bucket" in absent.message
    assert "access is denied" in denied.message
    assert "no answer within 0.2 s" in silent.message
    assert "nothing listens there" in down.message
    assert not any("geheim" in str(each) for each in (absent, denied, silent, down))


async def test_the_files_that_were_written_last_are_compared(
    database: PostgresDatabase, pool: Pool, tmp_path: Path
) -> None:
    await store_history(database)
    await archiver(pool, FolderStorage(tmp_path)).run(APRIL)
    settings = Settings(archive=str(tmp_path))
    well = await _files(pool, settings)
    assert (well.status, well.message) == (Status.OK, "6 files are listed, and the newest are as written")
    unset = await _files(pool, Settings())
    assert unset.status is Status.ERROR
    assert "R3EDGE_ARCHIVE" in str(unset.advice)
    for file in await asyncio.to_thread(lambda: list(tmp_path.rglob("*2024-03*/**/*.parquet"))):
        await asyncio.to_thread(file.write_bytes, b"damaged")
    assert "isn't what was written" in (await _files(pool, settings)).message
    elsewhere = await _files(pool, Settings(archive=str(tmp_path / "absent")))
    assert elsewhere.status is Status.ERROR
    assert "has no file" in elsewhere.message
