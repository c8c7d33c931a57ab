"""Documents that clients ask for by an identifier: those that the operator added, and those that clients had kept.

Known ones are all held. Automatic ones, by Apollo's protocol, have a bounded number of bytes on each node, and one that
was dropped is sent again by the next client that needs it.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from graphql import GraphQLError

from domain.core.errors import FaultCode, RequestFault
from infra.web.documents.identifiers import DocumentId, sha256_id
from infra.web.errors import PersistedQueryNotFound, RequestErrors
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings

_MAX_SHOWN_CHARACTERS: Final = 80
_OVERHEAD_BYTES: Final = 512
"""What an entry takes beside its text; it bounds how many short ones there are."""

_ONLY_KNOWN: Final = (
    "This engine runs only documents that its operator has added (`r3edge documents add`), which excludes free queries "
    "and the introspection of GraphiQL and code generators."
)


class PersistedDocuments:
    """The persisted documents of one node, by identifiers in the form of `DocumentId`."""

    def __init__(self, settings: WebSettings, metrics: WebMetrics) -> None:
        self._known_only = settings.known_documents_only
        self._metrics = metrics
        self._known: dict[str, str] = {}
        self._automatic = AutomaticDocuments(settings.automatic_documents_bytes)

    def replace_known(self, documents: Mapping[str, str]) -> None:
        """Know these documents alone, by their identifiers and each by its hash too."""
        self._known = {**{sha256_id(text): text for text in documents.values()}, **documents}
        self._metrics.known_documents.set(len(documents))

    def is_known(self, id: DocumentId) -> bool:
        """Return whether the operator has added the document."""
        return id.text in self._known

    def find(self, query: str | None, id: DocumentId | None) -> str:
        """Return the document of a request that has one or both; raise RequestErrors if it can't be executed.

        Raises RequestFault (INVALID) for a hash that isn't the query's.
        """
        if query is None:
            assert id is not None, "a request has a document or its identifier"
            return self._find(id)
        if id is not None and not id.belongs_to(query):
            raise RequestFault(FaultCode.INVALID, f"{_shown(id)} is not the SHA-256 hash of `query`.")
        if self._known_only and sha256_id(query) not in self._known:
            raise self._not_known(_ONLY_KNOWN)
        return query

    def register(self, id: DocumentId, query: str, client: str) -> None:
        """Keep a valid document of a client for those who send its hash."""
        if id.text not in self._known and not self._known_only:
            self._automatic.add(id.text, query, client)
            self._count("registered")

    def _find(self, id: DocumentId) -> str:
        known = self._known.get(id.text)
        if known is not None:
            self._count("known")
            return known
        if self._known_only:
            raise self._not_known(f"No known document has the identifier {_shown(id)}. {_ONLY_KNOWN}")
        automatic = self._automatic.get(id.text)
        if automatic is not None:
            self._count("automatic")
            return automatic
        self._count("not_found")
        if id.is_automatic:
            raise PersistedQueryNotFound
        message = f"No document has the identifier {_shown(id)}; send `query`, or have the operator add the document."
        raise RequestErrors([GraphQLError(message, extensions={"code": "PERSISTED_QUERY_NOT_FOUND"})])

    def _not_known(self, message: str) -> RequestErrors:
        self._count("not_known")
        return RequestErrors([GraphQLError(message, extensions={"code": "PERSISTED_QUERY_NOT_IN_LIST"})])

    def _count(self, result: str) -> None:
        self._metrics.persisted.labels(result).inc()


@dataclass(frozen=True, slots=True)
class _Automatic:
    text: str
    client: str
    size: int


class AutomaticDocuments:
    """A bounded number of bytes, of which no client takes another's while it has more itself.

    If there is no room, the least recently used document goes of the client that holds most: who registers documents
    without end drops its own.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._documents: OrderedDict[str, _Automatic] = OrderedDict()
        self._held: Counter[str] = Counter()
        self.bytes = 0

    def get(self, id: str) -> str | None:
        """Return the document, if it is still kept, and count it as used now."""
        found = self._documents.get(id)
        if found is None:
            return None
        self._documents.move_to_end(id)
        return found.text

    def add(self, id: str, text: str, client: str) -> None:
        """Keep a document for as long as there is room; the one that is kept already stays its first client's."""
        if id in self._documents:
            self._documents.move_to_end(id)
            return
        document = _Automatic(text, client, len(text.encode(errors="surrogatepass")) + _OVERHEAD_BYTES)
        if document.size > self._max_bytes:
            return
        self._documents[id] = document
        self._held[client] += document.size
        self.bytes += document.size
        while self.bytes > self._max_bytes:
            self._drop_of(max(self._held, key=lambda holder: self._held[holder]))

    def _drop_of(self, client: str) -> None:
        oldest = next(key for key, document in self._documents.items() if document.client == client)
        size = self._documents.pop(oldest).size
        self.bytes -= size
        self._held[client] -= size
        if not self._held[client]:
            del self._held[client]


def _shown(id: DocumentId) -> str:
    return repr(id.text[:_MAX_SHOWN_CHARACTERS])
