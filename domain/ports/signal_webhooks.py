"""The port of the webhooks of trading sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.trading import SignalWebhook


class SignalWebhookRepository(Protocol):
    """Webhooks that submit signals, found by the hashes of their secrets."""

    async def add(self, webhook: SignalWebhook) -> None:
        """Store a new webhook."""
        ...

    async def save(self, webhook: SignalWebhook) -> None:
        """Store a changed webhook."""
        ...

    async def get(self, user_id: UUID, webhook_id: UUID) -> SignalWebhook | None:
        """Return a webhook of the user, also one that was revoked."""
        ...

    async def get_by_secret(self, secret_hash: bytes) -> SignalWebhook | None:
        """Return the webhook whose secret has this SHA-256, unless it was revoked."""
        ...

    async def get_for_update(self, webhook_id: UUID) -> SignalWebhook | None:
        """Return a webhook, unless it was revoked, and lock its row until the transaction ends."""
        ...

    async def revoke_all(self, user_id: UUID, at: datetime) -> None:
        """Revoke all webhooks of the user."""
        ...

    async def list_of_trading_sessions(self, session_ids: Sequence[UUID]) -> list[SignalWebhook]:
        """Return the webhooks of these trading sessions that weren't revoked."""
        ...
