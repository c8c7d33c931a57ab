"""What keeps a command from running that its operator can mend: told in a line, not in a traceback."""

import asyncpg

from domain.core.errors import Unavailable
from infra.postgres.migrate import CannotMigrate, DatabaseIsNewer
from infra.postgres.server.embedded import EmbeddedPostgresError
from infra.postgres.server.server_user import Unreachable
from infra.runtime.backends import CannotReach, SchemaDiffers
from infra.runtime.data_dir import DataDirInUse, DataDirUnusable
from infra.runtime.sandbox_process import SandboxDidNotStart


class StartupError(Exception):
    """The engine can't start, and why."""


REFUSALS = (
    CannotMigrate,
    CannotReach,
    StartupError,
    DatabaseIsNewer,
    DataDirInUse,
    DataDirUnusable,
    EmbeddedPostgresError,
    SandboxDidNotStart,
    SchemaDiffers,
    Unavailable,
    Unreachable,
    asyncpg.ClientConfigurationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.UndefinedObjectError,
)
