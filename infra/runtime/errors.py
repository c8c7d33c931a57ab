"""Errors that an operator can correct: they are printed in one line, without a traceback."""

import asyncpg

from domain.core.errors import Unavailable
from infra.backup.folder import BackupsUnusable
from infra.postgres.migrate import DatabaseIsNewer, MigrationFailed
from infra.postgres.server.installation import EmbeddedPostgresError
from infra.postgres.server.server_user import ServerFilesUnreachable
from infra.runtime.archive import ArchiveNotSet
from infra.runtime.backends import DatabaseUnreachable, SchemaOutdated
from infra.runtime.data_dir import DataDirInUse, DataDirUnusable
from infra.runtime.sandbox_process import SandboxDidNotStart


class StartupError(Exception):
    """The engine can't start, and why."""


STARTUP_ERRORS = (
    MigrationFailed,
    DatabaseUnreachable,
    StartupError,
    BackupsUnusable,
    ArchiveNotSet,
    DatabaseIsNewer,
    DataDirInUse,
    DataDirUnusable,
    EmbeddedPostgresError,
    SandboxDidNotStart,
    SchemaOutdated,
    Unavailable,
    ServerFilesUnreachable,
    asyncpg.ClientConfigurationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.UndefinedObjectError,
)
