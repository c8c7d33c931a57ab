"""How much one document may ask for: depth, aliases and directives, counted through fragments."""

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
    """What a selection amounts to with all of its fragments spread; leaves add no depth."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0

    def beside(self, other: "Measure") -> "Measure":
        """Return what both amount to side by side."""
        return Measure(max(self.depth, other.depth), self.aliases + other.aliases, self.directives + other.directives)


def check_limits(document: DocumentNode, settings: WebSettings) -> list[GraphQLError]:
    """Return an error for each limit that any operation of the document passes."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    measurer = _Measurer(fragments)
    total = Measure()
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            total = total.beside(measurer.operation(node))
    for fragment in fragments.values():  # spread or not, they have to be validated
        total = total.beside(Measure(directives=len(fragment.directives or ())))
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
    """Return the error of an operation that asks for too much."""
    return GraphQLError(
        _MESSAGES[limit].format(maximum=maximum, actual=actual),
        extensions={"code": TOO_COMPLEX, "limit": limit, "maximum": maximum, "actual": actual},
    )


def too_much_to_validate(document: DocumentNode) -> GraphQLError:
    """Return the error of a document whose validation was given up since comparing its selections takes too long.

    graphql-core ends that work with "Validation aborted." alone. What is repeated most is what took the time.
    """
    names = _Names()
    visit(document, names)
    (what, name), count = names.counted.most_common(1)[0]
    return GraphQLError(
        f"The document is too much to validate: it names the {what} {name!r} {count:,} times. "
        f"Name each field and fragment once in a selection.",
        extensions={"code": TOO_COMPLEX},
    )


class _Names(Visitor):
    """Counts how often each field and fragment is named, by the text of the document."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[tuple[str, str]] = Counter()

    def enter_field(self, node: FieldNode, *_args: object) -> None:
        self.counted["field", (node.alias or node.name).value] += 1

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_args: object) -> None:
        self.counted["fragment", node.name.value] += 1


class _Measurer:
    """Measures each fragment once, however often it is spread."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, Measure] = {}

    def operation(self, node: OperationDefinitionNode) -> Measure:
        """Return the measure of an operation with its variables."""
        own = len(node.directives or ()) + sum(_directives(variable) for variable in node.variable_definitions or ())
        return self._selections(node.selection_set).beside(Measure(directives=own))

    def _selections(self, selection_set: SelectionSetNode | None) -> Measure:
        total = Measure()
        for selection in selection_set.selections if selection_set else ():
            total = total.beside(self._selection(selection))
        return total

    def _selection(self, node: SelectionNode) -> Measure:
        own = Measure(directives=len(node.directives or ()))
        if isinstance(node, FragmentSpreadNode):
            return own.beside(self._fragment(node.name.value))
        inner: SelectionSetNode | None = getattr(node, "selection_set", None)
        below = self._selections(inner)
        if not isinstance(node, FieldNode):
            return own.beside(below)
        # What introspection may nest is bounded by a validation rule of its own.
        depth = below.depth + 1 if inner and not node.name.value.startswith("__") else 0
        aliases = below.aliases + (node.alias is not None)
        return Measure(depth, aliases, below.directives).beside(own)

    def _fragment(self, name: str) -> Measure:
        if name not in self._measured:
            self._measured[name] = Measure()  # what a cycle adds; validation refuses it later
            fragment = self._fragments.get(name)
            self._measured[name] = self._selections(fragment.selection_set) if fragment else Measure()
        return self._measured[name]


def _directives(variable: VariableDefinitionNode) -> int:
    return len(variable.directives or ())
