"""The parameters of an operation, parsed from JSON or a query string and validated."""

import re
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import QueryParams

from domain.core.errors import FaultCode, RequestFault
from infra.web.documents.identifiers import DocumentId
from infra.web.encoding import InvalidJson, decode_json

MAX_VARIABLE_VALUES: Final = 5_000
"""Each takes some microseconds to coerce, in one piece with all others; no operation of this cost needs as many."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of GraphQL over HTTP, which the WebSocket's `subscribe` has too."""

    query: str | None
    """The document; None if only its identifier was sent."""

    variables: dict[str, Any] | None
    operation_name: str | None
    document_id: DocumentId | None = None


def parse_body(body: bytes) -> GraphQLRequest:
    """Return the request of a JSON body; raise RequestFault (INVALID) if it isn't valid."""
    try:
        return parse_parameters(decode_json(body))
    except InvalidJson:
        raise RequestFault(FaultCode.INVALID, "The body is not JSON.") from None


def parse_query_string(params: QueryParams) -> GraphQLRequest:
    """Return the request of a query string; raise RequestFault (INVALID) if it isn't valid."""
    values: dict[str, object] = dict(params)
    for name in ("variables", "extensions"):
        if text := params.get(name):
            try:
                values[name] = decode_json(text)
            except InvalidJson:
                raise RequestFault(FaultCode.INVALID, f"`{name}` is not JSON.") from None
        else:
            values.pop(name, None)
    return parse_parameters(values)


def parse_parameters(values: object) -> GraphQLRequest:
    """Return the request that is in a JSON value; raise RequestFault (INVALID) if it isn't valid."""
    if isinstance(values, list):
        raise RequestFault(FaultCode.INVALID, "Batches are not served; send one operation a request.")
    if not isinstance(values, dict):
        raise RequestFault(FaultCode.INVALID, "A request is a JSON object with `query`.")
    query, variables, name = values.get("query"), values.get("variables"), values.get("operationName")
    document_id = _document_id(values)
    if not isinstance(query, str | None) or not (document_id if query is None else query.strip()):
        raise RequestFault(FaultCode.INVALID, "`query` must be a string with a GraphQL document.")
    if not isinstance(variables, dict | None):
        raise RequestFault(FaultCode.INVALID, "`variables` must be a JSON object or null.")
    if not isinstance(name, str | None):
        raise RequestFault(FaultCode.INVALID, "`operationName` must be a string or null.")
    if not isinstance(values.get("extensions"), dict | None):
        raise RequestFault(FaultCode.INVALID, "`extensions` must be a JSON object or null.")
    if has_many_values(variables, MAX_VARIABLE_VALUES):
        message = f"`variables` hold more than {MAX_VARIABLE_VALUES:,} values; send fewer at a time."
        raise RequestFault(FaultCode.INVALID, message, {"limit": "variables", "maximum": MAX_VARIABLE_VALUES})
    if _has_unstorable_text(variables):
        raise RequestFault(FaultCode.INVALID, "`variables` hold text with a NUL character or half a surrogate pair.")
    return GraphQLRequest(query, variables, name or None, document_id)


def _document_id(values: dict[str, object]) -> DocumentId | None:
    """Return the identifier of a persisted document, in the form of GraphQL over HTTP or in Apollo's.

    https://github.com/graphql/graphql-over-http/blob/main/spec/Appendix%20A%20--%20Persisted%20Documents.md
    https://www.apollographql.com/docs/apollo-server/performance/apq
    """
    given, extensions = values.get("documentId"), values.get("extensions")
    if given is not None:
        if not isinstance(given, str) or not given:
            raise RequestFault(FaultCode.INVALID, "`documentId` must be a string, such as sha256: and 64 hex digits.")
        return DocumentId.parse(given)
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is None:
        return None
    given = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(given, str) or not given or persisted.get("version") != 1:
        raise RequestFault(FaultCode.INVALID, "`persistedQuery` must be an object with `version` 1 and `sha256Hash`.")
    return DocumentId.parse(given, is_automatic=True)


def has_many_values(variables: object, most: int) -> bool:
    """Return whether there are more than `most` values in all lists and objects together."""
    stack, count = [variables], 0
    while stack and count <= most:
        part = stack.pop()
        if isinstance(part, dict | list):
            count += len(part)
            if count <= most:
                stack += part.values() if isinstance(part, dict) else part
    return count > most


def _has_unstorable_text(value: object) -> bool:
    """Return whether any text inside can't be stored: PostgreSQL holds neither NUL nor lone surrogates."""
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            stack += part
        elif isinstance(part, str) and _UNSTORABLE.search(part):
            return True
    return False
