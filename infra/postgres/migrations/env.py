"""Where Alembic enters: it runs on the connection, and in the transaction, that `infra.postgres.migrate` gives it."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo


def _note(
    ctx: MigrationContext,  # noqa: ARG001  # Alembic names and passes all four
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001  # as above
    run_args: Mapping[str, Any],  # noqa: ARG001  # as above
) -> None:
    context.config.attributes["applied"].append(step.up_revision_id)


context.configure(connection=context.config.attributes["connection"], on_version_apply=_note)
context.run_migrations()
