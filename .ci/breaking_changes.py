#!/usr/bin/env python3
"""Fails where the schema breaks what the last release promised and the changelog doesn't say so.

usage: breaking_changes.py [--list]

Compares `schema/schema.graphql` with `schema/released.graphql`, the printed schema of the last release. Each breaking
change has to be named by its schema coordinate, such as `Type.field` or `Type.field(argument:)`, in backticks under a
heading of CHANGELOG.md's unreleased part that ends in "(breaking)". `--list` prints all of them, to be copied there.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

from graphql import GraphQLSchema, NullValueNode, build_schema, is_input_object_type
from graphql.utilities import (
    BreakingChangeType,
    DangerousChangeType,
    find_breaking_changes,
    find_dangerous_changes,
)

ROOT = Path(__file__).parents[1]
_CHANGED_DEFAULTS = {DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE, DangerousChangeType.INPUT_FIELD_DEFAULT_VALUE_CHANGE}
"""graphql-core calls them dangerous; for a client that leaves the argument out the same document does another thing."""

_COORDINATE = re.compile(r"@?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?(?:\([A-Za-z_]\w*:\))?")
_KIND = "Field |Argument |Enum value |Directive |Standard scalar |A required field |A required argument "
_CHANGED = re.compile(rf"(?:{_KIND})?({_COORDINATE.pattern}) ")


class Change(NamedTuple):
    """A change that breaks documents written for the last release."""

    coordinate: str
    description: str


def breaking_changes(released: GraphQLSchema, present: GraphQLSchema) -> list[Change]:
    """Return the breaking changes from the released to the present schema, by their coordinates.

    A default of null that is gone breaks no document: what was left out counted as null before as well.
    """
    changes = [
        Change(_coordinate(change.type, change.description), change.description)
        for change in find_breaking_changes(released, present)
    ]
    changes += [
        Change(_coordinate(change.type, change.description), change.description)
        for change in find_dangerous_changes(released, present)
        if change.type in _CHANGED_DEFAULTS and not _is_null_default_gone(released, change.description)
    ]
    return sorted({*changes, *_one_of_changes(released, present)})


def named_changes(changelog: str) -> set[str]:
    """Return the coordinates that the unreleased part of a changelog names as breaking."""
    unreleased = re.search(r"^## \[Unreleased\]$(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE)
    if unreleased is None:
        return set()
    parts = re.findall(r"^### [^\n]*\(breaking\)$(.*?)(?=^### |\Z)", unreleased[1], re.DOTALL | re.MULTILINE)
    return {span for part in parts for span in re.findall(r"`([^`\n]+)`", part) if _COORDINATE.fullmatch(span)}


def _coordinate(kind: BreakingChangeType | DangerousChangeType, description: str) -> str:
    """Return what a description of graphql-core speaks of; a test holds this to all kinds that there are."""
    if kind in {BreakingChangeType.TYPE_REMOVED_FROM_UNION, BreakingChangeType.DIRECTIVE_LOCATION_REMOVED}:
        return description.rstrip(".").rsplit(" ", 1)[1]
    if kind is BreakingChangeType.DIRECTIVE_REPEATABLE_REMOVED:
        return description.rstrip(".").rsplit(" ", 1)[1]
    found = _CHANGED.match(description)
    if found is None:
        raise ValueError(f"no schema coordinate in: {description}")
    return found[1]


def _is_null_default_gone(released: GraphQLSchema, description: str) -> bool:
    """Return whether a description of graphql-core says that a default is gone which was null."""
    place, is_gone, _ = description.partition(" defaultValue was removed")
    type_name, _, rest = place.partition(".")
    name, _, argument = rest.partition("(")
    if not is_gone:
        return False
    field = released.type_map[type_name].fields[name]
    default = (field.args[argument.removesuffix(":)")] if argument else field).default
    return isinstance(default.literal, NullValueNode)


def _one_of_changes(released: GraphQLSchema, present: GraphQLSchema) -> set[Change]:
    """Return the input types that became `@oneOf` or ceased to be, which graphql-core doesn't look at."""
    changes = set()
    for name, before in released.type_map.items():
        after = present.type_map.get(name)
        if is_input_object_type(before) and is_input_object_type(after) and before.is_one_of != after.is_one_of:
            changes.add(Change(name, f"{name} {'is now' if after.is_one_of else 'is no longer'} @oneOf."))
    return changes


def main() -> int:
    """Tell the breaking changes that the changelog doesn't name; return how the program ends."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--list", action="store_true", help="print all breaking changes since the last release")
    released, present = (
        build_schema((ROOT / "schema" / name).read_text()) for name in ("released.graphql", "schema.graphql")
    )
    changes = breaking_changes(released, present)
    if arguments.parse_args().list:
        for change in changes:
            print(f"- `{change.coordinate}`: {change.description}")
        return 0
    named = named_changes((ROOT / "CHANGELOG.md").read_text())
    missing = [change for change in changes if change.coordinate not in named]
    for change in missing:
        print(f"CHANGELOG.md doesn't name `{change.coordinate}`: {change.description}")
    print(f"{len(changes)} breaking changes since the last release, {len(missing)} of them not named")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
