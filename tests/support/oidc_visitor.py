"""Somebody who signs in at the OpenID provider by her browser, and the engine as its client."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.model.oidc import ExternalIdentity, OidcAttempt
from domain.ports.oidc import OidcRejected
from infra.oidc.client import AiohttpOidcClient
from tests.support.clocks import ManualClock
from tests.support.oidc_provider import LoopbackProvider

ADA = "ada@example.com"


@dataclass
class Ada:
    """Somebody who signs in at the provider by her browser."""

    client: AiohttpOidcClient
    provider: LoopbackProvider
    clock: ManualClock

    async def start(self) -> tuple[OidcAttempt, str]:
        now, secret = self.clock.now(), uuid4().hex * 2
        attempt = OidcAttempt(uuid4(), "loop", secret, secret[::-1], "x" * 43, now, now + timedelta(minutes=10))
        return attempt, await self.client.authorization_url(attempt, "state")

    async def bring(self, **claims: object) -> tuple[OidcAttempt, str]:
        """Return the attempt, and the authorization code that the browser brings back."""
        attempt, url = await self.start()
        return attempt, (await self.provider.sign_in(url, "ada", **{"email": ADA, **claims}))["code"]

    async def sign_in(self, **claims: object) -> ExternalIdentity:
        return await self.client.redeem(*await self.bring(**claims))

    async def rejected(self) -> None:
        with pytest.raises(OidcRejected):
            await self.sign_in()


@pytest.fixture
def ada(provider: LoopbackProvider) -> Ada:
    clock = ManualClock(datetime.now(UTC))
    client = AiohttpOidcClient((provider.settings,), "https://engine.example.com", clock)
    return Ada(client, provider, clock)
