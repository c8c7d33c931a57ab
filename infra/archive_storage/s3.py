"""Archived files in S3, or in any server that speaks its protocol."""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from domain.ports.archive import ArchiveUnavailable, ArchiveUnreadable, StoredFile
from infra.archive_storage.s3_errors import NO_SUCH_KEY, code_of, reason_of
from infra.s3_address import S3Address

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

_T = TypeVar("_T")

_THREADS: Final = 8
_PART_BYTES: Final = 8 * 2**20
"""Larger files are sent in parts, and are there once the server has put them together."""
_PARTS_AT_ONCE: Final = 4
_NAMES_A_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class S3Access:
    """Where a bucket is and who reads and writes there; what is None comes from `AWS_*`, or the machine's role."""

    address: S3Address
    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    path_style: bool = True


@dataclass(frozen=True, slots=True)
class S3Patience:
    """How long is waited for S3: to connect, for the next bytes, for a whole request, and until none is repeated."""

    connect: timedelta = timedelta(seconds=3)
    silence: timedelta = timedelta(seconds=15)
    request: timedelta = timedelta(seconds=60)
    repeating: timedelta = timedelta(seconds=15)
    repeats: int = 4


class S3Storage:
    """Implements `domain.ports.archive.ArchiveStorage`.

    A file is written once the server has acknowledged all of it; the checksum that is sent with it makes the server
    refuse what was damaged on its way. Requests run in threads of their own: obstore's asynchronous ones end the
    process by SIGABRT if one is still noticed while Python exits, and a server that stalls must not
    take the threads that all others share.
    """

    def __init__(self, access: S3Access, patience: S3Patience | None = None) -> None:
        self._access = access
        self._patience = patience or S3Patience()
        self._threads = ThreadPoolExecutor(_THREADS, "archive-s3")
        self._opened: S3Store | None = None

    def __repr__(self) -> str:
        return f"S3Storage({str(self._access.address)!r})"

    async def write(self, name: str, content: bytes) -> None:
        await self._run(self._write, name, content)

    async def read(self, name: str) -> bytes:
        return await self._run(self._read, name)

    async def list_files(self, folder: str) -> list[StoredFile]:
        return await self._run(self._list, folder)

    async def delete(self, name: str) -> None:
        await self._run(self._delete_files, name, [name])

    async def delete_folder(self, folder: str) -> None:
        await self._run(self._delete, folder)

    async def _run(self, do: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, do, *arguments)

    def _write(self, name: str, content: bytes) -> None:
        import obstore  # noqa: PLC0415  # not in engines whose archive is a folder
        from obstore.exceptions import BaseError  # noqa: PLC0415  # as above

        try:
            obstore.put(
                self._store(),
                name,
                content,
                use_multipart=len(content) > _PART_BYTES,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        except (BaseError, OSError) as error:
            raise self._unavailable("can't be written", name, error) from None

    def _read(self, name: str) -> bytes:
        import obstore  # noqa: PLC0415  # as above
        from obstore.exceptions import BaseError  # noqa: PLC0415  # as above

        try:
            return obstore.get(self._store(), name).bytes().to_bytes()
        except (BaseError, OSError) as error:
            if code_of(error) == NO_SUCH_KEY:
                raise ArchiveUnreadable(f"The archive has no file {name} in {self._access.address}.") from None
            raise self._unavailable("can't be read", name, error) from None

    def _list(self, folder: str) -> list[StoredFile]:
        import obstore  # noqa: PLC0415  # as above
        from obstore.exceptions import BaseError  # noqa: PLC0415  # as above

        try:
            pages = obstore.list(self._store(), folder, chunk_size=_NAMES_A_PAGE)
            return [StoredFile(each["path"], each["size"], each["last_modified"]) for page in pages for each in page]
        except (BaseError, OSError) as error:
            raise self._unavailable("can't be listed", folder, error) from None

    def _delete(self, folder: str) -> None:
        names = [file.name for file in self._list(folder)]
        if names:
            self._delete_files(folder, names)

    def _delete_files(self, what: str, names: Sequence[str]) -> None:
        import obstore  # noqa: PLC0415  # as above
        from obstore.exceptions import BaseError  # noqa: PLC0415  # as above

        try:
            obstore.delete(self._store(), list(names))
        except (BaseError, OSError) as error:
            raise self._unavailable("can't be deleted", what, error) from None

    def _store(self) -> "S3Store":
        if self._opened is None:
            self._opened = _opened(self._access, self._patience)
        return self._opened

    def _unavailable(self, what: str, name: str, error: Exception) -> ArchiveUnavailable:
        where = self._access.endpoint or "Amazon S3"
        return ArchiveUnavailable(
            f"The archive {what}: {name} in {self._access.address} at {where}: {reason_of(error)}."
        )


def _opened(access: S3Access, patience: S3Patience) -> "S3Store":
    from obstore.store import S3Store  # noqa: PLC0415  # not in engines whose archive is a folder

    endpoint = _endpoint(access)
    config: S3Config = {"checksum_algorithm": "SHA256", "virtual_hosted_style_request": not access.path_style}
    if endpoint is not None:
        config["endpoint"] = endpoint
    if access.region is not None:
        config["region"] = access.region
    if access.access_key is not None and access.secret_key is not None:
        config["access_key_id"] = access.access_key.get_secret_value()
        config["secret_access_key"] = access.secret_key.get_secret_value()
    return S3Store(
        access.address.bucket,
        prefix=access.address.prefix or None,
        config=config,
        client_options={
            "connect_timeout": patience.connect,
            "read_timeout": patience.silence,
            "timeout": patience.request,
            "allow_http": (endpoint or os.environ.get("AWS_ENDPOINT_URL", "")).startswith("http://"),
        },
        retry_config={"max_retries": patience.repeats, "retry_timeout": patience.repeating},
    )


def _endpoint(access: S3Access) -> str | None:
    """Return the endpoint; if buckets stand in the host's name, with this one."""
    if access.endpoint is None or access.path_style:
        return access.endpoint
    parts = urlsplit(access.endpoint)
    return f"{parts.scheme}://{access.address.bucket}.{parts.netloc}"
