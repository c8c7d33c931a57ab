"""The runbook has an entry for each alert rule, and only for those; its commands exist."""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from infra.cli.main import app

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
GROUPS = yaml.safe_load((ROOT / "ops" / "prometheus" / "alerts.yaml").read_text())["groups"]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
ENTRIES = dict(re.findall(r"^### (\w+)\n(.+?)(?=\n#|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
COMMANDS = sorted(set(re.findall(r"r3edge ((?:[a-z-]+ ?){1,2})", RUNBOOK)))


def test_every_alert_has_an_entry_and_every_entry_an_alert() -> None:
    assert ENTRIES.keys() == RULES.keys()


@pytest.mark.parametrize("alert", sorted(RULES))
def test_an_entry_says_whether_somebody_is_woken(alert: str) -> None:
    is_page = RULES[alert]["labels"]["severity"] == "page"
    words = "Wake" if is_page else r"[Mm]orning|at night"
    assert re.search(words, ENTRIES[alert]), f"{alert} doesn't say {words}"


def test_every_command_exists() -> None:
    known = get_command(app)
    assert [command for command in COMMANDS if command.split()[0] not in known.commands] == []  # type: ignore[attr-defined]
    for command in ("backup restore", "backup mark-restored", "backup list", "archive verify", "user erase"):
        assert f"r3edge {command}" in RUNBOOK
        assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0


def test_the_links_lead_to_headings_of_the_runbook() -> None:
    lines = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}
    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)) <= headings
