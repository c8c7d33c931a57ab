"""Templates out of installed Python packages: the entry point group `r3edge.strategies`.

A plug-in gives data when a node starts, and nothing of it runs while candles are traded. Whatever is wrong with one
leaves the others and the engine as they are; one that doesn't come to an end is left behind.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from itertools import islice

import structlog

from domain.model.definitions import StrategyDefinition
from domain.model.strategy_templates import StrategyPlugin, StrategyTemplate, TemplateCatalogue
from domain.strategies.templates import TEMPLATES
from infra.strategy_files.errors import BadStrategyFile
from infra.strategy_files.formats import DocumentFormat
from infra.strategy_files.strategy_file import StrategyFile, parse_strategy, write_strategy

GROUP = "r3edge.strategies"
MAX_TEMPLATES = 200
"""How many templates one plug-in may give."""
MAX_TEXT = 2_000
MAX_SECONDS = 20.0
"""How long a plug-in may take to be imported and to give its templates."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)

log = structlog.stdlib.get_logger("r3edge")


class _Unusable(Exception):
    """A template that can't be used, and why."""


@dataclass
class _Found:
    """What was found until now; `owners` has the package of each name."""

    templates: list[StrategyTemplate] = field(default_factory=lambda: list(TEMPLATES))
    owners: dict[str, str] = field(default_factory=lambda: {template.name: "the engine" for template in TEMPLATES})
    plugins: list[StrategyPlugin] = field(default_factory=list)


@dataclass
class _Given:
    """What a plug-in has given until now, and what has ended it early."""

    objects: list[object] = field(default_factory=list)
    error: str | None = None


def load_templates(most_seconds: float = MAX_SECONDS) -> TemplateCatalogue:
    """Return the engine's templates and those of all plug-ins that are installed; a bad plug-in logs one line.

    Each may take `most_seconds`.
    """
    found = _Found()
    for entry_point in sorted(entry_points(group=GROUP), key=lambda point: (_package(point), point.name)):
        _add_plugin(entry_point, found, most_seconds)
    return TemplateCatalogue(tuple(found.templates), tuple(found.plugins))


def _add_plugin(entry_point: EntryPoint, found: _Found, most_seconds: float) -> None:
    package = _package(entry_point)
    version = entry_point.dist.version if entry_point.dist is not None else ""
    names: list[str] = []
    errors: list[str] = []
    objects, reason = _collected(entry_point, most_seconds)
    for number, given in enumerate(objects, 1):
        try:
            template = replace(_checked(given, found.owners), package=package)
        except Exception as error:  # noqa: BLE001  # an object of somebody else's class, which may raise anything
            errors.append(f"template {number}: {error if isinstance(error, _Unusable) else _described(error)}")
            continue
        found.templates.append(template)
        found.owners[template.name] = package
        names.append(template.name)
    if reason is not None:
        errors.append(reason)
    found.plugins.append(StrategyPlugin(entry_point.name, package, version, tuple(names), tuple(errors)))
    if errors:
        log.warning("strategy_plugin_failed", plugin=entry_point.name, package=package, reason="; ".join(errors))


def _collected(entry_point: EntryPoint, most_seconds: float) -> tuple[list[object], str | None]:
    """Return what a plug-in gives, and why that isn't all; it runs in a thread, which nobody waits for for ever."""
    given = _Given()
    thread = threading.Thread(
        target=_collect, args=(entry_point, given), name=f"plugin-{entry_point.name}", daemon=True
    )
    thread.start()
    thread.join(most_seconds)
    if thread.is_alive():
        return list(given.objects), f"it took longer than {most_seconds:g} s; what it gives later is left out"
    return given.objects, given.error


def _collect(entry_point: EntryPoint, given: _Given) -> None:
    try:
        for one in _given(entry_point):
            given.objects.append(one)
    except BaseException as error:  # noqa: BLE001  # code of somebody else, which may raise anything
        given.error = _described(error)


def _described(error: BaseException) -> str:
    """Return an error in words, one whose own words can't be had by its name alone."""
    try:
        return f"{type(error).__name__}: {error}"[:MAX_TEXT]
    except Exception:  # noqa: BLE001  # of a class of somebody else
        return type(error).__name__


def _given(entry_point: EntryPoint) -> Iterator[object]:
    loaded = entry_point.load()
    given = loaded() if callable(loaded) else loaded
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise TypeError(f"{entry_point.value} is a {type(given).__name__}; a list of StrategyTemplate is expected")
    for index, template in enumerate(islice(given, MAX_TEMPLATES + 1)):
        if index == MAX_TEMPLATES:
            raise ValueError(f"it has more than {MAX_TEMPLATES} templates; the others are left out")
        yield template


def _checked(given: object, owners: dict[str, str]) -> StrategyTemplate:
    """Return the template with a definition that is valid; raises `_Unusable`."""
    if not isinstance(given, StrategyTemplate):
        raise _Unusable(f"a StrategyTemplate is expected, not a {type(given).__name__}")
    name: object = given.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _Unusable(f"{name!r:.60} can't be a name; use up to 40 lower-case letters, digits and _, a letter first")
    if name in owners:
        raise _Unusable(f"{name} is a template of {owners[name]} already")
    for text_name in ("title", "description", "source"):
        text: object = getattr(given, text_name)
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
            raise _Unusable(f"{name} has no {text_name}; write a text of at most {MAX_TEXT:,} characters")
    return replace(given, definition=_checked_definition(name, given.definition))


def _checked_definition(name: str, given: object) -> StrategyDefinition:
    """Return the definition as it is read from a file, so that no number or text of it has another type."""
    if not isinstance(given, StrategyDefinition):
        raise _Unusable(f"{name} needs a StrategyDefinition, not a {type(given).__name__}")
    try:
        written = write_strategy(StrategyFile(given), DocumentFormat.JSON).encode()
        return parse_strategy(written, DocumentFormat.JSON, name).definition
    except BadStrategyFile as error:
        raise _Unusable(f"{name}: {'; '.join(map(str, error.errors))}") from None
    except (TypeError, ValueError, AttributeError) as error:  # a field with an object of some other class
        raise _Unusable(f"{name} has no definition that can be stored: {error}") from None


def _package(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else entry_point.module
