"""The settings of the archive: where it is, who may write there, and which months are moved to it."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from infra.s3_address import S3Address
from infra.setting_types import CommaList

MOST_MONTHS: Final = 1_200
_FOLDER: Final = re.compile(r"[/~.]")


def _check_archive(archive: str) -> str:
    if _FOLDER.match(archive) is None:
        try:
            S3Address.parse(archive)
        except ValueError:
            raise ValueError(f"{archive!r} is neither a folder such as /srv/archive nor s3://bucket/prefix") from None
    return archive


def _check_retention(given: str) -> str:
    # The tables are those of the database's adapter, which the settings don't load.
    from infra.postgres.archive.tables import TABLE_NAMES  # noqa: PLC0415

    table, _, months = given.partition(":")
    if table not in TABLE_NAMES:
        raise ValueError(f"{table!r} isn't archived; these are: {', '.join(TABLE_NAMES)}")
    if not months.isdecimal() or not 1 <= int(months) <= MOST_MONTHS:
        raise ValueError(f"{given!r} isn't a table and 1 to {MOST_MONTHS} months, such as {table}:24")
    return given


def _blank_to_none(value: object) -> object:
    return None if isinstance(value, SecretStr) and not value.get_secret_value() else value


_Key = Annotated[SecretStr | None, BeforeValidator(_blank_to_none)]


class ArchiveSettings(BaseSettings):
    """The part of the settings that is about the archive."""

    archive: Annotated[str, AfterValidator(_check_archive)] | None = Field(
        None,
        description="a folder such as /srv/r3edge-archive, or s3://bucket/prefix, the same for all nodes, to which "
        "market data of old months is moved; without it all stays in the database",
    )
    retention_months: int = Field(
        12,
        ge=1,
        le=MOST_MONTHS,
        description="how many whole months before the present one stay in the database, 1 to 1200",
    )
    retention_months_by_table: CommaList[Annotated[str, AfterValidator(_check_retention)]] = Field(
        (), description="tables of which another number of months stays, such as candles:24,trades:3"
    )
    archive_s3_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+/?$",
        description="https://host:port of an S3 server that isn't Amazon's, such as MinIO, SeaweedFS, Ceph or R2",
    )
    archive_s3_region: str | None = Field(
        None, pattern=r"^[a-z0-9-]+$", description="the bucket's region; without it AWS_REGION, or us-east-1"
    )
    archive_s3_access_key: _Key = Field(
        None,
        description="the id of the key with which requests to S3 are signed; without it AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or the role of the machine, container or Kubernetes account",
    )
    archive_s3_secret_key: _Key = Field(None, description="that key's secret")
    archive_s3_path_style: bool = Field(
        default=True,
        description="whether the bucket stands in the path of addresses (true) or in the host's name (false)",
    )

    archive_cache_mb: int = Field(
        1_024,
        ge=0,
        le=1_000_000,
        description="how many megabytes of files of S3 are kept in data_dir, so that each is fetched once; 0 none",
    )

    def months_kept(self, table: str) -> int:
        """Return how many whole months of a table stay in the database."""
        given = dict(each.split(":") for each in self.retention_months_by_table)
        return int(given.get(table, self.retention_months))

    @model_validator(mode="after")
    def _check_s3(self) -> "ArchiveSettings":
        if (self.archive_s3_access_key is None) != (self.archive_s3_secret_key is None):
            raise ValueError("R3EDGE_ARCHIVE_S3_ACCESS_KEY and R3EDGE_ARCHIVE_S3_SECRET_KEY belong together")
        return self
