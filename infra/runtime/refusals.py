"""What keeps a command from running that its operator can mend: told in a line, not in a traceback."""

import asyncpg

from domain.errors import Unavailable
from infra.postgres.embedded import EmbeddedPostgresError
from infra.postgres.unprivileged import Unreachable
from infra.runtime.data_dir import DataDirInUse, DataDirUnusable
from infra.runtime.sandbox_child import SandboxDidNotStart


class CannotStart(Exception):  # noqa: N818  # told to the operator, who can mend it
    """The engine can't start, and why."""


REFUSALS = (
    CannotStart,
    DataDirInUse,
    DataDirUnusable,
    EmbeddedPostgresError,
    SandboxDidNotStart,
    Unavailable,
    Unreachable,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
