"""The console's committed build: that it is of its sources, without Node.js."""

from pathlib import Path

from infra.web.console.page import STATIC
from infra.web.console.sources import sources_hash

CONSOLE = Path(__file__).parents[3] / "console"


def test_the_served_console_is_built_from_its_sources() -> None:
    built_from = (STATIC / "sources.sha256").read_text().strip()
    assert built_from == sources_hash(CONSOLE), "the built console is stale: run `npm run build` in console/"


def test_the_page_names_only_files_of_its_own_and_nothing_inline() -> None:
    page = (STATIC / "index.html").read_text()
    assert '<base href="./" />' in page
    assert "://" not in page
    assert "<style" not in page
    assert all("src=" in script for script in page.split("<script")[1:])
