"""The recipes that the API guide shows are the files that are tested, in the versions that are pinned."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "docs" / "clients"
API = (ROOT / "docs" / "api.md").read_text()


@pytest.mark.parametrize("recipe", sorted([*RECIPES.glob("*.mjs"), *RECIPES.glob("*.py")]), ids=lambda path: path.name)
def test_the_api_guide_shows_each_recipe_as_it_is_tested(recipe: Path) -> None:
    assert f"\n{recipe.read_text()}```\n" in API
    assert f"`{recipe.name}`" in API


def test_every_package_is_pinned_and_none_comes_from_elsewhere() -> None:
    required = json.loads((RECIPES / "package.json").read_text())["dependencies"]
    locked = json.loads((RECIPES / "package-lock.json").read_text())["packages"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in required.values())
    assert {name: locked[f"node_modules/{name}"]["version"] for name in required} == required
    assert not [name for name, package in locked.items() if "resolved" in package]
    assert all("integrity" in package for name, package in locked.items() if name)
