"""What documents and sources refer to is in the repository: files, modules and other documents."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = ("domain", "infra", "resolvers", "schema")
FOLDERS = (*CODE, "tests", "bench", "docs", "deploy", "ops", ".ci")
MADE = {"bench/results"}
"""What a program makes when it runs."""

_URL = re.compile(r"(?:https?://|developers\.)\S+")
_PATH = re.compile(rf"(?<![\w./~-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*[\w*]")
_MODULE = re.compile(rf"(?<=`)(?:{'|'.join(CODE)})(?:\.[A-Za-z_]\w*)+(?=`)")
_DOCUMENT = re.compile(r"[\w-]+\.md\b")
_OUTSIDE = re.compile(r"\bthe design\b|\bthe (?:core )?contract\b|\.\./shared", re.IGNORECASE)


def texts() -> Iterator[Path]:
    """Give every file that speaks of others: sources, documents and what builds and checks them."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".mjs", ".xml"} and "static" not in path.parts:
                yield path
    yield from ROOT.glob("*.md")
    yield from (ROOT / name for name in ("pyproject.toml", "Dockerfile", "compose.yaml", ".ci/run"))


TEXTS = {path.relative_to(ROOT).as_posix(): _URL.sub("", path.read_text()) for path in texts()}
DOCUMENTS = {Path(name).name for name in TEXTS if name.endswith(".md")}


def references(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return each file's name with what it mentions."""
    mine = Path(__file__).relative_to(ROOT).as_posix()
    return sorted({(name, found) for name, text in TEXTS.items() if name != mine for found in pattern.findall(text)})


def test_every_path_that_is_named_exists() -> None:
    assert [(name, path) for name, path in references(_PATH) if path not in MADE and not there(path)] == []


def test_every_module_that_is_named_exists() -> None:
    assert [(name, module) for name, module in references(_MODULE) if not is_module(module)] == []


def test_every_document_that_is_named_is_in_the_repository() -> None:
    assert [(name, document) for name, document in references(_DOCUMENT) if document not in DOCUMENTS] == []


def test_nothing_leans_on_what_an_outsider_cannot_read() -> None:
    assert references(_OUTSIDE) == []


@pytest.mark.parametrize(
    "path", ["domain/model/order_*", "infra/postgres/bulk_candles", "tests/unit/docs", "docs/api.md"]
)
def test_a_path_may_be_a_folder_a_module_or_a_pattern(path: str) -> None:
    assert there(path)


@pytest.mark.parametrize("path", ["domain/nothing_*", "infra/postgres/candle_cop", "docs/design.md"])
def test_a_path_that_leads_nowhere_is_noticed(path: str) -> None:
    assert not there(path)


def there(path: str) -> bool:
    """Return whether a path, with or without `.py`, with `*` or as the beginning of names, is in the repository."""
    return any(ROOT.glob(f"{path}*" if path.endswith("_") else path)) or (ROOT / f"{path}.py").exists()


def is_module(dotted: str) -> bool:
    """Return whether the dotted name leads to a module or to a name in one."""
    place = ROOT
    for part in dotted.split("."):
        if (place / f"{part}.py").exists():
            return True
        if not (place / part).is_dir():
            return bool(re.search(rf"\b{re.escape(part)}\b", (place / "__init__.py").read_text()))
        place /= part
    return True
