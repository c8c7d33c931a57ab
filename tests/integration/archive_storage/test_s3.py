"""S3 that fails in every way: clear errors without secrets, no endless waiting, and no file that isn't whole."""

import asyncio
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.core.errors import Unavailable
from domain.ports.archive import ArchiveUnreadable
from infra.archive_storage.s3 import S3Storage
from tests.support.ports import free_port
from tests.support.s3_server import (
    ACCESS_KEY,
    ANSWER_NOTHING,
    BUCKET,
    CUT_ANSWER,
    CUT_DOWNLOAD,
    CUT_UPLOAD,
    IMPATIENT,
    SECRET_KEY,
    BreakingS3,
    S3Server,
    breaking_s3,
    storage_at,
)

NAME = "candles/2024-01/7/binance/BTC_USDT.parquet"
CONTENT = bytes(range(256)) * 2_000
LARGE = bytes(range(256)) * 70_000
"""More than is sent at once."""


@pytest.fixture
async def proxy(s3_server: S3Server) -> AsyncIterator[BreakingS3]:
    async with breaking_s3(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def address() -> str:
    return f"s3://{BUCKET}/{uuid.uuid4()}"


@pytest.fixture
def storage(proxy: BreakingS3, address: str) -> S3Storage:
    return storage_at(proxy.port, address)


async def _errors(storage: S3Storage) -> list[str]:
    """Return what each method says, and that none quotes a key."""
    messages = []
    for call in (storage.write(NAME, CONTENT), storage.read(NAME), storage.delete_folder("candles/2024-01/7")):
        with pytest.raises(Unavailable) as caught:
            await asyncio.wait_for(call, 60)
        assert not isinstance(caught.value, ArchiveUnreadable)
        messages.append(caught.value.message)
        assert SECRET_KEY not in caught.value.message
        assert ACCESS_KEY not in caught.value.message
        assert re.search(r"The archive can't be \w+: candles/2024-01/7.* in s3://", caught.value.message)
    return messages


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", "access is denied; check R3EDGE_ARCHIVE_S3_ACCESS_KEY"),
        (403, "InvalidAccessKeyId", "the server doesn't know the access key"),
        (403, "SignatureDoesNotMatch", "the secret key is wrong"),
        (400, "ExpiredToken", "the credentials have expired"),
        (403, "RequestTimeTooSkewed", "clock and the server's differ"),
        (403, "", "status 403"),
        (400, "AuthorizationHeaderMalformed", "another region, which R3EDGE_ARCHIVE_S3_REGION must name"),
        (301, "PermanentRedirect", "another region, which R3EDGE_ARCHIVE_S3_REGION must name"),
        (503, "SlowDown", "asked for too much at once"),
        (500, "InternalError", "the server answers InternalError"),
        (502, "", "the server answers 502"),
        (404, "", "the server answers 404"),
        (507, "XMinioStorageFull", "disks are full"),
    ],
)
async def test_what_the_server_refuses_is_said(
    storage: S3Storage, proxy: BreakingS3, status: int, code: str, expected: str
) -> None:
    proxy.always((status, code))
    for message in await _errors(storage):
        assert expected in message


async def test_a_bucket_that_is_absent_is_said_and_no_file_is_called_damaged(proxy: BreakingS3) -> None:
    for message in await _errors(storage_at(proxy.port, "s3://absent/engine")):
        assert "there is no such bucket (NoSuchBucket)" in message


async def test_a_server_that_never_answers_is_given_up(proxy: BreakingS3) -> None:
    proxy.always(ANSWER_NOTHING)
    for message in await _errors(storage_at(proxy.port, patience=IMPATIENT)):
        assert "it didn't answer in time" in message


async def test_a_frozen_server_is_given_up_and_used_again(s3_server: S3Server, address: str) -> None:
    storage = storage_at(s3_server.port, address, IMPATIENT)
    await storage_at(s3_server.port, address).write(NAME, CONTENT)
    s3_server.freeze()
    try:
        await _errors(storage)
    finally:
        s3_server.thaw()
    assert await storage_at(s3_server.port, address).read(NAME) == CONTENT


async def test_a_server_that_is_down_is_said() -> None:
    for message in await _errors(storage_at(free_port())):
        assert "nothing listens there" in message


@pytest.mark.parametrize("fault", [(503, "SlowDown"), (500, "InternalError"), CUT_UPLOAD, CUT_ANSWER])
@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["small", "large"])
async def test_a_passing_fault_is_got_over(
    storage: S3Storage, proxy: BreakingS3, fault: Any, content: bytes, address: str, s3_server: S3Server
) -> None:
    proxy.once(fault)
    await storage.write(NAME, content)
    proxy.once(fault)
    assert await storage.read(NAME) == content
    proxy.once((503, "SlowDown"))
    await storage.delete_folder("candles")
    with pytest.raises(ArchiveUnreadable):
        await storage_at(s3_server.port, address).read(NAME)


async def test_a_request_without_an_answer_fails_and_the_next_one_is_answered(proxy: BreakingS3, address: str) -> None:
    await storage_at(proxy.port, address).write(NAME, CONTENT)
    proxy.always(ANSWER_NOTHING)
    with pytest.raises(Unavailable, match="didn't answer in time"):
        await storage_at(proxy.port, address, IMPATIENT).read(NAME)
    proxy.never()
    assert await storage_at(proxy.port, address).read(NAME) == CONTENT


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["small", "large"])
async def test_an_upload_that_is_cut_leaves_no_file(
    storage: S3Storage, proxy: BreakingS3, content: bytes, address: str, s3_server: S3Server
) -> None:
    proxy.always(CUT_UPLOAD)
    with pytest.raises(Unavailable, match="can't be written"):
        await storage.write(NAME, content)
    with pytest.raises(ArchiveUnreadable):
        await storage_at(s3_server.port, address).read(NAME)


async def test_a_large_upload_that_ends_between_its_parts_leaves_the_file_as_it_was(
    storage: S3Storage, proxy: BreakingS3
) -> None:
    await storage.write(NAME, CONTENT)
    proxy.fault = lambda request: CUT_UPLOAD if request.query.get("partNumber") == "3" else None
    with pytest.raises(Unavailable, match="can't be written"):
        await storage.write(NAME, LARGE)
    proxy.never()
    assert await storage.read(NAME) == CONTENT


async def test_a_download_that_is_cut_returns_no_part_of_a_file(storage: S3Storage, proxy: BreakingS3) -> None:
    await storage.write(NAME, LARGE)
    proxy.always(CUT_DOWNLOAD)
    with pytest.raises(Unavailable, match="can't be read"):
        await storage.read(NAME)
    proxy.once(CUT_DOWNLOAD)
    try:
        assert await storage.read(NAME) == LARGE
    except Unavailable:
        assert await storage.read(NAME) == LARGE


async def test_uploads_have_a_checksum_that_the_server_compares(storage: S3Storage, proxy: BreakingS3) -> None:
    await storage.write(NAME, CONTENT)
    await storage.write(NAME, LARGE)
    puts = [request for request in proxy.requests if request.method == "PUT"]
    assert len(puts) > 2
    assert all(request.headers.get("x-amz-checksum-sha256") for request in puts)


async def test_a_folder_is_deleted_however_many_pages_its_listing_has(storage: S3Storage, proxy: BreakingS3) -> None:
    proxy.names_a_page = 3
    names = [f"candles/2024-01/7/{number}" for number in range(10)]
    for name in names:
        await storage.write(name, b"")
    proxy.requests.clear()
    await storage.delete_folder("candles/2024-01/7")
    assert len([request for request in proxy.requests if request.query.get("list-type") == "2"]) == 4
    for name in names:
        with pytest.raises(ArchiveUnreadable):
            await storage.read(name)


async def test_a_listing_that_breaks_at_its_second_page_deletes_nothing(storage: S3Storage, proxy: BreakingS3) -> None:
    proxy.names_a_page = 3
    for number in range(5):
        await storage.write(f"candles/2024-01/7/{number}", b"")
    proxy.fault = lambda request: (500, "InternalError") if "continuation-token" in request.query else None
    with pytest.raises(Unavailable, match="can't be listed"):
        await storage.delete_folder("candles/2024-01/7")
    proxy.never()
    assert await storage.read("candles/2024-01/7/0") == b""


async def test_a_process_ends_as_it_should_after_requests_that_failed() -> None:
    program = (
        "import asyncio\nfrom tests.support.s3_server import storage_at\n"
        f"try:\n    asyncio.run(storage_at({free_port()}).read('a'))\nexcept Exception as error:\n    print(error)"
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], check=False, timeout=60, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "nothing listens there" in ended.stdout
