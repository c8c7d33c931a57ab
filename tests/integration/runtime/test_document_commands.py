"""`r3edge documents`: documents from files, known to nodes that run."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from infra.cli.arguments import BadArgument
from infra.cli.documents import add_documents, read_stored, remove_documents
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.runtime.document_watcher import following_known_documents
from infra.settings import Settings
from infra.settings_loading import load_settings
from infra.web.documents.identifiers import DocumentId, sha256_id
from infra.web.documents.persisted import PersistedDocuments
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings
from tests.support.clocks import ManualClock
from tests.support.waiting import eventually

VENUES = "query Venues { venues { name } }"
VIEWER = "{ viewer { email } }"


@pytest.fixture
def settings(tmp_path: Path, database_dsn: str) -> Settings:
    return load_settings(data_dir=tmp_path, database_url=database_dsn)


def apollo_manifest(folder: Path, id: str, body: str) -> Path:
    operation = {"id": id, "name": "Venues", "type": "query", "body": body}
    path = folder / "manifest.json"
    path.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}))
    return path


def relay_file(folder: Path, documents: dict[str, str]) -> Path:
    path = folder / "persisted.json"
    path.write_text(json.dumps(documents))
    return path


async def test_documents_of_all_kinds_of_files_are_added_listed_and_removed(settings: Settings, tmp_path: Path) -> None:
    graphql = tmp_path / "viewer.graphql"
    graphql.write_text(VIEWER)
    hash_alone = sha256_id(VENUES).removeprefix("sha256:")
    files = [graphql, apollo_manifest(tmp_path, hash_alone, VENUES), relay_file(tmp_path, {"a1": VIEWER})]
    new, known = await add_documents(settings, files)
    assert ({document.id for document in new}, known) == ({sha256_id(VIEWER), sha256_id(VENUES), "a1"}, 0)
    assert (await add_documents(settings, files))[1] == 3
    assert [document.name for document in await read_stored(settings) if document.text == VENUES] == ["Venues"]
    assert await remove_documents(settings, [hash_alone, "a1"]) == 2
    assert [document.text for document in await read_stored(settings)] == [VIEWER]
    with pytest.raises(BadArgument, match="no document has the identifier a1"):
        await remove_documents(settings, ["a1"])


async def test_every_error_is_reported_with_its_place_and_nothing_is_added(settings: Settings, tmp_path: Path) -> None:
    bad = tmp_path / "bad.graphql"
    bad.write_text("query A {\n  nothing\n}\nquery B {\n  viewer { nope } \n}")
    good = relay_file(tmp_path, {"good": VIEWER})
    with pytest.raises(BadArgument) as refused:
        await add_documents(settings, [good, bad, apollo_manifest(tmp_path, "v1", "query {")])
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"{bad}:2:3: Cannot query field 'nothing'")
    assert lines[1].startswith(f"{bad}:5:12: Cannot query field 'nope'")
    assert lines[2].startswith(f"{tmp_path}/manifest.json, operation Venues:1:8: Syntax Error")
    assert not await read_stored(settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is neither"),
        ('{"format": "apollo-persisted-query-manifest", "version": 2}', "`version` 1"),
        ('{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [5]}', "it needs an `id`"),
        (json.dumps({"0" * 64: VIEWER}), "is not the SHA-256 hash of its document"),
        (json.dumps({"x": "fragment F on User { email }"}), "F"),
    ],
)  # fmt: skip
async def test_a_file_of_another_form_is_refused_with_what_would_be_right(
    settings: Settings, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(BadArgument, match=message):
        await add_documents(settings, [path])


async def test_an_identifier_never_comes_to_mean_another_document(settings: Settings, tmp_path: Path) -> None:
    await add_documents(settings, [relay_file(tmp_path, {"v1": VIEWER})])
    with pytest.raises(BadArgument, match="v1 is the identifier of another document"):
        await add_documents(settings, [relay_file(tmp_path, {"v1": VENUES, "v2": VENUES})])
    assert [(document.id, document.text) for document in await read_stored(settings)] == [("v1", VIEWER)]


async def test_a_node_that_runs_learns_what_is_added_and_removed(
    pool: Pool, settings: Settings, tmp_path: Path
) -> None:
    database = PostgresDatabase(pool, EmbeddedBus(), ManualClock())
    await add_documents(settings, [relay_file(tmp_path, {"v1": VIEWER})])
    documents = PersistedDocuments(WebSettings(), WebMetrics(CollectorRegistry()))
    async with following_known_documents(database, documents, check_seconds=0.05):
        assert documents.is_known(DocumentId.parse("v1"))
        await add_documents(settings, [relay_file(tmp_path, {"v2": VENUES})])
        await eventually(lambda: documents.is_known(DocumentId.parse("v2")), "the new document is known")
        await remove_documents(settings, ["v1"])
        await eventually(lambda: not documents.is_known(DocumentId.parse("v1")), "the old document isn't known")
