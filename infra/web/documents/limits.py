"""The limits of a document: depth, aliases and directives, counted through fragments."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    Visitor,
    visit,
)

from infra.web.settings import WebSettings

TOO_COMPLEX: Final = "OPERATION_TOO_COMPLEX"

_MESSAGES: Final = {
    "depth": "The operation is {actual:,} levels deep; at most {maximum:,} are allowed.",
    "aliases": "The operation has {actual:,} aliases; at most {maximum:,} are allowed.",
    "directives": "The operation has {actual:,} directives; at most {maximum:,} are allowed.",
    "cost": "The operation costs {actual:,}; at most {maximum:,} is allowed.",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """The depth and the counts of a selection with all of its fragments spread; leaves add no depth."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0

    def max_with(self, other: "Measure") -> "Measure":
        """Return the measure of both selections in one document: the greater depth, and the sums of the counts."""
        return Measure(max(self.depth, other.depth), self.aliases + other.aliases, self.directives + other.directives)


def check_limits(document: DocumentNode, settings: WebSettings) -> list[GraphQLError]:
    """Return an error for each limit that the operations of the document exceed."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    measurer = _Measurer(fragments)
    total = Measure()
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            total = total.max_with(measurer.operation(node))
    for fragment in fragments.values():  # used or not, they have to be validated
        total = total.max_with(Measure(directives=len(fragment.directives or ())))
    return [
        complexity_error(name, maximum, actual)
        for name, maximum, actual in (
            ("depth", settings.max_depth, total.depth),
            ("aliases", settings.max_aliases, total.aliases),
            ("directives", settings.max_directives, total.directives),
        )
        if actual > maximum
    ]


def complexity_error(limit: str, maximum: int, actual: int) -> GraphQLError:
    """Return the error of an operation that exceeds a limit."""
    return GraphQLError(
        _MESSAGES[limit].format(maximum=maximum, actual=actual),
        extensions={"code": TOO_COMPLEX, "limit": limit, "maximum": maximum, "actual": actual},
    )


def validation_aborted_error(document: DocumentNode) -> GraphQLError:
    """Return the error of a document whose validation was aborted since comparing its selections takes too long.

    graphql-core's own error says "Validation aborted." only. The name that is repeated most is what took the time.
    """
    names = _NameCounter()
    visit(document, names)
    (kind, name), count = names.counts.most_common(1)[0]
    return GraphQLError(
        f"The document is too much to validate: it names the {kind} {name!r} {count:,} times. "
        f"Name each field and fragment once in a selection.",
        extensions={"code": TOO_COMPLEX},
    )


class _NameCounter(Visitor):
    """Counts how often each field and fragment is named in the text of the document."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, str]] = Counter()

    def enter_field(self, node: FieldNode, *_args: object) -> None:
        self.counts["field", (node.alias or node.name).value] += 1

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_args: object) -> None:
        self.counts["fragment", node.name.value] += 1


class _Measurer:
    """Measures each fragment once, however often it is spread."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, Measure] = {}

    def operation(self, node: OperationDefinitionNode) -> Measure:
        """Return the measure of an operation with its variables."""
        own = len(node.directives or ()) + sum(_directives(variable) for variable in node.variable_definitions or ())
        return self._selections(node.selection_set).max_with(Measure(directives=own))

    def _selections(self, selection_set: SelectionSetNode | None) -> Measure:
        total = Measure()
        for selection in selection_set.selections if selection_set else ():
            total = total.max_with(self._selection(selection))
        return total

    def _selection(self, node: SelectionNode) -> Measure:
        own = Measure(directives=len(node.directives or ()))
        if isinstance(node, FragmentSpreadNode):
            return own.max_with(self._fragment(node.name.value))
        inner: SelectionSetNode | None = getattr(node, "selection_set", None)
        below = self._selections(inner)
        if not isinstance(node, FieldNode):
            return own.max_with(below)
        # The depth of introspection is limited by a validation rule of its own.
        depth = below.depth + 1 if inner and not node.name.value.startswith("__") else 0
        aliases = below.aliases + (node.alias is not None)
        return Measure(depth, aliases, below.directives).max_with(own)

    def _fragment(self, name: str) -> Measure:
        if name not in self._measured:
            self._measured[name] = Measure()  # counts for a cycle, which validation rejects later
            fragment = self._fragments.get(name)
            self._measured[name] = self._selections(fragment.selection_set) if fragment else Measure()
        return self._measured[name]


def _directives(variable: VariableDefinitionNode) -> int:
    return len(variable.directives or ())
