"""Loads the settings, and says of each that can't be used what is wrong and what it may be."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from infra.secret_files import SUFFIX, BadSecretFile
from infra.settings import Settings, is_secret

_PROVIDED_SECRETS = Path("/run/secrets")
"""Where containers get files of secrets: their mode is the engine's, and nobody else is in there."""


class BadSettings(Exception):
    """One line for each invalid setting: its name, the error, and what it may be."""

    def __init__(self, errors: list[str]) -> None:
        self.errors = errors
        super().__init__("\n".join(errors))


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401  # the command line's options, checked by pydantic
    """Return the settings, those of `overrides` that are not None above all; raises `BadSettings`."""
    _check_environment()
    return settings_in_spite_of_unknown(**overrides)


def settings_in_spite_of_unknown(**overrides: Any) -> Settings:  # noqa: ANN401  # as above
    """Return the settings as `load_settings` does, whatever else stands in the environment; raises `BadSettings`."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise BadSettings([_describe(details) for details in error.errors()]) from None
    except BadSecretFile as error:
        raise BadSettings(str(error).splitlines()) from None
    except (SettingsError, OSError, ValueError) as error:
        raise BadSettings([f"R3EDGE_CONFIG: {error}"]) from None


def secret_files() -> list[Path]:
    """Return the files of secrets that the environment names, without those that a container's engine provides."""
    named = (os.environ.get(variable) for variable in _file_variables())
    paths = [Path(name) for name in named if name]
    return [path for path in paths if not path.is_relative_to(_PROVIDED_SECRETS)]


def _file_variables() -> set[str]:
    return {f"R3EDGE_{name.upper()}{SUFFIX}" for name in filter(is_secret, Settings.model_fields)}


def unknown_variables() -> list[str]:
    """Return a sentence for each variable of the environment that looks like a setting, and is none."""
    known = sorted(
        {f"R3EDGE_{name.upper()}" for name in Settings.model_fields} | {"R3EDGE_CONFIG", "R3EDGE_REQUIRE_ALL"}
    )
    files = _file_variables()
    return [
        f"{name} is not a setting; {_nearest(name, known)}"
        for name in sorted(os.environ)
        if name.startswith("R3EDGE_") and name not in known and name not in files
    ]


def _nearest(name: str, known: Sequence[str]) -> str:
    own = {setting.removeprefix("R3EDGE_"): setting for setting in known}
    near = difflib.get_close_matches(name.removeprefix("R3EDGE_"), own, 1, cutoff=0.75)
    return f"did you mean {own[near[0]]}?" if near else f"there are {', '.join(known)}"


def _check_environment() -> None:
    if unknown := unknown_variables():
        raise BadSettings(unknown)
    file = os.environ.get("R3EDGE_CONFIG")
    if file and not Path(file).is_file():
        raise BadSettings([f"R3EDGE_CONFIG: there is no file {file}"])


def _describe(details: Any) -> str:  # noqa: ANN401  # pydantic's ErrorDetails
    name = str(details["loc"][0]) if details["loc"] else ""
    message = str(details["msg"]).removeprefix("Value error, ")
    if name not in Settings.model_fields:
        return message if not name else f"{name} is not a setting; {_nearest(name, sorted(Settings.model_fields))}"
    return f"R3EDGE_{name.upper()}: {message}. It may be: {Settings.model_fields[name].description}"
