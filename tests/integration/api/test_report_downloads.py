"""Files of reports by links: what is in them, and who gets nothing."""

import csv
import io
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette

from domain.model.jobs import JobStatus
from domain.reports.downloads import LINK_LIFE
from infra.report_files.page import POLICY
from infra.runtime.retention import REPORT_FILES_KEPT, purge_expired
from infra.web.downloads import DownloadRoute, report_download
from resolvers.ids import decode_id
from resolvers.reports import REPORT_PATH
from tests.support.api import Api
from tests.support.fill_ledgers import BUY, SELL
from tests.support.reporting import START, hour, report_worker, store_fills

PER_MINUTE = 60
GENERATE = """mutation($input: ReportGenerateInput!) { reportGenerate(input: $input) {
  report { id downloads { url } figures { name } } errors { code message path } } }"""
REPORT = """query($id: ID!) { node(id: $id) { ... on Report { job { status message } benchmark { symbol }
  metrics { roundTrips fees } figures { name label group unit value amount definition }
  downloads { format url bytes expiresAt } } } }"""


async def made_report(api: Api, **input: object) -> dict[str, Any]:
    """Return a report of an account with fills, once its job has succeeded."""
    await store_fills(
        api.database,
        api._world(),
        *((hour(number), BUY if number % 2 else SELL, 1, 100 + number) for number in range(6)),
    )
    payload = (await api.run(GENERATE, input={"scope": {"account": api.account}, "from": START.isoformat(), **input}))[
        "reportGenerate"
    ]
    assert payload["errors"] == []
    assert (payload["report"]["downloads"], payload["report"]["figures"]) == ([], [])
    assert await report_worker(api.database).work_once()
    made: dict[str, Any] = (await api.run(REPORT, id=payload["report"]["id"]))["node"]
    assert made["job"]["status"] == JobStatus.SUCCEEDED.value, made["job"]["message"]
    return {**made, "id": payload["report"]["id"]}


async def fetch(api: Api, path: str, method: str = "GET") -> httpx.Response:
    route = DownloadRoute(
        REPORT_PATH, report_download(api.services.report_downloads, POLICY), api.services.rates, PER_MINUTE
    )
    app = Starlette(routes=[route])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
        return await client.request(method, path)


def links(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {download["format"]: download for download in report["downloads"]}


async def test_a_report_has_a_page_and_tables_that_anybody_with_the_link_can_fetch(api: Api) -> None:
    report = await made_report(api)
    found = links(report)
    assert set(found) == {"HTML", "CSV", "PARQUET"}
    page = await fetch(api, found["HTML"]["url"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(page.content) == found["HTML"]["bytes"]
    assert page.text.startswith("<!doctype html>")
    assert "sandbox" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    for kind in ("CSV", "PARQUET"):
        answer = await fetch(api, found[kind]["url"])
        assert answer.headers["content-disposition"].startswith("attachment")
        assert len(answer.content) == found[kind]["bytes"]
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    tables = zipfile.ZipFile(io.BytesIO((await fetch(api, found["CSV"]["url"])).content))
    stored = await api.harness.pool.fetch(
        "SELECT venue_trade_id FROM fills WHERE account_id = (SELECT scope_id FROM reports WHERE id = $1)",
        decode_id(report["id"])[1],
    )
    listed = list(csv.DictReader(io.StringIO(tables.read("fills.csv").decode())))
    assert sorted(row["venue_trade_id"] for row in listed) == sorted(row["venue_trade_id"] for row in stored)
    assert {figure["name"] for figure in report["figures"]} >= {"valueAtRisk95", "grossProfit"}


async def test_a_link_that_is_altered_forged_or_of_something_else_opens_nothing(api: Api) -> None:
    url = links(await made_report(api))["HTML"]["url"]
    token = url.removeprefix(REPORT_PATH)
    clock = api.harness.clock
    forged = api.services.data_exports._links.sign(uuid4().bytes, clock.now() + LINK_LIFE)
    swapped = ("B" if token[0] == "A" else "A") + token[1:]
    for other in (swapped, token[:-2], token + "AAAA", "", "%00", "é", forged, f"{token}/x"):
        answer = await fetch(api, REPORT_PATH + other)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND"), other
    assert (await fetch(api, url, "POST")).status_code == 405


async def test_a_link_of_an_export_opens_no_report(api: Api) -> None:
    report = await made_report(api)
    file_id = await api.harness.pool.fetchval("SELECT id FROM report_files LIMIT 1")
    token = api.services.data_exports._links.sign(file_id.bytes, api.harness.clock.now() + LINK_LIFE)
    assert (await fetch(api, REPORT_PATH + token)).status_code == 404
    assert report["downloads"]


async def test_a_link_whose_time_is_over_says_so(api: Api) -> None:
    await made_report(api)
    file_id = await api.harness.pool.fetchval("SELECT id FROM report_files LIMIT 1")
    over = api.harness.clock.now() - timedelta(seconds=1)
    token = api.services.report_downloads._links.sign(file_id.bytes, over)
    answer = await fetch(api, REPORT_PATH + token)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"]) == (410, "LINK_EXPIRED")
    assert f"{over:%Y-%m-%d}" in error["message"]


async def test_links_rest_while_the_user_is_disabled_and_end_when_they_are_erased(api: Api) -> None:
    url = links(await made_report(api))["HTML"]["url"]
    for at, status in ((None, 200), (api.harness.clock.now(), 404), (None, 200)):
        async with api.database.transaction() as transaction:
            await transaction.users.set_disabled(api.harness.user.id, at)
        assert (await fetch(api, url)).status_code == status
    async with api.database.transaction() as transaction:
        await transaction.personal_data.erase(api.harness.user.id, api.harness.clock.now())
    assert (await fetch(api, url)).status_code == 404
    assert await api.harness.pool.fetchval("SELECT count(*) FROM report_file_pieces") == 0


async def test_files_are_deleted_after_some_time_and_figures_stay(api: Api) -> None:
    report = await made_report(api)
    await api.harness.pool.execute("UPDATE reports SET created_at = created_at - $1::interval", REPORT_FILES_KEPT)
    assert (await purge_expired(api.database, api.harness.clock)).report_files == 1
    shown = (await api.run(REPORT, id=report["id"]))["node"]
    assert shown["downloads"] == []
    assert shown["figures"] == report["figures"]
    assert (await fetch(api, links(report)["CSV"]["url"])).status_code == 404


@pytest.mark.parametrize("market", ["sandbox:NOT/THERE", "nowhere:BTC/USDT"])
async def test_a_benchmark_that_is_no_market_is_refused(api: Api, market: str) -> None:
    asked = {"scope": {"account": api.account}, "benchmark": market}
    error = (await api.run(GENERATE, input=asked))["reportGenerate"]["errors"][0]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", "benchmark"])
