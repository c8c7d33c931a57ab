"""A change that breaks clients of the last release is noticed, and asked to be named in the changelog."""

import importlib.util
import re
from pathlib import Path

import pytest
from graphql import build_schema

ROOT = Path(__file__).parents[3]

_spec = importlib.util.spec_from_file_location("breaking_changes", ROOT / ".ci" / "breaking_changes.py")
assert _spec is not None
assert _spec.loader is not None
check = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check)

RELEASED = """
directive @old(kept: Int, gone: Int, retyped: Int) repeatable on FIELD | QUERY
directive @removed on FIELD
scalar Gone
interface Named { name: String }
enum Side { BUY SELL SHORT }
input Order { side: Side, price: Int = 1, size: Int = 1 }
input Choice { one: Int, two: Int }
type Cat implements Named { name: String }
type Dog { name: String, age: Int, size: Int! }
union Pet = Cat | Dog
scalar Kind
type Query { pet(id: ID, limit: Int = 5, retyped: Int): Pet  kind: Kind  dog: Dog
  find(by: Choice, order: Order): Gone }
"""

PRESENT = """
directive @old(kept: Int, retyped: String, needed: Int!) on FIELD
interface Named { name: String }
enum Side { BUY SELL }
input Order { side: Side, price: Int = 2, size: Int, account: ID! }
input Choice @oneOf { one: Int, two: Int }
type Cat { name: String }
type Dog { name: String, size: Int }
union Pet = Cat
type Kind { name: String }
type Query { pet(limit: Int = 9, retyped: String, needed: Int!): Pet  kind: Kind  dog: Dog
  find(by: Choice, order: Order): String }
"""


def test_every_kind_of_breaking_change_has_the_coordinate_of_what_changed() -> None:
    changes = check.breaking_changes(build_schema(RELEASED), build_schema(PRESENT))
    assert [change.coordinate for change in changes] == [
        "@old",
        "@old",
        "@old(gone:)",
        "@old(needed:)",
        "@old(retyped:)",
        "@removed",
        "Cat",
        "Choice",
        "Dog.age",
        "Dog.size",
        "Gone",
        "Kind",
        "Order.account",
        "Order.price",
        "Order.size",
        "Pet",
        "Query.find",
        "Query.pet(id:)",
        "Query.pet(limit:)",
        "Query.pet(needed:)",
        "Query.pet(retyped:)",
        "Side.SHORT",
    ]


def test_a_default_of_null_may_go_and_may_not_become_another() -> None:
    released = "input I { a: Int = null } type Query { pets(first: Int = null, last: Int = null, by: I): Int }"
    present = "input I { a: Int } type Query { pets(first: Int, last: Int = 5, by: I): Int }"
    (change,) = check.breaking_changes(build_schema(released), build_schema(present))
    assert change.coordinate == "Query.pets(last:)"


def test_what_is_added_breaks_nothing() -> None:
    more = RELEASED.replace("SHORT", "SHORT LONG").replace("age: Int", "age(inYears: Boolean = true): Int, weight: Int")
    assert check.breaking_changes(build_schema(RELEASED), build_schema(more)) == []


CHANGELOG = """# Changelog

## [Unreleased]

### Changed (breaking)

- `Dog.age` and `Query.pet(id:)` are gone; ask for `{ dog { name } }`.

### Changed for operators (breaking)

- `R3EDGE_GONE` is no setting any more; run `r3edge serve` without it.

### Removed (breaking)

- The type `Gone`.

### Added

- `Dog.size`.

## [0.1.0] - 2026-11-22

### Changed (breaking)

- `Side.SHORT` was never there.
"""


def test_a_change_is_named_under_a_breaking_heading_of_the_unreleased_part_alone() -> None:
    assert check.named_changes(CHANGELOG) == {"Dog.age", "Query.pet(id:)", "Gone", "R3EDGE_GONE"}


@pytest.mark.parametrize("changelog", ["", "# Changelog\n\n## [0.1.0]\n\n### Changed (breaking)\n\n- `Dog.age`\n"])
def test_a_changelog_without_an_unreleased_part_names_nothing(changelog: str) -> None:
    assert check.named_changes(changelog) == set()


def test_the_released_schema_is_that_of_the_newest_release_in_the_changelog() -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    released = (ROOT / "schema" / "released.graphql").read_text()
    assert released.startswith(f"# The schema of release {newest[1]}.\n")
