import asyncio

import pytest

from domain.model.trading import Signal
from infra.web.signal_hooks import SignalHookRoute
from resolvers.trading import WEBHOOK_PATH
from tests.support.waiting import PATIENCE_SECONDS, eventually


class SlowReceiver:
    """Receives messages and never gets done with one."""

    waiting = 0

    async def receive(self, _secret: str, _body: bytes, _address: str) -> Signal:
        self.waiting += 1
        return await asyncio.get_running_loop().create_future()


async def test_a_request_that_is_cancelled_passes_that_on_and_sends_nothing() -> None:
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"buy"}

    async def send(message: object) -> None:
        sent.append(message)

    receiver = SlowReceiver()
    hooks = SignalHookRoute(receiver, answer_within_seconds=PATIENCE_SECONDS)
    scope = {
        "type": "http", "method": "POST", "path": f"{WEBHOOK_PATH}secret", "headers": [], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    request = asyncio.create_task(hooks.handle(scope, receive, send))
    await eventually(lambda: receiver.waiting, "the message is being received")
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert not sent
