"""Queries, mutations and subscriptions, each tried again exactly where that is safe."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from r3edge.client.backoff import Backoff
from r3edge.client.credentials import Credentials, TokenSource
from r3edge.client.errors import (
    ConnectionRejected,
    MutationRejected,
    OutcomeUnknown,
    RateLimited,
    RequestFailed,
    Unauthenticated,
    Unavailable,
    Unreachable,
    request_failed,
    user_errors,
)
from r3edge.client.subscription import Subscription, is_final_status

EVENT_CURSOR: Final = "{ viewer { eventCursor } }"
_ACCEPT: Final = "application/graphql-response+json, application/json;q=0.9"
_SHOWN_CHARACTERS: Final = 200
_NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""No connection was made, so nothing was sent on it."""


def new_idempotency_key() -> str:
    """Return a key for one new request; store it before the request is sent if the program may end in between."""
    return uuid.uuid4().hex


class Client:
    """A client of one engine; `url` is where it listens, such as https://trade.example.com.

    `token` is a login's token or an API key, or a function that signs in, which is called again when the token isn't
    accepted any more. What may be sent again is sent for `patience_seconds` before the call fails.
    """

    def __init__(
        self,
        url: str,
        token: str | TokenSource | None = None,
        *,
        patience_seconds: float = 60.0,
        answer_seconds: float = 30.0,
    ) -> None:
        self._url = f"{url.rstrip('/')}/graphql"
        self._credentials = Credentials(token)
        self._patience_seconds = patience_seconds
        self._answer_seconds = answer_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def query(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the `data` of a query.

        Raises RequestFailed, with what data there is, if there are errors, and Unreachable if no answer comes.
        """
        return await self._send(document, variables, is_query=True)

    async def mutate(
        self, document: str, variables: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Return the payload of a document's one mutation, which must select `errors { code message path }`.

        With `idempotency_key`, which is put into the variable `input`, it is sent again with the same key until it is
        answered: it takes effect once. Without one it is sent again only if it surely wasn't executed. Raises
        MutationRejected for errors in the payload, RequestFailed for those of the request, and OutcomeUnknown if no
        answer came to what was sent.
        """
        given = dict(variables or {})
        if idempotency_key is not None:
            given["input"] = {**given.get("input", {}), "idempotencyKey": idempotency_key}
        data = await self._send(document, given, key=idempotency_key)
        (payload,) = data.values()
        if isinstance(payload, Mapping) and (errors := user_errors(payload)):
            raise MutationRejected(errors, payload)
        return dict(payload)

    async def event_cursor(self) -> str:
        """Return the cursor of the end of the user's event log."""
        data = await self.query(EVENT_CURSOR)
        return str(data["viewer"]["eventCursor"])

    def follow(
        self, document: str, variables: Mapping[str, Any] | None = None, *, after: str | None = None
    ) -> Subscription:
        """Return the events of a log after the cursor `after`, each once, over every interruption.

        The document declares `$after: String` and selects `cursor`. Without `after` it begins at the log's end as it is
        when the iteration begins.
        """
        return Subscription(self._http, self._url, self._credentials, document, variables, self.event_cursor, after)

    def subscribe(self, document: str, variables: Mapping[str, Any] | None = None) -> Subscription:
        """Return the events of a stream of states, such as market data; after an interruption the present one comes."""
        return Subscription(self._http, self._url, self._credentials, document, variables)

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the client first: async with Client(…) as client")
        return self._session

    async def _send(
        self, document: str, variables: Mapping[str, Any] | None, *, is_query: bool = False, key: str | None = None
    ) -> dict[str, Any]:
        """Send until it is answered for good, the patience is over, or sending it again wouldn't be safe.

        A network error never proves that a request wasn't executed, unless no connection was made. Neither does
        `Unavailable`: a mutation that takes too long still runs to its end. Once an outcome isn't known, a refusal of
        the same request that was sent again doesn't make it known.
        """
        deadline = asyncio.get_running_loop().time() + self._patience_seconds
        backoff, in_doubt, signed_in_again = Backoff(), False, False
        while True:
            token, wait = await self._credentials.token(), None
            try:
                return await self._post(document, variables, token)
            except (Unavailable, aiohttp.ClientError, TimeoutError) as error:
                failure: Exception = error
                in_doubt = in_doubt or not (is_query or isinstance(error, _NEVER_SENT))
                if in_doubt and key is None:
                    raise OutcomeUnknown(failure, key) from failure
            except RateLimited as error:
                failure, wait = error, error.retry_after_seconds
            except (RequestFailed, ConnectionRejected) as error:
                if signed_in_again or not await self._may_sign_in_again(error, token):
                    raise _refusal(error, key, in_doubt=in_doubt or (not is_query and _is_internal(error))) from error
                failure, wait, signed_in_again = error, 0.0, True
            wait = backoff.next_delay() if wait is None else wait
            if asyncio.get_running_loop().time() + wait > deadline:
                if in_doubt:
                    raise OutcomeUnknown(failure, key) from failure
                raise failure if isinstance(failure, RequestFailed) else Unreachable(str(failure)) from failure
            await asyncio.sleep(wait)

    async def _may_sign_in_again(self, error: Exception, token: str | None) -> bool:
        return isinstance(error, Unauthenticated) and await self._credentials.replace(token)

    async def _post(self, document: str, variables: Mapping[str, Any] | None, token: str | None) -> dict[str, Any]:
        """Return the data of one answer; raises RequestFailed for errors, and aiohttp's for no answer of the engine."""
        headers = {"accept": _ACCEPT, **({"authorization": f"Bearer {token}"} if token else {})}
        body = {"query": document, "variables": variables or {}}
        seconds = aiohttp.ClientTimeout(self._answer_seconds)
        async with self._http.post(self._url, json=body, headers=headers, timeout=seconds) as response:
            text = await response.text()
        try:
            answer = json.loads(text)
            errors, data = answer.get("errors"), answer.get("data")
        except (ValueError, AttributeError):  # a proxy, or a limit below GraphQL
            errors = data = None
        if errors:
            raise request_failed(errors, data)
        if data is None:
            if is_final_status(response.status):
                raise ConnectionRejected(response.status, text[:_SHOWN_CHARACTERS])
            raise aiohttp.ClientPayloadError(f"{response.status} {text[:_SHOWN_CHARACTERS]}")
        return dict(data)


def _is_internal(error: Exception) -> bool:
    """Return whether the engine failed in the middle of something."""
    return isinstance(error, RequestFailed) and "INTERNAL" in error.codes


def _refusal(error: Exception, key: str | None, *, in_doubt: bool) -> Exception:
    return OutcomeUnknown(error, key) if in_doubt else error
