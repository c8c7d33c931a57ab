"""Reads documents out of files: GraphQL, Apollo's manifests of persisted queries, and Relay's persisted queries."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphql import GraphQLError, OperationDefinitionNode

from infra.web.documents.identifiers import DocumentId, sha256_id
from infra.web.documents.preparation import Documents
from infra.web.errors import RequestErrors

MAX_DOCUMENT_CHARACTERS: Final = 64 * 1024
_MAX_ID_CHARACTERS: Final = 200
_APOLLO: Final = "apollo-persisted-query-manifest"


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A document with its identifier, and where it stands for messages."""

    id: str
    text: str
    place: str


class BadDocuments(Exception):
    """Documents that can't be added, with all that is wrong with them, a line each."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(errors))


def read_documents(path: Path) -> list[FileDocument]:
    """Return the documents of a file; raises `BadDocuments` if it can't be read, or has another form."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDocuments([f"{path}: {error}"]) from None
    if path.suffix != ".json":
        return [FileDocument(sha256_id(text), text, str(path))]
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDocuments([f"{path}: it is not JSON: {error}"]) from None
    return list(_manifest(path, content))


def check_documents(documents: Sequence[FileDocument], schema_documents: Documents) -> list[str]:
    """Return the names of each document's operations; raises `BadDocuments` with all errors and their places."""
    names, errors, texts = [], [], dict[str, str]()
    for document in documents:
        if texts.setdefault(document.id, document.text) != document.text:
            errors.append(f"{document.place}: another document has the identifier {document.id} too")
        try:
            names.append(_check(document, schema_documents))
        except BadDocuments as bad:
            errors += bad.errors
    if errors:
        raise BadDocuments(errors)
    return names


def _manifest(path: Path, content: object) -> Iterator[FileDocument]:
    """Give the documents of Apollo's `{format, version, operations}`, or of Relay's `{id: text}`."""
    if isinstance(content, dict) and content.get("format") == _APOLLO:
        operations = content.get("operations")
        if content.get("version") != 1 or not isinstance(operations, list):
            raise BadDocuments([f"{path}: a manifest of {_APOLLO} has `version` 1 and a list `operations`"])
        for number, operation in enumerate(operations):
            entry = operation if isinstance(operation, dict) else {}
            name = entry.get("name") or f"number {number + 1}"
            yield _entry(entry.get("id"), entry.get("body"), f"{path}, operation {name}")
    elif isinstance(content, dict) and content and all(isinstance(text, str) for text in content.values()):
        for key, text in content.items():
            yield _entry(key, text, f"{path}, {key}")
    else:
        raise BadDocuments([f"{path}: it is neither {_APOLLO} nor an object of documents by their identifiers"])


def _entry(id: object, text: object, place: str) -> FileDocument:
    if not isinstance(id, str) or not 0 < len(id) <= _MAX_ID_CHARACTERS or not isinstance(text, str):
        raise BadDocuments([f"{place}: it needs an `id` of 1 to {_MAX_ID_CHARACTERS} characters and a `body`"])
    identifier = DocumentId.parse(id)
    if identifier.is_hash and not identifier.belongs_to(text):
        raise BadDocuments([f"{place}: {id} is not the SHA-256 hash of its document, which is {sha256_id(text)}"])
    return FileDocument(identifier.text, text, place)


def _check(document: FileDocument, documents: Documents) -> str:
    """Return the names of the operations; raises `BadDocuments` with what the engine would refuse."""
    if len(document.text) > MAX_DOCUMENT_CHARACTERS:
        raise BadDocuments([f"{document.place}: it has more than {MAX_DOCUMENT_CHARACTERS:,} characters"])
    try:
        node = documents.load(document.text).node
    except RequestErrors as refused:
        raise BadDocuments([_at(document, error) for error in refused.errors]) from None
    operations = [part for part in node.definitions if isinstance(part, OperationDefinitionNode)]
    if not operations:
        raise BadDocuments([f"{document.place}: it has no operation"])
    return ", ".join(part.name.value if part.name else part.operation.value for part in operations)


def _at(document: FileDocument, error: GraphQLError) -> str:
    """Return an error with its line and column, as compilers write them."""
    place = f":{error.locations[0].line}:{error.locations[0].column}" if error.locations else ""
    return f"{document.place}{place}: {error.message}"
