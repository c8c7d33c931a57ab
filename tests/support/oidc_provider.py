"""A real OpenID provider on loopback: `oidc-provider-mock` over authlib, which a test lets answer wrongly."""

import base64
import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from infra.oidc.settings import OidcProvider
from tests.support.http_client import http_client

IGNORED_WARNING = "ignore:get_jwt_config:DeprecationWarning"
"""What authlib deprecates of how the provider uses it, for tests that let it make tokens."""

CLIENT_ID, CLIENT_SECRET = "engine:1", "p%ss word+/é"
"""With letters that have to be escaped in a header."""


@dataclass
class LoopbackProvider:
    """The provider, and what its users do there."""

    issuer: str
    storage: Callable[[], Any]
    """What it stores, once it was asked anything."""

    change_token: Callable[[dict[str, Any], RSAKey], str] | None = None
    """Makes the ID token, in the place of the provider's own, of its claims and its key."""

    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and body in the place of its own answer, by path."""

    authenticates: str = "client_secret_basic"
    """How the engine is to prove that it is the client."""

    requests: list[str] = field(default_factory=list)
    """The paths that it was asked for."""

    challenges: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> OidcProvider:
        """How an engine reaches it."""
        return OidcProvider(
            name="loop", issuer=self.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, label="Loop"
        )

    async def sign_in(self, url: str, subject: str, **claims: object) -> dict[str, str]:
        """Sign in at the provider as a browser does; return what the browser brings back to the engine."""
        async with http_client() as browser:
            stored = await browser.put(f"{self.issuer}/users/{subject}", json=claims)
            assert stored.status_code == 204, stored.text
            return await self._submit(browser, url, {"sub": subject})

    async def deny(self, url: str) -> dict[str, str]:
        """Cancel the sign-in at the provider."""
        async with http_client() as browser:
            return await self._submit(browser, url, {"action": "deny"})

    async def _submit(self, browser: httpx.AsyncClient, url: str, form: dict[str, str]) -> dict[str, str]:
        page = await browser.get(url)
        assert page.status_code == 200, page.text
        answer = await browser.post(url, data=form)
        assert answer.is_redirect, answer.text
        return {name: one for name, (one,) in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    def rotate_keys(self) -> None:
        """Sign with a new key from now on, and publish that one alone."""
        storage = self.storage()
        storage.jwk = type(storage.jwk).generate_key(is_private=True)


@contextmanager
def running_provider() -> Iterator[LoopbackProvider]:
    """Start a provider in a thread, and stop it at the end."""
    from authlib.deprecate import AuthlibDeprecationWarning  # noqa: PLC0415  # it sets a filter of its own

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        import oidc_provider_mock  # noqa: PLC0415
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415
        from flask import g, make_response, request  # noqa: PLC0415
        from oidc_provider_mock import _app  # noqa: PLC0415
        from oidc_provider_mock._server import _threaded_server  # noqa: PLC0415
    _app.AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]
    stores: list[Any] = []
    app = oidc_provider_mock.app(require_nonce=True)
    app.debug = False

    @app.before_request
    def before() -> Any:
        stores.append(g.oidc_provider_mock_storage)
        provider.requests.append(request.path)
        if request.path in provider.answers:
            status, body = provider.answers[request.path]
            return make_response(body, status)
        if request.path == "/oauth2/token" and (challenge := provider.challenges.pop(request.form["code"], None)):
            # The provider itself doesn't know PKCE.
            if create_s256_code_challenge(request.form["code_verifier"]) != challenge:
                return make_response({"error": "invalid_grant"}, 400)
            given = request.authorization
            found = (request.form.get("client_id"), request.form.get("client_secret"))
            if provider.authenticates == "client_secret_basic":
                assert given is not None
                assert (given.username, given.password) == ("engine%3A1", "p%25ss+word%2B%2F%C3%A9")  # RFC 6749, 2.3.1
                assert found == (None, None)
            else:
                secret = CLIENT_SECRET if provider.authenticates == "client_secret_post" else None
                assert (given, *found) == (None, CLIENT_ID, secret)
        return None

    @app.after_request
    def after(response: Any) -> Any:
        if request.path == "/oauth2/authorize" and request.method == "POST":
            found = re.search(r"[?&]code=([^&]+)", response.headers.get("location", ""))
            if found:
                assert request.args["code_challenge_method"] == "S256"
                provider.challenges[found[1]] = request.args["code_challenge"]
        if request.path == "/oauth2/token" and provider.change_token is not None and response.status_code == 200:
            tokens = response.get_json()
            key = g.oidc_provider_mock_storage.jwk.as_dict(is_private=True)
            tokens["id_token"] = provider.change_token(_claims(tokens["id_token"]), RSAKey.import_key(key))
            response.set_data(json.dumps(tokens))
        return response

    with _threaded_server(app) as server:
        provider = LoopbackProvider(f"http://localhost:{server.server_port}", lambda: stores[-1])
        yield provider


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[LoopbackProvider]:
    """One provider a process: its users are the tests' own."""
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: LoopbackProvider) -> LoopbackProvider:
    """The provider, which answers as it should."""
    shared_provider.change_token = None
    shared_provider.authenticates = "client_secret_basic"
    shared_provider.answers.clear()
    shared_provider.requests.clear()
    return shared_provider
