"""Collects what plug-ins give: `python -m infra.strategy_plugins.collector`, a process of its own beside the engine.

Each plug-in runs in a fork of it, in a session of its own, which is killed when its time is over. It writes a line of
JSON for each template that it gives to the pipe that is the first argument; the second is the time for each, in
seconds.
"""

import json
import os
import re
import select
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from typing import Final

from domain.model.definitions import StrategyDefinition
from domain.model.strategy_templates import StrategyTemplate
from infra.strategy_files.errors import BadStrategyFile
from infra.strategy_files.formats import DocumentFormat
from infra.strategy_files.strategy_file import StrategyFile, parse_strategy, write_strategy

GROUP: Final = "r3edge.strategies"
MAX_TEMPLATES: Final = 200
"""How many templates one plug-in may give."""
MAX_TEXT: Final = 2_000
TEXTS: Final = ("title", "description", "source")

_GRACE_SECONDS = 5.0
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)

Line = dict[str, object]


class _Unusable(Exception):
    """A template that can't be used, and why."""


def installed_plugins() -> list[EntryPoint]:
    """Return the entry points of all plug-ins that are installed, by their packages and names."""
    return sorted(entry_points(group=GROUP), key=lambda point: (package_of(point), point.name))


def package_of(entry_point: EntryPoint) -> str:
    """Return the name of the package that has the plug-in."""
    return entry_point.dist.name if entry_point.dist is not None else entry_point.module


def collect(pipe: int, most_seconds: float) -> None:
    """Run all plug-ins, one after the other, and write what they give."""
    for number, entry_point in enumerate(installed_plugins()):
        # The other end of the pipe closes when the plug-in's process ends.
        end, alive = os.pipe()
        pid = os.fork()
        if not pid:
            # Should this process come to its end first.
            signal.setitimer(signal.ITIMER_REAL, most_seconds + _GRACE_SECONDS)
            _be_plugin(number, entry_point, pipe)
        os.close(alive)
        has_ended = bool(select.select([end], [], [], most_seconds)[0])
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # with what it may have started
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # before it has a session of its own
        _, status = os.waitpid(pid, 0)
        os.close(end)
        if not has_ended:
            reason = f"it took longer than {most_seconds:g} s; what it gives later is left out"
            _write(pipe, {"plugin": number, "reason": reason})
        elif status:
            reason = f"it ended its process with status {os.waitstatus_to_exitcode(status)}"
            _write(pipe, {"plugin": number, "reason": reason})


def _be_plugin(number: int, entry_point: EntryPoint, pipe: int) -> None:
    """Be the process of a plug-in, to its end."""
    os.setsid()
    try:
        for index, given in enumerate(_given(entry_point), 1):
            _write(pipe, {"plugin": number, "number": index, **_line(given)})
        _write(pipe, {"plugin": number, "is_end": True})
    except BaseException as error:  # noqa: BLE001  # code of somebody else, which may raise anything
        _write(pipe, {"plugin": number, "reason": _described(error)})
    os._exit(0)


def _write(pipe: int, line: Line) -> None:
    data = json.dumps(line).encode() + b"\n"
    while data:
        data = data[os.write(pipe, data) :]


def _line(given: object) -> Line:
    try:
        return {"template": _checked(given)}
    except _Unusable as error:
        return {"reason": str(error)}
    except Exception as error:  # noqa: BLE001  # an object of somebody else's class, which may raise anything
        return {"reason": _described(error)}


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


def _checked(given: object) -> Line:
    """Return a template as plain data, with a definition that is valid; raises `_Unusable`."""
    if not isinstance(given, StrategyTemplate):
        raise _Unusable(f"a StrategyTemplate is expected, not a {type(given).__name__}")
    name: object = given.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _Unusable(f"{name!r:.60} can't be a name; use up to 40 lower-case letters, digits and _, a letter first")
    texts = {text_name: getattr(given, text_name) for text_name in TEXTS}
    for text_name, text in texts.items():
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
            raise _Unusable(f"{name} has no {text_name}; write a text of at most {MAX_TEXT:,} characters")
    differences: object = given.differences
    if differences is not None and (not isinstance(differences, str) or len(differences) > MAX_TEXT):
        raise _Unusable(f"the differences of {name} must be a text of at most {MAX_TEXT:,} characters")
    return {"name": name, **texts, "differences": differences, "definition": _written(name, given.definition)}


def _written(name: str, given: object) -> str:
    """Return the definition as it is in a file, so that no number or text of it has another type."""
    if not isinstance(given, StrategyDefinition):
        raise _Unusable(f"{name} needs a StrategyDefinition, not a {type(given).__name__}")
    try:
        written = write_strategy(StrategyFile(given), DocumentFormat.JSON)
        parse_strategy(written.encode(), DocumentFormat.JSON, name)
    except BadStrategyFile as error:
        raise _Unusable(f"{name}: {'; '.join(map(str, error.errors))}") from None
    except (TypeError, ValueError, AttributeError) as error:  # a field with an object of some other class
        raise _Unusable(f"{name} has no definition that can be stored: {error}") from None
    return written


if __name__ == "__main__":
    collect(int(sys.argv[1]), float(sys.argv[2]))
