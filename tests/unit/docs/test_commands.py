"""The commands that the documents show have the arguments and options that there are."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from infra.cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COMMANDS = typer.main.get_command(app)


def shown_commands() -> list[tuple[str, str]]:
    """Return each command line that a page shows, with the page's name."""
    shown = ((page.name, page.read_text().replace("\\\n", " ")) for page in PAGES)
    return [
        (name, line.split(" > ")[0])
        for name, text in shown
        for line in re.findall(r"^\$ r3edge (.+)$", text, re.MULTILINE)
    ]


def test_commands_are_found() -> None:
    assert {page for page, _ in shown_commands()} >= {"README.md", "backtesting.md", "strategies.md", "templates.md"}


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_shown_command_can_be_typed(page: str, line: str) -> None:
    command, words = COMMANDS, shlex.split(line)
    while isinstance(command, TyperGroup) and not (command.invoke_without_command and words[0].startswith("--")):
        name = words.pop(0)
        assert name in command.commands, f"{page}: there is no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known, page
