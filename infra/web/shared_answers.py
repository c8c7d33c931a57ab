"""Gives one answer to all who ask the same of public data, for as long as what it was made of hasn't changed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from cachetools import LRUCache
from graphql.execution.values import VariableValues

from infra.web.context import OperationContext
from infra.web.documents.preparation import PreparedOperation
from infra.web.encoding import encode_json_bytes
from infra.web.execution import Payload
from infra.web.metrics import WebMetrics
from resolvers.sources import Sources

MAX_AGE_SECONDS: Final = 1.0
"""An answer is made again after this time at the latest.

That bounds what the node can't hear of (candles that another program imports), and keeps what is asked for in demand:
the feed of a market is kept running by the questions that reach it.
"""

MAX_ANSWER_BYTES: Final = 512 * 1024
ENTRY_BYTES: Final = 1_024
"""What an answer takes besides its own bytes and those of its document, which others may hold too."""

Key = tuple[str, str | None, str, Hashable]
"""The printed document, the operation's name, its variables in canonical form, and the caller's scope."""


@dataclass(frozen=True, slots=True)
class SharedAnswer:
    """The data of an answer as JSON text, what it was made of, and until when it may be given."""

    data: msgspec.Raw
    sources: Sources
    expires_at: float
    size: int


class SharedAnswers:
    """The answers that are kept, at most `max_bytes` of them, and those that are being made; 0 shares nothing."""

    def __init__(self, max_bytes: int, metrics: WebMetrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._is_enabled = max_bytes > 0
        self._answers: LRUCache[Key, SharedAnswer] = LRUCache(max_bytes, getsizeof=lambda answer: answer.size)
        self._flights: dict[Key, asyncio.Future[bool]] = {}
        self._monotonic = monotonic
        self._hits, self._misses, self._bypasses = (
            metrics.shared_answers.labels(result) for result in ("hit", "miss", "bypass")
        )
        metrics.shared_answer_bytes.set_function(lambda: self._answers.currsize)

    def key(
        self, prepared: PreparedOperation, context: OperationContext, variables: VariableValues | None = None
    ) -> Key | None:
        """Return under what a query's answer is shared; None if it isn't.

        The variables have been coerced: their order, and whether a default was given or left out, make no difference.
        """
        if not self._is_enabled or not prepared.is_public:
            return None
        coerced = variables.coerced if variables else {}
        text = repr([(name, coerced[name]) for name in sorted(coerced)]) if coerced else ""
        return prepared.document.text, prepared.operation_name, text, context.sharing_scope

    def count_bypass(self) -> None:
        """Count a query whose answer isn't shared."""
        self._bypasses.inc()

    def find(self, key: Key) -> msgspec.Raw | None:
        """Return the data of an answer that still holds; one that doesn't is dropped."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.expires_at <= self._monotonic() or not answer.sources.are_unchanged:
            del self._answers[key]
            return None
        self._hits.inc()
        return answer.data

    async def answer(self, key: Key, context: OperationContext, execute: Callable[[], Awaitable[Payload]]) -> Payload:
        """Return the answer under a key, made by `execute` if there is none.

        Those who ask while it is made wait for it. If it then holds no more, or never could be shared, each makes its
        own; if who makes it gives up, the next in line does.
        """
        has_ended = False
        while (found := self.find(key)) is None:
            flight = self._flights.get(key)
            if flight is None:
                return await self._lead(key, context, execute)
            if has_ended:
                return await self._make(key, context, execute)
            has_ended = await asyncio.shield(flight)
        return {"data": found}

    async def _lead(self, key: Key, context: OperationContext, execute: Callable[[], Awaitable[Payload]]) -> Payload:
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        has_ended = False
        try:
            payload = await self._make(key, context, execute)
            has_ended = True
            return payload
        finally:
            del self._flights[key]
            flight.set_result(has_ended)

    async def _make(self, key: Key, context: OperationContext, execute: Callable[[], Awaitable[Payload]]) -> Payload:
        self._misses.inc()
        began, sources = self._monotonic(), Sources()
        context.sources = sources
        try:
            payload = await execute()
        finally:
            context.sources = None
        if "errors" in payload or not sources.are_unchanged:
            return payload
        data = encode_json_bytes(payload["data"])
        if len(data) <= MAX_ANSWER_BYTES:
            self._keep(key, SharedAnswer(msgspec.Raw(data), sources, began + MAX_AGE_SECONDS, _size(key, data)))
        return {**payload, "data": msgspec.Raw(data)}

    def _keep(self, key: Key, answer: SharedAnswer) -> None:
        if answer.size <= self._answers.maxsize:
            self._answers[key] = answer


def _size(key: Key, data: bytes) -> int:
    return len(data) + len(key[0]) + len(key[2]) + ENTRY_BYTES


def shared_data(payload: dict[str, Any]) -> msgspec.Raw | None:
    """Return the data of an answer if it may be shared, else None."""
    data = payload.get("data")
    return data if isinstance(data, msgspec.Raw) else None
