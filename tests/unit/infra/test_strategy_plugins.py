"""Plug-ins are found as installed packages are, and whatever is wrong with one stays its own."""

import decimal
import logging
import os
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from domain.strategies.templates import TEMPLATES
from infra.strategy_plugins.catalogue import load_templates
from infra.strategy_plugins.collector import MAX_TEMPLATES
from tests.support.waiting import eventually

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


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def make_importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have packages in the folder found here and by the processes that are started."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    make_importable(tmp_path, monkeypatch)

    def install_one(package: str, code: str) -> None:
        module = f"{package.replace('-', '_')}_module"
        (tmp_path / f"{module}.py").write_text(HEADER + code)
        installed(tmp_path, package, "1.2", f"main = {module}:TEMPLATES")

    return install_one


def test_the_example_is_found_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    (entry_point,) = project["entry-points"]["r3edge.strategies"].items()
    shutil.copytree(EXAMPLE / "r3edge_example_strategies", tmp_path / "r3edge_example_strategies")
    installed(tmp_path, project["name"], project["version"], " = ".join(entry_point))
    make_importable(tmp_path, monkeypatch)
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


BROKEN = [
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
    ("TEMPLATES = [GOOD, GOOD]", "template 2: good is a template of broken-13 already"),
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
    ("import os\nos._exit(0)", "it ended its process before it had given all"),
    ("import os\nos._exit(7)", "it ended its process with status 7"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "it ended its process with status -11"),
    ("TEMPLATES = [replace(GOOD, name='odd', differences=3)]", "the differences of odd must be a text"),
]  # fmt: skip
"""What a plug-in has beside a good one, and what is said about it."""


def test_broken_plug_ins_are_named_and_change_nothing_else(install: Install) -> None:
    install("a-good-one", "TEMPLATES = [replace(GOOD, name='first', differences='None.')]")
    for number, (code, _) in enumerate(BROKEN):
        install(f"broken-{number:02}", code)
    install("the-last", "TEMPLATES = [replace(GOOD, name='last')]")
    with capture_logs() as lines:
        catalogue = load_templates()
    ours = {template.name: template for template in catalogue.templates[len(TEMPLATES) :]}
    assert set(ours) == {"first", "good", "last"}
    assert (ours["first"].differences, ours["last"].differences) == ("None.", None)
    reasons = {line["package"]: line["reason"] for line in lines}
    assert {(line["event"], line["log_level"]) for line in lines} == {("strategy_plugin_failed", "warning")}
    assert len(lines) == len(reasons)
    for number, (_, reason) in enumerate(BROKEN):
        assert reason.lower() in reasons.get(f"broken-{number:02}", "").lower()
    assert [plugin.package for plugin in catalogue.plugins if plugin.errors] == sorted(reasons)


async def test_what_a_plug_in_does_to_its_process_leaves_the_engine_as_it_is(install: Install, tmp_path: Path) -> None:
    install(
        "rude",
        f"""
import decimal, logging, os, subprocess, sys, threading
logging.disable(logging.CRITICAL)
os.chdir("/")
decimal.DefaultContext.prec = decimal.getcontext().prec = 3
os.environ["HOME"] = "/nowhere"
print("a line", flush=True); print("another", file=sys.stderr, flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
open({str(tmp_path / "secrets")!r}, "w").write(" ".join(name for name in os.environ if name.startswith("R3EDGE_")))
threading.Thread(target=lambda: 1 / 0).start()
TEMPLATES = [GOOD]""",
    )
    os.environ["R3EDGE_TEST_SECRET"] = "secret"
    before = Path.cwd(), decimal.getcontext().prec, os.environ.get("HOME")
    try:
        (plugin,) = load_templates().plugins
    finally:
        del os.environ["R3EDGE_TEST_SECRET"]
    assert (plugin.templates, plugin.errors) == (("good",), ())
    assert (Path.cwd(), decimal.getcontext().prec, os.environ.get("HOME")) == before
    assert logging.root.manager.disable < logging.CRITICAL
    assert (tmp_path / "secrets").read_text() == ""
    child = int((tmp_path / "pid").read_text())
    await eventually(lambda: not is_running(child), "what it started is gone")


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
    "code",
    ["while True: pass", "def TEMPLATES():\n  yield GOOD\n  while True: pass"],
    ids=["import", "templates"],
)
def test_a_plug_in_that_comes_to_no_end_is_ended(install: Install, tmp_path: Path, code: str) -> None:
    install("endless", f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{code}")
    with capture_logs() as lines:
        catalogue = load_templates(most_seconds=0.5)
    (plugin,) = catalogue.plugins
    assert plugin.errors == ("it took longer than 0.5 s; what it gives later is left out",)
    file = tmp_path / "pid"
    assert not (file.exists() and is_running(int(file.read_text() or "0")))
    assert catalogue.templates[: len(TEMPLATES)] == TEMPLATES
    assert [line["event"] for line in lines] == ["strategy_plugin_failed"]
