"""The templates of the engine and of installed plug-ins.

A plug-in gives data when a node starts, and none of its code runs in the engine's process. Whatever is wrong with one
leaves the others and the engine as they are; one that doesn't come to an end is killed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from domain.model.strategy_templates import StrategyPlugin, StrategyTemplate, TemplateCatalogue
from domain.strategies.templates import TEMPLATES
from infra.strategy_files.formats import DocumentFormat
from infra.strategy_files.strategy_file import parse_strategy
from infra.strategy_plugins.collector import TEXTS, installed_plugins, package_of

MAX_SECONDS: Final = 20.0
"""How long a plug-in may take to be imported and to give its templates."""

_PROGRAM = "infra.strategy_plugins.collector"

log = structlog.stdlib.get_logger("r3edge")


@dataclass
class _Found:
    """What was found until now; `owners` has the package of each name."""

    templates: list[StrategyTemplate] = field(default_factory=lambda: list(TEMPLATES))
    owners: dict[str, str] = field(default_factory=lambda: {template.name: "the engine" for template in TEMPLATES})
    plugins: list[StrategyPlugin] = field(default_factory=list)


def load_templates(most_seconds: float = MAX_SECONDS) -> TemplateCatalogue:
    """Return the engine's templates and those of all plug-ins that are installed; a bad plug-in logs one line.

    Each may take `most_seconds`.
    """
    found, installed = _Found(), installed_plugins()
    lines: list[list[dict[str, Any]]] = [[] for _ in installed]
    if installed:
        for line in _collected(most_seconds):
            lines[line["plugin"]].append(line)
    for entry_point, given in zip(installed, lines, strict=True):
        version = entry_point.dist.version if entry_point.dist is not None else ""
        _add_plugin(StrategyPlugin(entry_point.name, package_of(entry_point), version, (), ()), given, found)
    return TemplateCatalogue(tuple(found.templates), tuple(found.plugins))


def _collected(most_seconds: float) -> Iterator[dict[str, Any]]:
    """Yield what the plug-ins give."""
    reader, writer = os.pipe()
    # They need none of the node's secrets, and what they print would stand in the middle of its log.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}
    with subprocess.Popen(  # noqa: S603  # a program of the engine's own
        [sys.executable, "-m", _PROGRAM, str(writer), str(most_seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[writer],
        env=environment,
    ):
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            yield from map(json.loads, pipe)


def _add_plugin(plugin: StrategyPlugin, given: list[dict[str, Any]], found: _Found) -> None:
    names: list[str] = []
    errors: list[str] = []
    if all("number" in line for line in given):
        errors.append("it ended its process before it had given all")
    for line in given:
        template = line.get("template")
        if "is_end" in line:
            continue
        if template is None:
            errors.append(f"template {line['number']}: {line['reason']}" if "number" in line else line["reason"])
        elif template["name"] in found.owners:
            owner = found.owners[template["name"]]
            errors.append(f"template {line['number']}: {template['name']} is a template of {owner} already")
        else:
            found.templates.append(_template(template, plugin.package))
            found.owners[template["name"]] = plugin.package
            names.append(template["name"])
    found.plugins.append(StrategyPlugin(plugin.name, plugin.package, plugin.version, tuple(names), tuple(errors)))
    if errors:
        log.warning("strategy_plugin_failed", plugin=plugin.name, package=plugin.package, reason="; ".join(errors))


def _template(given: dict[str, Any], package: str) -> StrategyTemplate:
    definition = parse_strategy(given["definition"].encode(), DocumentFormat.JSON, given["name"]).definition
    title, description, source = (given[name] for name in TEXTS)
    return StrategyTemplate(given["name"], title, description, source, definition, package, given["differences"])
