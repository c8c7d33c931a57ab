"""Secrets out of files: `R3EDGE_NAME_FILE` names the file that holds what `R3EDGE_NAME` would be."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SUFFIX = "_FILE"
"""As the official images of PostgreSQL and others have it."""

_MOST_BYTES = 65_536


class BadSecretFile(Exception):
    """A file of a secret that can't be used; the message names the variable and the file, never the content."""


def read_secret(variable: str) -> str | None:
    """Return the secret in the file that the environment's `variable`, such as R3EDGE_SECRET_KEY_FILE, names.

    The line's end after it doesn't count. None if the variable isn't set. Raises `BadSecretFile`.
    """
    name = os.environ.get(variable)
    if not name:
        return None
    if os.environ.get(plain := variable.removesuffix(SUFFIX)):
        raise BadSecretFile(f"{variable}: {plain} is set too; set one of the two")
    return _content(variable, Path(name))


def _content(variable: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        secret = content.decode().rstrip("\r\n")
    except FileNotFoundError:
        raise BadSecretFile(f"{variable}: there is no file {path}") from None
    except OSError as error:
        raise BadSecretFile(f"{variable}: {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadSecretFile(f"{variable}: {path} is not text in UTF-8") from None
    if len(content) > _MOST_BYTES:
        raise BadSecretFile(f"{variable}: {path} has more than {_MOST_BYTES} bytes, so it is no secret")
    if not secret:
        raise BadSecretFile(f"{variable}: {path} is empty")
    return secret


class SecretFilesSource(PydanticBaseSettingsSource):
    """The settings among `names`, in small letters, whose files the environment names."""

    def __init__(self, settings_cls: type[BaseSettings], names: Iterable[str]) -> None:
        super().__init__(settings_cls)
        self._names = tuple(names)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the setting's value, its name, and that it needn't be decoded."""
        del field
        value = read_secret(f"R3EDGE_{field_name.upper()}{SUFFIX}") if field_name in self._names else None
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings by their names; raises `BadSecretFile` with a line for each file that can't be used."""
        values: dict[str, Any] = {}
        errors: list[str] = []
        for name in self._names:
            try:
                value, _, _ = self.get_field_value(self.settings_cls.model_fields[name], name)
            except BadSecretFile as error:
                errors.append(str(error))
            else:
                values.update({} if value is None else {name: value})
        if errors:
            raise BadSecretFile("\n".join(errors))
        return values
