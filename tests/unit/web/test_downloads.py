"""Links are no way around the limits of those who use them: so many requests a minute, and so many files at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from domain.model.plans import STANDARD_PLAN
from domain.model.users import User
from domain.users.request_rates import RequestRates
from infra.embedded.cache import EmbeddedCache
from infra.web.downloads import RETRY_AFTER_SECONDS, Download, DownloadRoute, NoDownload
from tests.support.clocks import ManualClock
from tests.support.users import a_user
from tests.support.waiting import eventually

MOST = 3
AT_ONCE = 2


class Files:
    """A file a user, by a token that is the user's email; each is sent as soon as its reader may go on."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.users = {name: a_user(email=name) for name in ("ada", "eve")}
        self.may_go_on = asyncio.Event()
        self.running = 0
        route = DownloadRoute("/files/", self.find, RequestRates(EmbeddedCache(self.clock), self.clock), MOST, AT_ONCE)
        self.app = Starlette(routes=[route])

    async def find(self, token: str) -> Download:
        if token not in self.users:
            raise NoDownload(404, "NOT_FOUND", "There is no such file.")
        return Download(self.users[token], "file.csv", "text/csv", None, self._pieces())

    def limit(self, requests_per_minute: int) -> None:
        plan = replace(STANDARD_PLAN, name="small", requests_per_minute=requests_per_minute)
        self.users: dict[str, User] = {name: replace(user, plan=plan) for name, user in self.users.items()}

    async def get(self, token: str, address: str = "192.0.2.1") -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            return await client.get(f"/files/{token}")

    async def _pieces(self) -> AsyncIterator[bytes]:
        self.running += 1
        try:
            yield b"a"
            await self.may_go_on.wait()
            yield b"b"
        finally:
            self.running -= 1


@pytest.fixture
def files() -> Files:
    return Files()


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["errors"][0]["code"], answer.headers["retry-after"]


async def test_a_file_counts_as_a_request_of_its_user_wherever_it_is_fetched_from(files: Files) -> None:
    files.limit(MOST)
    files.may_go_on.set()
    answers = [await files.get("ada", f"192.0.2.{number}") for number in range(MOST + 1)]
    assert [answer.status_code for answer in answers] == [200] * MOST + [429]
    assert refusal(answers[-1]) == (429, "RATE_LIMITED", "60")
    assert answers[-1].headers["ratelimit-limit"] == str(MOST)
    assert (await files.get("eve")).text == "ab"
    files.clock.move(60)
    assert (await files.get("ada")).status_code == 200


async def test_links_that_open_nothing_count_for_the_address(files: Files) -> None:
    files.may_go_on.set()
    assert [(await files.get(str(number))).status_code for number in range(MOST + 1)] == [404] * MOST + [429]
    assert (await files.get("else", "192.0.2.2")).status_code == 404
    assert (await files.get("ada")).status_code == 200


async def test_a_user_receives_so_many_files_at_once_and_others_are_not_held_up(files: Files) -> None:
    first = [asyncio.create_task(files.get("ada")) for _ in range(AT_ONCE)]
    await eventually(lambda: files.running == AT_ONCE, "the files are being sent")
    assert refusal(await files.get("ada", "192.0.2.2")) == (429, "RATE_LIMITED", str(RETRY_AFTER_SECONDS))
    other = asyncio.create_task(files.get("eve"))
    await eventually(lambda: files.running == AT_ONCE + 1, "another user's file is being sent")
    files.may_go_on.set()
    assert [(await task).text for task in (*first, other)] == ["ab"] * (AT_ONCE + 1)
    assert (await files.get("ada")).text == "ab"


async def test_a_reader_who_goes_away_gives_the_place_back(files: Files) -> None:
    for _ in range(AT_ONCE + 1):
        reading = asyncio.create_task(files.get("ada"))
        await eventually(lambda: files.running == 1, "the file is being sent")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await eventually(lambda: files.running == 0, "the reader is gone")
