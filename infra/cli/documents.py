"""`r3edge documents`: the GraphQL documents that clients ask for by identifiers, for the operator of the machine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from domain.model.persisted_documents import PersistedDocument
    from infra.postgres.database import PostgresDatabase

MAX_DOCUMENTS: Final = 10_000
"""How many are known at most; each web node holds all of them."""

_MAX_SHOWN_NAME: Final = 60

documents_app = typer.Typer(
    help="GraphQL documents that clients ask for by identifiers.", no_args_is_help=True, rich_markup_mode=None
)


@documents_app.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(help=".graphql files, Apollo's manifests, Relay's persisted queries.")],
    data_dir: DataDirectory = None,
) -> None:
    """Add the documents of files, all or none. Running nodes know them within seconds."""
    new, known = run_command(add_documents(command_settings(data_dir), files))
    for document in new:
        print(f"{document.id}  {document.name}")
    print(f"{len(new):,} added, {known:,} known already")


@documents_app.command("list")
def list_documents(data_dir: DataDirectory = None) -> None:
    """Print the identifiers of all documents, with the names of their operations."""
    for document in run_command(read_stored(command_settings(data_dir))):
        print(f"{document.id}  {document.added_at:%Y-%m-%d %H:%M}  {document.name[:_MAX_SHOWN_NAME]}")


@documents_app.command("remove")
def remove(ids: list[str], data_dir: DataDirectory = None) -> None:
    """Remove documents by their identifiers, all or none. Clients that ask for them are refused within seconds."""
    print(f"{run_command(remove_documents(command_settings(data_dir), ids)):,} removed")


async def add_documents(settings: Settings, files: Sequence[Path]) -> "tuple[list[PersistedDocument], int]":
    """Return what was added, and how many were known already; raises `BadArgument` with all that is wrong."""
    from domain.model.persisted_documents import PersistedDocument  # noqa: PLC0415  # other commands start without
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above
    from infra.clock import SystemClock  # noqa: PLC0415  # as above
    from infra.runtime.serve import web_settings  # noqa: PLC0415  # as above
    from infra.web.documents.files import BadDocuments, check_documents, read_documents  # noqa: PLC0415  # as above
    from infra.web.documents.preparation import Documents  # noqa: PLC0415  # as above
    from schema import build_schema  # noqa: PLC0415  # as above

    try:
        found = [document for path in files for document in read_documents(path)]
        names = check_documents(found, Documents(build_schema().graphql_schema, web_settings(settings)))
    except BadDocuments as error:
        raise BadArgument(str(error)) from None
    now = SystemClock().now()
    given = [PersistedDocument(one.id, one.text, name, now) for one, name in zip(found, names, strict=True)]
    documents = {document.id: document for document in given}
    async with _database(settings) as database, database.transaction() as work:
        new = set(await work.persisted_documents.add(list(documents.values())))
        stored = {document.id: document.text for document in await work.persisted_documents.all()}
        errors = [
            f"{document.id} is the identifier of another document; remove that first, if no client uses it"
            for document in documents.values()
            if stored[document.id] != document.text
        ]
        if len(stored) > MAX_DOCUMENTS:
            errors.append(f"there would be {len(stored):,} documents; at most {MAX_DOCUMENTS:,} are known")
        if errors:
            raise BadArgument("\n".join(errors))
    return [document for document in documents.values() if document.id in new], len(documents) - len(new)


async def read_stored(settings: Settings) -> "Sequence[PersistedDocument]":
    """Return all known documents."""
    async with _database(settings) as database, database.read_only() as reading:
        return await reading.persisted_documents.all()


async def remove_documents(settings: Settings, ids: Sequence[str]) -> int:
    """Remove documents and return how many; raises `BadArgument` if one isn't known."""
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # other commands start without
    from infra.web.documents.identifiers import DocumentId  # noqa: PLC0415  # as above

    identifiers = {DocumentId.parse(given).text for given in ids}
    async with _database(settings) as database, database.transaction() as work:
        unknown = identifiers - {document.id for document in await work.persisted_documents.all()}
        if unknown:
            raise BadArgument(f"no document has the identifier {', '.join(sorted(unknown))}")
        return await work.persisted_documents.remove(identifiers)


@asynccontextmanager
async def _database(settings: Settings) -> "AsyncIterator[PostgresDatabase]":
    """Give the database of the running engine, or the command's own for as long as this takes."""
    from infra.clock import SystemClock  # noqa: PLC0415  # other commands start without
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # as above
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    async with open_command_resources(settings, "r3edge documents") as resources:
        database = PostgresDatabase(await resources.pool(), EmbeddedBus(), SystemClock())
        try:
            yield database
        finally:
            await database.close()
