"""A user gets all that is stored about them, nothing of others, and no secret."""

import io
import json
import zipfile
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from domain.jobs.runner import JobRunner
from domain.model.jobs import JobKind
from domain.personal_data.export_handler import ExportHandler
from domain.personal_data.exports import LINK_LIFE
from infra.postgres.pool import Pool
from infra.postgres.repositories.personal_data import EXPORTED, NOT_EXPORTED
from infra.web.downloads import DownloadRoute, export_download
from resolvers.data_exports import EXPORT_PATH
from tests.support.api import Api
from tests.support.authorisation_matrix import MARK, seeded

PER_MINUTE = 60
EXPORT = "{ viewer { id dataExport { path sizeBytes job { status kind } } } }"
REQUEST = "mutation { userDataExport { dataExport { id job { status } } errors { code message } } }"


async def make_export(api: Api) -> None:
    """Have the export made, in pages of one row and in pieces of a few bytes."""
    harness = api.harness
    handler = ExportHandler(api.database, harness.clock, harness.ids, rows_at_once=1, piece_bytes=100)
    runner = JobRunner(api.database, harness.bus, harness.clock, "exporter", [handler])
    assert await runner.work_once()


async def fetch(api: Api, path: str, method: str = "GET") -> httpx.Response:
    route = DownloadRoute(EXPORT_PATH, export_download(api.services.data_exports), api.services.rates, PER_MINUTE)
    app = Starlette(routes=[route])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
        return await client.request(method, path)


async def test_an_export_has_every_row_of_the_user_and_none_of_anybody_else(api: Api) -> None:
    matrix = await seeded(api)
    pool, victim = api.harness.pool, matrix.victim
    assert (await api.run(EXPORT))["viewer"]["dataExport"]["path"] is None
    await make_export(api)
    shown = (await api.run(EXPORT))["viewer"]["dataExport"]
    assert shown["job"] == {"status": "SUCCEEDED", "kind": JobKind.DATA_EXPORT.value}

    answer = await fetch(api, shown["path"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-length"] == shown["sizeBytes"] == str(len(answer.content))
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert set(archive.namelist()) == {"README.txt", *(f"{table}.jsonl" for table in EXPORTED)}
    text = ""
    for table, owned in EXPORTED.items():
        lines = archive.read(f"{table}.jsonl").decode().splitlines()
        rows = [json.loads(line) for line in lines]
        text += "".join(lines)
        if table not in {"jobs", "user_events"}:  # to which the end of the export itself adds
            assert len(rows) == await pool.fetchval(f"SELECT count(*) FROM {table} WHERE {owned}", victim.id), table
    assert text.count(MARK) >= 5
    assert str(victim.email) in text
    others = await pool.fetch("SELECT id, email FROM users WHERE id <> $1", victim.id)
    assert len(others) == 2
    assert not [row for row in others if str(row["id"]) in text or row["email"] in text]
    secrets = await pool.fetch(
        "SELECT password_hash AS secret FROM users UNION ALL SELECT encode(secret_hash, 'hex') FROM api_keys "
        "UNION ALL SELECT encode(token_hash, 'hex') FROM login_sessions UNION ALL "
        "SELECT encode(sealed_credentials, 'hex') FROM accounts WHERE sealed_credentials <> ''"
    )
    assert not [row["secret"] for row in secrets if row["secret"] in text]


async def test_every_table_with_rows_of_users_is_exported_or_left_out_for_a_reason(pool: Pool) -> None:
    found = await pool.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name "
        "IN ('user_id', 'account_id', 'trading_session_id', 'optimization_id', 'export_id', 'report_id')"
    )
    names = {row["table_name"] for row in found if not row["table_name"].startswith("user_events_")}
    assert names | {"users", "halts"} == EXPORTED.keys() | NOT_EXPORTED.keys()


async def test_a_link_is_refused_after_its_time_and_when_it_was_never_signed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.run(REQUEST)
    await make_export(api)
    path = (await api.run(EXPORT))["viewer"]["dataExport"]["path"]
    assert (await fetch(api, path)).status_code == 200
    assert (await fetch(api, path, "POST")).status_code == 405
    for wrong in (path[:-2], path + "A", "/exports/", "/exports/x"):
        refused = await fetch(api, wrong)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (404, "NOT_FOUND")
    monkeypatch.setattr("domain.personal_data.exports.LINK_LIFE", -LINK_LIFE)
    late = (await api.run(EXPORT))["viewer"]["dataExport"]["path"]
    assert (await fetch(api, late)).status_code == 404


async def test_a_link_rests_while_the_user_is_disabled_and_ends_when_they_are_erased(api: Api) -> None:
    await api.run(REQUEST)
    await make_export(api)
    path = (await api.run(EXPORT))["viewer"]["dataExport"]["path"]
    user_id, now = api.harness.user.id, api.harness.clock.now()
    for at, status in ((None, 200), (now, 404), (None, 200)):
        async with api.database.transaction() as transaction:
            await transaction.users.set_disabled(user_id, at)
        assert (await fetch(api, path)).status_code == status
    await api.harness.pool.execute("UPDATE users SET erased_at = $2 WHERE id = $1", user_id, now)
    assert (await fetch(api, path)).status_code == 404


async def test_a_new_export_takes_the_place_of_the_earlier_one_once_that_is_made(api: Api) -> None:
    first = (await api.run(REQUEST))["userDataExport"]
    assert first["errors"] == []
    (error,) = (await api.run(REQUEST))["userDataExport"]["errors"]
    assert error["code"] == "CONFLICT"
    await make_export(api)
    path = (await api.run(EXPORT))["viewer"]["dataExport"]["path"]
    second = (await api.run(REQUEST))["userDataExport"]
    assert second["dataExport"]["id"] != first["dataExport"]["id"]
    assert (await fetch(api, path)).status_code == 404
    pieces = await api.harness.pool.fetchval("SELECT count(*) FROM data_export_pieces")
    assert pieces == 0


async def test_what_a_run_left_behind_that_did_not_end_is_in_no_archive(api: Api) -> None:
    await api.run(REQUEST)
    async with api.database.transaction() as transaction:
        export = await transaction.data_exports.latest(api.harness.user.id)
        assert export is not None
        await transaction.data_exports.add_piece(export.id, UUID(int=1), 0, b"half an archive")
    await make_export(api)
    path = (await api.run(EXPORT))["viewer"]["dataExport"]["path"]
    assert zipfile.ZipFile(io.BytesIO((await fetch(api, path)).content)).testzip() is None
    runs = await api.harness.pool.fetchval("SELECT count(DISTINCT run_id) FROM data_export_pieces")
    assert runs == 1
