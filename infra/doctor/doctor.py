"""Examines an installation: all checks, each within its time, whether or not the engine runs."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from domain.core.errors import Unavailable
from infra.clock import SystemClock
from infra.daemon_thread import in_daemon_thread
from infra.doctor.archive import check_archive, check_archived_files
from infra.doctor.backups import check_backups
from infra.doctor.bounded import bounded, run_checks
from infra.doctor.data_directory import check_data_directory
from infra.doctor.database import NoDatabase, check_database, reached_database
from infra.doctor.database_server import found_database
from infra.doctor.findings import Check, Finding, Status, error, ok, skipped
from infra.doctor.redaction import without_secrets
from infra.doctor.services import check_cache, check_mail, check_sandboxes, check_traces
from infra.doctor.software import check_versions
from infra.doctor.venues import check_keys, check_venue, live_accounts
from infra.doctor.web import check_descriptors, check_encryption, check_listening
from infra.postgres.connection import Connection
from infra.runtime.data_dir import holder, known_secret_key
from infra.runtime.sandbox_process import SandboxAddress
from infra.runtime.venues import SANDBOX, venues
from infra.security import AesVault
from infra.settings import Settings
from infra.settings_loading import BadSettings, load_settings, settings_in_spite_of_unknown
from infra.venues.registry import Venues

_SHARE = 0.4
"""Of the time of a check, what a service may take to answer; the rest is for loading its client, and the goodbye."""

_DATABASE = 4
"""As many times the limit for all that is asked of the database: it may have to be started, and its accounts' venues
are asked too. Each step has the limit for itself."""

_NEEDED_FOR_KEYS = frozenset({"database.reachable", "database.schema"})


async def examine(limit_seconds: float, **options: Any) -> list[Finding]:  # noqa: ANN401  # as `load_settings`
    """Return what all checks find; `options` are those of the command line."""
    settings, found = _settings(options)
    if settings is None:
        return [*found, *await run_checks({"versions": partial(in_daemon_thread, check_versions)}, limit_seconds)]
    checks: dict[str, Check] = {
        "versions": partial(in_daemon_thread, check_versions),
        "disk": partial(in_daemon_thread, partial(check_data_directory, settings)),
        "web": partial(check_listening, settings, limit_seconds * _SHARE),
        "descriptors": partial(in_daemon_thread, partial(check_descriptors, settings)),
        "tls": partial(in_daemon_thread, partial(check_encryption, settings)),
        "cache": partial(check_cache, settings, limit_seconds * _SHARE),
        "sandbox": partial(check_sandboxes, settings, limit_seconds * _SHARE),
        "traces": partial(check_traces, settings, limit_seconds * _SHARE),
        "backups": partial(in_daemon_thread, partial(check_backups, settings, SystemClock())),
        "archive": partial(check_archive, settings, limit_seconds * _SHARE),
        "mail": partial(check_mail, settings, limit_seconds * _SHARE),
    }
    async with _settings_venues(settings) as all_venues:
        for venue in settings.venues:
            checks[f"venue.{venue}"] = partial(check_venue, all_venues.connection(venue))
        others, database = await asyncio.gather(
            run_checks(checks, limit_seconds),
            bounded("database", partial(_database, settings, all_venues, limit_seconds), _DATABASE * limit_seconds),
        )
    return without_secrets([*found, *others, *database], settings)


def _settings(options: Mapping[str, Any]) -> tuple[Settings | None, list[Finding]]:
    """Return the settings with the errors in them; None if they can't be used at all."""
    name, advice = "settings", "correct or remove it; the table in docs/operations.md has them all"
    try:
        return load_settings(**options), [ok(name, "all settings are known and can be used")]
    except BadSettings as bad:
        found = [error(name, message, advice) for message in bad.errors]
    try:
        return settings_in_spite_of_unknown(**options), found
    except BadSettings as bad:
        known = {finding.message for finding in found}
        return None, found + [error(name, message, advice) for message in bad.errors if message not in known]


@asynccontextmanager
async def _settings_venues(settings: Settings) -> AsyncGenerator[Venues]:
    """Give the venues of the settings, with placeholders for the sandboxes, which are checked by themselves."""
    names = [SANDBOX, *([settings.mirror_venue] if settings.mirror_venue else [])]
    async with venues(settings, dict.fromkeys(names, SandboxAddress("http://127.0.0.1:1", "")), SystemClock()) as found:
        yield found


async def _database(settings: Settings, all_venues: Venues, limit_seconds: float) -> Sequence[Finding]:
    """Return what was found of the database, and by its accounts of the venues' keys."""
    folder = settings.data_dir.expanduser().absolute()
    engine_runs = holder(folder) is not None
    try:
        async with (
            found_database(settings, limit_seconds) as dsn,
            reached_database(dsn, limit_seconds) as connection,
        ):
            found = await check_database(connection, dsn, settings, SystemClock(), engine_runs=engine_runs)
            if any(finding.status is Status.ERROR and finding.check in _NEEDED_FOR_KEYS for finding in found):
                return [*found, skipped("keys", "the accounts can't be read")]
            archived = await bounded(
                "archive.files", partial(check_archived_files, connection, settings), limit_seconds
            )
            keys = await _keys(connection, settings, all_venues, folder, limit_seconds)
            return [*found, *archived, *keys]
    except NoDatabase as absent:
        return [absent.finding, skipped("keys", "the accounts can't be read")]


async def _keys(
    connection: Connection, settings: Settings, all_venues: Venues, folder: Path, limit_seconds: float
) -> Sequence[Finding]:
    try:
        accounts = await live_accounts(connection)
        key = await in_daemon_thread(partial(known_secret_key, settings, folder))
    except (Unavailable, OSError, ValueError):
        return [skipped("keys", "the accounts, or the secret key, can't be read")]
    vault = AesVault(key, settings.earlier_keys) if key is not None else None
    return await bounded("keys", partial(check_keys, all_venues, accounts, vault), limit_seconds)
