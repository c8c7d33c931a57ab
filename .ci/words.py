#!/usr/bin/env python3
"""Fails where a name or a sentence uses a word that the glossary keeps out.

usage: words.py [PATH ...]

Reads the names of modules, classes, functions, arguments, variables and attributes that are defined in the given files
or folders (by default in all of the project), cut into words. A test's name is a sentence: what a thing says may stand
in it.
`docs/glossary.md` has the terms to use instead.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = ("schema", "resolvers", "domain", "infra", "r3edge", "tests", "bench", ".ci", "docs")
GENERATED = ("infra/web/console/static", "infra/web/graphiql/static", "infra/postgres/migrations/versions")

BANNED = {
    **dict.fromkeys(("tell", "tells", "told", "telling"), "publish, notify, report, print"),
    **dict.fromkeys(("hear", "hears", "heard", "hearing"), "on_…"),
    **dict.fromkeys(("want", "wants", "wanted", "wanting"), "filter, subscribe, request, expected"),
    **dict.fromkeys(("say", "says", "said", "saying"), "evaluate, record, is_…"),
    **dict.fromkeys(("news",), "execution reports, notifier"),
    **dict.fromkeys(("bell", "bells", "ring", "rings", "rung"), "notifier, notify, wake-up"),
    **dict.fromkeys(("desk", "desks"), "context"),
    **dict.fromkeys(("settler", "settlers"), "resolver"),
    **dict.fromkeys(("judge", "judges"), "signal processor"),
    **dict.fromkeys(("kitchen", "chores", "shop"), "executor, tasks, demo schema"),
    **dict.fromkeys(("tape", "tapes"), "trade sequencer"),
    **dict.fromkeys(("mailbox", "mailboxes", "box", "boxes"), "queue"),
    **dict.fromkeys(("unbroken",), "closed, gap-free"),
    **dict.fromkeys(("hole", "holes"), "gap"),
    **dict.fromkeys(("outlet", "outlets"), "outputs"),
    **dict.fromkeys(("endless",), "cumulative"),
    **dict.fromkeys(("lane", "lanes"), "shard"),
    **dict.fromkeys(("deaf",), "unresponsive"),
    **dict.fromkeys(("hush", "heed"), "ban, observe"),
    **dict.fromkeys(("beside",), "concurrently, with"),
    **dict.fromkeys(("misbehave", "misbehaviour", "misreports"), "faults"),
    **dict.fromkeys(("faulty", "mistakes", "problem", "problems"), "errors"),
    **dict.fromkeys(("house", "overlay"), "external liquidity, external book"),
    **dict.fromkeys(("urgency",), "priority"),
    **dict.fromkeys(("anew", "whoever"), "again, anybody who"),
}
"""Each word that is kept out of names, and what to write instead."""

PROSE = {"anew": "again", "whoever": "anybody who", "whatsoever": "at all"}
"""Words that are kept out of docstrings, comments, messages and documents too, for readers of other first languages."""

BARE_SESSION = re.compile(r"^_?(sessions?|Session(?!Middleware)\w*)$")
"""A login session and a trading session are different things; a name says which."""

SENTENCE_WORDS = {"say", "says", "said"}
"""What the name of a test may hold."""

SESSION_ALLOWED = {"session"}
"""Of a variable, whose type says which."""


class Finding(NamedTuple):
    """A word that is kept out, and where it stands."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def words_of(name: str) -> list[str]:
    """Cut an identifier into its words, in lower case."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)
    return [part.lower() for part in parts]


def name_errors(source: str, path: str) -> Iterator[Finding]:
    """Yield the banned words among the names that a module defines."""
    for name, line, is_definition in _defined(ast.parse(source)):
        allowed = SENTENCE_WORDS if name.startswith("test_") else set()
        for word in words_of(name):
            if word in BANNED and word not in allowed:
                yield Finding(path, line, f"{name}: not {word!r}; write {BANNED[word]}")
        if is_definition and BARE_SESSION.match(name) and name not in SESSION_ALLOWED:
            yield Finding(path, line, f"{name}: not a bare session; write trading session or login session")


def prose_errors(text: str, path: str) -> Iterator[Finding]:
    """Yield the banned words anywhere in a text."""
    for number, line in enumerate(text.splitlines(), start=1):
        for word in re.findall(r"[A-Za-z]+", line.replace("_", " ")):
            if word.lower() in PROSE:
                yield Finding(path, number, f"not {word!r}; write {PROSE[word.lower()]}")


def _defined(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno, isinstance(node, ast.ClassDef)
            case ast.arg(arg=name):
                yield name, node.lineno, False
            case ast.Name(id=name, ctx=ast.Store()):
                yield name, node.lineno, False
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno, False
            case ast.alias(asname=str(name)):
                yield name, node.lineno, False


def findings(paths: list[Path]) -> Iterator[Finding]:
    """Yield all findings of the given files and folders."""
    for path in sorted({file for given in paths for file in _files(given)}):
        shown = path.relative_to(ROOT).as_posix()
        if shown.startswith(GENERATED) or path == Path(__file__).resolve():
            continue
        text = path.read_text()
        yield from prose_errors(text, shown)
        if path.suffix != ".py":
            continue
        for word in words_of(path.stem):
            if word in BANNED:
                yield Finding(shown, 1, f"{path.stem}: not {word!r}; write {BANNED[word]}")
        yield from name_errors(text, shown)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for found in path.rglob("*"):
        if found.suffix in {".py", ".md"} and "__pycache__" not in found.parts and "node_modules" not in found.parts:
            yield found


def main(arguments: list[str]) -> int:
    """Print the findings; the exit code is 1 if there are any."""
    paths = [Path(argument).resolve() for argument in arguments]
    found = list(findings(paths or [*(ROOT / folder for folder in FOLDERS), ROOT / "README.md"]))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
