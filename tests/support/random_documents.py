"""Random queries, nearly all of them valid, with the values of their variables.

They have what servers that compile queries got wrong before: the same response key from several selections, fragments
and types; fragments in fragments, spread again, with and without a type; `@skip` and `@include` everywhere, both at
once and by variables; variables that are absent, null or left to their default, alone and within lists and inputs; one
value where a list is expected; `__typename` of everything.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

LITERALS = {
    "Int": ("7", 7),
    "Boolean": ("true", True),
    "MarketSymbol": ('"sandbox:BTC/USDT"', "sandbox:BTC/USDT"),
    "DateTime": ('"2026-01-01T00:00:00Z"', "2026-01-01T00:00:00Z"),
    "Decimal": ('"1.5"', "1.5"),
    "ID": ('"x"', "x"),
    "String": ('"y"', "y"),
    "Sequence": ('"5"', "5"),
    "Float": ("1.5", 1.5),
    "LocalTime": ('"10:00"', "10:00"),
}
Value = tuple[str, Any]
"""A value as a literal and as JSON."""


@dataclass
class Place:
    """A response path: what is selected there has to merge with what was selected there before."""

    keys: dict[str, list[tuple[Any, str, str]]] = field(default_factory=dict)
    """By response key, the parent type, name with arguments, and type of each field."""

    children: dict[str, "Place"] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)

    def takes(self, key: str, parent: Any, head: str, kind: str) -> bool:
        """Return whether a field may have the key."""
        for other, other_head, other_kind in self.keys.get(key, ()):
            differ = other is not parent and is_object_type(other) and is_object_type(parent)
            if other_kind != kind or not (differ or other_head == head):
                return False
        return True

    def child(self, key: str) -> "Place":
        """Return the place below a key."""
        return self.children.setdefault(key, Place())


class Writer:
    """Writes one document, by the random numbers it is given."""

    def __init__(self, schema: GraphQLSchema, random: Random) -> None:
        self.schema = schema
        self.random = random
        self.values: dict[str, Any] = {}
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self._left = self.random.choice([5, 15, 30])

    def document(self) -> str:
        """Return the document, whose variables have `values`."""
        body = self._selection(self.schema.query_type, 4, Place())
        head = f"({', '.join(self._declared)})" if self._declared else ""
        return f"query Q{head} {{ {body} }} {' '.join(self._fragments)}"

    def _chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def _variable(self, kind: Any, literal: str, value: Any) -> str:
        """Declare a variable for a place of this type."""
        name = f"v{len(self._declared)}"
        required = is_non_null_type(kind)
        match self.random.randrange(6):
            case 0 if not required:  # absent
                self._declared.append(f"${name}: {kind}")
            case 1 if not required:
                self._declared.append(f"${name}: {kind}")
                self.values[name] = None
            case 2:
                self._declared.append(f"${name}: {kind} = {literal}")
            case 3:  # one that may be null where none may be: an error of the field, or of the condition
                self._declared.append(f"${name}: {kind.of_type if required else kind} = {literal}")
                self.values[name] = None if self._chance(10) else value
            case _:
                self._declared.append(f"${name}: {kind}")
                self.values[name] = value
        return f"${name}"

    def _directives(self) -> str:
        found = ""
        for name in ("skip", "include"):
            if self._chance(6):
                literal, value = self.random.choice([("true", True), ("false", False)])
                boolean = self.schema.directives[0].args["if"].type
                found += f" @{name}(if: {literal if self._chance(40) else self._variable(boolean, literal, value)})"
        return found

    def _value(self, kind: Any, depth: int = 0) -> Value:
        if is_non_null_type(kind):
            return self._value(kind.of_type, depth)
        if is_list_type(kind):
            if self._chance(20):  # one value where a list is expected
                return self._value(kind.of_type, depth)
            items = [self._given(kind.of_type, depth + 1) for _ in range(self.random.randrange(3))]
            return f"[{', '.join(literal for literal, _ in items)}]", [value for _, value in items]
        if is_enum_type(kind):
            name = self.random.choice(list(kind.values))
            return name, name
        if is_input_object_type(kind):
            return self._input(kind, depth)
        return LITERALS[kind.name]

    def _input(self, kind: Any, depth: int) -> Value:
        given = {}
        names = list(kind.fields)
        one_of = kind.extensions["strawberry-definition"].is_one_of
        if one_of:
            chosen = {self.random.choice(names)}
        else:
            chosen = {name for name in names if _is_required(kind.fields[name]) or (depth < 2 and self._chance(20))}
        for name in names:
            if name in chosen:
                inner = kind.fields[name].type
                given[name] = self._value(inner, depth + 1) if one_of else self._given(inner, depth + 1)
        literal = ", ".join(f"{name}: {value}" for name, (value, _) in given.items())
        return f"{{{literal}}}", {name: value for name, (_, value) in given.items()}

    def _given(self, kind: Any, depth: int) -> Value:
        """Return a value, or null where that may be."""
        return ("null", None) if not is_non_null_type(kind) and self._chance(10) else self._value(kind, depth)

    def _arguments(self, field: GraphQLField) -> str:
        parts = []
        for name, argument in field.args.items():
            if _is_required(argument) or self._chance(20):
                literal, value = self._given(argument.type, 0)
                if self._chance(40):
                    literal = self._variable(argument.type, literal, value)
                parts.append(f"{name}: {literal}")
        return f"({', '.join(parts)})" if parts else ""

    def _selection(self, kind: Any, depth: int, place: Place) -> str:
        parts = []
        for _ in range(self.random.randrange(1, 5)):
            parts += self._part(kind, depth, place)
        return " ".join(parts) or "__typename"

    def _part(self, kind: Any, depth: int, place: Place) -> list[str]:
        chance = self.random.randrange(100)
        if chance < 10 or self._left < 0:
            return [f"{self.random.choice(['', 'typeName0: '])}__typename{self._directives()}"]
        if chance < (60 if is_abstract_type(kind) else 20):
            return self._inline(kind, depth, place)
        if chance < (70 if is_abstract_type(kind) else 30):
            return self._named(kind, depth, place)
        fields = getattr(kind, "fields", {})
        return self._field(kind, self.random.choice(list(fields)), depth, place) if fields else []

    def _inline(self, kind: Any, depth: int, place: Place) -> list[str]:
        possible = list(self.schema.get_possible_types(kind)) if is_abstract_type(kind) else [kind]
        choices = [*possible, *(each.interfaces[0] for each in possible if each.interfaces), None]
        on = self.random.choice(choices)
        condition = f"... on {on.name}" if on else "..."
        return [f"{condition}{self._directives()} {{ {self._selection(on or kind, depth, place)} }}"]

    def _named(self, kind: Any, depth: int, place: Place) -> list[str]:
        if place.fragments and self._chance(40):
            return [f"...{self.random.choice(place.fragments)}{self._directives()}"]
        name = f"F{len(self._fragments)}"
        self._fragments.append("")
        text = self._selection(kind, depth, place)
        self._fragments[int(name[1:])] = f"fragment {name} on {kind.name} {{ {text} }}"
        place.fragments.append(name)
        return [f"...{name}{self._directives()}"]

    def _field(self, parent: Any, name: str, depth: int, place: Place) -> list[str]:
        field = parent.fields[name]
        kind = get_named_type(field.type)
        if depth <= 0 and not is_leaf_type(kind):
            return []
        self._left -= 1
        head = f"{name}{self._arguments(field)}"
        key = self.random.choice([name, name, name, "a", "b"])
        while not place.takes(key, parent, head, str(field.type)):
            key = f"a{self.random.randrange(10_000)}"
        place.keys.setdefault(key, []).append((parent, head, str(field.type)))
        shown = f"{head if key == name else f'{key}: {head}'}{self._directives()}"
        if is_leaf_type(kind):
            return [shown]
        below = place.child(key)
        found = [f"{shown} {{ {self._selection(kind, depth - 1, below)} }}"]
        if self._chance(15):  # the same field again: the selections merge
            again = head if key == name else f"{key}: {head}"
            found.append(f"{again}{self._directives()} {{ {self._selection(kind, depth - 1, below)} }}")
        return found


def _is_required(given: GraphQLArgument | GraphQLInputField) -> bool:
    return is_non_null_type(given.type) and given.default_value is Undefined
