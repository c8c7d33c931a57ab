"""Plug-ins are found as installed packages are, and whatever is wrong with one stays its own."""

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from domain.strategies.templates import TEMPLATES
from infra.strategy_plugins import MAX_TEMPLATES, load_templates

EXAMPLE = Path(__file__).parents[3] / "docs" / "strategy-plugin"
HEADER = """
from decimal import Decimal
from dataclasses import replace
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition
from domain.model.strategy_templates import StrategyTemplate
RULES = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(100)), enter_long="close > 1")
GOOD = StrategyTemplate("good", "Good", "It trades.", "A book, 2001", RULES)
"""
Install = Callable[[str, str], None]


def installed(folder: Path, package: str, version: str, entry_points: str) -> None:
    """Write what an installer writes about a package."""
    metadata = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[r3edge.strategies]\n{entry_points}\n")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.syspath_prepend(str(tmp_path))

    def install_one(package: str, code: str) -> None:
        module = f"{package.replace('-', '_')}_{tmp_path.name}".lower()  # nothing of an earlier test is imported again
        (tmp_path / f"{module}.py").write_text(HEADER + code)
        installed(tmp_path, package, "1.2", f"main = {module}:TEMPLATES")

    return install_one


def test_the_example_is_found_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    (entry_point,) = project["entry-points"]["r3edge.strategies"].items()
    shutil.copytree(EXAMPLE / "r3edge_example_strategies", tmp_path / "r3edge_example_strategies")
    installed(tmp_path, project["name"], project["version"], " = ".join(entry_point))
    monkeypatch.syspath_prepend(str(tmp_path))
    with capture_logs() as lines:
        catalogue = load_templates()
    assert catalogue.templates[: len(TEMPLATES)] == TEMPLATES
    assert lines == []
    assert [(one.name, one.package) for one in catalogue.templates[len(TEMPLATES) :]] == [
        ("inside_bar", "r3edge-example-strategies")
    ]
    (plugin,) = catalogue.plugins
    assert (plugin.name, plugin.version, plugin.templates, plugin.errors) == ("examples", "1.0", ("inside_bar",), ())


def test_a_plug_in_may_give_a_function_and_plain_numbers(install: Install) -> None:
    install(
        "plain",
        "def TEMPLATES():\n  yield replace(GOOD, definition=replace(RULES, stop_loss=ExitDistance(percent=1.5)))",
    )
    catalogue = load_templates()
    assert catalogue.plugins[0].errors == ()
    distance = catalogue.templates[-1].definition.stop_loss
    assert distance is not None
    assert str(distance.percent) == "1.5"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import a_module_that_nobody_has", "ModuleNotFoundError: "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class Mute(Exception):\n  def __str__(self): return self.text\nraise Mute", "Mute"),
        ("class Odd(StrategyTemplate):\n  title = property(lambda self: 1 / 0)\nTEMPLATES = [object.__new__(Odd)]",
         "template 1: AttributeError: "),
        ("def TEMPLATES(: pass", "SyntaxError: "),
        ("OTHER = []", "AttributeError: "),
        ("TEMPLATES = 3", "a list of StrategyTemplate is expected"),
        ("TEMPLATES = 'good'", "a list of StrategyTemplate is expected"),
        ("def TEMPLATES(): return 1 / 0", "ZeroDivisionError: "),
        ("TEMPLATES = [{'name': 'good'}]", "template 1: a StrategyTemplate is expected, not a dict"),
        ("TEMPLATES = [replace(GOOD, name='turtle')]", "template 1: turtle is a template of the engine already"),
        ("TEMPLATES = [GOOD, GOOD]", "template 2: good is a template of broken already"),
        ("TEMPLATES = [replace(GOOD, name='No Good')]", "'No Good' can't be a name"),
        ("TEMPLATES = [replace(GOOD, name=None)]", "None can't be a name"),
        ("TEMPLATES = [replace(GOOD, title=' ')]", "good has no title"),
        ("TEMPLATES = [replace(GOOD, source='x' * 3000)]", "good has no source"),
        ("TEMPLATES = [replace(GOOD, definition=None)]", "good needs a StrategyDefinition, not a NoneType"),
        (
            "TEMPLATES = [replace(GOOD, definition=replace(RULES, enter_long='clse > 1'))]",
            "good: enterLong: Nothing is called 'clse'",
        ),
        ("TEMPLATES = [replace(GOOD, definition=replace(RULES, sizing=None))]", "good: sizing"),
        ("TEMPLATES = [replace(GOOD, definition=replace(RULES, enter_long=object()))]", "good has no definition"),
        (
            "TEMPLATES = [replace(GOOD, definition=replace(RULES, stop_loss=ExitDistance(percent=Decimal('nan'))))]",
            "good: stopLoss.percent: 'NaN' must be a finite number",
        ),
    ],
)  # fmt: skip
def test_a_broken_plug_in_is_named_and_changes_nothing_else(install: Install, code: str, reason: str) -> None:
    install("a-good-one", "TEMPLATES = [replace(GOOD, name='first')]")
    install("broken", code)
    install("the-last", "TEMPLATES = [replace(GOOD, name='last')]")
    with capture_logs() as lines:
        catalogue = load_templates()
    assert {"first", "last"} <= {template.name for template in catalogue.templates}
    assert [plugin.package for plugin in catalogue.plugins if plugin.errors] == ["broken"]
    (line,) = lines
    assert (line["event"], line["log_level"], line["package"]) == ("strategy_plugin_failed", "warning", "broken")
    assert reason.lower() in line["reason"].lower()


def test_the_good_templates_of_a_plug_in_with_a_bad_one_are_kept(install: Install) -> None:
    install("mixed", "TEMPLATES = [GOOD, replace(GOOD, name='turtle'), replace(GOOD, name='better')]")
    (plugin,) = load_templates().plugins
    assert plugin.templates == ("good", "better")
    assert len(plugin.errors) == 1


def test_a_plug_in_without_end_is_cut(install: Install) -> None:
    install(
        "endless",
        "def TEMPLATES():\n  from itertools import count\n  return (replace(GOOD, name=f'x{n}') for n in count())",
    )
    (plugin,) = load_templates().plugins
    assert len(plugin.templates) == MAX_TEMPLATES
    assert "more than 200 templates" in plugin.errors[0]


def test_of_one_name_in_two_packages_the_first_by_their_names_counts(install: Install) -> None:
    install("bbb", "TEMPLATES = [GOOD]")
    install("aaa", "TEMPLATES = [GOOD]")
    first, second = load_templates().plugins
    assert (first.package, first.errors, second.templates) == ("aaa", (), ())
    assert "good is a template of aaa already" in second.errors[0]


@pytest.mark.parametrize(
    "code", ["Event().wait()", "def TEMPLATES():\n  yield GOOD\n  Event().wait()"], ids=["import", "templates"]
)
def test_a_plug_in_that_comes_to_no_end_is_left_behind(install: Install, code: str) -> None:
    install("endless", f"from threading import Event\n{code}")
    with capture_logs() as lines:
        catalogue = load_templates(most_seconds=0.5)
    (plugin,) = catalogue.plugins
    assert plugin.errors == ("it took longer than 0.5 s; what it gives later is left out",)
    assert catalogue.templates[: len(TEMPLATES)] == TEMPLATES
    assert [line["event"] for line in lines] == ["strategy_plugin_failed"]
