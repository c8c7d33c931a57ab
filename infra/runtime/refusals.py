"""What keeps a command from running that its operator can mend: told in a line, not in a traceback."""

import asyncpg

from domain.errors import Unavailable
from infra.postgres.embedded import EmbeddedPostgresError
from infra.postgres.migrate import CannotMigrate, DatabaseIsNewer
from infra.postgres.unprivileged import Unreachable
from infra.runtime.data_dir import DataDirInUse, DataDirUnusable
from infra.runtime.foundations import CannotReach, SchemaDiffers
from infra.runtime.sandbox_child import SandboxDidNotStart


class CannotStart(Exception):  # noqa: N818  # told to the operator, who can mend it
    """The engine can't start, and why."""


REFUSALS = (
    CannotMigrate,
    CannotReach,
    CannotStart,
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
