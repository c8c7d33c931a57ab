"""Browsers come back from OpenID providers: what they show, and what stands in no answer."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from domain.users.oidc_attempts import SignInFailed
from infra.web.http.access_log import _route
from infra.web.sign_in import SignInRoute

PAGE = "https://app.example.com/account"


class Attempts:
    """Takes what the browser brings, and answers with a code or a reason."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason
        self.taken: list[tuple[str, str, str | None, str | None]] = []

    async def finish(self, provider: str, state: str, code: str | None, issuer: str | None) -> str:
        self.taken.append((provider, state, code, issuer))
        if self.reason is not None:
            raise SignInFailed(self.reason)
        return "r3c_code"


async def answer(attempts: Any, app_url: str | None, path: str, method: str = "GET") -> httpx.Response:
    app = Starlette(routes=[SignInRoute(attempts, app_url)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
        return await client.request(method, path)


async def test_the_browser_is_sent_on_with_a_code_after_the_hash() -> None:
    attempts = Attempts()
    response = await answer(attempts, PAGE, "/sign-in/google/callback?state=s&code=c&iss=https%3A%2F%2Fissuer")
    assert (response.status_code, response.headers["location"]) == (303, f"{PAGE}#sign-in=r3c_code")
    assert attempts.taken == [("google", "s", "c", "https://issuer")]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"


async def test_without_a_web_page_the_code_is_shown_to_be_copied() -> None:
    response = await answer(Attempts(), None, "/sign-in/google/callback?state=s&code=c")
    assert response.status_code == 200
    assert "r3c_code" in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("reason", "status"), [("denied", 400), ("expired", 400), ("rejected", 400), ("unavailable", 503)]
)
async def test_the_browser_shows_why_a_sign_in_failed(reason: str, status: int) -> None:
    response = await answer(Attempts(reason), PAGE, "/sign-in/google/callback?state=s&code=c")
    assert response.headers["location"] == f"{PAGE}#sign-in-error={reason}"
    response = await answer(Attempts(reason), None, "/sign-in/google/callback?state=s&code=c")
    assert response.status_code == status


async def test_an_error_of_the_provider_ends_the_attempt_and_nothing_of_it_is_shown() -> None:
    attempts = Attempts("denied")
    response = await answer(
        attempts, None, "/sign-in/google/callback?state=s&code=c&error=%3Cscript%3E&error_description=%3Cb%3E"
    )
    assert attempts.taken == [("google", "s", None, None)]
    assert "script" not in response.text


async def test_nothing_but_get_is_taken() -> None:
    attempts = Attempts()
    response = await answer(attempts, PAGE, "/sign-in/google/callback?state=s&code=c", "POST")
    assert (response.status_code, response.headers["allow"], attempts.taken) == (405, "GET", [])


def test_the_log_names_the_route_alone() -> None:
    assert _route("/sign-in/google/callback") == "/sign-in/"
