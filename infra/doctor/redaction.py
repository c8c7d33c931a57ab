"""Keeps the secrets of the settings out of what is printed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from infra.doctor.findings import Finding
from infra.settings import Settings

HIDDEN = "[secret]"
_SHORTEST = 3
"""Replacing a password of one or two characters would spoil every other word, and it is no secret anyway."""


def without_secrets(findings: Iterable[Finding], settings: Settings | None) -> list[Finding]:
    """Return the findings with every secret of the settings replaced: a library's message may repeat one."""
    secrets = sorted(set(_secrets(settings)), key=len, reverse=True) if settings is not None else []
    return [
        replace(found, message=_hide(found.message, secrets), advice=found.advice and _hide(found.advice, secrets))
        for found in findings
    ]


def _secrets(settings: Settings) -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, SecretStr):
                text = item.get_secret_value()
                password = _password(text) if "://" in text else None
                yield from (
                    part for part in (text, password, unquote(password or "")) if part and len(part) >= _SHORTEST
                )


def _password(url: str) -> str | None:
    parts = urlsplit(url)
    return parts.password or next(iter(parse_qs(parts.query).get("password", [])), None)


def _hide(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
