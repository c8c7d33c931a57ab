"""Parses documents, checks their limits, validates and caches them."""

from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    get_operation_ast,
    parse,
    print_ast,
    validate,
)
from graphql.validation import (
    ASTValidationRule,
    NoSchemaIntrospectionCustomRule,
    ValuesOfCorrectTypeRule,
    specified_rules,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.rules.max_introspection_depth_rule import MaxIntrospectionDepthRule
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from infra.web.documents.limits import check_limits, validation_aborted_error
from infra.web.documents.public_fields import all_public
from infra.web.documents.redaction import RedactedValuesRule, redact_syntax_error
from infra.web.errors import RequestErrors
from infra.web.settings import WebSettings

MAX_VALIDATION_ERRORS = 5
MAX_CACHED_DOCUMENTS = 512
MAX_NAME_CHARACTERS = 64
MAX_ROOT_FIELDS = 5
"""How much of an operation is logged."""

MAX_CACHED_CHARACTERS = 128 * 1024
"""Of all documents together: a parsed one takes some 120 bytes a character, with short names up to 300."""
MAX_OVERLAP_COST = 50_000
"""A document whose validation takes more is refused: two for each pair of fields with the same name, some µs each."""
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = MAX_OVERLAP_COST  # the library's way to set it

_MAX_CACHED_LENGTH = 16 * 1024
_MIN_CACHED_SIZE = MAX_CACHED_CHARACTERS // MAX_CACHED_DOCUMENTS
"""How many characters a shorter document counts for, which bounds the number of documents."""


class StorableTextRule(ASTValidationRule):
    """Rejects strings with a NUL character, which no column of PostgreSQL can hold."""

    def enter_string_value(self, node: StringValueNode, *_args: object) -> None:
        """Check one string of the document."""
        if "\0" in node.value:
            self.report_error(GraphQLError("A string must not hold the NUL character.", node))


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document."""

    node: DocumentNode
    fragments: dict[str, FragmentDefinitionNode]
    text: str
    """The document as graphql-core prints it, the same however the client formats it."""

    length: int
    """How many characters the client's text has."""

    operations: dict[str | None, "PreparedOperation"] = field(default_factory=dict, compare=False, repr=False)
    """Those that were prepared, by the name with which they were requested."""


@dataclass(slots=True, eq=False)
class PreparedOperation:
    """One operation of a valid document, kept with it: what is the same for all its requests is found out once."""

    document: Document
    operation: OperationDefinitionNode
    operation_name: str | None
    shared: bool
    """Whether it is a subscription all of whose fields opted in to sharing."""

    root_fields: tuple[str, ...]
    """The names of its fields at the root."""

    log_fields: dict[str, object] = field(init=False)
    """Its name, type and first fields, for its log line and its span."""

    is_public: bool = False
    """Whether it is a query all of whose fields are marked as public, so that its answers may be shared."""

    constant_cost: int | None = None
    """Its cost, once known to be the same for all variables and at all times."""

    compiled: Any = None
    """What `infra.web.compiled` keeps of it, which this package doesn't know; None before it is executed."""

    def __post_init__(self) -> None:
        """Name it."""
        self.log_fields = {
            "operation": self.name[:MAX_NAME_CHARACTERS] or None,
            "operation_type": self.type.value,
            "root_fields": ",".join(self.root_fields[:MAX_ROOT_FIELDS]),
        }

    @property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.operation.operation

    @property
    def is_subscription(self) -> bool:
        """Whether its result is a stream."""
        return self.type is OperationType.SUBSCRIPTION

    @property
    def name(self) -> str:
        """The operation's name, empty if it has none."""
        return self.operation.name.value if self.operation.name else ""


class Documents:
    """Prepares operations against one schema; a text that is in the cache isn't parsed and validated again."""

    def __init__(self, schema: GraphQLSchema, settings: WebSettings) -> None:
        self._schema = schema
        self._settings = settings
        self._cache: LRUCache[str, Document] = LRUCache(
            MAX_CACHED_CHARACTERS, getsizeof=lambda document: max(document.length, _MIN_CACHED_SIZE)
        )
        # Created once: rules created for each request would defeat every cache keyed by them.
        self._rules = (
            *(RedactedValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules),
            MaxIntrospectionDepthRule,
            MaybeNullValidationRule,
            OneOfInputValidationRule,
            StorableTextRule,
            *(() if settings.introspection else (NoSchemaIntrospectionCustomRule,)),
        )

    def is_cached(self, query: str) -> bool:
        """Return whether the text need not be parsed and validated again."""
        return query in self._cache

    def prepare(self, query: str, operation_name: str | None) -> PreparedOperation:
        """Return the requested operation; raise RequestErrors if there is none that can be executed."""
        document = self._cache.get(query) or self.load(query)
        prepared = document.operations.get(operation_name)
        if prepared is None:
            operation = get_operation_ast(document.node, operation_name)
            if operation is None:
                raise RequestErrors([_no_operation(operation_name)])
            root_fields = tuple(_root_fields(operation.selection_set, document.fragments))
            is_shared = self._is_shared(operation, root_fields)
            is_public = operation.operation is OperationType.QUERY and all_public(self._schema, document.node)
            prepared = PreparedOperation(document, operation, operation_name, is_shared, root_fields, is_public)
            document.operations[operation_name] = prepared
        return prepared

    def load(self, query: str) -> Document:
        """Return the document of a text that isn't in the cache; raise RequestErrors if it isn't valid."""
        node = self._parse(query)
        if errors := check_limits(node, self._settings):
            raise RequestErrors(errors)
        hide = not self._settings.suggestions
        if errors := validate(self._schema, node, self._rules, MAX_VALIDATION_ERRORS, hide_suggestions=hide):
            raise RequestErrors([_explain(error, node) for error in errors])
        return self._store(query, node)

    def _parse(self, query: str) -> DocumentNode:
        try:
            return parse(query, max_tokens=self._settings.max_tokens)
        except GraphQLError as error:
            raise RequestErrors([redact_syntax_error(error, query)]) from None
        except RecursionError:
            raise RequestErrors([GraphQLError("The document is nested too deeply.")]) from None

    def _store(self, query: str, node: DocumentNode) -> Document:
        fragments = {part.name.value: part for part in node.definitions if isinstance(part, FragmentDefinitionNode)}
        document = Document(node, fragments, print_ast(node), len(query))
        if document.length <= _MAX_CACHED_LENGTH:
            self._cache[query] = document
        return document

    def _is_shared(self, operation: OperationDefinitionNode, names: tuple[str, ...]) -> bool:
        root = self._schema.subscription_type
        if operation.operation is not OperationType.SUBSCRIPTION or root is None:
            return False
        return bool(names) and all(name in root.fields and is_shared(root.fields[name].extensions) for name in names)


def is_shared(extensions: dict[str, object]) -> bool:
    """Return whether a field opted in to sharing with `metadata={"shared": True}`."""
    definition = extensions.get("strawberry-definition")
    return bool(getattr(definition, "metadata", {}).get("shared"))


def _root_fields(selection_set: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> list[str]:
    """Return the names of the fields, those of a fragment once however often it is spread, as the execution does."""
    names: list[str] = []
    spread: set[str] = set()
    waiting = list(reversed(selection_set.selections))
    while waiting:
        selection = waiting.pop()
        if isinstance(selection, FieldNode):
            names.append(selection.name.value)
        elif isinstance(selection, InlineFragmentNode):
            waiting += reversed(selection.selection_set.selections)
        elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
            spread.add(selection.name.value)
            waiting += reversed(fragments[selection.name.value].selection_set.selections)
    return names


def _explain(error: GraphQLError, document: DocumentNode) -> GraphQLError:
    """Return an error unchanged, except that an aborted validation gets its reason."""
    if not isinstance(error, ValidationAbortedError):
        return error
    if error.message.startswith("Too many"):
        return GraphQLError(f"The document has more errors; the first {MAX_VALIDATION_ERRORS} are reported.")
    return validation_aborted_error(document)


def _no_operation(name: str | None) -> GraphQLError:
    if name is None:
        return GraphQLError("The document must have exactly one operation, or `operationName` must name one of them.")
    return GraphQLError(f"The document has no operation named {name[:80]!r}.")
